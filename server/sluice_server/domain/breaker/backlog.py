"""One reading of the backlog, by scope."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from datetime import datetime
from operator import attrgetter

from sluice_server.domain.breaker.model import Breaker, Scope
from sluice_server.domain.breaker.ports import BacklogCount

_INSURER = attrgetter("scope.insurer_id")

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
        self._counts = counts
        self.waiting = [count for count in counts if count.unfinished]
        """Of the product lines with a backlog."""
        self._by_insurer: dict[str, list[BacklogCount]] | None = None

    def of(self, scope: Scope, without: Collection[str] = ()) -> BacklogCount | None:
        """Of one product line, or of all of an insurer's but these; None where there are no orders."""
        if self._by_insurer is None:
            self._by_insurer = {}
            # They come by insurer, nearly always: one look-up for each of them instead of one for each line.
            for insurer_id, run in itertools.groupby(self._counts, _INSURER):
                self._by_insurer.setdefault(insurer_id, []).extend(run)
        lines = self._by_insurer.get(scope.insurer_id, [])
        if scope.product_line:
            return next((count for count in lines if count.scope == scope), None)
        if without:
            lines = [count for count in lines if count.scope.product_line not in without]
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
