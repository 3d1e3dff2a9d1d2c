"""The input files: checked and staged before Flink starts.

Embedded Flink reads CSV without header lines (its CSV format knows none) and needs no further jars for that. So every
table is staged as such files, whatever it comes as: the rows of CSV files byte for byte after their header has been
checked, Parquet and JSON lines converted by Arrow. What is read on the way is digested and counted. Rows that can not
be read are set apart with their place; the jobs count them among the rejected ones.
"""

from __future__ import annotations

import csv
import hashlib
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from sluice_flink.input_state import InputState, StagedFile
from sluice_flink.sql_files import TableSchema, source_tables
from sluice_flink.table_files import SUFFIXES, FileCheck, convert, copy_rows, header_problem

ORDERS = "orders"
UNREADABLE = "unreadable_rows"
EVENT_TIMES = {"policies": "sold_at", "claims": "reported_at", "orders": "decided_at"}
"""By source table the column that says when a row's event happened."""
_CHUNK = 1 << 22


class BadInput(ValueError):
    """The input can not be read; `problems` has one sentence for each thing that is wrong, with its file."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = tuple(problems)


@dataclass(frozen=True)
class UnreadableRow:
    """A row set apart."""

    source_table: str
    place: str
    """File and line, as in `claims/part-0001.csv line 7`."""
    problem: str


@dataclass(frozen=True)
class StagedInput:
    """The working folder that the source tables' paths point to, and what is known about its content."""

    folder: Path
    orders: Path
    fingerprint: str
    """Digest of every input byte, file by file in the order of their names."""
    files: int
    size_bytes: int
    rows: Mapping[str, int] = field(default_factory=dict)
    """Rows by source table, those that can not be read included."""
    newest: Mapping[str, str] = field(default_factory=dict)
    """The latest event time by source table (see `EVENT_TIMES`), as the source writes it."""
    unreadable: tuple[UnreadableRow, ...] = ()
    entries: tuple[StagedFile, ...] = ()
    """The files one by one."""

    def describe(self) -> dict[str, object]:
        """What a data version tells about its input."""
        return {"files": self.files, "bytes": self.size_bytes, "rows": dict(self.rows), "newest": dict(self.newest)}


def stage(input_dir: Path, orders_dir: Path | None, work: Path, known: InputState | None = None) -> StagedInput:
    """Check every source file and lay its rows under `work`. Raises `BadInput` naming all that is wrong.

    A table is a folder of files (`policies/*.csv`, `.parquet` or `.jsonl`) or one file (`policies.csv` …). Orders are
    JSON lines. Folders inside of a table's folder are its partitions. A file whose content is in `known` is not read
    again but for its digest.
    """
    tables = [table for table in source_tables().values() if table.name != ORDERS]
    problems: list[str] = []
    if orders_dir is not None and not orders_dir.is_dir():
        problems.append(f"orders: {orders_dir} is not a folder")
    files = {table.name: _files(input_dir, table, problems) for table in tables}
    for table in tables:
        problems.extend(problem for path in files[table.name] if (problem := header_problem(path, table)))
    if problems:
        raise BadInput(problems)

    staging = _Staging(work / "staged", known)
    for table in tables:
        staging.folder(table.name)
        for number, path in enumerate(files[table.name]):
            staging.add(table, input_dir, path, f"{table.name}/part-{number:04d}.csv")
    orders = staging.orders(orders_dir)
    staging.write_unreadable()
    return staging.done(orders)


def stage_orders(orders_dir: Path | None, work: Path) -> StagedInput:
    """Stage Sluice's orders alone, for an input whose other tables are elsewhere. Raises `BadInput`."""
    if orders_dir is not None and not orders_dir.is_dir():
        raise BadInput([f"orders: {orders_dir} is not a folder"])
    staging = _Staging(work / "staged")
    orders = staging.orders(orders_dir)
    staging.write_unreadable()
    return staging.done(orders)


def merge(tables: StagedInput, orders: StagedInput) -> StagedInput:
    """The input that both are together; they share the folder."""
    both = hashlib.sha256(f"{tables.fingerprint} {orders.fingerprint}".encode()).hexdigest()
    kind = tables.fingerprint.partition(":")[0]
    return StagedInput(
        orders.folder, orders.orders, f"{kind}:{both}", tables.files + orders.files,
        tables.size_bytes + orders.size_bytes, {**tables.rows, **orders.rows}, {**tables.newest, **orders.newest},
        orders.unreadable,
    )  # fmt: skip


