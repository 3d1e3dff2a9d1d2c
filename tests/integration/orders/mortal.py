"""A process that dies: the store and the insurers as a process sees them that is killed at its n-th contact with them.

State outlives a process only in the store and at the insurers, so killing it right before and right after each commit,
read and call is killing it everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import Any, Self

from sluice_server.domain.orders.model import Order
from sluice_server.domain.orders.open_order import OpenOrder
from sluice_server.domain.orders.ports import (
    AdapterDirectory,
    DecisionLog,
    InsurerAdapter,
    NewOrder,
    SubmissionPending,
    SubmissionRequest,
    SubmissionResult,
)
from sluice_server.domain.routing.frame import FirstDecision
from sluice_server.domain.unit_of_work import UnitOfWork
from sluice_server.store import SqlStore


class Killed(BaseException):
    """kill -9."""


class Life:
    """Ends at contact number ``ends_at``; whoever goes on in a dead process dies too."""

    def __init__(self, ends_at: int) -> None:
        self._ends_at = ends_at
        self._contacts = 0
        self.over = False

    def contact(self) -> None:
        self._contacts += 1
        if self.over or self._contacts >= self._ends_at:
            self.over = True
            raise Killed


class MortalStore:
    """The store as the process sees it."""

    def __init__(self, store: SqlStore, life: Life) -> None:
        self._store, self._life = store, life

    def write(self) -> UnitOfWork:
        return _mortal(self._store.write(), self._life)

    def read(self) -> UnitOfWork:
        return _mortal(self._store.read(), self._life)


def _mortal(unit: UnitOfWork, life: Life) -> UnitOfWork:
    return MortalUnit(unit, life)


class MortalUnit:
    def __init__(self, unit: UnitOfWork, life: Life) -> None:
        self._unit, self._life = unit, life

    def __getattr__(self, name: str) -> Any:
        return getattr(self._unit, name)

    async def __aenter__(self) -> Self:
        self._life.contact()
        await self._unit.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._unit.__aexit__(kind, error, trace)

    async def commit(self) -> None:
        self._life.contact()
        await self._unit.commit()
        self._life.contact()


class MortalLog:
    """The decision log as the process sees it."""

    def __init__(self, log: DecisionLog, life: Life) -> None:
        self._log, self._life = log, life
        self.turn = log.turn

    async def record(self, order: Order | OpenOrder) -> Order:
        self._life.contact()
        recorded = await self._log.record(order)
        self._life.contact()
        return recorded

    async def record_all(self, orders: Sequence[NewOrder]) -> Sequence[Order | FirstDecision | Exception]:
        self._life.contact()
        recorded = await self._log.record_all(orders)
        self._life.contact()
        return recorded

    async def save(self, order: Order) -> None:
        self._life.contact()
        await self._log.save(order)
        self._life.contact()

    async def settle(self, change: OpenOrder) -> Order | None:
        self._life.contact()
        settled = await self._log.settle(change)
        self._life.contact()
        return settled


class MortalDirectory:
    """The insurers as the process sees them: they live on."""

    def __init__(self, adapters: AdapterDirectory, life: Life) -> None:
        self._adapters, self._life = adapters, life

    def get(self, insurer_id: str) -> InsurerAdapter:
        return MortalAdapter(self._adapters.get(insurer_id), self._life)


class MortalAdapter:
    def __init__(self, adapter: InsurerAdapter, life: Life) -> None:
        self._adapter, self._life = adapter, life

    async def submit(self, request: SubmissionRequest) -> SubmissionResult | SubmissionPending:
        self._life.contact()
        result = await self._adapter.submit(request)
        self._life.contact()
        return result

    async def inquire(self, request: SubmissionRequest) -> SubmissionResult | SubmissionPending | None:
        self._life.contact()
        result = await self._adapter.inquire(request)
        self._life.contact()
        return result
