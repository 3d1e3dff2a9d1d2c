"""The orders of a replay, and what happens to them in the order of time.

Orders that end within the grace are worth one moment, at their end; others begin, are late, and end, if they do. Orders
of one moment and insurer that differ in outcome are mixed evenly: 95 successes and 5 failures in the same minute were
not 5 in a row. Like ones that follow each other are one run.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from heapq import heappop, heappush
from operator import attrgetter

import numpy as np

from sluice_server.domain.orders.model import Outcome

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Between these a replay can count with moments."""
LONGEST_LATENCY_SECONDS = 30 * 86_400.0
LOOK_AHEAD = timedelta(minutes=15)
"""How much longer than this an order may not have taken where orders are replayed while they are read."""
LARGEST_KEPT_MIX = 10_000


@dataclass(slots=True)
class ReplayedOrder:
    """One order to replay."""

    at: datetime
    """When the call ended; when it began, for one that never ended."""
    insurer_id: str
    outcome: Outcome | None
    """None: sent and never answered."""
    latency_seconds: float = 0.0
    product_line: str = ""
    count: int = 1
    """So many like it at the same moment."""

    @property
    def decided_at(self) -> datetime:
        return self.at if self.outcome is None else self.at - timedelta(seconds=self.latency_seconds)


class OutOfOrder(ValueError):
    """The orders can not be replayed while they are read: they are to be sorted before."""


BEGINS, IS_LATE, ENDS = range(3)
Moment = tuple[datetime, int, int, ReplayedOrder, int]
"""When, which of these three, the number of the first order, the order, how many like it (1 if it is late)."""
_AT, _INSURER = attrgetter("at"), attrgetter("insurer_id")


def sorted_moments(orders: Iterable[ReplayedOrder], grace_seconds: float) -> Iterator[Moment]:
    """What happens to the orders, whatever their order. The sorting is done when this returns."""
    in_order = sorted(orders, key=_AT)
    longest = max((order.latency_seconds for order in in_order if order.outcome is not None), default=0.0)
    return moments(in_order, grace_seconds, look_ahead=timedelta(seconds=longest))


def moments(
    orders: Iterable[ReplayedOrder], grace_seconds: float, *, look_ahead: timedelta = LOOK_AHEAD
) -> Iterator[Moment]:
    """What happens to orders that come in the order of ``at``, holding no more of them than those of ``look_ahead`` and
    the unanswered ones of the grace. Raises OutOfOrder, and for an order that took longer than ``look_ahead`` and the
    grace."""
    grace = timedelta(seconds=grace_seconds)
    numbers = 0
    ending: deque[Moment] = deque()
    """Comes in the order of time by itself …"""
    late: list[tuple[datetime, int, int, ReplayedOrder]] = []
    """… and this as a heap. Numbers are different: orders are never compared."""
    latest: datetime | None = None
    for at, rows in itertools.groupby(orders, key=_AT):
        if latest is not None and at < latest:
            raise OutOfOrder
        latest = at
        for order, count in _runs(list(rows)):
            outcome = order.outcome
            if outcome is not None and order.latency_seconds <= grace_seconds:
                ending.append((at, ENDS, numbers, order, count))
                numbers += count
                continue
            # It is backlog from the end of the grace until it ends, if it does.
            decided_at = order.decided_at
            if at - decided_at > look_ahead:
                raise OutOfOrder
            for number in range(numbers, numbers + count):
                heappush(late, (decided_at, BEGINS, number, order))
                heappush(late, (decided_at + grace, IS_LATE, number, order))
                if outcome is not None:
                    ending.append((at, ENDS, number, order, 1))
            numbers += count
        yield from _until(at - look_ahead, ending, late)
    yield from _until(None, ending, late)


def _until(
    end: datetime | None, ending: deque[Moment], late: list[tuple[datetime, int, int, ReplayedOrder]]
) -> Iterator[Moment]:
    """Takes out what happens before ``end``; None: everything."""
    while ending or late:
        # At one moment what ends comes last.
        if late and not (ending and ending[0][0] < late[0][0]):
            if end is not None and late[0][0] >= end:
                return
            yield (*heappop(late), 1)
        else:
            if end is not None and ending[0][0] >= end:
                return
            yield ending.popleft()


def _runs(rows: list[ReplayedOrder]) -> Iterator[tuple[ReplayedOrder, int]]:
    """The orders of one moment, those of an insurer mixed evenly."""
    if len(rows) == 1:
        if rows[0].count:
            yield rows[0], rows[0].count
        return
    for _, group in itertools.groupby(sorted(rows, key=_INSURER), key=_INSURER):
        mixed = list(group)
        counts = tuple(row.count for row in mixed)
        mix = _kept_mix(counts) if sum(counts) <= LARGEST_KEPT_MIX else _mix(counts)
        for index, count in mix:
            yield mixed[index], count


def _mix(counts: Sequence[int]) -> list[tuple[int, int]]:
    """Runs of (which, how many): the n-th of c like orders is at (n + 1/2) / c of the moment, the first named first
    where two are at the same place."""
    if len(counts) == 1:
        return [(0, counts[0])] if counts[0] else []
    places = np.concatenate([(np.arange(count) + 0.5) / count for count in counts if count] or [np.zeros(0)])
    which = np.repeat(np.arange(len(counts)), counts)[np.argsort(places, kind="stable")]
    starts = np.flatnonzero(np.diff(which, prepend=-1))
    lengths = np.diff(starts, append=which.size)
    return list(zip(which[starts].tolist(), lengths.tolist(), strict=True))


_kept_mix = lru_cache(maxsize=256)(_mix)
