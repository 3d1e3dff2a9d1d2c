"""The Flink jobs against an independent computation, and what they do with input that can not be used."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sluice_flink.result_files import Row, read_results
from sluice_flink.risk_store import RiskTables
from sluice_flink.sql_files import result_tables, source_tables
from tests.flink.command import run_job
from tests.flink.difficult_input import DOUBTFUL, REJECTED, WATERMARK, write_difficult_input
from tests.flink.independent import compute
from tests.flink.store_reading import active_version, read_version, version_rows

pytestmark = pytest.mark.flink

COMPUTED_TABLES = sorted(set(result_tables()) - {"source_check", "rejected_row"})


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
    good = {source: found.pop((source, "CURRENCY_CNY")) for source in ("policies", "orders")}
    assert good == {s: read[s] - sum(n for (source, _), n in REJECTED.items() if source == s) for s in good}
    assert found == REJECTED | DOUBTFUL
    assert read["policies"] == 12031
    assert read["orders"] == 16
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


def test_every_rejected_row_is_named_with_its_reason(difficult_run: DifficultRun) -> None:
    rows = {(source, key, reason): count for source, key, reason, count in difficult_run.rows["rejected_row"]}
    assert rows["policies", "X-twice", "DUPLICATE_KEY"] == 2
    assert rows["devices", "D-twice", "DUPLICATE_KEY"] == 2
    assert rows["claims", "X-orphan", "UNKNOWN_POLICY"] == 1
    assert rows["claims", "X-on-a-duplicate", "UNKNOWN_POLICY"] == 1
    assert rows["orders", "A8", "BAD_AMOUNT"] == 1
    by_finding: Counter[tuple[object, object]] = Counter()
    for (source, _, reason), count in rows.items():
        by_finding[source, reason] += int(str(count))
    assert by_finding == REJECTED


async def test_the_version_tells_its_input_rejects_and_currency(difficult_run: DifficultRun) -> None:
    (version,) = await version_rows(difficult_run.store_url)
    assert (version.state, version.currency, version.reason) == ("PUBLISHED", "CNY", None)
    assert version.input["rows"]["policies"] == 12031
    assert version.input["rows"]["orders"] == 16
    assert version.input["files"] == 12
    assert version.input["newest"]["orders"] == "2026-07-01T00:00:00Z"
    assert version.rejects["claims"] == {f: n for (source, f), n in REJECTED.items() if source == "claims"}
    assert version.row_counts == {name: len(rows) for name, rows in difficult_run.rows.items()}
    assert version.duration_seconds > 0


async def test_rows_of_the_wrong_type_are_rejected_and_named(tmp_path: Path) -> None:
    source, orders = write_difficult_input(tmp_path, policies=50)
    bad = {"claim_id": "K", "policy_id": "P", "occurred_on": "2025-01-01", "incurred_minor": "ten"}
    (source / "claims" / "part-0002.csv").write_text(claims_file(bad))
    store = f"sqlite:///{tmp_path / 'risk.db'}"
    more: list[str | Path] = ["--orders", orders, "--watermark", WATERMARK, "--reject-limit", "0.5"]
    report = run_job(source, store, tmp_path / "work", *more).report()
    found = {(item["source"], item["finding"]): item["rows"] for item in report["findings"]}
    assert found["claims", "BAD_TYPE"] == 1
    rows = (await read_version(store, report["data_version"]))["rejected_row"]
    assert ("claims", "claims/part-0002.csv line 2", "BAD_TYPE", 1) in rows


async def test_too_many_rows_of_the_wrong_type_publish_nothing_and_leave_the_reason(tmp_path: Path) -> None:
    source, _ = write_difficult_input(tmp_path, policies=50)
    bad = {"claim_id": "K", "policy_id": "P", "occurred_on": "2025-01-01", "incurred_minor": "ten"}
    (source / "claims" / "part-0002.csv").write_text(claims_file(bad))
    store = f"sqlite:///{tmp_path / 'risk.db'}"
    finished = run_job(source, store, tmp_path / "work")
    assert finished.exit_code == 1
    assert "claims/part-0002.csv line 2: incurred_minor: 'ten' is no BIGINT" in finished.stderr
    (version,) = await version_rows(store)
    assert version.state == "FAILED"
    assert "'ten' is no BIGINT" in version.reason


async def test_too_many_duplicates_publish_nothing_and_leave_the_reason(tmp_path: Path) -> None:
    source, orders = write_difficult_input(tmp_path, policies=50)
    store = f"sqlite:///{tmp_path / 'risk.db'}"
    finished = run_job(source, store, tmp_path / "work", "--orders", orders, "--reject-limit", "0.02")
    assert finished.exit_code == 1
    assert "DUPLICATE_KEY 2" in finished.stderr
    (version,) = await version_rows(store)
    assert version.state == "FAILED"
    assert "policies: more than 2.0% of 81 rows rejected" in version.reason
    assert version.rejects["policies"]["DUPLICATE_KEY"] == 2


def claims_file(row: dict[str, str]) -> str:
    """A file of claims with this one row."""
    columns = source_tables()["claims"].column_names
    return f"{','.join(columns)}\n{','.join(row.get(name, '') for name in columns)}\n"
