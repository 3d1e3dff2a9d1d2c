"""The series that a rule watches: where they come from, and how they are read from the semantic model."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

from sluice_server.domain.context import Actor, CallContext
from sluice_server.domain.errors import InvalidInput, InvalidQuery, Violation
from sluice_server.domain.risk.alerts.metric_rule import Evidence, MetricRule
from sluice_server.domain.risk.alerts.replay import Moment
from sluice_server.domain.risk.alerts.rule import Comparison
from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.paging import Page
from sluice_server.domain.risk.ports import RiskReader
from sluice_server.domain.risk.semantic.answer_query import AnswerQuery, AnswerRow, QueryParams
from sluice_server.domain.risk.semantic.metric_values import MetricValue
from sluice_server.domain.risk.semantic.planner import plan_query
from sluice_server.domain.risk.semantic.question import Question
from sluice_server.domain.risk.semantic.semantic_model import (
    MONTHS_IN,
    TIME_GRAINS,
    DimensionType,
    Label,
    Metric,
    MetricKind,
    SemanticModel,
)

MOST_VALUES = 50_000
"""Groups times periods that one rule may watch."""
_PAGE = 500
_SERVER = CallContext(Actor("sluice", verified=True), "alert-evaluation")


@dataclass(frozen=True, slots=True)
class Point:
    """A value of a series, as it is judged and as it is shown."""

    moment: Moment
    value: MetricValue


@dataclass(frozen=True, slots=True)
class Series:
    """The values of one group, in the order of time."""

    dimensions: Mapping[str, str]
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What a rule is judged on: all of its series at one state of the data."""

    key: str
    """Names the state of the data; a rule is evaluated once on each."""
    stamp: DataStamp
    """``data_version`` 0: not of a data version, but of the windows of the stream."""
    label: Label
    """Of the metric."""
    unit: str
    exposure_unit: str
    series: tuple[Series, ...]


class TooManyValues(InvalidInput):
    """The rule would watch more than MOST_VALUES."""


class SeriesSource(Protocol):
    """Where series come from: the data versions, or the windows of the stream."""

    def serves(self, metric: str) -> bool:
        """True when ``metric`` is one of its own."""
        ...

    def check(self, rule: MetricRule) -> Sequence[Violation]:
        """What is wrong with the rule in words of the source."""
        ...

    def feed(self, metric: str) -> str:
        """What changes when there are new data for ``metric``."""
        ...

    async def key(self, feed: str) -> str | None:
        """Of the newest data of a feed; None while there are none. Raises DataVersionNotFound, Unavailable."""
        ...

    async def read(self, rule: MetricRule) -> Evaluation:
        """Raises DataVersionNotFound, TooManyValues, InvalidQuery (the model has changed), Unavailable."""
        ...


class ModelSeries:
    """Implements SeriesSource over the semantic model: each period of the active data version is a moment.

    The moment of a period is its first instant. Of a sum, the period that the watermark cuts short is left out, and a
    period without rows is 0; of a ratio neither, as a ratio of less is still that ratio.
    """

    def __init__(self, model: SemanticModel, reader: RiskReader, answer: AnswerQuery) -> None:
        self._model = model
        self._reader = reader
        self._answer = answer

    def serves(self, metric: str) -> bool:
        return metric in self._model.metrics

    def check(self, rule: MetricRule) -> Sequence[Violation]:
        try:
            self._question(rule)
        except InvalidInput as error:
            return [Violation(_field(one.field, len(rule.dimensions)), one.description) for one in error.violations]
        metric = self._model.metrics[rule.metric]
        if rule.evidence is Evidence.INTERVAL and (metric.base or metric).interval is None:
            return [Violation("alert_rule.evidence", f"{rule.metric} has no interval; take EVIDENCE_VALUE")]
        return []

    def feed(self, metric: str) -> str:
        return "data-version"

    async def key(self, feed: str) -> str | None:
        stamp = await self._reader.stamp(None)
        return _key(stamp)

    async def read(self, rule: MetricRule) -> Evaluation:
        question, time = self._question(rule)
        rows: list[AnswerRow] = []
        token = ""
        while True:
            page = await self._answer(QueryParams(question, Page(_PAGE, token)), _SERVER)
            rows += page.rows
            if page.total_size > MOST_VALUES:
                text = f"watches {page.total_size:,} values, of at most {MOST_VALUES:,}; filter, or drop a dimension"
                raise TooManyValues([Violation("alert_rule.dimensions", text)])
            token = page.next_page_token
            if not token:
                break
            # Others are served meanwhile: intervals take their time.
            await asyncio.sleep(0)
        metric = self._model.metrics[rule.metric]
        series = _series(rule, metric, time, self._model.dimensions[time].type, rows, page.stamp.watermark)
        return Evaluation(_key(page.stamp), page.stamp, metric.label, metric.unit, page.exposure_unit, tuple(series))

    def _question(self, rule: MetricRule) -> tuple[Question, str]:
        """The question that gives the series, and what it runs along. Raises InvalidInput."""
        times = [d for d in self._model.dimensions.values() if d.is_time]
        names = [d.name for d in sorted(times, key=lambda d: TIME_GRAINS.index(d.type))]
        if rule.time_dimension:
            if rule.time_dimension not in names:
                text = f"{rule.time_dimension!r} is not one of {', '.join(names)}"
                raise InvalidQuery([Violation("time_dimension", text)])
            names = [rule.time_dimension]
        refused: InvalidInput | None = None
        for name in names:
            question = Question((rule.metric,), (*rule.dimensions, name), rule.filters)
            try:
                plan_query(self._model, question)
                return question, name
            except InvalidInput as error:
                refused = error
        assert refused is not None, "a model has a time dimension"
        raise refused


