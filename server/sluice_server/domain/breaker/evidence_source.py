"""What the evidence is read from: finished submissions, and the orders that wait."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from sluice_server.domain.breaker.model import Scope
from sluice_server.domain.orders.model import Outcome, SubmissionKind


@dataclass(frozen=True, slots=True)
class OutcomeRecord:
    """One finished submission as the evidence sees it."""

    submission_id: str
    scope: Scope
    """Insurer and product line of the order."""
    kind: SubmissionKind
    outcome: Outcome
    started_at: datetime
    finished_at: datetime
    latency_seconds: float
    error_code: str = ""


@dataclass(frozen=True, slots=True)
class ParkedCount:
    """Orders that a rule has parked because no insurer was left, and that still wait."""

    rule: str
    orders: int
    oldest_at: datetime
    product_lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BacklogCount:
    """Orders of one insurer and product line in the backlog window. Only orders that Sluice submits
    (``submit_requested``): whether a team has sent what it was only routed, Sluice learns from its reports."""

    scope: Scope
    orders: int
    unfinished: int
    """Past the grace."""
    oldest_decided_at: datetime | None
    """Of the unfinished ones."""


class EvidenceSource(Protocol):
    """Pooled over the replicas, because it reads what all of them have stored."""

    async def outcomes(self, *, finished_from: datetime, limit: int) -> Sequence[OutcomeRecord]:
        """Finished submissions from this moment on, by finished_at."""
        ...

    async def backlog(self, *, decided_from: datetime, decided_until: datetime) -> Sequence[BacklogCount]:
        """By insurer and product line, sorted: all orders decided from ``decided_from`` on, and of those decided until
        ``decided_until`` the unfinished ones."""
        ...

    async def parked(self, *, limit: int) -> Sequence[ParkedCount]:
        """By rule of the decision in force, of the ``limit`` oldest parked orders."""
        ...

    async def shares(self, *, decided_from: datetime, decided_until: datetime) -> Mapping[str, int]:
        """Decided orders by insurer, routed ones only (no entry for "")."""
        ...

    async def traffic(self, *, decided_from: datetime, decided_until: datetime) -> Mapping[Scope, int]:
        """The same by insurer and product line."""
        ...
