"""Input that can not be used is named, all of it at once, before Flink starts; nothing is published."""

from __future__ import annotations

import csv
import dataclasses
import datetime as dt
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest

from sluice_flink.findings import JobFailed, currencies, judge
from sluice_flink.generate import generate_portfolio, write_portfolio
from sluice_flink.inputs import BadInput, UnreadableRow, stage
from sluice_flink.job import RunParameters, choose_watermark, refuse_unreadable
from sluice_flink.sql_files import source_tables
from tests.flink.command import run_job
from tests.flink.store_reading import version_rows

ARROW = {"STRING": pa.string(), "BIGINT": pa.int64(), "DOUBLE": pa.float64(), "DATE": pa.date32()}
NOW = dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)


def write_headers(folder: Path) -> Path:
    """Every CSV source table with its header and no rows."""
    for table in source_tables().values():
        if table.name not in ("orders", "submissions"):
            (folder / table.name).mkdir(parents=True)
            (folder / table.name / "part-0.csv").write_text(",".join(table.column_names) + "\n")
    return folder


def write_rows(folder: Path, table: str, *rows: str) -> None:
    file = folder / table / "part-0.csv"
    file.write_text(file.read_text() + "".join(f"{row}\n" for row in rows))


def test_missing_files_and_wrong_headers_are_all_named(tmp_path: Path) -> None:
    source = write_headers(tmp_path / "source")
    (source / "claims" / "part-0.csv").unlink()
    (source / "devices" / "part-0.csv").write_text("device_id,colour\n")
    (source / "channels" / "part-0.csv").write_text("channel_id,store_id,channel_name,region,tier\n")
    with pytest.raises(BadInput) as refused:
        stage(source, tmp_path / "no-orders", tmp_path / "work")
    orders, claims, devices, channels = sorted(refused.value.problems, key=lambda text: "ocdh".index(kind(text)))
    assert orders == f"orders: {tmp_path / 'no-orders'} is not a folder"
    assert claims.startswith("claims: neither ")
    assert "missing device_model_id, brand, category, device_price_minor, purchased_on; unknown colour" in devices
    assert "wrong order" in channels


def kind(problem: str) -> str:
    return next(
        letter
        for letter, text in {"o": "orders", "c": "claims", "d": "devices", "h": "channels"}.items()
        if text in problem
    )


async def test_a_run_without_its_files_ends_with_a_clear_error_and_a_failed_version(tmp_path: Path) -> None:
    store = tmp_path / "risk.db"
    finished = run_job(tmp_path / "nothing", f"sqlite:///{store}", tmp_path / "work")
    assert finished.exit_code == 1
    assert "nothing published" in finished.stderr
    for name in ("policies", "claims", "devices", "channels", "repair_shops"):
        assert f"{name}: neither" in finished.stderr
    assert "Traceback" not in finished.stderr
    (version,) = await version_rows(f"sqlite:///{store}")
    assert (version.data_version, version.state) == (1, "FAILED")
    assert "claims: neither" in version.reason


def test_staging_takes_the_header_off_and_leaves_the_rows_as_they_are(tmp_path: Path) -> None:
    source = write_headers(tmp_path / "source")
    write_rows(source, "repair_shops", 'R1,"A ""quoted"", name",north', "R2,,south")
    staged = stage(source, None, tmp_path / "work")
    assert (
        staged.folder / "repair_shops" / "part-0000.csv"
    ).read_text() == 'R1,"A ""quoted"", name",north\nR2,,south\n'
    assert staged.files == 6
    assert list(staged.orders.iterdir()) == []


def test_the_fingerprint_is_that_of_the_content(tmp_path: Path) -> None:
    first = stage(write_headers(tmp_path / "a"), None, tmp_path / "work-a")
    same = stage(write_headers(tmp_path / "b"), None, tmp_path / "work-b")
    changed = write_headers(tmp_path / "c")
    write_rows(changed, "repair_shops", "R1,Shop,north")
    assert first.fingerprint == same.fingerprint
    assert first.fingerprint != stage(changed, None, tmp_path / "work-c").fingerprint


