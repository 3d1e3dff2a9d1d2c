"""The books that replicas share, read and written: by SQLAlchemy to be looked at, by the drivers to be carried on."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from sqlalchemy import select, tuple_

from sluice_server.domain.routing.books import Books, LedgerKey
from sluice_server.domain.routing.capacity import InsurerUse
from sluice_server.store.content import INSURER_USE
from sluice_server.store.session import Session
from sluice_server.store.tables import insurer_use, share_ledgers
from sluice_server.store.types import json_text

_AT_ONCE = 200


class SqlBooks:
    """Implements ``domain.routing.ports.BookRepository``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def read(self, ledgers: Sequence[LedgerKey], insurers: Sequence[str]) -> Books:
        pages: list[tuple[int, str, Any]] = []
        for start in range(0, len(ledgers), _AT_ONCE):
            keys = [(key.plan_version, key.rule) for key in ledgers[start : start + _AT_ONCE]]
            columns = share_ledgers.c
            where = tuple_(columns.plan_version, columns.rule).in_(keys)
            rows = await self._session.execute(select(columns.plan_version, columns.rule, columns.pages).where(where))
            pages += [tuple(row) for row in rows]
        uses: list[tuple[str, Any]] = []
        for start in range(0, len(insurers), _AT_ONCE):
            where = insurer_use.c.insurer_id.in_(insurers[start : start + _AT_ONCE])
            rows = await self._session.execute(select(insurer_use.c.insurer_id, insurer_use.c.content).where(where))
            uses += [tuple(row) for row in rows]
        return _books(pages, uses)


def read_sqlite(connection: sqlite3.Connection, ledgers: Sequence[LedgerKey], insurers: Sequence[str]) -> Books:
    """In a transaction that has begun: nobody else writes until it ends."""
    pages: list[tuple[int, str, Any]] = []
    for key in ledgers:
        pages += connection.execute(
            "SELECT plan_version, rule, pages FROM share_ledgers WHERE plan_version = ? AND rule = ?",
            (key.plan_version, key.rule),
        ).fetchall()
    uses: list[tuple[str, Any]] = []
    if insurers:
        uses = connection.execute(
            "SELECT insurer_id, content FROM insurer_use WHERE insurer_id IN (SELECT value FROM json_each(?))",
            (json_text(insurers),),
        ).fetchall()
    return _books(_parsed(pages), _parsed(uses))


def write_sqlite(connection: sqlite3.Connection, books: Books) -> None:
    """What has changed."""
    connection.executemany(
        "INSERT OR REPLACE INTO share_ledgers (plan_version, rule, pages) VALUES (?, ?, ?)", _changed_ledgers(books)
    )
    connection.executemany(
        "INSERT OR REPLACE INTO insurer_use (insurer_id, content) VALUES (?, ?)", _changed_uses(books)
    )


async def lock_postgres(driver: Any, ledgers: Sequence[LedgerKey], insurers: Sequence[str]) -> Books:
    """Reads them and keeps every other commit from carrying them on until the transaction ends. Those that are not
    there are made, so that there is something to lock; in the order of their keys, so that two commits wait for each
    other instead of deadlocking."""
    pages: Sequence[Any] = []
    uses: Sequence[Any] = []
    if ledgers:
        keys = [key.plan_version for key in ledgers], [key.rule for key in ledgers]
        pages = await driver.fetch(_LOCK_LEDGERS, *keys)
        if len(pages) < len(ledgers):
            await driver.execute(_MAKE_LEDGERS, *keys)
            pages = await driver.fetch(_LOCK_LEDGERS, *keys)
    if insurers:
        uses = await driver.fetch(_LOCK_USES, insurers)
        if len(uses) < len(insurers):
            await driver.execute(_MAKE_USES, insurers)
            uses = await driver.fetch(_LOCK_USES, insurers)
    return _books(_parsed(pages), _parsed(uses))


async def write_postgres(driver: Any, books: Books) -> None:
    """What has changed."""
    if ledgers := _changed_ledgers(books):
        await driver.execute(_SET_LEDGERS, *zip(*ledgers, strict=True))
    if uses := _changed_uses(books):
        await driver.execute(_SET_USES, *zip(*uses, strict=True))


def _books(pages: Iterable[Sequence[Any]], uses: Iterable[Sequence[Any]]) -> Books:
    return Books(
        ledgers={
            LedgerKey(plan_version, rule): {page: tuple(counts) for page, counts in content.items()}
            for plan_version, rule, content in pages
        },
        uses={insurer_id: INSURER_USE.decode(content) for insurer_id, content in uses},
    )


def _parsed(rows: Iterable[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """The last column is JSON as text."""
    return [(*tuple(row)[:-1], orjson.loads(tuple(row)[-1])) for row in rows]


def _changed_ledgers(books: Books) -> list[tuple[int, str, str]]:
    return [(k.plan_version, k.rule, json_text(books.ledgers[k])) for k in sorted(books.changed_ledgers)]


def _changed_uses(books: Books) -> list[tuple[str, str]]:
    return [(i, _use_text(books.uses[i])) for i in sorted(books.changed_uses)]


def _use_text(use: InsurerUse) -> str:
    return orjson.dumps(INSURER_USE.encode(use), option=orjson.OPT_NON_STR_KEYS).decode()


_LOCK_LEDGERS = """
    SELECT l.plan_version, l.rule, l.pages::text FROM share_ledgers AS l
    JOIN unnest($1::bigint[], $2::text[]) AS w(plan_version, rule)
    ON l.plan_version = w.plan_version AND l.rule = w.rule COLLATE "C"
    ORDER BY l.plan_version, l.rule FOR UPDATE OF l
    """
_MAKE_LEDGERS = """
    INSERT INTO share_ledgers (plan_version, rule, pages)
    SELECT plan_version, rule, '{}' FROM unnest($1::bigint[], $2::text[]) AS w(plan_version, rule)
    ORDER BY plan_version, rule COLLATE "C" ON CONFLICT DO NOTHING
    """
_SET_LEDGERS = """
    UPDATE share_ledgers AS l SET pages = w.pages::jsonb
    FROM unnest($1::bigint[], $2::text[], $3::text[]) AS w(plan_version, rule, pages)
    WHERE l.plan_version = w.plan_version AND l.rule = w.rule COLLATE "C"
    """
_LOCK_USES = """
    SELECT insurer_id, content::text FROM insurer_use
    WHERE insurer_id = ANY($1::text[] COLLATE "C") ORDER BY insurer_id FOR UPDATE
    """
_MAKE_USES = """
    INSERT INTO insurer_use (insurer_id, content)
    SELECT insurer_id, '{}' FROM unnest($1::text[]) AS w(insurer_id) ORDER BY insurer_id COLLATE "C"
    ON CONFLICT DO NOTHING
    """
_SET_USES = """
    UPDATE insurer_use AS u SET content = w.content::jsonb FROM unnest($1::text[], $2::text[]) AS w(insurer_id, content)
    WHERE u.insurer_id = w.insurer_id COLLATE "C"
    """
