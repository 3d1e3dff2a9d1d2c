"""Metrics over the half hours that the streaming job counts, and their series: one moment a minute.

They are no part of the semantic model, as their tables carry no data version; but rules watch them by the same code.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from sluice_server.domain.errors import DataVersionNotFound, Violation
from sluice_server.domain.risk.alerts.metric_rule import Evidence, MetricRule
from sluice_server.domain.risk.alerts.replay import Moment
from sluice_server.domain.risk.alerts.series import MOST_VALUES, Evaluation, Point, Series, TooManyValues, bound
from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.intervals import Interval, binomial_share, poisson_rate
from sluice_server.domain.risk.semantic.metric_values import MetricValue
from sluice_server.domain.risk.semantic.semantic_model import IntervalMethod, Label

MINUTE = timedelta(minutes=1)
SHORTEST_HISTORY = timedelta(hours=6)
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class StreamMetric:
    """The sum of ``numerator`` over that of ``denominator``, or alone, by the one ``dimension`` of the table."""

    name: str
    label: Label
    table: str
    dimension: str
    entity: str
    """The dimension's column."""
    unit: str
    numerator: tuple[str, ...]
    denominator: tuple[str, ...] = ()
    exposure_unit: str = ""
    interval: IntervalMethod | None = None
    sparse: bool = False
    """A window without anything has no row: it counts as 0."""
    kind: str = ""
    """Only rows of this kind, in a table of several."""
    lasts: timedelta = timedelta(0)
    """A row stands for this long from its window's end on, whatever second that is."""
    clock: str = ""
    """The table whose newest window says what time it is; empty: the metric's own."""


def _of_claims(table: str, dimension: str, zh: str, en: str) -> tuple[StreamMetric, ...]:
    entity = f"{dimension}_id"
    return (
        StreamMetric(
            f"{dimension}_claims_30m",
            Label(f"{zh}半小时理赔件数", f"Claims of a {en} in half an hour"),
            table,
            dimension,
            entity,
            "claims",
            ("claims",),
            (),
            "claims",
            None,
            True,
        ),
        StreamMetric(
            f"{dimension}_claims_against_usual_30m",
            Label(f"{zh}半小时理赔与往常之比", f"Claims of a {en} in half an hour against its usual"),
            table,
            dimension,
            entity,
            "ratio",
            ("claims",),
            ("baseline_claims",),
            "claims expected",
            IntervalMethod.EXACT_POISSON,
        ),
    )


def _surge(kind: str, dimension: str, zh: str, en: str) -> StreamMetric:
    """A surge that the job itself has found: it tells the first window alone, so it stands for half an hour."""
    return StreamMetric(
        f"{dimension}_surge",
        Label(f"{zh}激增倍数", f"Surge of {en}, times what was expected"),
        "stream_warning",
        dimension,
        "entity_id",
        "ratio",
        ("value",),
        ("baseline",),
        "expected",
        sparse=True,
        kind=kind,
        lasts=timedelta(minutes=30),
        clock=f"{dimension}_window",
    )


_OUTCOMES = ("insured", "rejected", "technical_failures", "unknown")
STREAM_METRICS: Mapping[str, StreamMetric] = {
    one.name: one
    for one in (
        StreamMetric(
            "insurer_failure_rate_30m",
            Label("半小时投保失败率", "Failure rate of half an hour"),
            "insurer_window",
            "insurer",
            "insurer_id",
            "share",
            ("technical_failures", "unknown"),
            _OUTCOMES,
            "submissions",
            IntervalMethod.EXACT_BINOMIAL,
        ),
        StreamMetric(
            "insurer_unfinished_share_30m",
            Label("半小时未完成占比", "Unfinished share of half an hour"),
            "insurer_window",
            "insurer",
            "insurer_id",
            "share",
            ("unfinished",),
            ("orders",),
            "orders",
            IntervalMethod.EXACT_BINOMIAL,
        ),
        StreamMetric(
            "insurer_unfinished_30m",
            Label("半小时未完成订单数", "Unfinished orders of half an hour"),
            "insurer_window",
            "insurer",
            "insurer_id",
            "orders",
            ("unfinished",),
            (),
            "orders",
        ),
        StreamMetric(
            "insurer_mean_latency_ms_30m",
            Label("半小时平均耗时", "Mean duration of a call in half an hour"),
            "insurer_window",
            "insurer",
            "insurer_id",
            "ms",
            ("latency_ms_sum",),
            ("latency_count",),
            "calls",
        ),
        *_of_claims("repair_shop_window", "repair_shop", "维修商", "repair shop"),
        *_of_claims("store_window", "store", "门店", "store"),
        _surge("INSURER_FAILURES", "insurer", "保险公司投保失败", "an insurer's failures"),
        _surge("REPAIR_SHOP_CLAIMS", "repair_shop", "维修商理赔", "a repair shop's claims"),
        _surge("STORE_CLAIMS", "store", "门店理赔", "a store's claims"),
    )
}
"""By name."""


@dataclass(frozen=True, slots=True)
class WindowSums:
    """One window of one entity."""

    entity: str
    window_end: datetime
    numerator: float
    denominator: float


class WindowReader(Protocol):
    """Reads the streaming job's tables. Raises DataVersionNotFound where they do not exist, and Unavailable."""

    async def newest_window(self, table: str) -> datetime | None:
        """The end of the newest window."""
        ...

    async def windows(self, metric: StreamMetric, since: datetime, until: datetime, limit: int) -> Sequence[WindowSums]:
        """Those that end on a full minute (on any second, where the metric's rows last) from ``since`` to ``until``,
        both included."""
        ...


