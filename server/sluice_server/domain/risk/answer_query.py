"""The use case AnswerQuery: a question in words of the semantic model, answered with exposure and intervals."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from sluice_server.domain.context import CallContext
from sluice_server.domain.errors import Violation
from sluice_server.domain.money import Money
from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.intervals import (
    Interval,
    binomial_share,
    compound_poisson,
    gamma_mean,
    poisson_rate,
)
from sluice_server.domain.risk.paging import Page, PageTokens
from sluice_server.domain.risk.planner import QueryPlan, plan_query
from sluice_server.domain.risk.ports import Number, RiskReader, TableAnswer, TableQuery, TableRow, Value
from sluice_server.domain.risk.question import Question
from sluice_server.domain.risk.semantic_model import (
    Dimension,
    DimensionType,
    IntervalMethod,
    Metric,
    SemanticModel,
)
from sluice_server.domain.risk.variation import AmountVariation
from sluice_server.domain.risk.version_cache import VersionCache


@dataclass(frozen=True, slots=True)
class QueryParams:
    """A question and the page wanted. ``data_version`` None means the active one."""

    question: Question
    page: Page
    data_version: int | None = None
    interval_level: float = 0.95
    violations: tuple[Violation, ...] = ()
    """What is wrong with the request as it was sent; told together with what is wrong in words of the model."""


@dataclass(frozen=True, slots=True)
class MetricValue:
    """A value with what it rests on. ``value`` is None where there is none, such as a ratio over nothing."""

    value: float | None
    amount: Money | None
    numerator: float | None
    denominator: float | None
    exposure: float
    interval: Interval | None


@dataclass(frozen=True, slots=True)
class AnswerRow:
    """One row: dimension values as text (a period as its first day), metrics by name."""

    dimensions: Mapping[str, str]
    metrics: Mapping[str, MetricValue]


@dataclass(frozen=True, slots=True)
class QueryAnswer:
    """The answer to a question, all of it from one data version."""

    dimensions: tuple[Dimension, ...]
    metrics: tuple[Metric, ...]
    exposure_unit: str
    rows: tuple[AnswerRow, ...]
    totals: AnswerRow | None
    total_size: int
    next_page_token: str
    stamp: DataStamp
    notes: tuple[str, ...]


class AnswerQuery:
    """Plans, reads (or takes what is cached for the data version), and computes ratios and intervals."""

    def __init__(self, model: SemanticModel, reader: RiskReader, variation: AmountVariation) -> None:
        self._model = model
        self._reader = reader
        self._variation = variation
        self._tokens = PageTokens("query")
        self._cache: VersionCache[TableAnswer] = VersionCache(512)

    async def __call__(self, params: QueryParams, context: CallContext) -> QueryAnswer:
        """Raises InvalidInput, InvalidQuery, InvalidPageToken, DataVersionNotFound, Unavailable."""
        plan = plan_query(self._model, params.question, params.violations)
        subject = (params.question, params.data_version, params.interval_level)
        position = self._tokens.read(params.page.token, subject, {"version": int, "offset": int})
        offset = position.get("offset", 0)
        size, top = params.page.size, params.question.top
        limit = size if top == 0 else max(0, min(size, top - offset))
        query = replace(plan.query, offset=offset, limit=limit, count=True)
        found = await self._read(query, position.get("version", params.data_version))
        total = min(found.total_rows, top) if top else found.total_rows
        end = offset + len(found.rows)
        token = ""
        if found.rows and end < total:
            token = self._tokens.write(subject, version=found.stamp.data_version, offset=end)
        return await self._answer(plan, found, params.interval_level, total, token)

    async def watch(self, params: QueryParams, context: CallContext) -> AsyncGenerator[QueryAnswer, None]:
        """Answers at once, and again whenever another data version is active. Raises as a call does."""
        known: int | None = None
        while True:
            await self._reader.changed(known)
            answer = await self(params, context)
            if answer.stamp.data_version != known:
                known = answer.stamp.data_version
                yield answer

    async def _read(self, query: TableQuery, data_version: int | None) -> TableAnswer:
        stamp = await self._reader.stamp(data_version)
        kept = self._cache.peek(stamp.data_version, query)
        if kept is not None:
            return kept
        # Another version may have become active meanwhile: what is kept belongs to the version that was read.
        found = await self._reader.select(query, data_version)
        self._cache.keep(found.stamp.data_version, query, found)
        return found

    async def _answer(
        self, plan: QueryPlan, found: TableAnswer, level: float, total_size: int, token: str
    ) -> QueryAnswer:
        currency = found.stamp.currency or self._model.currency_code
        variation: dict[str, float] = {}
        for metric in plan.metrics:
            if metric.interval is not None and metric.interval.amount is not None:
                variation[metric.name] = await self._variation.of(plan.table, metric.interval, found.stamp.data_version)
        names = [item.name for item in plan.query.sums]

        def values(sums: Sequence[Number], metrics: Sequence[Metric]) -> dict[str, MetricValue]:
            by_name = dict(zip(names, sums, strict=True))
            exposure = float(by_name[plan.table.exposure])
            return {
                m.name: metric_value(m, by_name, exposure, variation.get(m.name, 0.0), level, currency) for m in metrics
            }

        totals = None
        if found.totals is not None:
            totals = AnswerRow({}, values(found.totals, [m for m in plan.metrics if m.name in plan.summable]))
        return QueryAnswer(
            dimensions=plan.dimensions,
            metrics=plan.metrics,
            exposure_unit=self._model.metrics[plan.table.exposure].unit,
            rows=tuple(AnswerRow(_named(plan.dimensions, row), values(row.sums, plan.metrics)) for row in found.rows),
            totals=totals,
            total_size=total_size,
            next_page_token=token,
            stamp=found.stamp,
            notes=_notes(plan, found),
        )


def metric_value(
    metric: Metric,
    sums: Mapping[str, Number],
    exposure: float,
    squared_variation: float,
    level: float,
    currency_code: str,
) -> MetricValue:
    """The metric over sums of measures (by name), with its interval."""
    if metric.numerator is None or metric.denominator is None:
        value = sums[metric.name]
        amount = Money(int(value), currency_code) if metric.unit == "minor" else None
        return MetricValue(float(value), amount, None, None, exposure, None)
    numerator, denominator = sums[metric.numerator], sums[metric.denominator]
    ratio = numerator / denominator if denominator else None
    interval = None if ratio is None else _interval(metric, sums, ratio, squared_variation, level)
    return MetricValue(ratio, None, float(numerator), float(denominator), exposure, interval)


def _interval(
    metric: Metric, sums: Mapping[str, Number], ratio: float, squared_variation: float, level: float
) -> Interval | None:
    rule = metric.interval
    if rule is None or metric.numerator is None or metric.denominator is None:
        return None
    numerator, denominator = sums[metric.numerator], sums[metric.denominator]
    count = int(sums[rule.count]) if rule.count is not None else 0
    match rule.method:
        case IntervalMethod.EXACT_POISSON:
            return poisson_rate(numerator, denominator, level)
        case IntervalMethod.EXACT_BINOMIAL:
            return binomial_share(int(numerator), int(denominator), level)
        case IntervalMethod.COMPOUND_POISSON:
            return compound_poisson(numerator, denominator, count, squared_variation, level)
        case IntervalMethod.GAMMA_MEAN:
            return gamma_mean(ratio, count, squared_variation, level)
        case IntervalMethod.GAMMA_POSTERIOR | IntervalMethod.BOOTSTRAP | IntervalMethod.WALD_LOG:
            return None  # Needs the whole portfolio: ratings have it, single rows do not.


def _named(dimensions: Sequence[Dimension], row: TableRow) -> dict[str, str]:
    return {d.name: _text(value) for d, value in zip(dimensions, row.values, strict=True)}


def _text(value: Value) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else value


def _notes(plan: QueryPlan, found: TableAnswer) -> tuple[str, ...]:
    """Warns of periods that the watermark cuts short."""
    cut = found.stamp.watermark.date()
    starts = {
        DimensionType.MONTH: cut.replace(day=1),
        DimensionType.QUARTER: cut.replace(month=(cut.month - 1) // 3 * 3 + 1, day=1),
        DimensionType.YEAR: cut.replace(month=1, day=1),
    }
    notes = []
    for i, dimension in enumerate(plan.dimensions):
        start = starts.get(dimension.type)
        if start is not None and any(row.values[i] == start for row in found.rows):
            notes.append(f"the {dimension.name} from {start} is not complete: data up to {found.stamp.watermark:%F}")
    return tuple(notes)
