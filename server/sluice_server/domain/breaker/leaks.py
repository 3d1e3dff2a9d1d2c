"""Submissions that went to an insurer although it was cut.

A decision that was taken just before the cut, or on a replica that had not seen it yet, or by a team that ignores the
routing: they are counted and shown. Every replica sees all of them, so the count is a set, not a sum.
"""

from __future__ import annotations

from datetime import datetime

from sluice_server.domain.breaker.evidence_source import OutcomeRecord
from sluice_server.domain.breaker.model import Breaker, BreakerState, Incident, IncidentEventKind, Scope
from sluice_server.domain.orders.model import SubmissionKind

MOST_REMEMBERED = 100_000
"""Bounds the memory of an incident; beyond it the count stands still."""

_CUTS = frozenset(
    {
        IncidentEventKind.TRIPPED,
        IncidentEventKind.CUT_MANUALLY,
        IncidentEventKind.TRIPPED_AGAIN,
        IncidentEventKind.RETRY_FAILED,
    }
)
_RETURNS = frozenset({IncidentEventKind.TRAFFIC_RESTORED, IncidentEventKind.OVERRIDDEN})

Interval = tuple[datetime, datetime | None]


class LeakCount:
    """The leaked submissions of the open incidents."""

    def __init__(self) -> None:
        self._known: dict[Scope, tuple[str, int, bool]] = {}
        self._cuts: dict[Scope, list[Interval]] = {}
        self._leaked: dict[str, set[str]] = {}

    def knows(self, breaker: Breaker) -> bool:
        """Whether the cuts of the breaker's incident are known as of now."""
        return self._known.get(breaker.scope) == _mark(breaker)

    def learn(self, breaker: Breaker, incident: Incident) -> None:
        """Takes the moments of the cuts from the incident's timeline."""
        previous = self._known.get(breaker.scope)
        if previous is not None and previous[0] != incident.incident_id:
            self._leaked.pop(previous[0], None)
        self._known[breaker.scope] = _mark(breaker)
        self._cuts[breaker.scope] = cut_intervals(incident)
        self._leaked.setdefault(incident.incident_id, set())

    def observe(self, record: OutcomeRecord) -> None:
        if not self._known or record.kind is SubmissionKind.RETRY:
            return
        for scope in {record.scope, Scope(record.scope.insurer_id)}:
            known = self._known.get(scope)
            if known is None:
                continue
            leaked = self._leaked[known[0]]
            inside = any(
                start < record.started_at and (end is None or record.started_at < end)
                for start, end in self._cuts[scope]
            )
            if inside and len(leaked) < MOST_REMEMBERED:
                leaked.add(record.submission_id)

    def of(self, incident_id: str) -> int:
        return len(self._leaked.get(incident_id, ()))


def cut_intervals(incident: Incident) -> list[Interval]:
    """From each cut to the return of traffic after it; the last one may be without an end."""
    intervals: list[Interval] = []
    start: datetime | None = None
    for event in incident.events:
        if event.kind in _CUTS and start is None:
            start = event.at
        elif event.kind in _RETURNS and start is not None:
            intervals.append((start, event.at))
            start = None
    if start is not None:
        intervals.append((start, None))
    return intervals


def _mark(breaker: Breaker) -> tuple[str, int, bool]:
    # The number of trips and whether traffic has returned tell when there is a new moment to learn.
    return breaker.incident_id, breaker.trips_in_a_row, breaker.state is BreakerState.RAMPING
