"""One transaction and the repositories that live in it."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from functools import cached_property
from types import TracebackType
from typing import Self

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sluice_server.domain.errors import Unavailable
from sluice_server.store.alarms import SqlAlarms
from sluice_server.store.audit import SqlAudit
from sluice_server.store.books import SqlBooks
from sluice_server.store.breakers import SqlBreakers
from sluice_server.store.dashboards import SqlDashboards
from sluice_server.store.evidence import SqlEvidence
from sluice_server.store.faults import database_errors, meaning
from sluice_server.store.incidents import SqlIncidents
from sluice_server.store.insurers import SqlInsurers
from sluice_server.store.models import SqlModels
from sluice_server.store.orders import SqlOrders
from sluice_server.store.plans import SqlPlans
from sluice_server.store.reconciliations import SqlReconciliations
from sluice_server.store.risk_alerts import SqlRiskAlerts
from sluice_server.store.risk_groups import SqlRiskGroups
from sluice_server.store.session import Session
from sluice_server.store.time_limits import BUSY_SECONDS


class WriteGate:
    """The queue of those in this process who want the one write lock of SQLite: first come, first served. SQLite itself
    lets waiting connections poll, and a steady writer would starve them."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> None:
        try:
            async with asyncio.timeout(2 * BUSY_SECONDS):
                await self._lock.acquire()
        except TimeoutError as error:
            raise Unavailable("the store is busy: other changes take too long; repeat the call") from error

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._lock.release()


class SqlUnitOfWork:
    """Implements ``domain.unit_of_work.UnitOfWork``. Entered once, by one task."""

    def __init__(self, engine: AsyncEngine, *, gate: WriteGate | None, shard: int) -> None:
        """``gate``: to be passed before the transaction begins (SQLite, writing)."""
        self._engine = engine
        self._gate = gate
        self._shard = shard
        self._stack = AsyncExitStack()
        self._open: Session | None = None
        self._connection: AsyncConnection | None = None

    @cached_property
    def orders(self) -> SqlOrders:
        return SqlOrders(self._session)

    @cached_property
    def reconciliations(self) -> SqlReconciliations:
        return SqlReconciliations(self._session)

    @cached_property
    def plans(self) -> SqlPlans:
        return SqlPlans(self._session)

    @cached_property
    def books(self) -> SqlBooks:
        return SqlBooks(self._session)

    @cached_property
    def insurers(self) -> SqlInsurers:
        return SqlInsurers(self._session)

    @cached_property
    def breakers(self) -> SqlBreakers:
        return SqlBreakers(self._session)

    @cached_property
    def incidents(self) -> SqlIncidents:
        return SqlIncidents(self._session)

    @cached_property
    def evidence(self) -> SqlEvidence:
        return SqlEvidence(self._session)

    @cached_property
    def audit(self) -> SqlAudit:
        return SqlAudit(self._session)

    @cached_property
    def alarms(self) -> SqlAlarms:
        return SqlAlarms(self._session)

    @cached_property
    def models(self) -> SqlModels:
        return SqlModels(self._session)

    @cached_property
    def alerts(self) -> SqlRiskAlerts:
        return SqlRiskAlerts(self._session)

    @cached_property
    def dashboards(self) -> SqlDashboards:
        return SqlDashboards(self._session)

    @cached_property
    def groups(self) -> SqlRiskGroups:
        return SqlRiskGroups(self._session)

    async def __aenter__(self) -> Self:
        try:
            if self._gate is not None:
                await self._stack.enter_async_context(self._gate)
            with database_errors():
                self._connection = await self._engine.connect()
                self._stack.push_async_callback(_close, self._connection)
                await self._connection.begin()
        except BaseException:
            await self._leave()
            raise
        self._open = Session(self._connection, shard=self._shard)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._leave()

    async def commit(self) -> None:
        """Makes the change durable; Unavailable when it cannot be known to be (a repeat finds out). Ends the work."""
        await self._session.flush_counts()
        if "alarms" in self.__dict__:
            await self.alarms.flush()
        if "audit" in self.__dict__:
            # Last, because from here on everybody else who appends waits.
            await self.audit.flush()
        await self._session.send_notices()
        connection = self._connection
        assert connection is not None, "entered"
        with database_errors():
            await connection.commit()
        self._open = None

    @property
    def _session(self) -> Session:
        if self._open is None:
            raise RuntimeError("a unit of work is usable from `async with` to its commit")
        return self._open

    async def _leave(self) -> None:
        self._open = None
        # A caller that gives up meanwhile must not leave an open transaction, or the gate shut.
        leaving = asyncio.ensure_future(self._stack.aclose())
        cancelled: asyncio.CancelledError | None = None
        while not leaving.done():
            try:
                await asyncio.shield(leaving)
            except asyncio.CancelledError as error:
                cancelled = error
        if cancelled is not None:
            raise cancelled


async def _close(connection: AsyncConnection) -> None:
    """Rolls back what is not committed and gives the connection back."""
    try:
        await connection.close()
    except Exception as error:
        # A connection that is lost has nothing to roll back.
        if meaning(error) is None:
            raise
