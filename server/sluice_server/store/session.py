"""The connection of one unit of work, as its repositories see it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import CursorResult, Executable, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.sql.schema import Table

from sluice_server.store.columns import COUNT_COLUMNS, COUNT_UPSERT
from sluice_server.store.counts import CountChanges
from sluice_server.store.faults import database_errors
from sluice_server.store.notices import CHANNEL

_NOTIFY = text("SELECT pg_notify(:channel, :topic)")
_VALUES = ", ".join(f":{column}" for column in COUNT_COLUMNS)
_ADD_COUNTS = text(f"INSERT INTO order_counts ({', '.join(COUNT_COLUMNS)}) VALUES ({_VALUES}) {COUNT_UPSERT}")  # noqa: S608 - constants


class Session:
    """Executes statements with the database's errors in the domain's words, and collects what is to be counted."""

    def __init__(self, connection: AsyncConnection, *, shard: int) -> None:
        self._connection = connection
        self._shard = shard
        self.counts = CountChanges()
        self._announced: set[str] = set()

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self._connection.dialect.name

    async def execute(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None
    ) -> CursorResult[Any]:
        """Raises Unavailable, or ConcurrentChange when the database chose this transaction as the victim."""
        with database_errors():
            return await self._connection.execute(statement, parameters)

    async def changed(self, statement: Executable) -> int:
        """How many rows an UPDATE or DELETE met."""
        return (await self.execute(statement)).rowcount

    async def insert_new(self, table: Table, values: Mapping[str, Any], *, key: Sequence[str]) -> bool:
        """Inserts a row; False when one with this key is there."""
        statement = self.insert(table).values(**values).on_conflict_do_nothing(index_elements=list(key))
        return await self.changed(statement) == 1

    def insert(self, table: Table) -> sqlite.Insert | postgresql.Insert:
        """An INSERT that can say ON CONFLICT."""
        return sqlite.insert(table) if self.dialect == "sqlite" else postgresql.insert(table)

    def announce(self, topic: str) -> None:
        """Replicas shall hear of a change of this topic (notices.py) once it is committed."""
        self._announced.add(topic)

    async def send_notices(self) -> None:
        """Hands the announced topics to the database, which passes them on when it commits. SQLite has nothing like
        it: its processes poll."""
        if self.dialect == "postgresql":
            for topic in sorted(self._announced):
                await self.execute(_NOTIFY, {"channel": CHANNEL, "topic": topic})
        self._announced.clear()

    async def flush_counts(self) -> None:
        """Writes what was counted so far."""
        rows = self.counts.rows(self._shard)
        if rows:
            await self.execute(_ADD_COUNTS, [dict(zip(COUNT_COLUMNS, row, strict=True)) for row in rows])
            self.counts.clear()
