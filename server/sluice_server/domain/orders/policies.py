"""对账: what a comparison of an insurer's list of policies with the store finds, and what it needs of the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Protocol

from sluice_server.domain.orders.model import OrderState
from sluice_server.domain.orders.ports import OrderPosition

MOST_ORPHANS_KEPT = 1_000


class OrphanKind(StrEnum):
    """What is wrong with a policy or an order."""

    ORDER_UNKNOWN = "ORDER_UNKNOWN"
    """The insurer has a policy for an application that the store does not know."""
    ORDER_NOT_INSURED = "ORDER_NOT_INSURED"
    """The insurer has a policy, and the store has the order as not insured."""
    INSURED_ELSEWHERE = "INSURED_ELSEWHERE"
    """The insurer has a policy, and the store has the order as insured by somebody else."""
    OTHER_POLICY_NUMBER = "OTHER_POLICY_NUMBER"
    """Both have it as insured, under different numbers."""
    POLICY_MISSING = "POLICY_MISSING"
    """The store has the order as insured; the insurer does not list it, and its inquiry denies it."""
    POLICY_NOT_CONFIRMED = "POLICY_NOT_CONFIRMED"
    """The store has the order as insured; the insurer does not list it, and could not be asked."""


@dataclass(frozen=True, slots=True)
class PolicyOrphan:
    """A policy or an order without its partner on the other side. What is not known is empty."""

    kind: OrphanKind
    application_id: str
    policy_number: str
    """At the insurer."""
    stored_policy_number: str = ""
    order_state: str = ""
    stored_insurer_id: str = ""


@dataclass(frozen=True, slots=True)
class PolicyReconciliation:
    """One insurer's day, compared."""

    insurer_id: str
    day: date
    started_at: datetime
    finished_at: datetime | None = None
    """None: under way, or never ended."""
    policies: int = 0
    """In the insurer's list."""
    orders: int = 0
    """INSURED by this insurer on that day, in the store."""
    orphan_count: int = 0
    orphans: tuple[PolicyOrphan, ...] = ()
    """The first MOST_ORPHANS_KEPT of them."""
    version: int = 0


@dataclass(frozen=True, slots=True)
class OrderStanding:
    """What the store has of an order."""

    application_id: str
    state: OrderState
    insurer_id: str
    policy_number: str
    finished_at: datetime | None
    updated_at: datetime


class PolicyReconciliations(Protocol):
    """The comparisons and what they ask, in a unit of work."""

    async def claim(self, insurer_id: str, day: date, *, now: datetime, until: datetime) -> PolicyReconciliation | None:
        """Begins a comparison (or begins it again); None while somebody else's claim holds. Until it is finished the
        last result of the day is still what ``get`` shows."""
        ...

    async def finish(self, reconciliation: PolicyReconciliation) -> None:
        """Stores the result and ends the claim. Raises ConcurrentChange when somebody else has claimed it since."""
        ...

    async def release(self, reconciliation: PolicyReconciliation) -> None:
        """Ends the claim without a result."""
        ...

    async def get(self, insurer_id: str, day: date | None) -> PolicyReconciliation | None:
        """The last result of the day, of the newest day that has one for None."""
        ...

    async def application_of(self, insurer_id: str, idempotency_key: str) -> str | None:
        """As ``OrderRepository.find_by_key``."""
        ...

    async def standings(self, application_ids: Sequence[str]) -> Mapping[str, OrderStanding]:
        """Of those that are stored."""
        ...

    async def updated_from(
        self, moment: datetime, *, after: OrderPosition | None, limit: int
    ) -> Sequence[OrderStanding]:
        """Of the orders updated at or after ``moment``, by (updated_at, application_id), above ``after``."""
        ...
