"""A small world for orders: real store, real plan; the clock, the breakers' word and the insurers are moved by hand."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta

from sluice_server.domain.breaker.model import (
    Breaker,
    BreakerMode,
    BreakerPolicy,
    BreakerState,
    Evidence,
    Incident,
    Scope,
)
from sluice_server.domain.context import Actor, CallContext
from sluice_server.domain.errors import InsurerNotConfigured, NoActivePlan
from sluice_server.domain.money import Money
from sluice_server.domain.orders.callback import ReceiveCallback
from sluice_server.domain.orders.calls import InsurerCalls
from sluice_server.domain.orders.cancel import CancelOrder
from sluice_server.domain.orders.decide import Decisions
from sluice_server.domain.orders.drain import DrainParked
from sluice_server.domain.orders.model import FINAL_STATES, OrderState, Outcome
from sluice_server.domain.orders.ports import (
    AdapterDirectory,
    DecisionLog,
    InsurerAdapter,
    SubmissionPending,
    SubmissionRequest,
    SubmissionResult,
)
from sluice_server.domain.orders.queries import GetOrder, ListOrders
from sluice_server.domain.orders.reconcile import ReconcileOrder
from sluice_server.domain.orders.report import ReportOutcome
from sluice_server.domain.orders.retry import RetryOrders
from sluice_server.domain.orders.route import RouteApplication
from sluice_server.domain.orders.submit import SubmitApplication
from sluice_server.domain.orders.timing import OrderTiming
from sluice_server.domain.routing.model import Application, Channel, Device
from sluice_server.domain.routing.plan import CompiledPlan
from sluice_server.domain.routing.ports import Admission, TrafficSnapshot
from sluice_server.domain.routing.source.compile import compile_plan
from sluice_server.domain.unit_of_work import Store
from sluice_server.store import SqlStore, open_store

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
ASK_SECONDS, SETTLE_SECONDS = 20.0, 600.0
"""Of an insurer that accepts for later."""
A, B, C = "insurer-a", "insurer-b", "insurer-c"

# Nearly everything goes to A, then to B or C, so that a test knows who is asked first.
PLAN = """\
plan: orders-test
insurers: {insurer-a: {}, insurer-b: {}, insurer-c: {}}
products: [{product_line: screen}, {product_line: solo}, {product_line: kept}, {product_line: refused}]
rules:
  - name: screens
    match: {product_line: screen}
    on_exhausted: PARK
    allocations:
      - {insurer: insurer-a, share: 9998, binding: {insurer_product_code: "A-{application.product_code}"}}
      - {insurer: insurer-b, share: 1, binding: {insurer_product_code: B-SCR}}
      - {insurer: insurer-c, share: 1, binding: {insurer_product_code: C-SCR}}
  - name: solo
    match: {product_line: solo}
    on_exhausted: PARK
    allocations: [{insurer: insurer-a, share: 10000, binding: {insurer_product_code: A-SOLO}}]
  - name: kept
    match: {product_line: kept}
    on_exhausted: KEEP_LAST
    allocations: [{insurer: insurer-a, share: 10000, binding: {insurer_product_code: A-KEPT}}]
  - name: refused
    match: {product_line: refused}
    on_exhausted: REJECT
    allocations: [{insurer: insurer-a, share: 10000, binding: {insurer_product_code: A-REFUSED}}]
"""


@dataclass
class HandClock:
    """Time that stands still until it is moved."""

    at: datetime = START

    def now(self) -> datetime:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class HandPlans:
    """The active plan."""

    def __init__(self) -> None:
        self.plan: CompiledPlan | None = compile_plan(PLAN, version=1)

    def current(self) -> CompiledPlan:
        if self.plan is None:
            raise NoActivePlan
        return self.plan


class HandTraffic:
    """The breakers' word."""

    def __init__(self) -> None:
        self.cut: set[str] = set()
        self.version = 1

    def snapshot(self) -> TrafficSnapshot:
        return TrafficSnapshot(self.version, {(insurer, ""): Admission(0, "CUT") for insurer in self.cut})


class AdapterDefect(Exception):
    """What a broken adapter raises."""


