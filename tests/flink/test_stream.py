"""The streaming job on files, and what is around it: its tables, its loader, its state, its command."""

from __future__ import annotations

import asyncio
import datetime as dt
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine
from typer.testing import CliRunner

from sluice_flink.cli import app
from sluice_flink.inputs import stage_orders
from sluice_flink.sql_files import parse_table, statements
from sluice_flink.stream_loader import StreamLoader
from sluice_flink.stream_state import newest_state
from sluice_flink.stream_store import StreamStore, window_tables
from tests.flink.command import sluice_flink
from tests.flink.stream_command import begun, settled, stored, streaming, wrong
from tests.flink.stream_events import (
    Line,
    claim_lines,
    claims_life,
    independent_windows,
    newest,
    submission_lines,
    submissions_life,
)
from tests.support.listening import LOOPBACK, listening_addresses

NOON = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)


def write(folder: Path, name: str, lines: Sequence[Line]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    aside = folder / f".{name}"
    aside.write_text("".join(json.dumps(line) + "\n" for line in lines))
    aside.rename(folder / f"{name}.jsonl")


def group_of(pid: int) -> set[int]:
    return {int(path.name) for path in Path("/proc").glob("[0-9]*") if _in_group(int(path.name), pid)}


def _in_group(pid: int, group: int) -> bool:
    try:
        return os.getpgid(pid) == group
    except ProcessLookupError:
        return False


@pytest.mark.flink
async def test_windows_of_files_are_exact_and_go_on_after_a_kill(tmp_path: Path) -> None:
    store_url = f"sqlite:///{tmp_path / 'risk.db'}"
    told, reported = submission_lines(3000, 2, seed=1), claim_lines(100, 9, seed=2)
    until = {"submissions": newest(told, "updated_at"), "claims": newest(reported, "reported_at")}
    until = {stream: moment + dt.timedelta(hours=1) for stream, moment in until.items()}
    expected = await asyncio.to_thread(independent_windows, told, reported, until)
    submissions, claims = tmp_path / "export" / "submissions", tmp_path / "claims"
    options: list[str | Path] = ["--submissions", submissions, "--claims", claims, "--store", store_url]
    options += ["--work", tmp_path / "work", "--checkpoint", "1", "--keep-days", "60"]

    write(submissions / "dt=2026-03-01", "1", told[:2000])
    write(claims, "1", reported[:60])
    with streaming(tmp_path, *options) as stream:
        await begun(store_url, stream, 200)
        assert listening_addresses(group_of(stream.pid)) <= LOOPBACK
        second = await asyncio.to_thread(sluice_flink, "stream", *options)
        assert second.exit_code == 1
        assert "another sluice-flink stream" in second.stderr
        stream.kill()
    write(submissions / "dt=2026-03-01", "2", [*told[2000:], submissions_life(until["submissions"])])
    write(claims, "2", [*reported[60:], claims_life(until["claims"])])
    with streaming(tmp_path, *options) as stream:
        found = await settled(store_url, expected, stream)
        assert "going on from" in stream.output
        assert stream.stop() == 0, stream.output
        assert re.search(r"stopped with savepoint .*/savepoints/savepoint-", stream.output)
    assert min(map(len, expected.values())) > 0
    assert wrong(found, expected) == {}


def window(shop: str, end: dt.datetime, claims: int) -> dict[str, Any]:
    return {
        "repair_shop_id": shop,
        "window_start": end - dt.timedelta(minutes=30),
        "window_end": end,
        "claims": claims,
        "incurred_minor": claims * 100,
        "baseline_claims": None,
    }


async def test_rows_are_written_by_key_and_old_ones_deleted(store_url: str) -> None:
    store = StreamStore(store_url)
    await store.create()
    await store.create()
    old = window("shop-1", NOON - dt.timedelta(days=9), 7)
    await store.upsert({"repair_shop_window": [old, window("shop-1", NOON, 1), window("shop-2", NOON, 5)]})
    await store.upsert({"repair_shop_window": [window("shop-1", NOON, 3)]})
    claims = {(row[0], row[2]): row[3] for row in (await stored(store_url))["repair_shop_window"]}
    noon = NOON.replace(tzinfo=None)
    assert claims == {("shop-1", noon): 3, ("shop-2", noon): 5, ("shop-1", noon - dt.timedelta(days=9)): 7}
    assert await store.forget(dt.timedelta(days=9)) == 0
    assert await store.forget(dt.timedelta(days=8)) == 1
    assert len((await stored(store_url))["repair_shop_window"]) == 2
    await store.close()


async def test_rows_of_one_batch_are_written_together_or_not_at_all(store_url: str) -> None:
    store = StreamStore(store_url)
    await store.create()
    bad = window("shop-1", NOON, 1) | {"claims": None}
    with pytest.raises(sa.exc.IntegrityError):
        await store.upsert({"store_window": [_of_store(window("x", NOON, 1))], "repair_shop_window": [bad]})
    assert (await stored(store_url))["store_window"] == set()
    await store.close()


def _of_store(row: dict[str, Any]) -> dict[str, Any]:
    return {"store_id": row.pop("repair_shop_id"), **row}


async def test_the_loader_takes_whole_files_once(tmp_path: Path, store_url: str) -> None:
    store = StreamStore(store_url)
    await store.create()
    folder = tmp_path / "repair_shop_window"
    folder.mkdir()
    row = window("shop-1", NOON, 4)
    line = json.dumps(row | {name: f"{row[name]:%Y-%m-%d %H:%M:%S}" for name in ("window_start", "window_end")})
    (folder / "part-a-0-0").write_text(f"{line}\n")
    (folder / ".part-a-0-1.inprogress").write_text(line[:40])
    loader = StreamLoader(store, tmp_path)
    assert await loader.round() == 1
    assert await loader.round() == 0
    assert [path.name for path in folder.iterdir()] == [".part-a-0-1.inprogress"]
    (found,) = (await stored(store_url))["repair_shop_window"]
    assert found[:4] == ("shop-1", *(moment.replace(tzinfo=None) for moment in (row["window_start"], NOON)), 4)
    await store.close()


def test_the_newest_complete_state_is_gone_on_from(tmp_path: Path) -> None:
    assert newest_state(tmp_path) is None
    states = ["checkpoints/a/chk-9", "savepoints/savepoint-a", "checkpoints/b/chk-2", "checkpoints/b/chk-3"]
    for age, name in enumerate(states):
        (tmp_path / name).mkdir(parents=True)
        if name != "checkpoints/b/chk-3":
            (tmp_path / name / "_metadata").touch()
            os.utime(tmp_path / name / "_metadata", (age, age))
    assert newest_state(tmp_path) == tmp_path / "checkpoints" / "b" / "chk-2"


@pytest.mark.parametrize(("folder", "suffix"), [("streaming/sink_files", "json"), ("streaming/sink_jdbc", "jdbc")])
def test_every_window_table_has_a_sink_with_its_columns(folder: str, suffix: str) -> None:
    found = list(statements(folder))
    for name, table in window_tables().items():
        (declared,) = (text for text in found if text.startswith(f"CREATE TABLE {name}_{suffix} "))
        if "LIKE" not in declared:
            body = declared[declared.index("(") + 1 : declared.index("PRIMARY KEY")]
            assert tuple(re.findall(r"^\s+`?(\w+)`? \w+,$", body, re.MULTILINE)) == table.column_names
            assert f"PRIMARY KEY ({', '.join(table.key)})" in declared
        assert any(text.startswith(f"INSERT INTO {name}_{suffix}\n") for text in found)


def test_the_page_of_the_contract_has_events_and_windows() -> None:
    declared = [parse_table(text) for text in statements("streaming/results")]
    assert {table.name for table in declared} == {
        "insurer_window",
        "repair_shop_window",
        "store_window",
        "stream_warning",
    }
    assert all(table.key[-1] == "window_end" for table in declared)


async def test_tables_are_made_for_readers_of_instants_in_utc(postgres_url: str) -> None:
    store = StreamStore(postgres_url)
    await store.create()
    engine = create_async_engine(store.url)
    async with engine.connect() as connection:
        kinds = await connection.execute(
            sa.text(
                "SELECT DISTINCT data_type FROM information_schema.columns WHERE table_schema = 'risk'"
                " AND column_name IN ('window_start', 'window_end', 'detected_at')"
            )
        )
        assert kinds.scalars().all() == ["timestamp with time zone"]
    await engine.dispose()
    await store.close()


@pytest.mark.parametrize(
    ("options", "told", "code"),
    [
        (("--store", "sqlite:///x.db", "--sink", "jdbc"), "PostgreSQL only", 2),
        (("--store", "mysql://host/db"), "must be SQLite or PostgreSQL", 1),
        (("--store", "sqlite:///x.db", "--kafka", "127.0.0.1:9", "--connectors", "none"), "make flink-connectors", 1),
        (("--store", "sqlite:///x.db", "--kafka", "h:1", "--kafka-properties", "bad.properties"), "not name=value", 2),
        (("--store", "sqlite:///x.db", "--target", "remote", "--rest", "host"), "HOST:PORT", 2),
        (("--store", "sqlite:///x.db", "--target", "remote", "--rest", "127.0.0.1:9"), "no Flink cluster answers", 1),
    ],
)
def test_wrong_calls_are_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: tuple[str, ...], told: str, code: int
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.properties").write_text("# SASL\nsasl.mechanism=PLAIN\nsecurity.protocol\n")
    finished = CliRunner().invoke(app, ["stream", "--work", str(tmp_path / "work"), *options])
    assert finished.exit_code == code, finished.stderr
    assert told in " ".join(finished.stderr.split())


def test_submissions_beside_the_orders_are_no_orders(tmp_path: Path) -> None:
    export = tmp_path / "export"
    write(export / "submissions" / "dt=2026-03-01", "1", submission_lines(3, 1, seed=1))
    write(export / "orders" / "dt=2026-03-01", "1", [{"application_id": "app-1", "decided_at": "2026-03-01T09:00:00Z"}])
    staged = stage_orders(export, tmp_path / "work")
    assert (staged.files, staged.rows, staged.unreadable) == (1, {"orders": 1}, ())
