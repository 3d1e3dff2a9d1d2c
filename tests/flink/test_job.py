"""The Flink jobs against an independent computation, and what they do with input that can not be used."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sluice_flink.publish import Row, read_results
from sluice_flink.risk_store import RiskTables
from sluice_flink.sql_files import result_tables
from tests.flink.command import run_job
from tests.flink.difficult_input import DOUBTFUL, REJECTED, WATERMARK, append_rows, write_difficult_input
from tests.flink.independent import compute
from tests.flink.store_reading import active_version, read_version

pytestmark = pytest.mark.flink

COMPUTED_TABLES = sorted(set(result_tables()) - {"source_check"})


@dataclass(frozen=True)
class DifficultRun:
    """One run of the real job, shared by the tests below."""

    source: Path
    orders: Path
    store_url: str
    report: dict[str, Any]
    rows: dict[str, list[Row]]


@pytest.fixture(scope="module")
def difficult_run(tmp_path_factory: pytest.TempPathFactory) -> DifficultRun:
    folder = tmp_path_factory.mktemp("difficult")
    source, orders = write_difficult_input(folder)
    store_url = f"sqlite:///{folder / 'risk.db'}"
    more: list[str | Path] = ["--orders", orders, "--watermark", WATERMARK, "--reject-limit", "0.2"]
    report = run_job(source, store_url, folder / "work", *more).report()
    return DifficultRun(source, orders, store_url, report, read_results(folder / "work" / "results"))


@pytest.fixture(scope="module")
def independent(difficult_run: DifficultRun) -> dict[str, list[tuple[object, ...]]]:
    return compute(difficult_run.source, difficult_run.orders, dt.datetime.fromisoformat(WATERMARK))


@pytest.mark.parametrize("table", COMPUTED_TABLES)
def test_every_result_row_equals_an_independent_computation(
    difficult_run: DifficultRun, independent: dict[str, list[tuple[object, ...]]], table: str
) -> None:
    assert independent[table], "the comparison would say nothing"
    assert sorted(difficult_run.rows[table], key=repr) == sorted(independent[table], key=repr)


def test_rejected_and_doubtful_rows_are_counted(difficult_run: DifficultRun) -> None:
    found = {(item["source"], item["finding"]): item["rows"] for item in difficult_run.report["findings"]}
    read = {source: found.pop((source, "READ")) for source in ("policies", "claims", "orders")}
    late = found.pop(("claims", "AFTER_WATERMARK"))
    assert found == REJECTED | DOUBTFUL
    assert read["policies"] == 12026
    assert read["orders"] == 11
    assert late > 2


def test_what_is_counted_is_all_there_is(difficult_run: DifficultRun) -> None:
    found = {(item["source"], item["finding"]): item["rows"] for item in difficult_run.report["findings"]}
    rejected = sum(rows for (source, _), rows in REJECTED.items() if source == "claims")
    claims = result_tables()["channel_month"].column_names.index("claims")
    counted = sum(int(str(row[claims])) for row in difficult_run.rows["channel_month"])
    assert counted + rejected + found["claims", "AFTER_WATERMARK"] == found["claims", "READ"]


async def test_the_store_holds_what_the_job_wrote(difficult_run: DifficultRun) -> None:
    version = await active_version(difficult_run.store_url)
    assert version == difficult_run.report["data_version"] == 1
    stored = await read_version(difficult_run.store_url, version)
    assert set(stored) == set(RiskTables(None).results)
    for name, rows in difficult_run.rows.items():
        assert sorted(stored[name], key=repr) == sorted(rows, key=repr), name


async def test_a_value_of_the_wrong_type_fails_the_run_with_its_place(
    difficult_run: DifficultRun, tmp_path: Path
) -> None:
    source, _ = write_difficult_input(tmp_path, policies=50)
    append_rows(
        source, "claims", [{"claim_id": "K", "policy_id": "P", "occurred_on": "2025-01-01", "incurred_minor": "ten"}]
    )
    store = tmp_path / "risk.db"
    finished = run_job(source, f"sqlite:///{store}", tmp_path / "work")
    assert finished.exit_code == 1
    assert "claims, file part-0001.csv" in finished.stderr
    assert "invalid value 'ten'" in finished.stderr
    assert not store.exists()


async def test_a_duplicate_key_publishes_nothing(tmp_path: Path) -> None:
    source, orders = write_difficult_input(tmp_path, policies=50)
    policies = source / "policies" / "part-0000.csv"
    header, first, *_ = policies.read_text().splitlines(keepends=True)
    (source / "policies" / "part-0001.csv").write_text(header + first)
    store = tmp_path / "risk.db"
    finished = run_job(source, f"sqlite:///{store}", tmp_path / "work", "--orders", orders, "--reject-limit", "1")
    assert finished.exit_code == 1
    assert "policies: DUPLICATE_KEY (1)" in finished.stderr
    assert not store.exists()
