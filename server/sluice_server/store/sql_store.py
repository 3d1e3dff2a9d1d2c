"""The store: an engine, its units of work, the decision log."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Generator, Mapping
from types import TracebackType
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from sluice_server.store.decision_log import SqlDecisionLog
from sluice_server.store.engine import WRITE_OPTION, create_engine
from sluice_server.store.faults import DatabaseLocked, database_errors
from sluice_server.store.group_commit import CommitPace, GroupCommit
from sluice_server.store.migrate import upgrade
from sluice_server.store.notices import PostgresNotices
from sluice_server.store.order_write import OrderWriter
from sluice_server.store.postgres.writer import PostgresWriter
from sluice_server.store.sqlite.writer import SqliteWriter
from sluice_server.store.time_limits import BUSY_SECONDS
from sluice_server.store.unit_of_work import SqlUnitOfWork, WriteGate

_SHARDS = 1024
_RETRY_SECONDS = 0.05


class SqlStore:
    """Implements ``domain.unit_of_work.Store`` on SQLite and on PostgreSQL. Belongs to the loop it was opened in."""

    def __init__(self, engine: AsyncEngine, pace: CommitPace) -> None:
        """Of a database that is at the newest revision: use ``open_store``."""
        sqlite = engine.dialect.name == "sqlite"
        gate = WriteGate()
        self._engine = engine
        self._gate = gate if sqlite else None
        # The process's own rows in order_counts; with one writer at a time there is nothing to keep apart.
        self._shard = 0 if sqlite else secrets.randbelow(_SHARDS)
        self._writing = engine.execution_options(**{WRITE_OPTION: True}) if sqlite else engine
        self._reading = (
            engine if sqlite else engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        )
        writer: OrderWriter = (
            SqliteWriter(engine.url.database or "", gate) if sqlite else PostgresWriter(engine, shard=self._shard)
        )
        self._commits = GroupCommit(writer, pace)
        self._decision_log = SqlDecisionLog(self._commits, writer, self.read)

    @property
    def decision_log(self) -> SqlDecisionLog:
        """Orders in shared commits."""
        return self._decision_log

    def write(self) -> SqlUnitOfWork:
        return SqlUnitOfWork(self._writing, gate=self._gate, shard=self._shard)

    def read(self) -> SqlUnitOfWork:
        return SqlUnitOfWork(self._reading, gate=None, shard=self._shard)

    def notices(self, tell: Mapping[str, Callable[[], None]]) -> PostgresNotices | None:
        """A worker that calls at once what is to be called when another process has changed something, by topic
        (``notices.BREAKERS``, ``notices.PLANS``); None on SQLite, where one has to poll."""
        return None if self._gate is not None else PostgresNotices(self._engine, tell)

    async def close(self) -> None:
        """Commits what waits in the decision log, then ends every connection."""
        try:
            await self._commits.close()
        finally:
            await self._engine.dispose()


class Opening:
    """What ``open_store`` returns: ``await`` it for a store to be closed by hand, or use ``async with``."""

    def __init__(self, url: str, pace: CommitPace) -> None:
        self._url = url
        self._pace = pace
        self._store: SqlStore | None = None

    def __await__(self) -> Generator[Any, None, SqlStore]:
        return _open(self._url, self._pace).__await__()

    async def __aenter__(self) -> SqlStore:
        self._store = await _open(self._url, self._pace)
        return self._store

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._store is not None, "entered"
        await self._store.close()


def open_store(url: str, *, pace: CommitPace = CommitPace()) -> Opening:  # noqa: B008 - frozen
    """Opens ``sqlite+aiosqlite:///FILE`` or ``postgresql+asyncpg://…`` and brings it to the newest revision.

    Raises ValueError for a URL of another kind, Unavailable when the database cannot be reached.
    """
    return Opening(url, pace)


async def _open(url: str, pace: CommitPace) -> SqlStore:
    engine = create_engine(url)
    try:
        await _migrate(engine)
    except BaseException:
        await engine.dispose()
        raise
    return SqlStore(engine, pace)


async def _migrate(engine: AsyncEngine) -> None:
    writing = engine.execution_options(**{WRITE_OPTION: True}) if engine.dialect.name == "sqlite" else engine
    give_up = asyncio.get_running_loop().time() + BUSY_SECONDS
    while True:
        try:
            with database_errors():
                async with writing.begin() as connection:
                    await connection.run_sync(upgrade)
            return
        except DatabaseLocked:
            # While another process turns a new SQLite file into one with a write-ahead log, SQLite does not wait.
            if asyncio.get_running_loop().time() > give_up:
                raise
            await asyncio.sleep(_RETRY_SECONDS)
