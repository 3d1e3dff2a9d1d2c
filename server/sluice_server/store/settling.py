"""Open orders in a batch: their insurers are chosen in the transaction that stores them.

Only an order that will be stored is settled. One whose application_id is known, and a change of an order that was
changed by somebody else, must not take a position of a share ledger or room of an insurer from anybody.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sluice_server.domain.routing.books import Books, needs
from sluice_server.store.books import lock_postgres, read_sqlite, write_postgres, write_sqlite
from sluice_server.store.order_write import FirstWrite, OpenWrite, PlainWrite, Write, changed_order, new_order
from sluice_server.store.rows import ASYNCPG, SQLITE3, Codec
from sluice_server.store.types import json_text


class Overtaken(Exception):
    """Another transaction has stored an order under an application_id that was free a moment ago."""


def all_first(writes: Sequence[Write]) -> Sequence[FirstWrite] | None:
    """The writes when all of them are new orders with their first decisions."""
    for write in writes:
        if type(write) is not FirstWrite:
            return None
    return writes  # type: ignore[return-value]  # checked one by one


def all_plain(writes: Sequence[Write]) -> Sequence[PlainWrite] | None:
    """The writes when none of them is open."""
    for write in writes:
        if type(write) is OpenWrite:
            return None
    return writes  # type: ignore[return-value]  # checked one by one


def write_settled_sqlite(
    connection: sqlite3.Connection,
    writes: Sequence[Write],
    apply: Callable[[sqlite3.Connection, Sequence[PlainWrite]], Sequence[bool]],
) -> Sequence[bool]:
    """Settles, and writes with ``apply``, in a transaction that has begun."""
    opened = [write for write in writes if isinstance(write, OpenWrite)]
    ids = json_text([write.application_id for write in opened])
    versions = dict(connection.execute(_VERSIONS, (ids,)).fetchall())
    books = read_sqlite(connection, *needs(write.open.decision for write in opened))
    settled = _settled(writes, versions, books, SQLITE3)
    write_sqlite(connection, books)
    return _answers(settled, apply(connection, [write for write in settled if write is not None]))


async def write_settled_postgres(
    driver: Any, writes: Sequence[Write], apply: Callable[[Sequence[PlainWrite]], Any]
) -> Sequence[bool]:
    """Settles, and writes with ``apply``, in a transaction that has begun. Raises Overtaken: it is to be rolled back
    then and begun again."""
    opened = [write for write in writes if isinstance(write, OpenWrite)]
    # First the books, then the orders: whoever waits for books holds no order that somebody else waits for.
    books = await lock_postgres(driver, *needs(write.open.decision for write in opened))
    new = [write.application_id for write in opened if write.new]
    changed = [write.application_id for write in opened if not write.new]
    versions = {row["application_id"]: row["version"] for row in await driver.fetch(_KNOWN, new)} if new else {}
    if changed:
        versions |= {row["application_id"]: row["version"] for row in await driver.fetch(_AT_VERSION, changed)}
    settled = _settled(writes, versions, books, ASYNCPG)
    await write_postgres(driver, books)
    taken = [write for write in settled if write is not None]
    answers = _answers(settled, await apply(taken) if taken else ())
    for write, order, answer in zip(writes, settled, answers, strict=True):
        if isinstance(write, OpenWrite) and order is not None and not answer:
            raise Overtaken(write.application_id)
    return answers


def _settled(
    writes: Sequence[Write], versions: Mapping[str, int], books: Books, codec: Codec
) -> list[PlainWrite | None]:
    """The writes in their order; None for those that do not take place. ``books`` are carried on."""
    results: list[PlainWrite | None] = []
    earlier: set[str] = set()
    for write in writes:
        if write.new and write.application_id in earlier:
            results.append(None)
            continue
        if write.new:
            earlier.add(write.application_id)
        results.append(_settled_one(write, versions, books, codec) if isinstance(write, OpenWrite) else write)
    return results


def _settled_one(write: OpenWrite, versions: Mapping[str, int], books: Books, codec: Codec) -> PlainWrite | None:
    write.settled, write.declined = None, False
    if versions.get(write.application_id) != (None if write.new else write.version):
        return None
    chosen = write.open.settle(books)
    if chosen is None:
        write.declined = True
        return None
    write.settled, settled = chosen
    # Encoded before it is counted: an order that cannot be encoded fails without having taken a place.
    encoded = (new_order if write.new else changed_order)(write.settled, codec)
    books.enter(settled)
    return encoded


def _answers(settled: Sequence[PlainWrite | None], applied: Sequence[bool]) -> list[bool]:
    answers = iter(applied)
    return [write is not None and next(answers) for write in settled]


_VERSIONS = "SELECT application_id, version FROM orders WHERE application_id IN (SELECT value FROM json_each(?))"
_KNOWN = 'SELECT application_id, version FROM orders WHERE application_id = ANY($1::text[] COLLATE "C")'
_AT_VERSION = f"{_KNOWN} FOR UPDATE SKIP LOCKED"
