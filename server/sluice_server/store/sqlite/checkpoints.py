"""Copies SQLite's write-ahead log into the database beside the writer, so that no commit has to wait for it.

SQLite does it by itself within the commit that fills the log (``connection.WAL_PAGES``), which then takes 20 ms and
more, and with it every call that waits for that commit. What has been copied before, aside, it need not copy then: a
passive checkpoint takes turns with nobody (https://www.sqlite.org/pragma.html#pragma_wal_checkpoint). It is a matter of
speed alone: without it the log is copied all the same.
"""

from __future__ import annotations

import sqlite3
from concurrent.futures import Future, ThreadPoolExecutor

import structlog

from sluice_server.store.sqlite.connection import connect

ROWS = 4_000
"""Orders between two checkpoints: about as many pages of the log, under half of what it may hold."""


class Checkpoints:
    """Of one database file. Its writer tells what it has written."""

    def __init__(self, path: str, *, every: int = ROWS) -> None:
        self._path = path
        self._every = every
        self._rows = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="sluice-checkpoints")
        self._running: Future[None] | None = None
        self._log = structlog.get_logger("sluice.store")
        self.made = 0
        """How many there were."""

    def written(self, rows: int) -> None:
        """So many orders more are committed; begins a checkpoint when it is time for one."""
        self._rows += rows
        if self._rows >= self._every and (self._running is None or self._running.done()):
            self._rows = 0
            self._running = self._thread.submit(self._make)

    def close(self) -> None:
        """Waits for the one that is being made."""
        self._thread.shutdown(wait=True)

    def _make(self) -> None:
        try:
            connection = connect(self._path)
            try:
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
            finally:
                connection.close()
        except sqlite3.Error as error:
            # The writer meets what is wrong with the database by itself, and tells its callers.
            self._log.warning("a checkpoint of the write-ahead log failed; commits take longer", error=str(error))
        else:
            self.made += 1
