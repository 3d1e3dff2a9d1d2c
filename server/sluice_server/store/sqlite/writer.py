"""Many orders in one commit on SQLite: a thread and a connection of its own, one multi-row statement for many rows.

Every step of a statement lets go of the interpreter's lock and has to win it back from a busy event loop, which costs
more than the step: so a batch is as few statements as possible, and none of them returns a row for each order.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache

import orjson

from sluice_server.store.columns import (
    CHANGEABLE_COLUMNS,
    COUNT_COLUMNS,
    COUNT_UPSERT,
    DECISION_COLUMNS,
    ORDER_COLUMNS,
    SUBMISSION_CHANGES,
    SUBMISSION_COLUMNS,
)
from sluice_server.store.counts import CountChanges, standing
from sluice_server.store.order_write import FirstWrite, OrderWrite, PlainWrite, Write
from sluice_server.store.rows import SQLITE3, Codec, Row
from sluice_server.store.settling import all_first, all_plain, write_settled_sqlite
from sluice_server.store.sqlite.checkpoints import Checkpoints
from sluice_server.store.sqlite.connection import connect
from sluice_server.store.sqlite.first import ROWS_AT_ONCE, prepare, write_first
from sluice_server.store.types import from_microseconds, json_text
from sluice_server.store.unit_of_work import WriteGate

_SIZE_STEP = 64
"""Up to here there is a statement for every number of rows, beyond only for multiples: few are ever compiled."""


class SqliteWriter:
    """Implements ``store.order_write.OrderWriter``."""

    def __init__(self, path: str, gate: WriteGate) -> None:
        self._path = path
        self._gate = gate
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sluice-decision-log")
        self._checkpoints = Checkpoints(path)
        self._connection: sqlite3.Connection | None = None

    @property
    def codec(self) -> Codec:
        return SQLITE3

    async def write(self, writes: Sequence[Write]) -> Sequence[bool]:
        async with self._gate:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._write, writes)

    async def close(self) -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._thread, self._disconnect)
        await loop.run_in_executor(self._thread, self._checkpoints.close)
        self._thread.shutdown(wait=False)

    def _write(self, writes: Sequence[Write]) -> Sequence[bool]:
        results = self._commit(writes)
        self._checkpoints.written(len(writes))
        return results

    def _commit(self, writes: Sequence[Write]) -> Sequence[bool]:
        connection = self._connection or self._connect()
        try:
            firsts = all_first(writes)
            if firsts is not None and len(firsts) <= ROWS_AT_ONCE:
                return write_first(connection, firsts)  # one statement is one transaction
            connection.execute("BEGIN IMMEDIATE")
            plain = all_plain(writes)
            results = (
                _apply(connection, plain) if plain is not None else write_settled_sqlite(connection, writes, _apply)
            )
            connection.execute("COMMIT")
        except BaseException:
            # A full disk ends the transaction by itself. A fresh connection forgets whatever the broken one knew.
            self._disconnect()
            raise
        return results

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self._path)
        prepare(connection)
        self._connection = connection
        return connection

    def _disconnect(self) -> None:
        """Closes the connection, which rolls back what is not committed."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


def _apply(connection: sqlite3.Connection, writes: Sequence[PlainWrite]) -> Sequence[bool]:
    firsts = [write for write in writes if isinstance(write, FirstWrite)]
    others = [write for write in writes if isinstance(write, OrderWrite)]
    if not others:
        return write_first(connection, firsts)
    done = {FirstWrite: iter(write_first(connection, firsts)), OrderWrite: iter(_apply_others(connection, others))}
    return [next(done[type(write)]) for write in writes]