def _files(input_dir: Path, table: TableSchema, problems: list[str]) -> list[Path]:
    folder = input_dir / table.name
    found = sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES)
    single = [path for suffix in SUFFIXES if (path := input_dir / f"{table.name}{suffix}").is_file()]
    if not found and not single and table.required:
        problems.append(f"{table.name}: neither {folder}/*.csv nor {folder}.csv exists (nor .parquet, .jsonl)")
    return found or single


def _stage_file(path: Path, target: Path, table: TableSchema) -> FileCheck:
    event_time = EVENT_TIMES.get(table.name)
    if path.suffix == ".csv":
        return copy_rows(path, target, table, event_time)
    return convert(path, target, table, event_time, keep_json=table.name == ORDERS)


def _link(kept: Path, target: Path) -> None:
    """The same rows once more, without a copy of them where the file system allows it."""
    try:
        os.link(kept, target)
    except OSError:
        shutil.copyfile(kept, target)


class _Staging:
    """What has been staged so far."""

    def __init__(self, root: Path, known: InputState | None = None) -> None:
        self._root = root
        self._known = {(file.table, file.digest): (known.path(file), file) for file in known.files} if known else {}
        self.digest = hashlib.sha256()
        self.files = 0
        self.size = 0
        self.rows: dict[str, int] = {}
        self.newest: dict[str, str] = {}
        self.unreadable: list[UnreadableRow] = []
        self.entries: list[StagedFile] = []

    def folder(self, table: str) -> Path:
        folder = self._root / table
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def add(self, table: TableSchema, root: Path, path: Path, name: str) -> None:
        """Stage the rows of one file as `name`; digest, count and check them."""
        digest = self._digest(table.name, path)
        target = self._root / name
        known = self._known.get((table.name, digest))
        if known is not None:
            _link(known[0], target)
            check = known[1].check
        else:
            try:
                check = _stage_file(path, target, table)
            except (pa.ArrowException, UnicodeDecodeError, csv.Error) as error:
                raise BadInput([f"{table.name}, {path.name}: {error}"]) from error
        self._note(table.name, path, check)
        self.entries.append(StagedFile(table.name, path.relative_to(root).as_posix(), digest, name, check))

    def orders(self, orders_dir: Path | None) -> Path:
        """Check and stage the order files; returns the folder to read."""
        folder = self.folder(ORDERS)
        # Sluice exports its submissions beside its orders, in a folder of their own.
        if orders_dir is not None and (orders_dir / ORDERS).is_dir():
            orders_dir /= ORDERS
        paths = sorted(orders_dir.rglob("*.jsonl")) if orders_dir is not None else []
        for number, path in enumerate(paths):
            assert orders_dir is not None
            self.add(source_tables()[ORDERS], orders_dir, path, f"{ORDERS}/part-{number:05d}.jsonl")
        return folder

    def write_unreadable(self) -> None:
        """Write the rows set apart as the source table of their own that the jobs read."""
        with (self.folder(UNREADABLE) / "part-0000.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerows((row.source_table, row.place, row.problem) for row in self.unreadable)

    def done(self, orders: Path) -> StagedInput:
        """Everything staged, with the orders in their folder."""
        return StagedInput(
            self._root, orders, f"sha256:{self.digest.hexdigest()}", self.files, self.size, self.rows, self.newest,
            tuple(self.unreadable), tuple(self.entries),
        )  # fmt: skip

    def _digest(self, table: str, path: Path) -> str:
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256")
        self.digest.update(f"{table}\n".encode() + digest.digest())
        self.files += 1
        self.size += path.stat().st_size
        return digest.hexdigest()

    def _note(self, table: str, path: Path, check: FileCheck) -> None:
        self.rows[table] = self.rows.get(table, 0) + check.rows
        if check.newest is not None:
            self.newest[table] = max(self.newest.get(table, ""), check.newest)
        self.unreadable += [
            UnreadableRow(table, f"{path.parent.name}/{path.name} line {line}", problem)
            for line, problem in check.unreadable
        ]
