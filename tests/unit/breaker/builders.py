"""Breakers, outcomes and moments for tests."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from sluice_server.domain.breaker.evidence_source import OutcomeRecord
from sluice_server.domain.breaker.model import Breaker, BreakerMode, BreakerPolicy, BreakerState, Scope
from sluice_server.domain.orders.model import Outcome, SubmissionKind

START = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)
B = Scope("insurer-b")
SCREEN = Scope("insurer-b", "screen")


def at(seconds: float) -> datetime:
    """So many seconds after the start."""
    return START + timedelta(seconds=seconds)


def breaker(scope: Scope = B, state: BreakerState = BreakerState.CLOSED, **changes: object) -> Breaker:
    """A breaker as it is created, with these changes; ``policy`` may be a dict of changes to the default policy."""
    policy = changes.pop("policy", BreakerPolicy())
    if isinstance(policy, dict):
        policy = replace(BreakerPolicy(), **policy)
    assert isinstance(policy, BreakerPolicy)
    made = Breaker(scope, state, BreakerMode.ENFORCING, policy, 1, START, START)
    return replace(made, **changes)  # type: ignore[arg-type]  # the test names fields that exist


@dataclass
class Outcomes:
    """Makes outcome records, one after the other."""

    scope: Scope = SCREEN
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    def __call__(
        self,
        outcome: Outcome,
        seconds: float,
        *,
        latency: float = 0.2,
        kind: SubmissionKind = SubmissionKind.SUBMIT,
        scope: Scope | None = None,
    ) -> OutcomeRecord:
        """Finished so many seconds after the start."""
        return OutcomeRecord(
            submission_id=f"sub-{next(self.numbers):09d}",
            scope=scope or self.scope,
            kind=kind,
            outcome=outcome,
            started_at=at(seconds - latency),
            finished_at=at(seconds),
            latency_seconds=latency,
        )