class StreamSeries:
    """Implements SeriesSource over the windows. The moment of a window is its end.

    It looks back six hours, or as far as the rule's season or its for-duration reaches, as far as windows are kept.
    """

    def __init__(self, reader: WindowReader) -> None:
        self._reader = reader

    def serves(self, metric: str) -> bool:
        return metric in STREAM_METRICS

    def feed(self, metric: str) -> str:
        return STREAM_METRICS[metric].clock or STREAM_METRICS[metric].table

    def check(self, rule: MetricRule) -> Sequence[Violation]:
        metric = STREAM_METRICS[rule.metric]
        found = []
        if any(name != metric.dimension for name in rule.dimensions) or not rule.dimensions:
            text = f"{metric.name} is kept by {metric.dimension} alone: give exactly that"
            found.append(Violation("alert_rule.dimensions", text))
        for i, one in enumerate(rule.filters):
            if one.dimension != metric.dimension or one.at_least or one.below or one.last:
                text = f"{metric.name} can only be filtered by values of {metric.dimension}"
                found.append(Violation(f"alert_rule.filters[{i}]", text))
        if rule.time_dimension:
            found.append(Violation("alert_rule.time_dimension", f"{metric.name} runs along minutes; leave it empty"))
        if rule.evidence is Evidence.INTERVAL and metric.interval is None:
            found.append(Violation("alert_rule.evidence", f"{metric.name} has no interval; take EVIDENCE_VALUE"))
        return found

    async def key(self, feed: str) -> str | None:
        newest = await self._newest(feed)
        return None if newest is None else _key(newest)

    async def read(self, rule: MetricRule) -> Evaluation:
        metric = STREAM_METRICS[rule.metric]
        clock = self.feed(rule.metric)
        newest = await self._newest(clock)
        if newest is None:
            raise DataVersionNotFound(f"{clock} has no windows yet; run sluice-flink stream")
        found = await self._reader.windows(metric, newest - _history(rule), newest, MOST_VALUES + 1)
        if len(found) > MOST_VALUES:
            text = f"watches more than {MOST_VALUES:,} values; filter by {metric.dimension}"
            raise TooManyValues([Violation("alert_rule.filters", text)])
        by_entity: dict[str, dict[datetime, WindowSums]] = {}
        for one in found:
            if all(_passes(one.entity, part.any_of, part.none_of) for part in rule.filters):
                windows = by_entity.setdefault(one.entity, {})
                for minute in _minutes(metric, one.window_end):
                    windows[minute] = one
        series = [
            Series({metric.dimension: entity}, _points(rule, metric, windows, newest))
            for entity, windows in sorted(by_entity.items())
        ]
        stamp = DataStamp(0, newest, newest)
        return Evaluation(_key(newest), stamp, metric.label, metric.unit, metric.exposure_unit, tuple(series))

    async def _newest(self, table: str) -> datetime | None:
        """The newest full minute that a window ends on."""
        newest = await self._reader.newest_window(table)
        return None if newest is None else newest.replace(second=0, microsecond=0)


def _points(
    rule: MetricRule, metric: StreamMetric, windows: Mapping[datetime, WindowSums], newest: datetime
) -> tuple[Point, ...]:
    points = []
    at = min(windows)
    while at <= newest:
        one = windows.get(at)
        if one is not None or metric.sparse:
            value = _value(metric, one.numerator, one.denominator) if one else _value(metric, 0.0, 0.0)
            known = math.nan if value.value is None else value.value
            evidence = bound(value, rule.condition.comparison) if rule.evidence is Evidence.INTERVAL else None
            points.append(Point(Moment(at, known, value.exposure, evidence), value))
        at += MINUTE
    return tuple(points)


def _minutes(metric: StreamMetric, window_end: datetime) -> list[datetime]:
    """The minutes that a row speaks of."""
    if not metric.lasts:
        return [window_end]
    first = window_end.replace(second=0, microsecond=0)
    return [first + i * MINUTE for i in range(metric.lasts // MINUTE)]


def _value(metric: StreamMetric, numerator: float, denominator: float) -> MetricValue:
    if not metric.denominator:
        return MetricValue(numerator, None, None, None, numerator, None)
    if denominator <= 0 and metric.sparse:
        return MetricValue(0.0, None, 0.0, 0.0, 0.0, None)
    if denominator <= 0:
        return MetricValue(None, None, numerator, denominator, 0.0, None)
    interval: Interval | None = None
    if metric.interval is IntervalMethod.EXACT_BINOMIAL:
        interval = binomial_share(int(numerator), int(denominator), LEVEL)
    elif metric.interval is IntervalMethod.EXACT_POISSON:
        interval = poisson_rate(numerator, denominator, LEVEL)
    return MetricValue(numerator / denominator, None, numerator, denominator, denominator, interval)


def _history(rule: MetricRule) -> timedelta:
    baseline = rule.condition.baseline
    back = SHORTEST_HISTORY + 2 * rule.condition.for_duration
    if baseline is not None:
        back += (baseline.season or MINUTE) * baseline.history
    return back


def _passes(entity: str, any_of: Sequence[str], none_of: Sequence[str]) -> bool:
    return (not any_of or entity in any_of) and entity not in none_of


def _key(minute: datetime) -> str:
    return f"stream/{minute:%Y-%m-%dT%H:%M}Z"
