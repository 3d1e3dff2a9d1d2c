"""The streaming job's tables in the risk query store: made from their DDL, written by key, kept for a while.

They carry no data version: a row is written once its window is over, and again, with the same content, when the job
goes on from an earlier checkpoint. So every write is an upsert by key.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sluice_flink.risk_store import normalise_url, open_store, store_schema
from sluice_flink.sql_files import TableSchema, declared_tables

StoredRow = Mapping[str, object]

_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "STRING": sa.Text(),
    "BIGINT": sa.BigInteger(),
    "DOUBLE": sa.Double(),
    "TIMESTAMP": sa.DateTime(timezone=True),
}
_TABLES_LOCK = 7_310_846
"""Key of the PostgreSQL advisory lock under which the tables are made."""


def event_tables() -> dict[str, TableSchema]:
    """What the streaming job reads beside Sluice's submissions."""
    return declared_tables("streaming/sources")


def window_tables() -> dict[str, TableSchema]:
    """What the streaming job writes and the server reads."""
    return declared_tables("streaming/results")


class StreamStore:
    """The tables in the store at a URL. `close` it in the event loop that has used it."""

    def __init__(self, store_url: str) -> None:
        """Raises `BadStoreUrl`."""
        self.url: URL = normalise_url(store_url)
        self._schema = store_schema(self.url)
        self._metadata = sa.MetaData(schema=self._schema)
        self.tables = {table.name: _table(table, self._metadata) for table in window_tables().values()}
        self._engine: AsyncEngine = open_store(self.url)

    async def create(self) -> None:
        """Make the tables that are missing."""
        async with self._engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TABLES_LOCK)))
            if self._schema is not None:
                await connection.execute(sa.schema.CreateSchema(self._schema, if_not_exists=True))
            await connection.run_sync(self._metadata.create_all)

    async def upsert(self, rows: Mapping[str, Sequence[StoredRow]]) -> int:
        """Write rows by table, all or none; returns how many. Rows of a key that is there replace it."""
        async with self._engine.begin() as connection:
            for name, found in rows.items():
                if found:
                    await _upsert(connection, self.tables[name], found)
        return sum(map(len, rows.values()))

    async def forget(self, keep: dt.timedelta) -> int:
        """Delete what is older than the table's newest window by more than `keep`; returns how many rows. Not by the
        clock: a job that catches up on old events writes old windows."""
        deleted = 0
        async with self._engine.begin() as connection:
            for table in self.tables.values():
                newest = await connection.scalar(sa.select(sa.func.max(table.c.window_end)))
                if newest is not None:
                    result = await connection.execute(table.delete().where(table.c.window_end < newest - keep))
                    deleted += result.rowcount
        return deleted

    async def close(self) -> None:
        await self._engine.dispose()


def _table(table: TableSchema, metadata: sa.MetaData) -> sa.Table:
    columns = [
        sa.Column(column.name, _TYPES[column.type], primary_key=column.name in table.key, nullable=not column.required)
        for column in table.columns
    ]
    # What is asked for is the newest windows of everybody, and what is deleted the oldest.
    index = sa.Index(f"ix_{table.name}_end", "window_end")
    return sa.Table(table.name, metadata, *columns, index, comment=table.comment, sqlite_with_rowid=False)


async def _upsert(connection: AsyncConnection, table: sa.Table, rows: Sequence[StoredRow]) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    insert = dialect.insert(table)
    key = [column.name for column in table.primary_key]
    changed = {column.name: insert.excluded[column.name] for column in table.columns if column.name not in key}
    await connection.execute(insert.on_conflict_do_update(index_elements=key, set_=changed), list(rows))
