"""The write-ahead log is copied beside the writer: what commits had to wait for otherwise."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import structlog.testing

from sluice_server.store.sqlite.checkpoints import Checkpoints
from sluice_server.store.sqlite.connection import sqlite_pragmas


def writer(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in sqlite_pragmas():
        connection.execute(pragma)
    connection.execute("CREATE TABLE orders (number INTEGER PRIMARY KEY)")
    return connection


def without_log(path: Path) -> list[int]:
    """What is in the database file itself."""
    alone = path.with_name("alone.db")
    shutil.copy(path, alone)
    connection = sqlite3.connect(alone)
    try:
        return [number for (number,) in connection.execute("SELECT number FROM orders ORDER BY number")]
    finally:
        connection.close()


def test_what_is_committed_is_copied_while_the_writer_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    connection = writer(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.execute("INSERT INTO orders VALUES (1)")
    too_few = Checkpoints(str(path), every=10)
    too_few.written(9)
    too_few.close()
    assert too_few.made == 0
    assert without_log(path) == []
    checkpoints = Checkpoints(str(path), every=10)
    checkpoints.written(9)
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO orders VALUES (2)")
    checkpoints.written(1)
    checkpoints.close()
    assert checkpoints.made == 1
    assert without_log(path) == [1]
    connection.execute("COMMIT")
    assert connection.execute("SELECT count(*) FROM orders").fetchone() == (2,)
    connection.close()


def test_one_that_fails_is_told_and_hurts_nobody(tmp_path: Path) -> None:
    path = tmp_path / "orders.db"
    path.write_bytes(b"not a database, " * 100)
    with structlog.testing.capture_logs() as logs:
        checkpoints = Checkpoints(str(path), every=1)
        checkpoints.written(1)
        checkpoints.close()
    assert checkpoints.made == 0
    (line,) = logs
    assert line["log_level"] == "warning"
    assert "not a database" in line["error"]
