"""What every connection to SQLite sets, and those of the threads that speak to its driver directly."""

from __future__ import annotations

import sqlite3

from sluice_server.store.time_limits import BUSY_SECONDS

WAL_PAGES = 10_000
"""Pages (4 KiB) of the write-ahead log after which SQLite copies them into the database: the default of 1,000 costs a
fifth of the throughput of large commits."""
CACHE_KIBIBYTES = 65_536
STATEMENTS = 512
"""Compiled statements that a writer keeps: more than there are."""


def sqlite_pragmas() -> tuple[str, ...]:
    """What every connection to SQLite sets. FULL: a commit is on the disk when it returns. WAL: readers and the one
    writer do not wait for each other."""
    return (
        f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
        f"PRAGMA wal_autocheckpoint = {WAL_PAGES}",
        f"PRAGMA cache_size = -{CACHE_KIBIBYTES}",
    )


def connect(path: str) -> sqlite3.Connection:
    """A connection that begins no transaction by itself, for whichever thread holds it."""
    connection = sqlite3.connect(
        path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False, cached_statements=STATEMENTS
    )
    for pragma in sqlite_pragmas():
        connection.execute(pragma)
    return connection