def test_rows_of_the_wrong_type_are_set_apart_with_their_place(tmp_path: Path) -> None:
    source = write_headers(tmp_path / "source")
    good = "K0,P1,R1,part,DROP,2026-02-28,2026-03-01T00:00:00Z,5,PAID"
    bad = "K1,P1,R1,part,DROP,2026-02-30,2026-03-02T00:00:00Z,5,PAID"
    write_rows(source, "claims", good, bad, f"{good},more", good.replace(",5,", f",{2**63},"))
    write_rows(source, "repair_shops", 'R1,"Shop",north', "R2,Shop")
    orders = tmp_path / "orders" / "dt=2026-01-01"
    orders.mkdir(parents=True)
    (orders / "a.jsonl").write_text(
        '{"application_id": "A1", "premium_minor": 5}\n{"application_id": "A2", "premium_minor": 1.5}\n'
    )
    (orders / "b.jsonl").write_text('{"application_id": "A1"}\n{"application_id"\n')
    (orders / "c.jsonl").write_text("[]\n")
    staged = stage(source, tmp_path / "orders", tmp_path / "work")
    assert [(row.place, row.problem) for row in staged.unreadable if row.source_table != "orders"] == [
        ("claims/part-0.csv line 3", "occurred_on: '2026-02-30' is no DATE"),
        ("claims/part-0.csv line 4", "10 values instead of 9"),
        ("claims/part-0.csv line 5", f"incurred_minor: '{2**63}' is no BIGINT"),
        ("repair_shops/part-0.csv line 3", "2 values instead of 3"),
    ]
    orders_found = {row.place: row.problem for row in staged.unreadable if row.source_table == "orders"}
    assert orders_found["dt=2026-01-01/a.jsonl line 2"] == "premium_minor is no BIGINT"
    assert "dt=2026-01-01/b.jsonl line 2" in orders_found
    assert orders_found["dt=2026-01-01/c.jsonl line 1"] == "not a JSON object"
    assert (staged.folder / "claims" / "part-0000.csv").read_text() == f"{good}\n"
    assert [path.read_text() for path in sorted(staged.orders.iterdir())] == [
        '{"application_id": "A1", "premium_minor": 5}\n', '{"application_id": "A1"}\n', "",
    ]  # fmt: skip
    assert staged.rows == {
        "policies": 0,
        "claims": 4,
        "devices": 0,
        "channels": 0,
        "repair_shops": 2,
        "parts": 0,
        "orders": 5,
    }
    assert staged.newest == {"claims": "2026-03-01T00:00:00Z"}
    listed = (staged.folder / "unreadable_rows" / "part-0000.csv").read_text().splitlines()
    assert listed[0] == "claims,claims/part-0.csv line 3,occurred_on: '2026-02-30' is no DATE"
    assert len(listed) == 7


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_parquet_and_json_lines_are_staged_as_the_same_rows_as_csv(tmp_path: Path, suffix: str) -> None:
    write_portfolio(generate_portfolio(200, 3), tmp_path / "csv")
    for table in source_tables().values():
        if table.name in ("orders", "submissions"):
            continue
        types = {column.name: ARROW[column.type] for column in table.columns}
        convert = pa_csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)
        rows = pa_csv.read_csv(tmp_path / "csv" / table.name / "part-0000.csv", convert_options=convert)
        other = tmp_path / "other" / f"{table.name}{suffix}"
        other.parent.mkdir(exist_ok=True)
        if suffix == ".parquet":
            if table.name == "policies":
                times = pc.strptime(rows["sold_at"], "%Y-%m-%dT%H:%M:%SZ", "s").cast(
                    pa.timestamp("ms", "Asia/Shanghai")
                )
                rows = rows.set_column(rows.column_names.index("sold_at"), "sold_at", times)
            pq.write_table(rows.select(list(reversed(rows.column_names))), other)
        else:
            lines = [json.dumps(row, default=str) for row in rows.to_pylist()]
            other.write_text("".join(f"{line}\n" for line in lines))
    as_csv = stage(tmp_path / "csv", None, tmp_path / "work-csv")
    other_staged = stage(tmp_path / "other", None, tmp_path / "work-other")
    assert as_csv.rows == other_staged.rows
    for name in as_csv.rows:
        one, two = (
            list(csv.reader((staged.folder / name / "part-0000.csv").open())) for staged in (as_csv, other_staged)
        )
        if name == "policies":
            sold = source_tables()["policies"].column_names.index("sold_at")
            for row in (*one, *two):
                row[sold] = str(dt.datetime.fromisoformat(row[sold]))
        assert one == two, name