def _apply_others(connection: sqlite3.Connection, writes: Sequence[OrderWrite]) -> Sequence[bool]:
    counts = CountChanges()
    new: dict[str, OrderWrite] = {}
    for write in writes:
        if write.new:
            new.setdefault(write.application_id, write)
    stored = _number(connection, new)
    _insert(connection, "orders", ORDER_COLUMNS, [(order_seq, *write.row) for order_seq, write in stored], "")
    for _, write in stored:
        counts.move(None, write.standing)

    changed = []
    for write in writes:
        if not write.new and (number := _change(connection, write, counts)) is not None:
            changed.append((number, write))

    _insert(connection, "decisions", DECISION_COLUMNS, _with_numbers(stored, "decisions"), "")
    _insert(connection, "decisions", DECISION_COLUMNS, _with_numbers(changed, "decisions"), "ON CONFLICT DO NOTHING")
    _insert(connection, "submissions", SUBMISSION_COLUMNS, _with_numbers([*stored, *changed], "submissions"), _UPSERT)
    connection.executemany(_ADD_COUNTS, counts.rows(shard=0))

    written = {id(write) for _, write in (*stored, *changed)}
    return [id(write) in written for write in writes]


def _number(connection: sqlite3.Connection, new: Mapping[str, OrderWrite]) -> list[tuple[int, OrderWrite]]:
    """Those that are not known, each with the order_seq that it gets: nobody else writes until the commit."""
    if not new:
        return []
    last, found = connection.execute(_KNOWN, (json_text(list(new)),)).fetchone()
    known = frozenset(orjson.loads(found))
    unknown = (write for application_id, write in new.items() if application_id not in known)
    return list(enumerate(unknown, start=last + 1))


def _change(connection: sqlite3.Connection, write: OrderWrite, counts: CountChanges) -> int | None:
    """Changes an order that is at its version; its order_seq, or None."""
    found = connection.execute(_SELECT, (write.application_id, write.version)).fetchone()
    if found is None:
        return None
    order_seq, insurer_id, product_line, decided_at, submit_requested, state = found
    connection.execute(_UPDATE, (*write.row, order_seq))
    before = standing(
        insurer_id=insurer_id,
        product_line=product_line,
        decided_at=None if decided_at is None else from_microseconds(decided_at),
        submit_requested=bool(submit_requested),
        state=state,
    )
    counts.move(before, write.standing)
    return int(order_seq)


def _with_numbers(numbered: Iterable[tuple[int, OrderWrite]], kind: str) -> list[Row]:
    return [(order_seq, *row) for order_seq, write in numbered for row in getattr(write, kind)]


def _insert(
    connection: sqlite3.Connection, table: str, columns: Sequence[str], rows: Sequence[Row], conflict: str
) -> None:
    for part in _parts(rows):
        statement = _values(table, ("order_seq", *columns), len(part), conflict)
        connection.execute(statement, [value for row in part for value in row])


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    start = 0
    while start < len(rows):
        left = min(ROWS_AT_ONCE, len(rows) - start)
        size = left if left <= _SIZE_STEP else left - left % _SIZE_STEP
        yield rows[start : start + size]
        start += size


@cache
def _values(table: str, columns: tuple[str, ...], count: int, conflict: str) -> str:
    row = f"({', '.join('?' * len(columns))})"
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES {', '.join([row] * count)} {conflict}"  # noqa: S608 - own names


_KNOWN = (
    "SELECT coalesce((SELECT max(order_seq) FROM orders), 0), (SELECT json_group_array(application_id) FROM orders "
    "WHERE application_id IN (SELECT value FROM json_each(?)))"
)
_SELECT = (
    "SELECT order_seq, insurer_id, product_line, decided_at, submit_requested, state FROM orders "
    "WHERE application_id = ? AND version = ?"
)
_FINISHED_AT = f"?{CHANGEABLE_COLUMNS.index('finished_at') + 1}"
_CHANGES = ", ".join(
    f"{name} = ?{place}"
    if name != "finished_at"
    # It became final then, and not again with a later remark in its history.
    else f"finished_at = CASE WHEN {_FINISHED_AT} IS NOT NULL THEN coalesce(finished_at, {_FINISHED_AT}) END"
    for place, name in enumerate(CHANGEABLE_COLUMNS, start=1)
)
_UPDATE = f"UPDATE orders SET {_CHANGES}, version = version + 1 WHERE order_seq = ?{len(CHANGEABLE_COLUMNS) + 1}"  # noqa: S608 - own names
_UPSERT = "ON CONFLICT (order_seq, number) DO UPDATE SET " + ", ".join(
    f"{c} = excluded.{c}" for c in SUBMISSION_CHANGES
)
_ADD_COUNTS = _values("order_counts", COUNT_COLUMNS, 1, COUNT_UPSERT)
