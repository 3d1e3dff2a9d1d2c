"""Breakers over real orders: the real store, board and watch; clock and insurers are moved by hand."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from sluice_server.domain.audit.event import AuditEvent
from sluice_server.domain.breaker.board import BreakerBoard
from sluice_server.domain.breaker.commands import Command
from sluice_server.domain.breaker.control import Confirmation
from sluice_server.domain.breaker.incidents import IncidentView
from sluice_server.domain.breaker.model import Breaker, BreakerPolicy, BreakerState, Scope
from sluice_server.domain.breaker.operational_alarms import OperationalAlarms
from sluice_server.domain.breaker.ports import (
    Alarm,
    Capacity,
    Insurer,
)
from sluice_server.domain.breaker.recovery import RetryProgress
from sluice_server.domain.breaker.use_cases import insurer_control_use_cases
from sluice_server.domain.breaker.watch import BreakerWatch
from sluice_server.domain.context import Actor, CallContext
from sluice_server.domain.orders.calls import InsurerCalls
from sluice_server.domain.orders.decide import Decisions
from sluice_server.domain.orders.model import Order
from sluice_server.domain.orders.reconcile_policies import ReconcilePolicies
from sluice_server.domain.orders.retry import RetryOrders
from sluice_server.domain.orders.submit import SubmitApplication
from sluice_server.domain.orders.timing import OrderTiming
from sluice_server.domain.routing.ports import TrafficSource
from sluice_server.store import SqlStore, open_store
from tests.integration.breaker.insurers import (
    START,
    A,
    FixedPlan,
    HandAdapters,
    HandClock,
    HandInsurer,
    application,
)

WANG, LI = "wang.li", "li.na"


def by(actor: str = WANG) -> CallContext:
    """A call by this person."""
    return CallContext(Actor(actor), f"call-of-{actor}")


def command(insurer_id: str = A, *, line: str = "", **more: str) -> Command:
    return Command(Scope(insurer_id, line), more.pop("reason", "because of the drill"), **more)


@dataclass
class BreakerWorld:
    """One process. Nearly every application goes to insurer A as long as it is admitted."""

    store: SqlStore
    clock: HandClock = field(default_factory=HandClock)
    numbered: int = 0

    def __post_init__(self) -> None:
        self.board = BreakerBoard(self.store, self.clock)
        self.watch = BreakerWatch(self.store, self.board, self.clock, alarms=OperationalAlarms(self.store))
        self.adapters = HandAdapters()
        self.timing = OrderTiming()
        log = self.store.decision_log
        self.calls = InsurerCalls(
            adapters=self.adapters, log=log, store=self.store, clock=self.clock, timing=self.timing, sleep=self._sleep
        )
        self.submit_application = self.submitting(self.board)
        self.control = insurer_control_use_cases(
            store=self.store,
            board=self.board,
            clock=self.clock,
            adapters=self.adapters,
            retries=RetryOrders(
                calls=self.calls, store=self.store, clock=self.clock, timing=self.timing, sleep=self._sleep
            ),
            reconcile_policies=ReconcilePolicies(
                adapters=self.adapters, calls=self.calls, store=self.store, clock=self.clock
            ),
        )

    @property
    def a(self) -> HandInsurer:
        return self.adapters.insurers[A]

    def submitting(self, traffic: TrafficSource) -> SubmitApplication:
        """Submit, with this word of the breakers."""
        store, clock, timing, log = self.store, self.clock, self.timing, self.store.decision_log
        decisions = Decisions(plans=FixedPlan(), traffic=traffic, log=log, store=store, clock=clock, timing=timing)
        return SubmitApplication(
            decisions=decisions, calls=self.calls, log=log, store=store, clock=clock, timing=timing
        )

    async def _sleep(self, seconds: float) -> None:
        """Waiting takes no time of ours, only the clock's."""
        self.clock.move(seconds)
        await asyncio.sleep(0)

    async def know(self, *insurer_ids: str, **policy: Any) -> None:
        """Makes insurers known, all with these changes of the default policy."""
        for insurer_id in insurer_ids:
            made = Insurer(insurer_id, insurer_id.upper(), "", Capacity(), "the desk", START, START, 0)
            await self.control.create_insurer(made, "first", "", by())
            if policy:
                await self.change_policy(insurer_id, **policy)

    async def change_policy(self, insurer_id: str = A, **policy: Any) -> Breaker:
        values = BreakerPolicy(**policy)
        return await self.control.update_breaker_policy(command(insurer_id), values, list(policy), by())

    async def submit(self, count: int = 1, *, line: str = "screen", prefix: str = "app") -> list[Order]:
        """Applications, a tenth of a second apart."""
        made = []
        for _ in range(count):
            self.numbered += 1
            self.clock.move(0.1)
            routed = await self.submit_application(application(f"{prefix}-{self.numbered}", line=line), by("shop"))
            made.append(routed.order)
        return made

    async def tick(self, after_seconds: float = 0.0) -> None:
        self.clock.move(after_seconds)
        await self.watch.tick()

    async def break_a(self, how: str = "lost", count: int = 6) -> str:
        """Insurer A fails until the watch cuts it; the incident."""
        self.a.answers = how
        await self.submit(count)
        await self.tick()
        self.a.answers = "success"
        cut = await self.breaker()
        assert cut.state is BreakerState.OPEN
        return cut.incident_id

    async def break_line(self, line: str = "screen") -> None:
        """One product line of insurer A fails until the watch has looked."""
        self.a.answers = "fail"
        await self.submit(7, line=line)
        await self.tick()
        self.a.answers = "success"

    async def confirm(self, actor: str = WANG, **more: str) -> Breaker:
        told = Confirmation("their night desk", "https://status.insurer-a.example/42")
        return (await self.control.confirm_recovery(command(**more), told, by(actor))).breaker

    async def retry(self, actor: str = WANG, **more: str) -> list[RetryProgress]:
        return [progress async for progress in self.control.retry_abnormal_orders(command(**more), by(actor))]

    async def restore(self, actor: str = LI, *, override: bool = False, **more: str) -> Breaker:
        return await self.control.restore_traffic(command(**more), by(actor), override=override)

    async def breaker(self, insurer_id: str = A, line: str = "") -> Breaker:
        async with self.store.read() as uow:
            found = await uow.breakers.get(Scope(insurer_id, line))
        assert found is not None
        return found

    async def incident(self, incident_id: str) -> IncidentView:
        return await self.control.get_incident(incident_id)

    async def incident_ids(self) -> list[str]:
        page = await self.control.list_incidents(insurer_id="", open_only=False, before="", limit=100)
        return [view.incident.incident_id for view in page.incidents]

    async def timeline(self, incident_id: str) -> list[str]:
        return [str(event.kind) for event in (await self.incident(incident_id)).incident.events]

    async def audit(self, action: str) -> list[AuditEvent]:
        page = await self.control.list_audit_events(subject="", actor="", before="", limit=1000)
        return [event for event in page.events if event.action == action]

    async def alarm(self, key: str) -> Alarm | None:
        async with self.store.read() as uow:
            due = await uow.alarms.due(now=self.clock.now(), limit=1000)
        return next((pending.alarm for pending in due if pending.alarm.key == key), None)

    def admitted(self, insurer_id: str = A, line: str = "screen") -> int:
        return self.board.snapshot().admission(insurer_id, line).admitted_basis_points


@asynccontextmanager
async def a_breaker_world(store_url: str, clock: HandClock | None = None) -> AsyncIterator[BreakerWorld]:
    """A process on the store; another one on the same URL is another replica."""
    async with open_store(store_url) as store:
        world = BreakerWorld(store, clock or HandClock())
        await world.board.refresh()
        yield world
        await world.calls.drain()
