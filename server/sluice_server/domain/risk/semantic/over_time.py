"""Cumulative and period over period metrics: computed from the sums of single periods, group by group.

The store sums each period once; everything that runs along time is added up here, so that it is the same on every
database. A ratio that runs along time is the ratio of the sums of its window, never a mean of ratios.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import accumulate

from sluice_server.domain.risk.intervals import Interval
from sluice_server.domain.risk.ports import Number, TableRow, Value
from sluice_server.domain.risk.semantic.question import TypedFilter
from sluice_server.domain.risk.semantic.semantic_model import (
    MONTHS_IN,
    Change,
    Dimension,
    DimensionType,
    IntervalMethod,
    Metric,
    OverTime,
    Span,
    start_of,
)

MAX_CELLS = 100_000
"""Most groups times periods that one question may run along."""

Sums = tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class Periods:
    """The sums of one group of rows, by period; ``starts`` is sorted and the same for every group."""

    starts: Sequence[date]
    sums: Sequence[Sums]

    def between(self, first: date, last: date) -> Sums:
        """Added up over the periods that start from ``first`` to ``last``, both included."""
        begin, end = bisect_left(self.starts, first), bisect_left(self.starts, last) + 1
        return _added(self.sums[begin:end], len(self.sums[0]))

    def at(self, start: date) -> Sums | None:
        """Of the period that starts then: nothing where the data have no such period, None before their first."""
        if start < self.starts[0]:
            return None
        i = bisect_left(self.starts, start)
        found = i < len(self.starts) and self.starts[i] == start
        return self.sums[i] if found else (0,) * len(self.sums[0])


def by_group(rows: Sequence[TableRow], time_at: int) -> dict[tuple[Value, ...], Periods]:
    """The rows by their other values than the time, each with a row for every period that the data have."""
    starts = sorted({start for row in rows if isinstance(start := row.values[time_at], date)})
    position = {start: i for i, start in enumerate(starts)}
    found: dict[tuple[Value, ...], list[Sums]] = {}
    for row in rows:
        start = row.values[time_at]
        assert isinstance(start, date), "the result tables have no row without a time"
        group = row.values[:time_at] + row.values[time_at + 1 :]
        nothing = (0,) * len(row.sums)
        found.setdefault(group, [nothing] * len(starts))[position[start]] = row.sums
    return {group: Periods(starts, sums) for group, sums in found.items()}


def running(metric: Metric, grain: DimensionType, periods: Periods) -> list[Sums | None]:
    """The sums of a cumulative metric's window at each period; None where the data begin after the window does."""
    over = metric.over_time
    assert over is not None, "a cumulative metric has it"
    if over.window is None and over.to_date is None:
        sums_so_far: Iterable[Sums] = accumulate(periods.sums, _plus)
        return list(sums_so_far)
    found: list[Sums | None] = []
    for start in periods.starts:
        first = _first(over, grain, start)
        # A year that began before the data did is still a year to date; a window of twelve months needs all twelve.
        known = over.window is None or first >= periods.starts[0]
        found.append(periods.between(first, start) if known else None)
    return found


def earlier(metric: Metric, periods: Periods) -> list[Sums | None]:
    """The sums of the periods that a period over period metric compares with; None before the first of the data."""
    over = metric.over_time
    assert over is not None, "a period over period metric has it"
    assert over.shift is not None, "a period over period metric has it"
    return [periods.at(over.shift.before(start)) for start in periods.starts]


def changed(now: float | None, before: float | None, change: Change) -> float | None:
    """The change from one value to the other; None where it has no meaning."""
    if now is None or before is None:
        return None
    if change is Change.DIFFERENCE:
        return now - before
    return now / before - 1 if before > 0 else None


def changed_interval(
    now: float, now_interval: Interval, before: float, before_interval: Interval, change: Change
) -> Interval | None:
    """Interval of the change between two independent estimates, from theirs. None where nothing bounds it.

    Zou and Donner, "Construction of confidence limits about effect measures: A general approach", Statistics in
    Medicine 27 (2008): the distance of each limit from its estimate stands for the estimate's variance on that side.
    For a relative change on the scale of logarithms.
    """
    level, method = now_interval.level, IntervalMethod.RECOVERED_VARIANCE
    if change is Change.DIFFERENCE:
        lower = now - before - math.hypot(now - now_interval.lower, _distance(before_interval.upper, before))
        upper = now - before + math.hypot(_distance(now_interval.upper, now), before - before_interval.lower)
        if math.isinf(lower):
            return None
        return Interval(lower, None if math.isinf(upper) else upper, level, method)
    if now <= 0 or before <= 0:
        return None
    ratio = now / before
    down = math.hypot(_logs(now, now_interval.lower), _logs(before_interval.upper, before))
    up = math.hypot(_logs(now_interval.upper, now), _logs(before, before_interval.lower))
    return Interval(ratio * math.exp(-down) - 1, None if math.isinf(up) else ratio * math.exp(up) - 1, level, method)


def passes_time(dimension: Dimension, bound: TypedFilter) -> Callable[[date], bool]:
    """Whether a period, by its first day, passes a filter on a dimension that is not finer."""

    def passes(start: date) -> bool:
        period = start_of(dimension.type, start)
        low, high = bound.at_least, bound.below
        return (
            (not bound.any_of or period in bound.any_of)
            and period not in bound.none_of
            and (not isinstance(low, date) or period >= low)
            and (not isinstance(high, date) or period < high)
        )

    return passes


def unfit(metric: Metric, grain: DimensionType) -> str | None:
    """Why ``metric`` cannot run along periods of ``grain``; None where it can."""
    over = metric.over_time
    if over is None:
        return None
    span = over.window or over.shift
    if span is not None and not span.holds(grain):
        return f"{metric.name} goes by {span.periods} {span.grain}s, which are no whole {grain}s"
    if over.to_date is not None and MONTHS_IN.get(grain, 0) > MONTHS_IN[over.to_date]:
        return f"{metric.name} begins anew each {over.to_date}, which is shorter than a {grain}"
    return None


def _first(over: OverTime, grain: DimensionType, start: date) -> date:
    """Where the window that ends with the period from ``start`` begins."""
    if over.to_date is not None:
        return start_of(over.to_date, start)
    window = over.window
    assert window is not None, "the caller has looked"
    if grain is DimensionType.DAY:
        return Span(window.periods - 1, DimensionType.DAY).before(start)
    return Span(window.months - MONTHS_IN[grain], DimensionType.MONTH).before(start)


def _plus(some: Sums, more: Sums) -> Sums:
    return tuple(a + b for a, b in zip(some, more, strict=True))


def _added(sums: Sequence[Sums], width: int) -> Sums:
    return tuple(sum(row[i] for row in sums) for i in range(width))


def _distance(limit: float | None, value: float) -> float:
    return math.inf if limit is None else abs(limit - value)


def _logs(greater: float | None, lesser: float) -> float:
    """The distance between two positive numbers on the scale of logarithms; infinite where one is missing or 0."""
    return math.log(greater / lesser) if greater is not None and lesser > 0 else math.inf
