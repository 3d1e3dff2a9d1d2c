"""What the order's life needs from outside."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol, runtime_checkable

from sluice_server.domain.orders.export import ExportedOrder
from sluice_server.domain.orders.model import Order, OrderState, Outcome
from sluice_server.domain.orders.open_order import OpenOrder
from sluice_server.domain.routing.frame import FirstDecision
from sluice_server.domain.routing.model import Application, Binding

NewOrder = Order | OpenOrder | FirstDecision
"""What is stored of an application that nobody has asked for before: its order, whole, open, or in the short form."""


@dataclass(frozen=True, slots=True)
class SubmissionRequest:
    """What an adapter sends to an insurer."""

    application: Application
    binding: Binding
    idempotency_key: str
    deadline: datetime
    """After this moment (or at its own time-out, if that is earlier) the adapter gives up and answers UNKNOWN, or
    TECHNICAL_FAILURE if nothing was sent."""
    reference: str = ""
    """In an inquiry: what the insurer called the request when it accepted it for later."""


@dataclass(frozen=True, slots=True)
class SubmissionResult:
    """What came of a call, in our words."""

    outcome: Outcome
    error_code: str = ""
    message: str = ""
    policy_number: str = ""


@dataclass(frozen=True, slots=True)
class SubmissionPending:
    """The insurer has taken the request and will decide later: it is asked, or tells by a callback."""

    ask_after_seconds: float
    """When to ask, and how often."""
    settled_within_seconds: float
    """From now on; then the outcome is unknown."""
    reference: str = ""
    """What it calls the request; empty: the idempotency key is enough."""


class InsurerAdapter(Protocol):
    """One insurer's interface. Never raises for what the insurer does: every failure is a result."""

    async def submit(self, request: SubmissionRequest) -> SubmissionResult | SubmissionPending:
        """Asks the insurer to insure. TECHNICAL_FAILURE only if it is certain that nothing was insured."""
        ...

    async def inquire(self, request: SubmissionRequest) -> SubmissionResult | SubmissionPending | None:
        """What the insurer knows under the idempotency key: SUCCESS, BUSINESS_REJECTION, TECHNICAL_FAILURE when it says
        itself that it has insured nothing, None when it knows nothing (believed after a quiet time), that it has not
        decided yet, or UNKNOWN when the inquiry itself failed."""
        ...


@dataclass(frozen=True, slots=True)
class ListedPolicy:
    """A policy in an insurer's list."""

    policy_number: str
    application_id: str
    """Empty when the insurer does not tell it; then the key is there."""
    idempotency_key: str


@dataclass(frozen=True, slots=True)
class PolicyDay:
    """A day of an insurer's calendar."""

    day: date
    start: datetime
    end: datetime
    """Not included."""


@runtime_checkable
class PolicyLister(Protocol):
    """An adapter that can list the policies of a day. (The others have no such methods.)"""

    def policy_day(self, day: date | None, *, now: datetime) -> PolicyDay | None:
        """The day in the insurer's calendar (None: its yesterday). None: this insurer gives no list."""
        ...

    def policies(self, day: PolicyDay) -> AsyncIterator[Sequence[ListedPolicy]]:
        """Its policies of the day, page by page. Raises InsurerUnavailable when a page cannot be got or read."""
        ...