class LedgerInsurer:
    """An insurer that remembers what it has insured by idempotency key. ``script`` says how the next calls go; what is
    behind its end succeeds."""

    LATE_SECONDS = 8.0
    """How long a ``late`` request is on its way after its call was given up: less than the quiet time."""

    def __init__(self, name: str, clock: HandClock) -> None:
        self.name = name
        self.clock = clock
        self.on_their_way: list[tuple[datetime, SubmissionRequest]] = []
        self.ledger: dict[str, str] = {}
        self.applications: dict[str, str] = {}
        self.declined: set[str] = set()
        self.broken: set[str] = set()
        self.undecided: dict[str, SubmissionRequest] = {}
        self.decide_after_inquiries = 0
        """0: only ``decide`` decides."""
        self.script: deque[str] = deque()
        self.inquiries_fail = 0
        self.submissions: list[SubmissionRequest] = []
        self.inquiries: list[SubmissionRequest] = []
        self._gate: asyncio.Event | None = None
        self.entered = asyncio.Event()
        self.default = "success"

    def hold(self) -> None:
        """Calls wait, before they are looked at, until ``release``."""
        self._gate = asyncio.Event()

    def release(self) -> None:
        if self._gate is not None:
            self._gate.set()
        self._gate = None

    def decide(self, how: str = "success") -> None:
        """Everything that was accepted for later is decided now: success, decline, fail."""
        for key, request in self.undecided.items():
            if how == "success":
                self._insure(request)
            else:
                (self.declined if how == "decline" else self.broken).add(key)
        self.undecided.clear()

    def arrive(self) -> None:
        """What was on its way long enough is insured."""
        now = self.clock.now()
        for at, request in self.on_their_way:
            if at <= now:
                self._insure(request)
        self.on_their_way = [(at, request) for at, request in self.on_their_way if at > now]

    async def submit(self, request: SubmissionRequest) -> SubmissionResult | SubmissionPending:
        self.submissions.append(request)
        self.entered.set()
        if self._gate is not None:
            await self._gate.wait()
        self.arrive()
        match self.script.popleft() if self.script else self.default:
            case "success":
                return SubmissionResult(Outcome.SUCCESS, policy_number=self._insure(request))
            case "decline":
                self.declined.add(request.idempotency_key)
                return SubmissionResult(Outcome.BUSINESS_REJECTION, "TOO_OLD", "device too old")
            case "fault":
                return SubmissionResult(Outcome.CALLER_FAULT, "BAD_REQUEST")
            case "fail":
                return SubmissionResult(Outcome.TECHNICAL_FAILURE, "HTTP_503")
            case "lost":
                return SubmissionResult(Outcome.UNKNOWN, "TIMEOUT")
            case "insured-but-lost":
                self._insure(request)
                return SubmissionResult(Outcome.UNKNOWN, "TIMEOUT")
            case "late":
                self.on_their_way.append((self.clock.now() + timedelta(seconds=self.LATE_SECONDS), request))
                return SubmissionResult(Outcome.UNKNOWN, "TIMEOUT")
            case "accept":
                self.undecided[request.idempotency_key] = request
                return SubmissionPending(ASK_SECONDS, SETTLE_SECONDS, reference=f"ref-{request.idempotency_key[:6]}")
            case "defect":
                raise AdapterDefect("a broken adapter")
            case other:
                raise AssertionError(f"no such behaviour: {other}")

    async def inquire(self, request: SubmissionRequest) -> SubmissionResult | SubmissionPending | None:
        self.inquiries.append(request)
        self.arrive()
        if self.inquiries_fail:
            self.inquiries_fail -= 1
            return SubmissionResult(Outcome.UNKNOWN, "HTTP_503")
        if request.idempotency_key in self.undecided and self.decide_after_inquiries:
            self.decide_after_inquiries -= 1
            if not self.decide_after_inquiries:
                self.decide()
        if request.idempotency_key in self.undecided:
            return SubmissionPending(ASK_SECONDS, SETTLE_SECONDS)
        if request.idempotency_key in self.broken:
            return SubmissionResult(Outcome.TECHNICAL_FAILURE, "NOT_PROCESSED")
        if request.idempotency_key in self.ledger:
            return SubmissionResult(Outcome.SUCCESS, policy_number=self.ledger[request.idempotency_key])
        if request.idempotency_key in self.declined:
            return SubmissionResult(Outcome.BUSINESS_REJECTION, "TOO_OLD")
        return None

    def _insure(self, request: SubmissionRequest) -> str:
        policy = self.ledger.setdefault(request.idempotency_key, f"{self.name}-{len(self.ledger) + 1}")
        self.applications[request.application.application_id] = policy
        return policy


