"""The page of the contract between data owners, the Flink jobs, the loader and the server, made from the DDL."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from sluice_flink.sql_files import Column, TableSchema, result_tables, source_tables, sql_root
from sluice_flink.stream_store import event_tables, window_tables

_HEAD = """\
# Source and result tables

Made by `sluice-flink contract` from `flink/sql`; do not edit.

## Rules for all tables

- Money is whole minor units (BIGINT) of one currency; no sum of money is ever a floating point sum. Where an amount
  is split, each part is the difference of two floored cumulative amounts, so that the parts sum to the whole exactly.
- Times are UTC. A day belongs to a month by the calendar in UTC.
- The watermark is the instant before which everything is known. Days of cover count up to its day, not including it;
  claims count if they occurred before its day and were reported before the instant.
- CSV files have a header line with exactly the columns below in this order; an empty field is NULL. A table is a folder
  of files (`policies/*.csv`), a folder of daily partitions (`policies/dt=YYYY-MM-DD/*.csv`) or one file
  (`policies.csv`); Parquet and JSON lines likewise. Orders are JSON lines in `dt=YYYY-MM-DD/*.jsonl`.
- A partition is delivered again as a whole. Which one a row is in says nothing but by which delivery it changes; a key
  is in one of them only.
- A file that is missing or has a wrong header fails the run with its name. Rows that break a rule (wrong type, missing
  value, bad time, bad amount, duplicate key, unknown policy …) are rejected, named in `rejected_row` and counted in
  `source_check`; beyond the run's reject limit, or with mixed currencies, nothing is published.

## In the store

The loader creates the result tables in the risk query store: SQLite in a file of its own, PostgreSQL in the schema
`risk`. There each has one more column, `data_version BIGINT NOT NULL`, first in its primary key. Beside them:

- `data_versions(data_version, watermark, published_at, row_counts, fingerprint, flink_version, duration_seconds,
  state, currency, input, rejects, incremental, reason)`:
  one row a version whose rows can be read; state PUBLISHED (the newest published one), SUPERSEDED or FAILED (with its
  reason, and without rows). `input` has files, bytes, rows and newest event times; `rejects` rows by source table and
  reason; `incremental` the base version, the files that changed, the partitions computed anew and the rows taken over.
- `active_data_version(only_row = 1, data_version)`: one row, the pointer. Read it and the rows of that version in one
  transaction. Rows, pointer and pruning of a publication are one transaction of the loader's.
"""

_STREAMING = """\
## Streaming

`sluice-flink stream` reads `submissions` and `claim_events` as they come, JSON lines in files or in Kafka topics, and
writes the tables below into the same store. They carry no data version: a row is written once its window is over, and
may be written again with the same content. Windows are half hours in UTC, one ends every 15 seconds. Rows are
deleted when they are older than the newest by more than the runner's `--keep-days`.

An event counts in the 120 windows that its instant lies in, however often it is told, unless it comes more than 15
seconds (`--out-of-order`) after a newer one.
"""


def page_path() -> Path:
    """Where the page is kept: beside the folder of the SQL files."""
    return sql_root().parent / "CONTRACT.md"


def render() -> str:
    """The page's text."""
    parts = [_HEAD, "## Source tables\n", *map(_table, source_tables().values())]
    parts += ["## Result tables\n", *map(_table, result_tables().values())]
    parts += [_STREAMING, "### Events\n", *map(_table, event_tables().values())]
    parts += ["### Windows\n", *map(_table, window_tables().values())]
    return "\n".join(parts)


def _table(table: TableSchema) -> str:
    meaning = table.comment.removeprefix("Optional: ")
    absent = "" if table.required else " May be absent."
    return "\n".join([f"### {table.name}\n", f"{meaning[0].upper()}{meaning[1:]}{absent}\n", *_rows(table), ""])


def _rows(table: TableSchema) -> Iterable[str]:
    yield "| column | type | unit | empty | key | meaning |"
    yield "|---|---|---|---|---|---|"
    for column in table.columns:
        meaning = column.comment.removeprefix("Optional: ").replace("|", "\\|")
        empty = "no" if column.required else "may be"
        named = f"{meaning[0].upper()}{meaning[1:]}"
        yield f"| {column.name} | {column.type} | {unit(column)} | {empty} | {_key(column, table)} | {named} |"


def unit(column: Column) -> str:
    """What a value is counted in or written as; "code" for texts that only name something."""
    for suffix, told in _UNITS.items():
        if column.name.endswith(suffix):
            return told
    return {"DATE": "day", "TIMESTAMP": "instant, UTC", "BOOLEAN": "true, false", "STRING": "code"}.get(
        column.type, "count"
    )


_UNITS = {
    "_minor": "minor units", "incurred_squared": "squared minor units", "_years": "years of 365.25 days",
    "_months": "calendar months", "_seconds": "seconds", "_ms": "milliseconds",
    "_ms_sum": "milliseconds", "_ms_max": "milliseconds", "_year": "calendar year", "_at": "RFC 3339, UTC",
    "currency": "ISO 4217",
}  # fmt: skip


def _key(column: Column, table: TableSchema) -> str:
    """Part of the table's key, or the table that the column leads to."""
    meaning = column.comment.removeprefix("Optional: ")
    if column.name in table.key or meaning.startswith("Key"):
        return "key"
    leads = re.search(r"\bkey of (\w+)", meaning)
    return f"→ {leads[1]}" if leads else ""
