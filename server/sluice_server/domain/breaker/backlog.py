"""One reading of the backlog, by scope."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Sequence
from datetime import datetime
from operator import attrgetter

from sluice_server.domain.breaker.evidence_source import BacklogCount
from sluice_server.domain.breaker.model import Breaker, Scope

_SCOPE, _INSURER = attrgetter("scope"), attrgetter("scope.insurer_id")

Window = tuple[float, float]
"""Length and grace of the backlog, seconds."""


def window_of(breaker: Breaker) -> Window:
    """The window in which the breaker counts its backlog."""
    return breaker.policy.window_seconds, breaker.policy.backlog_grace_seconds


def no_backlog(scope: Scope) -> BacklogCount:
    return BacklogCount(scope, 0, 0, None)


class BacklogCounts:
    """What one query has read."""

    def __init__(self, counts: Sequence[BacklogCount]) -> None:
        """``counts``: by scope, as ``EvidenceSource.backlog`` gives them."""
        self._counts = counts
        self.waiting = [count for count in counts if count.unfinished]
        """Of the product lines with a backlog."""

    def of(self, scope: Scope, without: Collection[str] = ()) -> BacklogCount | None:
        """Of one product line, or of all of an insurer's but these; None where there are no orders."""
        if scope.product_line:
            place = bisect_left(self._counts, scope, key=_SCOPE)
            found = self._counts[place] if place < len(self._counts) else None
            return found if found is not None and found.scope == scope else None
        first = bisect_left(self._counts, scope.insurer_id, key=_INSURER)
        last = bisect_right(self._counts, scope.insurer_id, lo=first, key=_INSURER)
        lines = [count for count in self._counts[first:last] if count.scope.product_line not in without]
        return _sum(scope, lines) if lines else None


def _sum(scope: Scope, counts: list[BacklogCount]) -> BacklogCount:
    orders = unfinished = 0
    oldest: datetime | None = None
    for count in counts:
        orders += count.orders
        if count.unfinished:
            unfinished += count.unfinished
            began = count.oldest_decided_at
            oldest = began if oldest is None else min(oldest, began or oldest)
    return BacklogCount(scope, orders, unfinished, oldest)
