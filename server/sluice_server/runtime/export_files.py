"""Exports into files: ``<export_dir>/{orders,submissions}/dt=YYYY-MM-DD/<sequence>.jsonl``."""

from __future__ import annotations

import fcntl
import os
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import orjson

from sluice_server.domain.orders.export import ExportedOrder, order_line, sign_of_life, submission_lines
from sluice_server.domain.orders.ports import OrderPosition


@dataclass(frozen=True, slots=True)
class ExportCursor:
    """How far an export has come."""

    sequence: int
    """Number of the next file; of no meaning elsewhere."""
    after: OrderPosition | None
    """The last order that is exported, by (updated_at, application_id)."""


class FileDestination:
    """JSON lines in folders by day.

    Files appear whole: written aside, synchronised, renamed; then the cursor (``orders/_cursor.json``) moves on in the
    same way. A process that is killed in between writes the same files again. ``dt`` is the UTC date of the order's
    ``updated_at``, of submissions too.
    """

    name = "order-export"

    def __init__(self, export_dir: Path) -> None:
        self._orders = export_dir / "orders"
        self._submissions = export_dir / "submissions"

    def exclusive(self) -> AbstractContextManager[bool]:
        return exclusive(self._orders)

    def cursor(self) -> ExportCursor:
        return read_cursor(self._orders)

    def write(self, cursor: ExportCursor, orders: Sequence[ExportedOrder], alive_at: datetime | None) -> ExportCursor:
        sequence = cursor.sequence
        submissions: defaultdict[str, list[Mapping[str, object]]] = defaultdict(list)
        by_date: defaultdict[str, list[Mapping[str, object]]] = defaultdict(list)
        for order in orders:
            date = _date(order.updated_at)
            by_date[date].append(order_line(order))
            submissions[date].extend(submission_lines(order))
        if alive_at is not None:
            submissions[_date(alive_at)].append(sign_of_life(alive_at))
        for date in sorted({*by_date, *submissions}):
            name = f"dt={date}/{sequence:010d}.jsonl"
            # Submissions before their orders: who sees an order finds its submissions.
            for directory, lines in ((self._submissions, submissions[date]), (self._orders, by_date[date])):
                if lines:
                    _write_whole(directory / name, b"".join(orjson.dumps(line) + b"\n" for line in lines))
            sequence += 1
        return write_cursor(self._orders, cursor, sequence, orders)

    def close(self) -> None:
        """Nothing is held open."""


def _date(moment: datetime) -> str:
    return moment.astimezone(UTC).date().isoformat()


def read_cursor(directory: Path) -> ExportCursor:
    """The stored cursor, or one at the beginning."""
    try:
        content = orjson.loads((directory / "_cursor.json").read_bytes())
    except FileNotFoundError:
        return ExportCursor(1, None)
    if content["updated_at"] is None:
        return ExportCursor(int(content["sequence"]), None)
    at = datetime.fromisoformat(content["updated_at"])
    return ExportCursor(int(content["sequence"]), OrderPosition(at, content["application_id"]))


def write_cursor(directory: Path, cursor: ExportCursor, sequence: int, orders: Sequence[ExportedOrder]) -> ExportCursor:
    """Stores how far it has come: behind these orders, or where it was without any."""
    after = OrderPosition(orders[-1].updated_at, orders[-1].application_id) if orders else cursor.after
    content = {
        "sequence": sequence,
        "updated_at": after.at if after is not None else None,
        "application_id": after.application_id if after is not None else None,
    }
    _write_whole(directory / "_cursor.json", orjson.dumps(content))
    return ExportCursor(sequence, after)


def _write_whole(path: Path, content: bytes) -> None:
    """The file is there with all its content, also after a power cut, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.writing")  # readers skip names that begin with a dot
    with aside.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    aside.rename(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextmanager
def exclusive(directory: Path) -> Iterator[bool]:
    """Whether this process alone exports into the directory, held until the block ends."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "_lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
