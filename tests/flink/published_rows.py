"""Rows by which a version can be told from every other, and a publisher as a process that can be killed."""

from __future__ import annotations

import dataclasses
import datetime as dt
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from sluice_flink.publish import Base, Publication, PublishedVersion, publish_results
from sluice_flink.result_files import Row
from sluice_flink.result_partitions import PARTITIONED_BY, Reopened
from sluice_flink.sql_files import result_tables

INSTANT = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
ROWS_PER_TABLE = 40


def publication(keep_versions: int = 5) -> Publication:
    return Publication(watermark=INSTANT, published_at=INSTANT, keep_versions=keep_versions)


def marked_rows(mark: int) -> dict[str, list[Row]]:
    """Rows of every table; each number in them is `mark`, and there are `mark` more rows than ROWS_PER_TABLE."""
    values = {"BIGINT": mark, "DOUBLE": float(mark), "DATE": dt.date(2026, 1, 1)}
    rows: dict[str, list[Row]] = {}
    for table in result_tables().values():
        rows[table.name] = [
            tuple(values.get(column.type, f"{column.name}-{number:03d}") for column in table.columns)
            for number in range(ROWS_PER_TABLE + mark)
        ]
    return rows


def incremental_rows(mark: int) -> tuple[dict[str, list[Row]], Reopened]:
    """Rows of one partition of two tables and of the tables that are always computed whole; the other tables' none."""
    reopened = Reopened(
        {"store_month": frozenset({dt.date(2026, 1, 1)}), "repair_shop_month": frozenset({"part_code-003"})}
    )
    rows = marked_rows(mark)
    part = result_tables()["repair_shop_month"].column_names.index("part_code")
    shops = [row for row in rows["repair_shop_month"] if row[part] == "part_code-003"]
    whole = {name: rows[name] for name in rows if name not in PARTITIONED_BY or name == "store_month"}
    return {**{name: [] for name in rows}, **whole, "repair_shop_month": shops}, reopened


def publish_incrementally(store_url: str, base: int, mark: int, on_step: Callable[[str], None]) -> PublishedVersion:
    """Publish the `incremental_rows` of `mark` upon version `base`."""
    rows, reopened = incremental_rows(mark)
    publication_ = dataclasses.replace(publication(), base=Base(base, reopened))
    return publish_results(store_url, rows, publication_, on_step)


def publish_until_killed(store_url: str, base: int | None, mark: int, kill_after: str) -> None:
    """Publish in a process that dies after this step."""

    def step(name: str) -> None:
        if name == kill_after:
            os.kill(os.getpid(), signal.SIGKILL)

    if base is None:
        publish_results(store_url, marked_rows(mark), publication(), step)
    else:
        publish_incrementally(store_url, base, mark, step)


def publisher_command(store_url: str, marks: str) -> list[str]:
    """A process that publishes `marks` (comma-separated) one after another."""
    return [sys.executable, "-m", "tests.flink.published_rows", store_url, marks]


def repository() -> Path:
    """Where the publisher's process runs, so that it finds the tests."""
    return Path(__file__).parents[2]


def _main(store_url: str, marks: str) -> None:
    for mark in marks.split(","):
        publish_results(store_url, marked_rows(int(mark)), publication())


if __name__ == "__main__":
    _main(*sys.argv[1:])
