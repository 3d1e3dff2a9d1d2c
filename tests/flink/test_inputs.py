"""Input that can not be used is named, all of it at once, before Flink starts; nothing is published."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from sluice_flink.inputs import BadInput, find_bad_rows, stage
from sluice_flink.job import JobFailed, RunParameters, choose_watermark, judge
from sluice_flink.sql_files import source_tables
from tests.flink.command import run_job

NOW = dt.datetime(2026, 11, 24, 8, 0, tzinfo=dt.UTC)


def write_headers(folder: Path) -> Path:
    """Every CSV source table with its header and no rows."""
    for table in source_tables().values():
        if table.name != "orders":
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


def test_a_run_without_its_files_ends_with_a_clear_error_and_no_store(tmp_path: Path) -> None:
    store = tmp_path / "risk.db"
    finished = run_job(tmp_path / "nothing", f"sqlite:///{store}", tmp_path / "work")
    assert finished.exit_code == 1
    assert "nothing published" in finished.stderr
    for name in ("policies", "claims", "devices", "channels", "repair_shops"):
        assert f"{name}: neither" in finished.stderr
    assert "Traceback" not in finished.stderr
    assert not store.exists()


def test_staging_takes_the_header_off_and_leaves_the_rows_as_they_are(tmp_path: Path) -> None:
    source = write_headers(tmp_path / "source")
    write_rows(source, "repair_shops", 'R1,"A ""quoted"", name",north', "R2,,south")
    staged = stage(source, None, tmp_path / "work")
    assert (
        staged.folder / "repair_shops" / "part-0000.csv"
    ).read_text() == 'R1,"A ""quoted"", name",north\nR2,,south\n'
    assert staged.files == 5
    assert list(staged.orders.iterdir()) == []


def test_the_fingerprint_is_that_of_the_content(tmp_path: Path) -> None:
    first = stage(write_headers(tmp_path / "a"), None, tmp_path / "work-a")
    same = stage(write_headers(tmp_path / "b"), None, tmp_path / "work-b")
    changed = write_headers(tmp_path / "c")
    write_rows(changed, "repair_shops", "R1,Shop,north")
    assert first.fingerprint == same.fingerprint
    assert first.fingerprint != stage(changed, None, tmp_path / "work-c").fingerprint


def test_rows_of_the_wrong_type_are_found_with_table_file_row_and_value(tmp_path: Path) -> None:
    source = write_headers(tmp_path / "source")
    write_rows(source, "claims", "K1,P1,R1,part,DROP,2026-02-30,2026-03-01T00:00:00Z,5,PAID")
    write_rows(source, "repair_shops", "R1,Shop,north", "R2,Shop")
    orders = tmp_path / "orders" / "dt=2026-01-01"
    orders.mkdir(parents=True)
    (orders / "a.jsonl").write_text(
        '{"application_id": "A1", "premium_minor": 5}\n{"application_id": "A2", "premium_minor": 1.5}\n'
    )
    (orders / "b.jsonl").write_text('{"application_id": "A1"}\n{"application_id"\n')
    (orders / "c.jsonl").write_text("[]\n")
    found = find_bad_rows(stage(source, tmp_path / "orders", tmp_path / "work"))
    assert len(found) == 5
    for expected in (
        "2026-02-30",
        "Row #2",
        "a.jsonl, line 2: premium_minor",
        "b.jsonl, line 2",
        "c.jsonl, line 1: not a",
    ):
        assert any(expected in text for text in found), expected


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
    findings = {("claims", "READ"): 1000, ("claims", "BAD_AMOUNT"): 6, ("claims", "UNKNOWN_POLICY"): 4}
    judge(findings | {("claims", "UNKNOWN_REPAIR_SHOP"): 900, ("claims", "AFTER_WATERMARK"): 900}, 0.01)
    with pytest.raises(
        JobFailed, match=r"claims: more than 1\.0% of 1,000 rows rejected: BAD_AMOUNT 7, UNKNOWN_POLICY 4"
    ):
        judge(findings | {("claims", "BAD_AMOUNT"): 7}, 0.01)


@pytest.mark.parametrize("finding", ["DUPLICATE_KEY", "MIXED_CURRENCY"])
def test_findings_that_make_figures_wrong_are_refused_at_any_limit(finding: str) -> None:
    with pytest.raises(JobFailed, match=finding):
        judge({("policies", "READ"): 1000, ("policies", finding): 1}, 1.0)
