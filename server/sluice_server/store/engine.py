"""Engines: the same transactions on SQLite and on PostgreSQL."""

from __future__ import annotations

from typing import Any

from sqlalchemy import URL, Connection, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from sluice_server.store.sqlite.connection import sqlite_pragmas
from sluice_server.store.time_limits import BUSY_SECONDS, CONNECT_SECONDS, STATEMENT_SECONDS
from sluice_server.store.types import json_text

WRITE_OPTION = "sluice_write"
"""Execution option of a connection whose transaction will write."""


def create_engine(url: str) -> AsyncEngine:
    """An engine for ``sqlite+aiosqlite:///FILE`` or ``postgresql+asyncpg://…``; ValueError for anything else."""
    parsed = make_url(url)
    if parsed.drivername == "sqlite+aiosqlite":
        return _sqlite(parsed)
    if parsed.drivername == "postgresql+asyncpg":
        return _postgres(parsed)
    raise ValueError(
        f"store URL {parsed.render_as_string(hide_password=True)!r}: "
        "must begin with sqlite+aiosqlite:/// or postgresql+asyncpg://"
    )


def _sqlite(url: URL) -> AsyncEngine:
    if not url.database or url.database == ":memory:":
        raise ValueError("store URL names no file: SQLite in memory loses what was acknowledged")
    engine = create_async_engine(url, connect_args={"timeout": BUSY_SECONDS}, pool_timeout=CONNECT_SECONDS)

    @event.listens_for(engine.sync_engine, "connect")
    def configure(connection: Any, _record: object) -> None:
        # The driver shall not begin transactions by itself: its BEGIN takes the lock only at the first write, where
        # SQLite refuses at once instead of waiting when somebody else has written since.
        connection.isolation_level = None
        cursor = connection.cursor()
        for pragma in sqlite_pragmas():
            cursor.execute(pragma)
        cursor.close()

    @event.listens_for(engine.sync_engine, "begin")
    def begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get(WRITE_OPTION, False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgres(url: URL) -> AsyncEngine:
    milliseconds = {
        "lock_timeout": BUSY_SECONDS,
        "statement_timeout": STATEMENT_SECONDS,
        # A unit of work whose process hangs must not keep its rows locked.
        "idle_in_transaction_session_timeout": STATEMENT_SECONDS,
    }
    settings = {name: str(int(seconds * 1000)) for name, seconds in milliseconds.items()}
    return create_async_engine(
        url,
        pool_size=10,
        max_overflow=10,
        pool_timeout=CONNECT_SECONDS,
        # A connection from before the database's restart is found out before it is used.
        pool_pre_ping=True,
        json_serializer=json_text,
        connect_args={
            "timeout": CONNECT_SECONDS,
            # Also covers a database that no longer answers at all, which its own time-outs do not.
            "command_timeout": STATEMENT_SECONDS + CONNECT_SECONDS,
            "server_settings": {"application_name": "sluice", **settings},
        },
    )
