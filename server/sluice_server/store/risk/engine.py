"""Engines that only read, and whose reads of one transaction see one state."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from sluice_server.store.engine import create_engine
from sluice_server.store.time_limits import BUSY_SECONDS, CONNECT_SECONDS


def create_reader_engine(url: str) -> tuple[AsyncEngine, Path | None]:
    """The engine, and the file where the store is one. Connects to nothing and makes no file.

    Raises ValueError for anything but ``sqlite+aiosqlite:///FILE`` and ``postgresql+asyncpg://…``.
    """
    parsed = make_url(url)
    if parsed.drivername != "sqlite+aiosqlite":
        engine = create_engine(url)
        # Pointer and rows are two statements: they have to see the same state.
        return engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True), None
    if not parsed.database or parsed.database == ":memory:":
        raise ValueError("risk store URL names no file: the Flink loader could not fill it")
    # mode=rw opens what exists and never creates; read-only mode could not join a write-ahead log that nobody has open.
    database = f"file:{quote(parsed.database)}"
    engine = create_async_engine(
        parsed.set(database=database, query={"mode": "rw", "uri": "true"}),
        connect_args={"timeout": BUSY_SECONDS},
        pool_timeout=CONNECT_SECONDS,
    )

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        connection.isolation_level = None  # The driver would begin no transaction for reads.
        cursor = connection.cursor()
        cursor.execute("PRAGMA query_only = ON")
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine, Path(parsed.database)
