"""One input file of a source table: its columns checked, its rows laid down as Flink reads them.

The fast way checks a whole file with Arrow. Only where that stumbles is the file read row by row, to set the bad rows
apart with their place.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import pyarrow.json as pa_json
import pyarrow.parquet as pq

from sluice_flink.sql_files import TableSchema

SUFFIXES = (".csv", ".parquet", ".jsonl")
_ARROW_TYPES = {
    "STRING": pa.string(),
    "BIGINT": pa.int64(),
    "INT": pa.int32(),
    "DOUBLE": pa.float64(),
    "DATE": pa.date32(),
    "BOOLEAN": pa.bool_(),
}
_JSON_TYPES: dict[str, tuple[type, ...]] = {
    "STRING": (str,),
    "BIGINT": (int,),
    "INT": (int,),
    "DOUBLE": (int, float),
    "DATE": (str,),
    "BOOLEAN": (bool,),
}
_BLOCK = 1 << 24


@dataclass(frozen=True)
class FileCheck:
    """What was found in a file while it was staged."""

    rows: int
    """All of them, the unreadable ones included."""
    newest: str | None
    """The greatest value of the event-time column."""
    unreadable: tuple[tuple[int, str], ...] = ()
    """Line and problem of the rows that were left out."""


def header_problem(path: Path, table: TableSchema) -> str | None:
    """What is wrong with the columns of `path`: all of them in their order for CSV, their names for Parquet.

    JSON lines name their columns row by row; a missing one is NULL there.
    """
    if path.suffix == ".jsonl":
        return None
    if path.suffix == ".parquet":
        try:
            names = list(pq.read_schema(path).names)
        except pa.ArrowException as error:
            return f"{path}: {error}"
    else:
        with path.open("rb") as file:
            line = file.readline().decode("utf-8", errors="replace").rstrip("\r\n")
        names = [name.strip('"') for name in line.removeprefix("\ufeff").split(",")]
    expected = list(table.column_names)
    missing = [name for name in expected if name not in names]
    unknown = [name for name in names if name not in expected]
    if path.suffix == ".parquet" and not missing:
        return None
    if names == expected:
        return None
    parts = [f"missing {', '.join(missing)}"] if missing else []
    parts += [f"unknown {', '.join(unknown)}"] if unknown else []
    return f"{path}: header: {'; '.join(parts) or 'wrong order'}; expected {','.join(expected)}"


def empty_rows(table: TableSchema) -> pa.Table:
    """No rows, with the columns and types of `table`."""
    return pa.schema([(column.name, _ARROW_TYPES[column.type]) for column in table.columns]).empty_table()


def read_staged(path: Path, table: TableSchema, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    """The rows of a staged file, typed, some at a time: all `columns`, or those named."""
    types = {column.name: _ARROW_TYPES[column.type] for column in table.columns}
    wanted = list(columns or types)
    if path.suffix == ".jsonl":
        yield _json_table(path.read_bytes(), table).select(wanted)
        return
    if path.stat().st_size == 0:
        return
    convert_options = pa_csv.ConvertOptions(
        column_types=types, null_values=[""], strings_can_be_null=True, include_columns=wanted
    )
    read_options = pa_csv.ReadOptions(column_names=list(types), block_size=_BLOCK)
    with pa_csv.open_csv(path, read_options=read_options, convert_options=convert_options) as reader:
        for batch in reader:
            yield pa.Table.from_batches([batch])


def copy_rows(path: Path, target: Path, table: TableSchema, event_time: str | None) -> FileCheck:
    """Stage a CSV file: its bytes after the header line, or row by row where some can not be read."""
    types = {column.name: _ARROW_TYPES[column.type] for column in table.columns}
    checked = [name for name, kind in types.items() if kind != pa.string() or name == event_time]
    convert_options = pa_csv.ConvertOptions(
        column_types=types, null_values=[""], strings_can_be_null=True, include_columns=checked or [next(iter(types))]
    )
    read_options = pa_csv.ReadOptions(column_names=list(types), skip_rows=1, block_size=_BLOCK)
    rows, newest = 0, None
    try:
        with pa_csv.open_csv(path, read_options=read_options, convert_options=convert_options) as reader:
            for batch in reader:
                rows += batch.num_rows
                if event_time is not None:
                    newest = _greater(newest, batch.column(event_time))
    except pa.ArrowInvalid as error:
        if "Empty CSV" not in str(error):
            return _sift_csv(path, target, table, event_time)
    with path.open("rb") as source, target.open("wb") as copy:
        source.readline()
        shutil.copyfileobj(source, copy, _BLOCK)
    return FileCheck(rows, newest)


def _sift_csv(path: Path, target: Path, table: TableSchema, event_time: str | None) -> FileCheck:
    names = table.column_names
    position = names.index(event_time) if event_time is not None else None
    rows, newest, unreadable = 0, "", []
    with path.open(newline="", encoding="utf-8") as source, target.open("w", newline="", encoding="utf-8") as copy:
        reader = csv.reader(source)
        next(reader)
        writer = csv.writer(copy, lineterminator="\n")
        for row in reader:
            if not row:
                continue
            rows += 1
            if problem := _row_problem(row, table):
                unreadable.append((reader.line_num, problem))
                continue
            if position is not None:
                newest = max(newest, row[position])
            writer.writerow(row)
    return FileCheck(rows, newest or None, tuple(unreadable))


def _row_problem(row: list[str], table: TableSchema) -> str | None:
    if len(row) != len(table.columns):
        return f"{len(row)} values instead of {len(table.columns)}"
    for text, column in zip(row, table.columns, strict=True):
        try:
            if text:
                _TEXTS[column.type](text)
        except ValueError:
            return f"{column.name}: {text!r} is no {column.type}"
    return None


def _whole(text: str, bits: int) -> int:
    number = int(text)
    if not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise ValueError(text)
    return number


_TEXTS: dict[str, Callable[[str], object]] = {
    "STRING": str,
    "BIGINT": lambda text: _whole(text, 64),
    "INT": lambda text: _whole(text, 32),
    "DOUBLE": float,
    "DATE": dt.date.fromisoformat,
    "BOOLEAN": lambda text: {"true": True, "false": False}[text],
}


def convert(
    path: Path, target: Path, table: TableSchema, event_time: str | None, *, keep_json: bool = False
) -> FileCheck:
    """Stage a Parquet or JSON lines file as CSV without a header line, or as JSON lines where `keep_json` says so.

    Times with a time zone are written in UTC ending in Z, times without one are taken for UTC.
    """
    if path.suffix == ".parquet":
        return _write_csv(_parquet_batches(path, table), target, event_time)
    lines = path.read_bytes()
    unreadable: tuple[tuple[int, str], ...] = ()
    try:
        rows = _json_table(lines, table)
    except pa.ArrowInvalid:
        lines, unreadable = _sift_json(lines, table)
        rows = _json_table(lines, table)
    if not keep_json:
        check = _write_csv(rows.to_batches(), target, event_time)
    else:
        target.write_bytes(lines)
        newest = None if event_time is None or not rows.num_rows else _greater(None, rows.column(event_time))
        check = FileCheck(rows.num_rows, newest)
    return FileCheck(check.rows + len(unreadable), check.newest, unreadable)


def _json_table(lines: bytes, table: TableSchema) -> pa.Table:
    types = {column.name: _ARROW_TYPES[column.type] for column in table.columns}
    if not lines.strip():
        return pa.schema(types.items()).empty_table()
    # A date is a text in JSON; Arrow would take a number of days.
    written = pa.schema([(name, pa.string() if kind == pa.date32() else kind) for name, kind in types.items()])
    options = pa_json.ParseOptions(explicit_schema=written, unexpected_field_behavior="ignore")
    read = pa_json.ReadOptions(block_size=max(_BLOCK, len(lines) + 1))
    rows = pa_json.read_json(pa.BufferReader(lines), read_options=read, parse_options=options)
    return rows.select(written.names).cast(pa.schema(types.items()))


def _sift_json(text: bytes, table: TableSchema) -> tuple[bytes, tuple[tuple[int, str], ...]]:
    good, unreadable = [], []
    for number, line in enumerate(text.splitlines(keepends=True), start=1):
        if not line.strip():
            continue
        if problem := _line_problem(line, table):
            unreadable.append((number, problem))
        else:
            good.append(line)
    return b"".join(good), tuple(unreadable)


def _line_problem(line: bytes, table: TableSchema) -> str | None:
    try:
        row: Any = json.loads(line)
    except ValueError as error:
        return str(error)
    if not isinstance(row, dict):
        return "not a JSON object"
    for column in table.columns:
        value = row.get(column.name)
        if value is None:
            continue
        if type(value) not in _JSON_TYPES[column.type]:
            return f"{column.name} is no {column.type}"
        try:
            if column.type in ("DATE", "BIGINT", "INT"):
                _TEXTS[column.type](str(value))
        except ValueError:
            return f"{column.name}: {value!r} is no {column.type}"
    return None


def _parquet_batches(path: Path, table: TableSchema) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=list(table.column_names), batch_size=1 << 17):
            yield pa.RecordBatch.from_arrays(
                [_cast(batch.column(column.name), column.type) for column in table.columns],
                names=list(table.column_names),
            )


def _cast(values: pa.Array, kind: str) -> pa.Array:
    if kind == "STRING" and pa.types.is_timestamp(values.type):
        utc = values.cast(pa.timestamp("us", values.type.tz or None))
        return pc.strftime(pc.cast(utc, pa.timestamp("us", "UTC")), format="%Y-%m-%dT%H:%M:%SZ")
    return values.cast(_ARROW_TYPES[kind])


def _write_csv(batches: Iterable[pa.RecordBatch], target: Path, event_time: str | None) -> FileCheck:
    rows, newest = 0, None
    options = pa_csv.WriteOptions(include_header=False)
    with target.open("wb") as file:
        for batch in batches:
            rows += batch.num_rows
            if event_time is not None and batch.num_rows:
                newest = _greater(newest, batch.column(event_time))
            pa_csv.write_csv(batch, file, options)
    return FileCheck(rows, newest)


def _greater(known: str | None, values: pa.Array) -> str | None:
    found = pc.max(values).as_py()
    return max((text for text in (known, found) if text is not None), default=None)
