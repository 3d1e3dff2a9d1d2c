"""Result rows: read from the files that the jobs wrote, or given by column name."""

from __future__ import annotations

import csv
import datetime as dt
import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from sluice_flink.sql_files import TableSchema, result_tables

Row = tuple[object, ...]
Rows = Mapping[str, Sequence[Row]]
"""Rows by result table, each in the order of the declared columns (without data_version)."""


class BadResults(ValueError):
    """Result rows that do not fit the declared result tables."""


def read_results(results_dir: Path) -> dict[str, list[Row]]:
    """Read the headerless CSV files of every declared result table. A table without a folder raises `BadResults`."""
    rows: dict[str, list[Row]] = {}
    for table in result_tables().values():
        folder = results_dir / table.name
        if not folder.is_dir():
            raise BadResults(f"no results for table {table.name}: {folder} is missing")
        rows[table.name] = [row for path in sorted(folder.glob("part-*")) for row in _read_file(path, table)]
    return rows


def _read_file(path: Path, table: TableSchema) -> Iterable[Row]:
    # Keys and months occur again and again, and millions of rows are held at once: one object for each value.
    parsers = [
        functools.cache(_PARSERS[column.type]) if column.name in table.key else _PARSERS[column.type]
        for column in table.columns
    ]
    with path.open(newline="", encoding="utf-8") as file:
        for number, fields in enumerate(csv.reader(file), start=1):
            if len(fields) != len(parsers):
                raise BadResults(
                    f"{path.name}, row {number}: table {table.name} has {len(parsers)} columns, the row {len(fields)}"
                )
            try:
                yield tuple(parse(text) for parse, text in zip(parsers, fields, strict=True))
            except ValueError as error:
                raise BadResults(f"{path.name}, row {number} of table {table.name}: {error}") from error


_PARSERS: dict[str, Callable[[str], object]] = {
    "STRING": str,
    "BIGINT": int,
    "INT": int,
    "DOUBLE": float,
    "DATE": dt.date.fromisoformat,
    "BOOLEAN": lambda text: {"true": True, "false": False}[text],
}


def rows_from_mappings(results: Mapping[str, Iterable[Mapping[str, object]]]) -> dict[str, list[Row]]:
    """Rows given by column name, for tests and other producers; absent tables stay empty. Raises `BadResults`."""
    tables = result_tables()
    if unknown := sorted(set(results) - set(tables)):
        raise BadResults(f"no such result tables: {', '.join(unknown)}")
    rows: dict[str, list[Row]] = {name: [] for name in tables}
    for name, mappings in results.items():
        columns = tables[name].column_names
        for mapping in mappings:
            if set(mapping) != set(columns):
                wrong = ", ".join(sorted(set(mapping) ^ set(columns)))
                raise BadResults(f"table {name}: columns missing or unknown: {wrong}")
            rows[name].append(tuple(mapping[column] for column in columns))
    return rows
