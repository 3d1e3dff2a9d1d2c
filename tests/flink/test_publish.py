"""The loader on SQLite and PostgreSQL: versions, retention, and that no reader and no kill ever sees half a version."""

from __future__ import annotations

import asyncio
import dataclasses
import multiprocessing
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from sluice_flink.publish import BaseReplaced, NoSuchVersion, publish_results, publish_rows, record_failure, roll_back
from sluice_flink.result_files import BadResults, Row, read_results, rows_from_mappings
from sluice_flink.result_partitions import PARTITIONED_BY
from sluice_flink.risk_store import BadStoreUrl, RiskTables, normalise_url, open_store, store_schema
from sluice_flink.sql_files import result_tables
from tests.flink.command import sluice_flink
from tests.flink.published_rows import (
    ROWS_PER_TABLE,
    marked_rows,
    publication,
    publish_incrementally,
    publish_until_killed,
    publisher_command,
    repository,
)
from tests.flink.store_reading import active_version, listed_versions, read_active, read_version, version_rows


def marks_of(rows: Mapping[str, Sequence[Row]]) -> set[int]:
    """The marks of all rows, after checking that every table has the number of rows of its mark."""
    marks = {value for table in rows.values() for row in table for value in row if isinstance(value, int)}
    for mark in marks:
        assert {name: len(table) for name, table in rows.items()} == dict.fromkeys(rows, ROWS_PER_TABLE + mark)
    return marks


async def test_a_publication_becomes_the_active_version(store_url: str) -> None:
    first = await publish_rows(store_url, marked_rows(1), publication())
    second = await publish_rows(store_url, marked_rows(2), publication())
    assert (first.data_version, second.data_version) == (1, 2)
    version, rows = await read_active(store_url)
    assert version == 2
    assert marks_of(rows) == {2}
    assert await listed_versions(store_url) == [(1, "SUPERSEDED"), (2, "PUBLISHED")]


async def test_published_rows_come_back_unchanged(store_url: str) -> None:
    rows = marked_rows(3)
    await publish_rows(store_url, rows, publication())
    _, stored = await read_active(store_url)
    assert {name: sorted(table, key=repr) for name, table in stored.items()} == rows


async def test_only_the_newest_versions_are_kept_and_numbers_never_come_again(store_url: str) -> None:
    for mark in range(1, 5):
        await publish_rows(store_url, marked_rows(mark), publication(keep_versions=2))
    assert await listed_versions(store_url) == [(3, "SUPERSEDED"), (4, "PUBLISHED")]
    assert marks_of(await read_version(store_url, 3)) == {3}
    assert marks_of(await read_version(store_url, 2)) == set()


async def test_a_failed_run_is_listed_with_its_reason_and_changes_nothing_else(store_url: str) -> None:
    await publish_rows(store_url, marked_rows(1), publication(keep_versions=2))
    assert await record_failure(store_url, publication(), "claims: too many bad rows") == 2
    version, rows = await read_active(store_url)
    assert (version, marks_of(rows)) == (1, {1})
    assert (await publish_rows(store_url, marked_rows(3), publication(keep_versions=2))).data_version == 3
    assert await listed_versions(store_url) == [(1, "SUPERSEDED"), (2, "FAILED"), (3, "PUBLISHED")]
    assert (await version_rows(store_url))[1].reason == "claims: too many bad rows"
    # A failed version does not push a readable one out, and goes when it is older than all of them.
    await publish_rows(store_url, marked_rows(4), publication(keep_versions=2))
    assert await listed_versions(store_url) == [(3, "SUPERSEDED"), (4, "PUBLISHED")]


async def test_an_older_version_can_be_made_active_again(store_url: str) -> None:
    for mark in (1, 2):
        await publish_rows(store_url, marked_rows(mark), publication(keep_versions=3))
    await record_failure(store_url, publication(), "no input")
    await roll_back(store_url, 1)
    version, rows = await read_active(store_url)
    assert (version, marks_of(rows)) == (1, {1})
    assert await listed_versions(store_url) == [(1, "PUBLISHED"), (2, "SUPERSEDED"), (3, "FAILED")]
    for wrong in (3, 9):
        with pytest.raises(NoSuchVersion, match="kept are 1, 2"):
            await roll_back(store_url, wrong)
    await publish_rows(store_url, marked_rows(4), publication(keep_versions=3))
    assert await listed_versions(store_url) == [(1, "SUPERSEDED"), (2, "SUPERSEDED"), (3, "FAILED"), (4, "PUBLISHED")]


