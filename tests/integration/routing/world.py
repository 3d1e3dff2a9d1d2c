"""The use cases of plans, wired as the composition root does it; only the clock and the breakers' word are by hand."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sluice_server.domain.audit.event import AuditEvent
from sluice_server.domain.breaker.ports import (
    Capacity,
    Insurer,
)
from sluice_server.domain.context import Actor, CallContext
from sluice_server.domain.orders.decide import Decisions
from sluice_server.domain.orders.route import RouteApplication
from sluice_server.domain.orders.timing import OrderTiming
from sluice_server.domain.routing.active import ActivePlan
from sluice_server.domain.routing.catalogue import GetPlan, ListPlans
from sluice_server.domain.routing.explain import ExplainRoute
from sluice_server.domain.routing.ports import StoredPlan
from sluice_server.domain.routing.publish import ActivatePlan, CreatePlan, PlanDraft, ValidatePlan
from sluice_server.store import SqlStore, open_store
from tests.integration.orders.world import HandClock, HandTraffic
from tests.unit.routing.builders import PLAN

CONTEXT = CallContext(Actor("wang.li"), "call-1", trace_id="0" * 31 + "1")


class PlanRoom:
    """One process of the routing room."""

    def __init__(self, store: SqlStore) -> None:
        self.store = store
        self.clock = HandClock()
        self.traffic = HandTraffic()
        self.active = ActivePlan(store)
        self.validate = ValidatePlan(store=store)
        self.create = CreatePlan(store=store, clock=self.clock)
        self.activate = ActivatePlan(store=store, clock=self.clock, plans=self.active)
        self.get = GetPlan(store)
        self.list = ListPlans(store)
        self.explain = ExplainRoute(plans=self.active, traffic=self.traffic, store=store, clock=self.clock)
        self.route = RouteApplication(
            Decisions(
                plans=self.active,
                traffic=self.traffic,
                log=store.decision_log,
                store=store,
                clock=self.clock,
                timing=OrderTiming(),
            )
        )

    async def know(self, *insurers: str) -> None:
        """Stores insurers."""
        now = self.clock.now()
        async with self.store.write() as uow:
            for name in insurers:
                assert await uow.insurers.add(Insurer(name, name, "", Capacity(), "desk", now, now, 0))
            await uow.commit()

    async def stored(self, source: str = PLAN, *, request_id: str = "") -> StoredPlan:
        """A new version."""
        return await self.create(PlanDraft(source, "agreed", request_id), CONTEXT)

    async def audited(self) -> list[AuditEvent]:
        """Every row about plans, oldest first."""
        async with self.store.read() as uow:
            events = await uow.audit.list(subject="", actor="", before=None, limit=100)
        return [event for event in reversed(events) if event.subject.startswith("plans/")]


@asynccontextmanager
async def a_plan_room(store_url: str) -> AsyncIterator[PlanRoom]:
    async with open_store(store_url) as store:
        yield PlanRoom(store)