def _series(
    rule: MetricRule,
    metric: Metric,
    time: str,
    grain: DimensionType,
    rows: Sequence[AnswerRow],
    watermark: datetime,
) -> list[Series]:
    sums = (metric.base or metric).kind is MetricKind.SIMPLE
    groups: dict[tuple[str, ...], dict[date, MetricValue]] = {}
    for row in rows:
        start = date.fromisoformat(row.dimensions[time])
        if sums and _at(_next(start, grain)) > watermark:
            continue
        group = tuple(row.dimensions[name] for name in rule.dimensions)
        groups.setdefault(group, {})[start] = row.metrics[metric.name]
    last = max((start for values in groups.values() for start in values), default=None)
    found = []
    for group, values in groups.items():
        if metric.kind is MetricKind.SIMPLE and last is not None:
            values = _filled(values, last, grain)
        points = tuple(Point(_moment(rule, at, value), value) for at, value in sorted(values.items()))
        found.append(Series(dict(zip(rule.dimensions, group, strict=True)), points))
    return found


def _moment(rule: MetricRule, start: date, value: MetricValue) -> Moment:
    known = float("nan") if value.value is None else value.value
    evidence = None
    if rule.evidence is Evidence.INTERVAL:
        evidence = bound(value, rule.condition.comparison)
    return Moment(_at(start), known, value.exposure, evidence)


def bound(value: MetricValue, comparison: Comparison) -> float:
    """The end of the interval nearer to normal; NaN where there is none."""
    if value.interval is None:
        return float("nan")
    if comparison is Comparison.ABOVE:
        return value.interval.lower
    return float("nan") if value.interval.upper is None else value.interval.upper


def _filled(values: Mapping[date, MetricValue], last: date, grain: DimensionType) -> dict[date, MetricValue]:
    """With nothing in the periods between that have no rows."""
    filled = {}
    at = min(values)
    while at <= last:
        filled[at] = values.get(at) or MetricValue(0.0, None, None, None, 0.0, None)
        at = _next(at, grain)
    return filled


def _next(start: date, grain: DimensionType) -> date:
    """The first day of the period after the one that starts at ``start``."""
    if grain is DimensionType.DAY:
        return start + timedelta(days=1)
    year, month = divmod(start.year * 12 + start.month - 1 + MONTHS_IN[grain], 12)
    return date(year, month + 1, 1)


def _at(start: date) -> datetime:
    return datetime(start.year, start.month, start.day, tzinfo=UTC)


def _key(stamp: DataStamp) -> str:
    return f"data-version/{stamp.data_version}"


def _field(field: str, dimensions: int) -> str:
    """What the question calls it, in words of the rule."""
    if field == "metrics" or field.startswith("metrics["):
        return "alert_rule.metric"
    if field == f"dimensions[{dimensions}]":
        return "alert_rule.time_dimension"
    return f"alert_rule.{field}"
