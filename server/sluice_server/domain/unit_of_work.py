"""One commit for one call."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

from sluice_server.domain.audit.event import AuditLog
from sluice_server.domain.breaker.evidence_source import EvidenceSource
from sluice_server.domain.breaker.ports import (
    AlarmOutbox,
    BreakerRepository,
    IncidentRepository,
    InsurerRepository,
)
from sluice_server.domain.orders.policies import PolicyReconciliations
from sluice_server.domain.orders.ports import OrderRepository
from sluice_server.domain.risk.alerts.ports import AlertRepository
from sluice_server.domain.risk.charts.ports import DashboardRepository
from sluice_server.domain.risk.groups.ports import RiskGroupRepository
from sluice_server.domain.risk.pricing.ports import ModelRepository
from sluice_server.domain.routing.ports import BookRepository, PlanRepository


class UnitOfWork(Protocol):
    """A transaction and the repositories that live in it. Left without ``commit`` it changes nothing."""

    @property
    def orders(self) -> OrderRepository: ...
    @property
    def reconciliations(self) -> PolicyReconciliations: ...
    @property
    def plans(self) -> PlanRepository: ...
    @property
    def books(self) -> BookRepository: ...
    @property
    def insurers(self) -> InsurerRepository: ...
    @property
    def breakers(self) -> BreakerRepository: ...
    @property
    def incidents(self) -> IncidentRepository: ...
    @property
    def evidence(self) -> EvidenceSource: ...
    @property
    def audit(self) -> AuditLog: ...
    @property
    def alarms(self) -> AlarmOutbox: ...
    @property
    def models(self) -> ModelRepository: ...
    @property
    def alerts(self) -> AlertRepository: ...
    @property
    def groups(self) -> RiskGroupRepository: ...
    @property
    def dashboards(self) -> DashboardRepository: ...

    async def __aenter__(self) -> Self: ...

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    async def commit(self) -> None: ...


class Store(Protocol):
    """Where units of work come from. Every method of it raises Unavailable when the database cannot be reached."""

    def write(self) -> UnitOfWork:
        """For a change: takes the write lock at once where the database has only one (SQLite)."""
        ...

    def read(self) -> UnitOfWork:
        """For reading one consistent state."""
        ...
