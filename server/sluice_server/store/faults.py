"""What the databases' errors mean to the domain."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

import asyncpg
from sqlalchemy import exc

from sluice_server.domain.errors import ConcurrentChange, SluiceError, Unavailable

# Result codes of https://www.sqlite.org/rescode.html after which a repeat can succeed without a change of the program.
_SQLITE_LOCKED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL}
_SQLITE_PASSING = {
    sqlite3.SQLITE_NOMEM: "out of memory",
    sqlite3.SQLITE_READONLY: "the database file is read-only",
    sqlite3.SQLITE_INTERRUPT: "interrupted",
    sqlite3.SQLITE_IOERR: "the disk does not answer",
    sqlite3.SQLITE_FULL: "the disk is full",
    sqlite3.SQLITE_CANTOPEN: "the database file cannot be opened",
}

# Classes and codes of https://www.postgresql.org/docs/current/errcodes-appendix.html.
_POSTGRES_PASSING = ("08", "53", "57", "58", "25006", "25P03", "55P03")
_POSTGRES_CONCURRENT = ("40001", "40P01")


class DatabaseLocked(Unavailable):
    """Somebody else has SQLite's write lock for longer than we wait."""


@contextmanager
def database_errors() -> Iterator[None]:
    """Turns the database's errors into Unavailable or ConcurrentChange; lets programming errors through."""
    try:
        yield
    except Exception as error:
        known = meaning(error)
        if known is None:
            raise
        raise known from error


def meaning(error: BaseException) -> SluiceError | None:
    """The domain's error for a database's, or None when it is a fault of the program (which must be seen as one)."""
    if isinstance(error, SluiceError):
        return None
    if isinstance(error, exc.DBAPIError):
        if error.orig is not None and (known := meaning(error.orig)) is not None:
            return known
        return _unavailable("the connection was lost") if error.connection_invalidated else None
    if isinstance(error, exc.TimeoutError):
        return _unavailable("every connection to the database is in use")
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        primary = None if code is None else code & 0xFF
        if primary in _SQLITE_LOCKED:
            return DatabaseLocked(_text("the database is locked by another process"))
        text = None if primary is None else _SQLITE_PASSING.get(primary)
        return None if text is None else _unavailable(text)
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str) and state:
        if state in _POSTGRES_CONCURRENT:
            return ConcurrentChange("another transaction was faster; read again and repeat")
        return _unavailable(f"SQLSTATE {state}") if state.startswith(_POSTGRES_PASSING) else None
    # asyncpg says InterfaceError for a connection that is closed (and for wrong use of one, which its own tests find).
    if isinstance(error, asyncpg.InterfaceError) and "closed" in str(error):
        return _unavailable("the connection was lost")
    if isinstance(error, OSError | TimeoutError | asyncio.IncompleteReadError):
        return _unavailable("the database cannot be reached")
    cause = error.__cause__
    return None if cause is None else meaning(cause)


def _unavailable(fact: str) -> Unavailable:
    return Unavailable(_text(fact), retry_after_seconds=1.0)


def _text(fact: str) -> str:
    return f"the store is not available: {fact}; repeat the call"