class HandDirectory:
    """Adapters by insurer."""

    def __init__(self, insurers: dict[str, LedgerInsurer]) -> None:
        self.insurers = insurers
        self.missing: set[str] = set()

    def get(self, insurer_id: str) -> InsurerAdapter:
        if insurer_id in self.missing:
            raise InsurerNotConfigured(f"no adapter for {insurer_id!r}", subject=f"insurers/{insurer_id}")
        return self.insurers[insurer_id]


@dataclass
class World:
    """Everything wired as the composition root does it."""

    store: SqlStore
    timing: OrderTiming
    clock: HandClock = field(default_factory=HandClock)
    plans: HandPlans = field(default_factory=HandPlans)
    traffic: HandTraffic = field(default_factory=HandTraffic)
    notified: int = 0

    def __post_init__(self) -> None:
        self.insurers = {name: LedgerInsurer(name, self.clock) for name in (A, B, C)}
        self.adapters = HandDirectory(self.insurers)
        self.start_process()

    def start_process(
        self,
        *,
        store: Store | None = None,
        log: DecisionLog | None = None,
        adapters: AdapterDirectory | None = None,
    ) -> None:
        """What a new process has: nothing but the store."""
        used, clock, timing = store or self.store, self.clock, self.timing
        log = log or self.store.decision_log
        decisions = Decisions(plans=self.plans, traffic=self.traffic, log=log, store=used, clock=clock, timing=timing)
        calls = InsurerCalls(
            adapters=adapters or self.adapters,
            log=log,
            store=used,
            clock=clock,
            timing=timing,
            notify=self._notify,
            sleep=self._sleep,
        )
        self.decisions, self.calls = decisions, calls
        self.route = RouteApplication(decisions)
        self.submit = SubmitApplication(
            decisions=decisions, calls=calls, log=log, store=used, clock=clock, timing=timing
        )
        self.report = ReportOutcome(store=used, clock=clock, timing=timing, notify=self._notify)
        self.reconcile = ReconcileOrder(
            decisions=decisions, calls=calls, log=log, store=used, clock=clock, timing=timing
        )
        self.tell = ReceiveCallback(
            store=used, clock=clock, timing=timing, under_way=calls.application_of, notify=self._notify
        )
        self.cancel = CancelOrder(store=used, clock=clock)
        self.drain = DrainParked(decisions=decisions, calls=calls, store=used, clock=clock, timing=timing)
        self.retry = RetryOrders(calls=calls, store=used, clock=clock, timing=timing, sleep=self._sleep)
        self.get = GetOrder(self.store)
        self.list = ListOrders(self.store)

    def _notify(self) -> None:
        self.notified += 1

    async def _sleep(self, seconds: float) -> None:
        """Waiting takes no time of ours, only the clock's."""
        self.clock.move(seconds)
        await asyncio.sleep(0)

    def __getitem__(self, insurer_id: str) -> LedgerInsurer:
        return self.insurers[insurer_id]

    async def run_due(self, *, rounds: int = 50) -> int:
        """Reconciles and drains what is due now until nothing is, as the workers do; how many orders were taken up."""
        taken = 0
        for _ in range(rounds):
            due = await self.reconcile.due(100)
            step = await self.drain(100)
            if not due and not step.seen:
                return taken
            for application_id in due:
                await self.reconcile(application_id)
            for order in step.routed:
                await self.drain.submit(order)
            taken += len(due) + step.seen
        raise AssertionError("what is due never ends")

    async def settle(self, *, hours: float = 1.0) -> None:
        """Lets time pass, from one due order to the next, until no worker has anything to do any more."""
        end = self.clock.now() + timedelta(hours=hours)
        unfinished = [state for state in OrderState if state not in FINAL_STATES]
        while True:
            await self.run_due()
            async with self.store.read() as uow:
                waiting = await uow.orders.due(states=unfinished, at=end, limit=1)
                order = await uow.orders.get(waiting[0]) if waiting else None
            if order is None or order.next_attempt_at is None:
                return
            self.clock.at = max(self.clock.at, order.next_attempt_at)

    async def alarm_keys(self) -> list[str]:
        async with self.store.read() as uow:
            return sorted(p.alarm.key for p in await uow.alarms.due(now=self.clock.now(), limit=100))

    async def trip(self, insurer_id: str, state: BreakerState = BreakerState.OPEN, *, product_line: str = "") -> str:
        """An open incident and its breaker, as a trip leaves them; returns the incident's id."""
        scope = Scope(insurer_id, product_line)
        now = self.clock.now()
        incident_id = f"inc-{insurer_id}{product_line}"
        incident = Incident(incident_id, scope, now, Evidence(scope, now), {})
        breaker = Breaker(scope, state, BreakerMode.ENFORCING, BreakerPolicy(), 0, now, now, incident_id)
        async with self.store.write() as uow:
            await uow.incidents.add(incident)
            assert await uow.breakers.add(breaker)
            await uow.orders.attach_to_incident(incident_id, insurer_id, product_line)
            await uow.commit()
        self.traffic.cut.add(insurer_id)
        return incident_id

    async def open_incident(self, insurer_id: str) -> str:
        """The open incident of the insurer's breaker; empty when there is none."""
        async with self.store.read() as uow:
            breaker = await uow.breakers.get(Scope(insurer_id))
        return breaker.incident_id if breaker is not None else ""

    async def trip_again(self, insurer_id: str) -> None:
        """Trips a breaker that exists already, unless it is open; the first time it is made."""
        now, scope = self.clock.now(), Scope(insurer_id)
        async with self.store.read() as uow:
            breaker = await uow.breakers.get(scope)
        if breaker is None:
            await self.trip(insurer_id)
        elif not breaker.incident_id:
            incident_id = f"inc-{insurer_id}-{breaker.version}"
            async with self.store.write() as uow:
                await uow.incidents.add(Incident(incident_id, scope, now, Evidence(scope, now), {}))
                assert await uow.breakers.save(replace(breaker, state=BreakerState.OPEN, incident_id=incident_id))
                await uow.orders.attach_to_incident(incident_id, insurer_id, "")
                await uow.commit()
            self.traffic.cut.add(insurer_id)

    async def move_breaker(self, insurer_id: str, state: BreakerState) -> None:
        scope = Scope(insurer_id)
        async with self.store.write() as uow:
            breaker = await uow.breakers.get(scope)
            assert breaker is not None
            incident_id = "" if state is BreakerState.CLOSED else breaker.incident_id
            assert await uow.breakers.save(replace(breaker, state=state, incident_id=incident_id))
            await uow.commit()
        if state in (BreakerState.CLOSED, BreakerState.RAMPING):
            self.traffic.cut.discard(insurer_id)

    def insured_at(self, application_id: str) -> list[str]:
        """The insurers in whose ledger the application is."""
        return [name for name, insurer in self.insurers.items() if application_id in insurer.applications]


@asynccontextmanager
async def a_world(store_url: str, timing: OrderTiming | None = None) -> AsyncIterator[World]:
    async with open_store(store_url) as store:
        world = World(store, timing or OrderTiming())
        yield world
        await world.calls.drain()


def application(application_id: str = "app-1", *, line: str = "screen", premium: int = 12_900) -> Application:
    return Application(
        application_id=application_id,
        product_code=f"{line.upper()}-12",
        product_line=line,
        device=Device("dev-1", "model-9", "phone", "brand", Money(599_900, "CNY"), date(2026, 2, 20)),
        channel=Channel("online", "store-7", "gold"),
        customer_ref="cust-1",
        premium=Money(premium, "CNY"),
        term_months=12,
    )


def context(clock: HandClock | None = None, *, seconds: float | None = None) -> CallContext:
    """A caller who waits for so many seconds (None: for ever)."""
    deadline = clock.now() + timedelta(seconds=seconds) if clock is not None and seconds is not None else None
    return CallContext(Actor("test"), "req-1", deadline=deadline)
