"""Writes changed orders as JSON lines for Flink: ``<export_dir>/orders/dt=YYYY-MM-DD/<sequence>.jsonl``."""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import structlog

from sluice_server.domain.context import Clock
from sluice_server.domain.orders.export import order_line
from sluice_server.domain.orders.model import Order
from sluice_server.domain.orders.ports import OrderPosition
from sluice_server.domain.unit_of_work import Store
from sluice_server.runtime.order_workers import Rounds


@dataclass(frozen=True, slots=True)
class ExportCursor:
    """How far the export has come."""

    sequence: int
    """Number of the next file."""
    after: OrderPosition | None
    """The last order that is in a file, by (updated_at, application_id)."""


class OrderExportWorker:
    """Exports every order each time that it has changed, final or not.

    At least once: a line may be written twice, and an order has a line for each state in which it was seen. The reader
    keeps, for each application_id, the line with the greatest ``updated_at``. ``dt`` is the UTC date of ``updated_at``.

    Files appear whole: written aside, synchronised, renamed; then the cursor (``_cursor.json``, beside them) moves on
    in the same way. A process that is killed between the two writes the same file again. An order that is being changed
    while it is read could be passed by, so only changes older than ``settle_seconds`` are taken: longer than any write
    lasts from taking the time to its commit, and than clocks of replicas differ. One process exports into a directory
    (``_lock`` is held meanwhile); others wait until it ends.

    To read an order costs the event loop as much as to route one. So a batch is read in parts of ``part`` orders with
    pauses in between, ``leisure`` times as long as the reading: calls never wait for more than one part, and of a busy
    loop the export takes no more than its share. What it leaves behind then, it makes up for when the loop has time.
    """

    name = "order-export"

    def __init__(
        self,
        store: Store,
        clock: Clock,
        export_dir: Path,
        *,
        batch: int = 5000,
        part: int = 100,
        leisure: float = 4.0,
        settle_seconds: float = 3.0,
        idle_seconds: float = 2.0,
    ) -> None:
        self._store = store
        self._clock = clock
        self._dir = export_dir / "orders"
        self._batch = batch
        self._part = part
        self._leisure = leisure
        self._settle = timedelta(seconds=settle_seconds)
        self._idle_seconds = idle_seconds
        self._log = structlog.get_logger("sluice.worker")

    async def run(self, stopping: asyncio.Event) -> None:
        await Rounds(self.name, self.round, idle_seconds=self._idle_seconds).run(stopping)

    async def round(self) -> bool:
        """Exports one batch; whether it was full. Nothing when another process exports into the directory."""
        with _exclusive(self._dir) as alone:
            return alone and await self._export()

    async def _export(self) -> bool:
        cursor = await asyncio.to_thread(_read_cursor, self._dir)
        until = self._clock.now() - self._settle
        orders: list[Order] = []
        after = cursor.after
        while len(orders) < self._batch:
            began = time.perf_counter()
            limit = min(self._part, self._batch - len(orders))
            async with self._store.read() as uow:
                part = await uow.orders.changed(after=after, until=until, limit=limit)
            orders += part
            if len(part) < limit:
                break
            after = OrderPosition(part[-1].updated_at, part[-1].application_id)
            await asyncio.sleep(self._leisure * (time.perf_counter() - began))
        if not orders:
            return False
        # Not interrupted by a cancellation between the file and the cursor: the thread runs to its end.
        written = await asyncio.to_thread(_write, self._dir, cursor, orders)
        self._log.debug("orders exported", orders=len(orders), files=written)
        return len(orders) == self._batch


def _write(directory: Path, cursor: ExportCursor, orders: Sequence[Order]) -> int:
    by_date: defaultdict[str, list[bytes]] = defaultdict(list)
    for order in orders:
        by_date[order.updated_at.astimezone(UTC).date().isoformat()].append(orjson.dumps(order_line(order)))
    sequence = cursor.sequence
    for date, lines in sorted(by_date.items()):
        _write_whole(directory / f"dt={date}" / f"{sequence:010d}.jsonl", b"\n".join(lines) + b"\n")
        sequence += 1
    last = orders[-1]
    content = {"sequence": sequence, "updated_at": last.updated_at, "application_id": last.application_id}
    _write_whole(directory / "_cursor.json", orjson.dumps(content))
    return len(by_date)


def _read_cursor(directory: Path) -> ExportCursor:
    try:
        content = orjson.loads((directory / "_cursor.json").read_bytes())
    except FileNotFoundError:
        return ExportCursor(1, None)
    at = datetime.fromisoformat(content["updated_at"])
    return ExportCursor(int(content["sequence"]), OrderPosition(at, content["application_id"]))


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
def _exclusive(directory: Path) -> Iterator[bool]:
    """Whether this process alone exports into the directory, held until the block ends."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "_lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True
