"""The input files: checked before Flink starts, staged for it, and searched for the bad row when Flink stumbles.

Flink's CSV format knows no header line. So the header is checked here against the declared columns, and the lines after
it are copied to a working folder, byte for byte; on the way they are digested.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as pa_csv

from sluice_flink.sql_files import TableSchema, source_tables

ORDERS = "orders"
_CHUNK = 1 << 22
_ARROW_TYPES = {
    "STRING": pa.string(),
    "BIGINT": pa.int64(),
    "INT": pa.int32(),
    "DOUBLE": pa.float64(),
    "DATE": pa.date32(),
}
_JSON_TYPES: dict[str, tuple[type, ...]] = {"STRING": (str,), "BIGINT": (int,), "INT": (int,), "BOOLEAN": (bool,)}


class BadInput(ValueError):
    """The input can not be read; `problems` has one sentence for each thing that is wrong, with its file."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class StagedInput:
    """The working folder that the source tables' paths point to."""

    folder: Path
    orders: Path
    fingerprint: str
    """Digest of every input byte, file by file in the order of their names."""
    files: int
    size_bytes: int


def stage(input_dir: Path, orders_dir: Path | None, work: Path) -> StagedInput:
    """Check every source file's header and copy the rows under `work`. Raises `BadInput` naming all that is wrong.

    A CSV table is a folder of files (`policies/*.csv`) or one file (`policies.csv`). Orders are read where they are.
    """
    tables = [table for table in source_tables().values() if table.name != ORDERS]
    problems: list[str] = []
    if orders_dir is not None and not orders_dir.is_dir():
        problems.append(f"orders: {orders_dir} is not a folder")
    files = {table.name: _files(input_dir, table, problems) for table in tables}
    for table in tables:
        problems.extend(problem for path in files[table.name] if (problem := _header_problem(path, table)))
    if problems:
        raise BadInput(problems)

    digest = hashlib.sha256()
    size = 0
    folder = work / "staged"
    for name, paths in files.items():
        (folder / name).mkdir(parents=True)
        for number, path in enumerate(paths):
            size += _copy_rows(path, folder / name / f"part-{number:04d}.csv", name, digest)
    order_files = sorted(orders_dir.rglob("*.jsonl")) if orders_dir is not None else []
    for path in order_files:
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
        size += path.stat().st_size
    empty = folder / ORDERS
    empty.mkdir()
    count = sum(map(len, files.values())) + len(order_files)
    return StagedInput(folder, orders_dir or empty, f"sha256:{digest.hexdigest()}", count, size)


def _files(input_dir: Path, table: TableSchema, problems: list[str]) -> list[Path]:
    single = input_dir / f"{table.name}.csv"
    found = sorted((input_dir / table.name).glob("*.csv")) or ([single] if single.is_file() else [])
    if not found:
        problems.append(f"{table.name}: neither {input_dir / table.name}/*.csv nor {single} exists")
    return found


def _header_problem(path: Path, table: TableSchema) -> str | None:
    with path.open("rb") as file:
        line = file.readline().decode("utf-8", errors="replace").rstrip("\r\n")
    names = [name.strip('"') for name in line.removeprefix("\ufeff").split(",")]
    expected = list(table.column_names)
    if names == expected:
        return None
    missing = [name for name in expected if name not in names]
    unknown = [name for name in names if name not in expected]
    parts = [f"missing {', '.join(missing)}"] if missing else []
    parts += [f"unknown {', '.join(unknown)}"] if unknown else []
    return f"{path}: header: {'; '.join(parts) or 'wrong order'}; expected {','.join(expected)}"


def _copy_rows(path: Path, target: Path, name: str, digest: hashlib._Hash) -> int:
    with path.open("rb") as source, target.open("wb") as copy:
        digest.update(f"{name}\n".encode() + source.readline())
        while chunk := source.read(_CHUNK):
            digest.update(chunk)
            copy.write(chunk)
        return source.tell()


def find_bad_rows(staged: StagedInput) -> list[str]:
    """Sentences about rows that do not fit their table's types, at most one a file; for when Flink has failed."""
    found: list[str] = []
    for table in source_tables().values():
        if table.name == ORDERS:
            found.extend(
                problem for path in sorted(staged.orders.rglob("*.jsonl")) if (problem := _bad_line(path, table))
            )
            continue
        types = {column.name: _ARROW_TYPES[column.type] for column in table.columns}
        convert = pa_csv.ConvertOptions(column_types=types, null_values=[""], strings_can_be_null=True)
        # One thread, or the message lacks the row's number.
        read = pa_csv.ReadOptions(column_names=list(table.column_names), use_threads=False)
        for path in sorted((staged.folder / table.name).glob("*.csv")):
            if path.stat().st_size == 0:
                continue
            try:
                pa_csv.read_csv(path, read_options=read, convert_options=convert)
            except pa.ArrowInvalid as error:
                found.append(f"{table.name}, file {path.name} (rows counted after the header): {error}")
    return found


def _bad_line(path: Path, table: TableSchema) -> str | None:
    with path.open("rb") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                return f"{table.name}, {path.name}, line {number}: {error}"
            if not isinstance(row, dict):
                return f"{table.name}, {path.name}, line {number}: not a JSON object"
            for column in table.columns:
                value = row.get(column.name)
                if value is not None and type(value) not in _JSON_TYPES[column.type]:
                    return f"{table.name}, {path.name}, line {number}: {column.name} is no {column.type}"
    return None
