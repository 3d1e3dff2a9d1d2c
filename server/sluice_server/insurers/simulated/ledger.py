"""What the simulated insurer has promised: one row for each idempotency key, on disk before it is answered."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

_SCHEMA = """
CREATE TABLE IF NOT EXISTS entries (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    idempotency_key TEXT NOT NULL UNIQUE,
    application_id TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('ISSUED', 'DECLINED')),
    issuer TEXT NOT NULL,
    policy_number TEXT AS (CASE status WHEN 'ISSUED' THEN issuer || '-' || printf('%08d', sequence) ELSE '' END),
    body TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    received_at TEXT NOT NULL,
    calls INTEGER NOT NULL DEFAULT 1
)
"""
_COLUMNS = """
    sequence, idempotency_key, application_id, fingerprint, status, policy_number, body, traceparent, received_at, calls
"""
_RECORD = f"""
INSERT INTO entries (idempotency_key, application_id, fingerprint, status, issuer, body, traceparent, received_at)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (idempotency_key) DO UPDATE SET calls = calls + 1
RETURNING {_COLUMNS}
"""  # noqa: S608 - the interpolated text is a constant of this module


@dataclass(frozen=True, slots=True)
class Draft:
    """A request that shall get an entry."""

    idempotency_key: str
    application_id: str
    fingerprint: str
    """SHA-256 of the body; another one under the same key is refused."""
    status: str
    body: str
    traceparent: str
    received_at: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A row of the ledger."""

    sequence: int
    idempotency_key: str
    application_id: str
    fingerprint: str
    status: str
    """ISSUED: there is a policy. DECLINED: there is none, and there will be none under this key."""
    policy_number: str
    body: str
    traceparent: str
    """Of the request that made the entry; empty when it carried none."""
    received_at: str
    calls: int
    """How many requests with this key have reached the ledger."""


class Ledger:
    """SQLite behind one thread. Requests that arrive together share a commit; each is answered after it."""

    def __init__(self, path: Path, issuer: str) -> None:
        self._issuer = issuer
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="ledger")
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute("PRAGMA synchronous = FULL")
        self._database.execute(_SCHEMA)
        self._waiting: list[tuple[Draft, asyncio.Future[Entry]]] = []
        self._writer: asyncio.Task[None] | None = None

    async def record(self, draft: Draft) -> Entry:
        """The entry under the draft's key, durable: a new one, or the one that was there (and stays as it is).

        Once called it is written, also when the caller is cancelled.
        """
        future: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()
        self._waiting.append((draft, future))
        if self._writer is None or self._writer.done():
            self._writer = asyncio.create_task(self._write(), name="ledger writer")
        return await future

    async def find(self, idempotency_key: str) -> Entry | None:
        """The entry under a key."""
        rows = await self._read("WHERE idempotency_key = ?", idempotency_key)
        return rows[0] if rows else None

    async def policies(self, *, after: int, limit: int, begin: str, until: str) -> Sequence[Entry]:
        """Issued policies received in [begin, until) by sequence, beginning after one."""
        return await self._read(
            "WHERE sequence > ? AND status = 'ISSUED' AND received_at >= ? AND received_at < ? "
            "ORDER BY sequence LIMIT ?",
            *(after, begin, until, limit),
        )

    async def all(self) -> Sequence[Entry]:
        """Every entry by sequence, also the declined ones."""
        return await self._read("ORDER BY sequence")

    async def close(self) -> None:
        """Writes what waits and closes the file."""
        if self._writer is not None:
            await self._writer
        await asyncio.get_running_loop().run_in_executor(self._thread, self._database.close)
        self._thread.shutdown()

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                entries = await loop.run_in_executor(self._thread, self._commit, [draft for draft, _ in batch])
            except sqlite3.Error as error:
                for _, future in batch:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), entry in zip(batch, entries, strict=True):
                if not future.done():
                    future.set_result(entry)

    def _commit(self, drafts: Sequence[Draft]) -> list[Entry]:
        with self._transaction():
            return [
                Entry(
                    *self._database.execute(
                        _RECORD,
                        (
                            *(draft.idempotency_key, draft.application_id, draft.fingerprint, draft.status),
                            *(self._issuer, draft.body, draft.traceparent, draft.received_at),
                        ),
                    ).fetchall()[0]
                )
                for draft in drafts
            ]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    async def _read(self, where: str, *parameters: str | int) -> list[Entry]:
        def read() -> list[Entry]:
            rows = self._database.execute(f"SELECT {_COLUMNS} FROM entries {where}", parameters)  # noqa: S608 - constants
            return [Entry(*row) for row in rows]

        return await asyncio.get_running_loop().run_in_executor(self._thread, read)