async def test_a_store_of_an_earlier_release_gets_the_new_columns(store_url: str) -> None:
    await publish_rows(store_url, marked_rows(1), publication())
    tables = RiskTables(store_schema(normalise_url(store_url)))
    engine = open_store(normalise_url(store_url))
    async with engine.begin() as connection:
        for column in ("currency", "input", "rejects", "reason"):
            name = connection.dialect.identifier_preparer.format_table(tables.data_versions)
            await connection.exec_driver_sql(f"ALTER TABLE {name} DROP COLUMN {column}")
        shops = connection.dialect.identifier_preparer.format_table(tables.results["repair_shop_month"])
        await connection.exec_driver_sql(f"ALTER TABLE {shops} DROP COLUMN list_price_minor")
    await engine.dispose()
    await publish_rows(store_url, marked_rows(2), dataclasses.replace(publication(), currency="EUR"))
    assert [row.currency for row in await version_rows(store_url)] == [None, "EUR"]
    listed = [{row[-1] for row in (await read_version(store_url, v))["repair_shop_month"]} for v in (1, 2)]
    assert listed == [{0}, {2}]


def test_the_command_rolls_back_and_says_what_can_not_be(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'risk.db'}"
    for mark in (1, 2):
        publish_results(store, marked_rows(mark), publication())
    assert sluice_flink("rollback", "1", "--store", store).exit_code == 0
    assert asyncio.run(active_version(store)) == 1
    refused = sluice_flink("rollback", "7", "--store", store)
    assert refused.exit_code == 1
    assert "no data version 7 can be read; kept are 1, 2" in refused.stderr


async def test_two_publishers_at_once_publish_two_versions(store_url: str) -> None:
    await publish_rows(store_url, marked_rows(1), publication())
    published = await asyncio.gather(*(publish_rows(store_url, marked_rows(mark), publication()) for mark in (2, 3, 4)))
    assert sorted(version.data_version for version in published) == [2, 3, 4]
    assert await active_version(store_url) == 4


async def killed(store_url: str, base: int | None, mark: int, step: str) -> None:
    """Publish in a process that is killed after `step`."""
    process = _SPAWN.Process(target=publish_until_killed, args=(store_url, base, mark, step))
    process.start()
    await asyncio.to_thread(process.join)
    assert process.exitcode == -signal.SIGKILL, step


async def test_a_publisher_killed_at_any_step_leaves_the_old_version_or_the_new_one(store_url: str) -> None:
    steps: list[str] = []
    await publish_rows(store_url, marked_rows(1), publication(), steps.append)
    assert steps[-1] == "committed"
    assert {f"{name} loaded" for name in result_tables()} < set(steps)
    for step in steps:
        await killed(store_url, None, 2, step)
        version, rows = await read_active(store_url)
        assert version == (2 if step == "committed" else 1), step
        assert marks_of(rows) == {version}, step
    # And the store still takes the next one.
    assert (await publish_rows(store_url, marked_rows(3), publication())).data_version == 3


async def test_an_incremental_publication_takes_over_all_other_partitions(store_url: str) -> None:
    await publish_rows(store_url, marked_rows(1), publication())
    steps: list[str] = []
    published = await asyncio.to_thread(publish_incrementally, store_url, 1, 2, steps.append)
    _, rows = await read_active(store_url)
    assert marks_by_table(rows) == _AFTER_INCREMENT
    assert (await version_rows(store_url))[1].row_counts == {name: len(table) for name, table in rows.items()}
    assert published.taken_over["channel_month"] == ROWS_PER_TABLE + 1
    assert published.taken_over["repair_shop_month"] == ROWS_PER_TABLE
    assert published.taken_over["store_month"] == published.taken_over["source_check"] == 0
    # Version 1 is as it was.
    assert marks_of(await read_version(store_url, 1)) == {1}
    with pytest.raises(BaseReplaced, match="data version 2 is active and not 1"):
        await asyncio.to_thread(publish_incrementally, store_url, 1, 3, steps.append)
    assert await listed_versions(store_url) == [(1, "SUPERSEDED"), (2, "PUBLISHED")]


