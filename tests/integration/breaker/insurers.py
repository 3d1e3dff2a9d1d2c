"""Insurers, plan and applications for tests of the breaker: what an insurer answers is set by hand."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from sluice_server.domain.errors import InsurerNotConfigured
from sluice_server.domain.money import Money
from sluice_server.domain.orders.model import Outcome
from sluice_server.domain.orders.ports import InsurerAdapter, SubmissionRequest, SubmissionResult
from sluice_server.domain.routing.model import Application, Channel, Device
from sluice_server.domain.routing.plan import CompiledPlan
from sluice_server.domain.routing.ports import TrafficSnapshot
from sluice_server.domain.routing.source.compile import compile_plan

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
A, B, C = "insurer-a", "insurer-b", "insurer-c"

# Nearly all to A, so that a test knows who is asked as long as A is admitted.
PLAN = """\
plan: breaker-test
insurers: {insurer-a: {}, insurer-b: {}, insurer-c: {}}
products: [{product_line: screen}, {product_line: tv}]
rules:
  - name: everything
    match: {product_line: [screen, tv]}
    on_exhausted: PARK
    allocations:
      - {insurer: insurer-a, share: 9998, binding: {insurer_product_code: A-1}}
      - {insurer: insurer-b, share: 1, binding: {insurer_product_code: B-1}}
      - {insurer: insurer-c, share: 1, binding: {insurer_product_code: C-1}}
"""


@dataclass
class HandClock:
    """Time that stands still until it is moved."""

    at: datetime = START

    def now(self) -> datetime:
        return self.at

    def move(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class FixedPlan:
    """The active plan."""

    def __init__(self) -> None:
        self._plan = compile_plan(PLAN, version=1)

    def current(self) -> CompiledPlan:
        return self._plan


class EverythingAdmitted:
    """What a replica believes that has never heard of a cut."""

    def snapshot(self) -> TrafficSnapshot:
        return TrafficSnapshot(0, {})


ANSWERS = {
    "decline": SubmissionResult(Outcome.BUSINESS_REJECTION, "TOO_OLD"),
    "fault": SubmissionResult(Outcome.CALLER_FAULT, "BAD_REQUEST"),
    "fail": SubmissionResult(Outcome.TECHNICAL_FAILURE, "HTTP_503"),
    "lost": SubmissionResult(Outcome.UNKNOWN, "TIMEOUT"),
}


class HandInsurer:
    """Remembers what it has insured by idempotency key."""

    def __init__(self) -> None:
        self.answers = "success"
        """How calls go: ``success`` or a key of ANSWERS."""
        self.next_answers: deque[str] = deque()
        """How the next calls go, before ``answers`` holds again."""
        self.ledger: dict[str, str] = {}
        self.calls = 0
        self.hang: asyncio.Event | None = None
        """When set, calls wait for it."""
        self.called = asyncio.Condition()

    async def submit(self, request: SubmissionRequest) -> SubmissionResult:
        hang = self.hang
        async with self.called:
            self.calls += 1
            self.called.notify_all()
        if hang is not None:
            await hang.wait()
        answer = self.next_answers.popleft() if self.next_answers else self.answers
        if answer != "success":
            return ANSWERS[answer]
        policy = self.ledger.setdefault(request.idempotency_key, f"P-{len(self.ledger) + 1}")
        return SubmissionResult(Outcome.SUCCESS, policy_number=policy)

    async def inquire(self, request: SubmissionRequest) -> SubmissionResult | None:
        policy = self.ledger.get(request.idempotency_key)
        return None if policy is None else SubmissionResult(Outcome.SUCCESS, policy_number=policy)

    async def until_called(self, times: int) -> None:
        """Waits until it has been called so many times."""
        async with self.called:
            await self.called.wait_for(lambda: self.calls >= times)


class HandAdapters:
    """Adapters by insurer."""

    def __init__(self) -> None:
        self.insurers = {name: HandInsurer() for name in (A, B, C)}

    def get(self, insurer_id: str) -> InsurerAdapter:
        if insurer_id not in self.insurers:
            raise InsurerNotConfigured(f"no adapter for {insurer_id!r}", subject=f"insurers/{insurer_id}")
        return self.insurers[insurer_id]


def application(application_id: str, line: str = "screen") -> Application:
    return Application(
        application_id=application_id,
        product_code=f"{line.upper()}-12",
        product_line=line,
        device=Device("dev-1", "model-9", "phone", "brand", Money(599_900, "CNY"), date(2026, 2, 20)),
        channel=Channel("online", "store-7", "gold"),
        customer_ref="cust-1",
        premium=Money(12_900, "CNY"),
        term_months=12,
    )
