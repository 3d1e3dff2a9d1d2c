"""Rows by which a version can be told from every other, and a publisher as a process that can be killed."""

from __future__ import annotations

import datetime as dt
import os
import signal
import sys
from pathlib import Path

from sluice_flink.publish import Publication, Row, publish_results
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


def publisher_command(store_url: str, marks: str, kill_after: str) -> list[str]:
    """A process that publishes `marks` (comma-separated) one after another and kills itself after step `kill_after`."""
    return [sys.executable, "-m", "tests.flink.published_rows", store_url, marks, kill_after]


def repository() -> Path:
    """Where the publisher's process runs, so that it finds the tests."""
    return Path(__file__).parents[2]


def _main(store_url: str, marks: str, kill_after: str) -> None:
    def step(name: str) -> None:
        if name == kill_after:
            os.kill(os.getpid(), signal.SIGKILL)

    for mark in marks.split(","):
        publish_results(store_url, marked_rows(int(mark)), publication(), step)


if __name__ == "__main__":
    _main(*sys.argv[1:])