async def test_an_incremental_publisher_killed_at_any_step_leaves_the_old_version_or_the_new_one(
    store_url: str, tmp_path: Path
) -> None:
    await publish_rows(store_url, marked_rows(1), publication())
    steps: list[str] = []
    await publish_rows(f"sqlite:///{tmp_path / 'steps.db'}", marked_rows(1), publication())
    await asyncio.to_thread(publish_incrementally, f"sqlite:///{tmp_path / 'steps.db'}", 1, 2, steps.append)
    assert {"channel_month taken over", "pointer flipped", "committed"} < set(steps)
    for step in steps:
        await killed(store_url, 1, 2, step)
        version, rows = await read_active(store_url)
        assert version == (2 if step == "committed" else 1), step
        assert marks_by_table(rows) == (_AFTER_INCREMENT if version == 2 else {name: {1} for name in rows}), step


def marks_by_table(rows: Mapping[str, Sequence[Row]]) -> dict[str, set[int]]:
    return {name: {value for row in table for value in row if isinstance(value, int)} for name, table in rows.items()}


_AFTER_INCREMENT = {
    **{name: {1} if name in PARTITIONED_BY else {2} for name in result_tables()}, "store_month": {2},
    "repair_shop_month": {1, 2},
}  # fmt: skip
# Processes that have not imported grpc, and start in no time.
_SPAWN = multiprocessing.get_context("forkserver")
_SPAWN.set_forkserver_preload(["tests.flink.published_rows"])


async def test_a_concurrent_reader_never_sees_a_mixture(store_url: str) -> None:
    await publish_rows(store_url, marked_rows(1), publication())
    marks = ",".join(str(mark) for mark in range(2, 10))
    process = await asyncio.create_subprocess_exec(*publisher_command(store_url, marks), cwd=repository())
    ended = asyncio.create_task(process.wait())
    seen: list[int] = []
    while not ended.done():
        version, rows = await read_active(store_url)
        assert marks_of(rows) == {version}
        seen.append(version)
    assert await ended == 0
    assert seen == sorted(seen)
    assert await active_version(store_url) == 9
    assert len(seen) > 9


async def test_a_failed_publication_changes_nothing(store_url: str) -> None:
    await publish_rows(store_url, marked_rows(1), publication())
    twice = marked_rows(2)
    twice["store_month"] = [*twice["store_month"], twice["store_month"][0]]
    with pytest.raises(Exception, match=r"(?i)unique"):
        await publish_rows(store_url, twice, publication())
    version, rows = await read_active(store_url)
    assert (version, marks_of(rows)) == (1, {1})


async def test_two_hundred_thousand_rows_are_published_whole(store_url: str) -> None:
    template = marked_rows(1)["store_month"][0]
    rows = {"store_month": [(f"S{number:06d}", *template[1:]) for number in range(200_000)]}
    begun = time.perf_counter()
    published = await publish_rows(store_url, rows, publication())
    print(f"200,000 rows in {time.perf_counter() - begun:.2f} s")
    stored = await read_version(store_url, published.data_version)
    assert sorted(stored["store_month"]) == rows["store_month"]


def test_rows_by_name_must_name_every_column() -> None:
    rows = rows_from_mappings({"channel_month": [dict.fromkeys(result_tables()["channel_month"].column_names, 0)]})
    assert rows["channel_month"] == [(0,) * 8]
    assert rows["store_month"] == []
    with pytest.raises(BadResults, match="policies"):
        rows_from_mappings({"channel_month": [{"channel_id": "CH01"}]})
    with pytest.raises(BadResults, match="no such result tables: shop_month"):
        rows_from_mappings({"shop_month": []})


def test_result_files_that_do_not_fit_are_refused_with_their_place(tmp_path: Path) -> None:
    with pytest.raises(BadResults, match="no results for table channel_m"):
        read_results(tmp_path)
    for name in result_tables():
        (tmp_path / name).mkdir()
    file = tmp_path / "channel_month" / "part-0"
    file.write_text("CH01,2026-01-01,1,0.5,100,0,0,0\nCH01,2026-02-01,1,0.5,100,0,0\n")
    with pytest.raises(BadResults, match="part-0, row 2: table channel_month has 8 columns, the row 7"):
        read_results(tmp_path)
    file.write_text("CH01,2026-01-01,1,0.5,1e2,0,0,0\n")
    with pytest.raises(BadResults, match="part-0, row 1 of table channel_month"):
        read_results(tmp_path)


def test_store_urls_that_name_no_store_are_refused_without_showing_a_password() -> None:
    for text in ("sqlite://", "sqlite:///:memory:", "mysql://user:secret@host/db", "not a url"):
        with pytest.raises(BadStoreUrl) as refused:
            normalise_url(text)
        assert "secret" not in str(refused.value)