def test_a_parquet_file_without_a_column_is_refused(tmp_path: Path) -> None:
    source = write_headers(tmp_path / "source")
    (source / "claims" / "part-0.csv").unlink()
    pq.write_table(pa.table({"claim_id": ["K1"]}), source / "claims" / "part-0.parquet")
    with pytest.raises(BadInput, match="missing policy_id"):
        stage(source, None, tmp_path / "work")


def test_more_unreadable_rows_than_the_limit_are_refused_before_flink_starts(tmp_path: Path) -> None:
    staged = stage(write_headers(tmp_path / "source"), None, tmp_path / "work")
    bad = UnreadableRow("claims", "claims/a.csv line 7", "incurred_minor: 'x' is no BIGINT")
    refuse_unreadable(dataclasses.replace(staged, rows={"claims": 100}, unreadable=(bad,)), 0.01)
    with pytest.raises(BadInput, match="1 of 99 rows can not be read") as refused:
        refuse_unreadable(dataclasses.replace(staged, rows={"claims": 99}, unreadable=(bad,)), 0.01)
    assert refused.value.problems[1] == "claims/a.csv line 7: incurred_minor: 'x' is no BIGINT"


def parameters(folder: Path, watermark: dt.datetime | None = None) -> RunParameters:
    return RunParameters(folder, None, "sqlite:///unused.db", folder / "work", watermark)


def test_the_watermark_is_the_given_one_else_the_inputs_else_now(tmp_path: Path) -> None:
    given = dt.datetime(2026, 1, 1, 8, tzinfo=dt.timezone(dt.timedelta(hours=8)))
    assert choose_watermark(parameters(tmp_path), lambda: NOW) == NOW
    (tmp_path / "watermark.txt").write_text("2026-11-01T00:00:00Z\n")
    assert choose_watermark(parameters(tmp_path), lambda: NOW) == dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    assert choose_watermark(parameters(tmp_path, given), lambda: NOW) == dt.datetime(2026, 1, 1, tzinfo=dt.UTC)


@pytest.mark.parametrize("text", ["2026-11-01T00:00:00", "yesterday"])
def test_a_watermark_without_a_time_zone_or_meaning_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "watermark.txt").write_text(text)
    with pytest.raises(BadInput):
        choose_watermark(parameters(tmp_path), lambda: NOW)


def test_rejects_up_to_the_limit_are_accepted_and_beyond_it_refused() -> None:
    findings = {("claims", "READ"): 1000, ("claims", "DUPLICATE_KEY"): 6, ("claims", "UNKNOWN_POLICY"): 4}
    rows = {"claims": 1000}
    judge(findings | {("claims", "UNKNOWN_REPAIR_SHOP"): 900, ("claims", "AFTER_WATERMARK"): 900}, rows, 0.01)
    with pytest.raises(
        JobFailed, match=r"claims: more than 1\.0% of 1,000 rows rejected: DUPLICATE_KEY 7, UNKNOWN_POLICY 4"
    ):
        judge(findings | {("claims", "DUPLICATE_KEY"): 7}, rows, 0.01)


def test_two_currencies_are_refused_at_any_limit() -> None:
    findings = {("policies", "CURRENCY_CNY"): 7, ("orders", "CURRENCY_CNY"): 9}
    judge(findings, {}, 1.0)
    assert currencies(findings) == ["CNY"]
    with pytest.raises(JobFailed, match="mixed currencies: CNY, EUR"):
        judge(findings | {("orders", "CURRENCY_EUR"): 1}, {}, 1.0)
