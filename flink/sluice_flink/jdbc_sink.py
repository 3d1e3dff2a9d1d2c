"""Result rows written into PostgreSQL by Flink's JDBC sink.

The tasks write into tables of a schema of its own, `risk_incoming`, which nobody reads. The publication then copies
them inside of the database into the data version that it makes, in its one transaction; so the atomic flip is the same
as with files, and no row passes through the client.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from sluice_flink.jdbc_input import quoted_options
from sluice_flink.risk_store import BadStoreUrl, incoming_tables, normalise_url

SCHEMA = "risk_incoming"
_WRITERS_LOCK = 7_310_846
"""Key of the PostgreSQL advisory lock of the run that writes; a killed run's is gone with its connection."""
_FLUSH_ROWS = 5_000
_SINK = re.compile(r"CREATE\s+TABLE\s+(?P<sink>(?P<table>\w+)_csv)\s+WITH\s*\(.*\)\s*LIKE\s+\w+", re.DOTALL)


class IncomingInUse(RuntimeError):
    """Another run writes into the same database through JDBC; nothing was done."""


@dataclass(frozen=True)
class Incoming:
    """The tables that a run writes into."""

    url: URL
    schema: str
    _runner: asyncio.Runner
    _connection: AsyncConnection

    def rows(self, table: str) -> list[tuple[object, ...]]:
        """What has been written into `table`."""
        return self._runner.run(_rows(self._connection, table))

    def sink(self, statement: str) -> str:
        """A statement of the CSV sinks as one of JDBC sinks on the incoming tables."""
        declared = _SINK.match(statement)
        if declared is None:
            return statement.replace("INSERT OVERWRITE", "INSERT INTO", 1)
        options = {
            "connector": "jdbc",
            "url": f"jdbc:postgresql://{self.url.host or '127.0.0.1'}:{self.url.port or 5432}/{self.url.database}"
            "?reWriteBatchedInserts=true",
            "table-name": f"{SCHEMA}.{declared['table']}",
            "sink.buffer-flush.max-rows": str(_FLUSH_ROWS),
        }
        if self.url.username:
            options |= {"username": self.url.username, "password": self.url.password or ""}
        return f"CREATE TABLE {declared['sink']} WITH ({quoted_options(options)}) LIKE {declared['table']}"


@contextmanager
def incoming(store_url: str) -> Iterator[Incoming]:
    """Empty tables to write into, dropped at the end. Raises `IncomingInUse`, and `BadStoreUrl` unless the store is
    PostgreSQL."""
    url = normalise_url(store_url)
    if url.get_backend_name() != "postgresql":
        raise BadStoreUrl("a JDBC sink writes to PostgreSQL; the store is another one")
    engine = create_async_engine(url, isolation_level="AUTOCOMMIT")
    with asyncio.Runner() as runner:
        connection = runner.run(_connected(engine.connect()))
        try:
            runner.run(_prepare(connection))
            yield Incoming(url, SCHEMA, runner, connection)
            runner.run(_drop(connection))
        finally:
            runner.run(connection.close())
            runner.run(engine.dispose())


async def _connected(connection: AsyncConnection) -> AsyncConnection:
    return await connection


async def _prepare(connection: AsyncConnection) -> None:
    if not await connection.scalar(sa.select(sa.func.pg_try_advisory_lock(_WRITERS_LOCK))):
        raise IncomingInUse(f"another run writes into {SCHEMA}; run again when it has ended")
    await _drop(connection)
    await connection.execute(sa.schema.CreateSchema(SCHEMA))
    await connection.run_sync(incoming_tables(SCHEMA).create_all)


async def _drop(connection: AsyncConnection) -> None:
    await connection.execute(sa.schema.DropSchema(SCHEMA, cascade=True, if_exists=True))


async def _rows(connection: AsyncConnection, table: str) -> list[tuple[object, ...]]:
    found: Sequence[sa.Row[tuple[object, ...]]] = (
        await connection.execute(sa.select(incoming_tables(SCHEMA).tables[f"{SCHEMA}.{table}"]))
    ).all()
    return [tuple(row) for row in found]