class AdapterDirectory(Protocol):
    """The adapters by insurer."""

    def get(self, insurer_id: str) -> InsurerAdapter:
        """Raises InsurerNotConfigured."""
        ...


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Which orders ListOrders shows; empty fields do not filter."""

    states: tuple[OrderState, ...] = ()
    insurer_id: str = ""
    product_code: str = ""
    incident_id: str = ""
    created_before: datetime | None = None
    created_after: datetime | None = None


@dataclass(frozen=True, slots=True, order=True)
class OrderPosition:
    """A place in a list of orders that is sorted by a moment, then by application_id."""

    at: datetime
    application_id: str


@dataclass(frozen=True, slots=True)
class DecidedApplication:
    """An application as it was first decided: what a replay through another plan needs, and no more."""

    application: Application
    created_at: datetime
    decided_at: datetime
    """Of the first decision."""
    insurer_id: str
    """Of the first decision; empty when it parked or rejected."""
    rule: str
    """Of the first decision."""


@dataclass(frozen=True, slots=True)
class ReplayRange:
    """Which orders a replay takes."""

    count: int
    after: OrderPosition | None
    """They are above this position; None: there is nothing below them."""


class OrderRepository(Protocol):
    """Orders in a unit of work."""

    async def add(self, order: Order) -> bool:
        """Stores a new order with its decisions. False, and nothing stored, when the application_id is known."""
        ...

    async def get(self, application_id: str) -> Order | None:
        """The order with its whole history."""
        ...

    async def find_by_decision(self, decision_id: str, *, after: datetime, before: datetime) -> str | None:
        """The application that has this decision; it was created, or the decision in force was taken, in this time."""
        ...

    async def find_by_key(self, insurer_id: str, idempotency_key: str) -> str | None:
        """The application that was submitted to the insurer with this key; only calls are found that were not answered
        at once (accepted for later, unknown, settled)."""
        ...

    async def save(self, order: Order) -> None:
        """Writes what may change (state, new decisions, new or changed submissions, incident, policy number,
        submit_requested, attempts, next_attempt_at, updated_at) of an order that was read at ``order.version``; raises
        ConcurrentChange when somebody else changed it since. The stored version is one more."""
        ...

    async def list(self, where: OrderFilter, *, after: OrderPosition | None, limit: int) -> Sequence[Order]:
        """By (created_at, application_id), above ``after``; without histories beyond the current decision."""
        ...

    async def replay_range(self, *, created_from: datetime | None, created_before: datetime, limit: int) -> ReplayRange:
        """The newest ``limit`` orders that were created in [created_from, created_before)."""
        ...

    async def first_decided(
        self, *, created_from: datetime | None, created_before: datetime, after: OrderPosition | None, limit: int
    ) -> Sequence[DecidedApplication]:
        """Orders created in [created_from, created_before) by (created_at, application_id), above ``after``, without
        building whole orders."""
        ...

    async def due(self, *, states: Sequence[OrderState], at: datetime, limit: int) -> Sequence[str]:
        """application_ids of the orders in these states whose next_attempt_at is not after ``at``; those that wait
        longest first."""
        ...

    async def exported(self, *, after: OrderPosition | None, until: datetime, limit: int) -> Sequence[ExportedOrder]:
        """By (updated_at, application_id), above ``after``, updated before ``until``."""
        ...

    async def abnormal_of(self, incident_id: str, *, limit: int) -> Sequence[Order]:
        """The incident's orders that still wait for its insurer (ABNORMAL, or SUBMITTING again), with their whole
        histories, oldest (created_at) first."""
        ...

    async def count_abnormal_of(self, incident_id: str) -> int:
        """How many ``abnormal_of`` would list without a limit."""
        ...

    async def attach_to_incident(self, incident_id: str, insurer_id: str, product_line: str) -> int:
        """Marks the insurer's ABNORMAL orders that Sluice submits (submit_requested) and that have no incident as
        belonging to this one ("" for every product line); how many. Their versions grow by one."""
        ...


class DecisionLog(Protocol):
    """The hot path: durable before it is acknowledged, many decisions in one commit."""

    def turn(self) -> Awaitable[None]:
        """Comes right before the next commit, for all that wait for it, so that their work is done in a row. To wait
        for it is no duty: it makes a thousand calls cheaper, and none of them later."""
        ...

    async def record(self, order: Order | OpenOrder) -> Order:
        """Stores a new order durably and returns it, settled if it was open; when the application_id is known already,
        returns the stored order instead (the caller compares fingerprints), and no books count anything. Raises
        Unavailable when the store does not answer."""
        ...

    async def record_all(self, orders: Sequence[NewOrder]) -> Sequence[Order | FirstDecision | Exception]:
        """What ``record`` does, for many at once: in each place what ``record`` would return or raise. A first decision
        that is stored now, with its order, is returned as it is."""
        ...

    async def save(self, order: Order) -> None:
        """What ``OrderRepository.save`` does, in a commit that many calls share: for a change that needs nothing
        else in its unit of work. Durable when it returns; raises ConcurrentChange, Unavailable."""
        ...

    async def settle(self, change: OpenOrder) -> Order | None:
        """``save`` for a change whose insurer is chosen in the same commit: the order as it is stored then, or None
        when it is not to be stored with whom the books give. Raises ConcurrentChange, Unavailable."""
        ...
