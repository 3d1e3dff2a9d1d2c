"""Real data through the real job: freMTPL2's claim frequency by model and channel, computed twice."""

from __future__ import annotations

import os
from collections import defaultdict
from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from sluice_flink.result_files import Row
from sluice_flink.sql_files import result_tables
from tests.flink.command import run_job, sluice_flink
from tests.flink.store_reading import read_active

pytestmark = pytest.mark.flink

DATA = Path(os.environ.get("SLUICE_FREMTPL2") or Path(__file__).parents[3] / "shared" / "data" / "freMTPL2")


EVERY = 7
"""Every seventh policy is enough to see that what is computed is right; `make demo DATA=…` takes all of them."""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some 97,000 policies of the data set and all claims."""
    if not (DATA / "freMTPL2freq.parquet").is_file():
        pytest.skip(f"freMTPL2 is not at {DATA}; set SLUICE_FREMTPL2 to its folder")
    folder = tmp_path_factory.mktemp("data")
    policies = pq.read_table(DATA / "freMTPL2freq.parquet")
    pq.write_table(policies.take(list(range(0, len(policies), EVERY))), folder / "freMTPL2freq.parquet")
    pq.write_table(pq.read_table(DATA / "freMTPL2sev.parquet"), folder / "freMTPL2sev.parquet")
    return folder


@pytest.fixture(scope="module")
def store_of_fremtpl2(data: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("fremtpl2")
    imported = sluice_flink("import-fremtpl2", "--data", data, "--output", folder / "source")
    assert imported.exit_code == 0, imported.stderr
    store_url = f"sqlite:///{folder / 'risk.db'}"
    run_job(folder / "source", store_url, folder / "work").report()
    return store_url


def sums(rows: list[Row], table: str, key: str) -> dict[str, tuple[int, float, int]]:
    """Claims, exposure and incurred by `key`."""
    names = result_tables()[table].column_names
    columns = [names.index(name) for name in ("claims", "exposure_years", "incurred_minor")]
    total: defaultdict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0])
    for row in rows:
        for position, column in enumerate(columns):
            total[str(row[names.index(key)])][position] += float(str(row[column]))
    return {name: (int(claims), exposure, int(incurred)) for name, (claims, exposure, incurred) in total.items()}


async def test_frequency_by_model_and_channel_equals_an_independent_computation(
    store_of_fremtpl2: str, data: Path
) -> None:
    _, stored = await read_active(store_of_fremtpl2)
    policies = pq.read_table(data / "freMTPL2freq.parquet")
    model = pc.binary_join_element_wise(policies["VehBrand"].cast("string"), policies["VehPower"].cast("string"), "-P")
    for table, key, groups in (
        ("device_model_month", "device_model_id", model),
        ("channel_month", "channel_id", policies["Region"].cast("string")),
    ):
        grouped = policies.append_column("group", groups).group_by("group")
        expected = grouped.aggregate([("ClaimNb", "sum"), ("Exposure", "sum")]).to_pylist()
        found = sums(stored[table], table, key)
        assert len(found) == len(expected)
        for row in expected:
            claims, exposure, _ = found[row["group"]]
            assert claims == row["ClaimNb_sum"]
            # Each policy's exposure is rounded to 1e-9 years.
            assert exposure == pytest.approx(row["Exposure_sum"], rel=1e-6)
            assert claims / exposure == pytest.approx(row["ClaimNb_sum"] / row["Exposure_sum"], rel=1e-6)


async def test_every_known_amount_is_incurred_once(store_of_fremtpl2: str, data: Path) -> None:
    _, stored = await read_active(store_of_fremtpl2)
    with_claims = pc.filter(
        (policies := pq.read_table(data / "freMTPL2freq.parquet"))["IDpol"], pc.greater(policies["ClaimNb"], 0)
    )
    amounts = pq.read_table(data / "freMTPL2sev.parquet")
    known = amounts.filter(pc.is_in(amounts["IDpol"], value_set=with_claims.combine_chunks()))
    cents = sum(round(amount * 100) for amount in known["ClaimAmount"].to_pylist())
    assert (
        sum(incurred for _, _, incurred in sums(stored["channel_month"], "channel_month", "channel_id").values())
        == cents
    )
