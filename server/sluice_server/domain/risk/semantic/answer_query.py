"""The use case AnswerQuery: a question in words of the semantic model, answered with exposure and intervals."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

from sluice_server.domain.context import CallContext
from sluice_server.domain.errors import InvalidQuery, Violation
from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.paging import Page, PageTokens
from sluice_server.domain.risk.ports import Number, RiskReader, Value
from sluice_server.domain.risk.semantic.metric_values import MetricValue, change_value, metric_value
from sluice_server.domain.risk.semantic.over_time import MAX_CELLS, Periods, by_group, earlier, passes_time, running
from sluice_server.domain.risk.semantic.planner import Along, QueryPlan, plan_query
from sluice_server.domain.risk.semantic.question import Question, as_of
from sluice_server.domain.risk.semantic.semantic_model import (
    Dimension,
    DimensionType,
    Metric,
    MetricKind,
    SemanticModel,
)
from sluice_server.domain.risk.variation import AmountVariation
from sluice_server.domain.risk.version_cache import VersionCache

CACHE_BYTES = 64 * 2**20
_BYTES_A_ROW, _BYTES_A_VALUE = 450, 300
"""Measured with tracemalloc on answers of 1,000 rows with one to three metrics, rounded up."""


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
    exposure: float | None = None
    """What all of it rests on, in ``exposure_unit``, where totals were asked for."""


Values = Callable[[Sequence[Number], Sequence[Metric]], dict[str, MetricValue]]


class AnswerQuery:
    """Plans, reads, computes ratios, what runs along time, and intervals. Answers are kept by data version."""

    def __init__(self, model: SemanticModel, reader: RiskReader, variation: AmountVariation) -> None:
        self._model = model
        self._reader = reader
        self._variation = variation
        self._tokens = PageTokens("query")
        self._cache: VersionCache[QueryAnswer] = VersionCache(CACHE_BYTES, _weight)

    async def __call__(self, params: QueryParams, context: CallContext) -> QueryAnswer:
        """Raises InvalidInput, InvalidQuery, InvalidPageToken, DataVersionNotFound, Unavailable."""
        plan_query(self._model, params.question, params.violations)
        subject = (params.question, params.data_version, params.interval_level)
        position = self._tokens.read(params.page.token, subject, {"version": int, "offset": int})
        offset = position.get("offset", 0)
        size, top = params.page.size, params.question.top
        limit = size if top == 0 else max(0, min(size, top - offset))
        stamp = await self._reader.stamp(position.get("version", params.data_version))
        version = stamp.data_version
        plan = plan_query(self._model, as_of(self._model, params.question, stamp.watermark))
        key = (params.question, params.interval_level, offset, limit)
        found = await self._cache.get(
            version, key, lambda: self._compute(plan, params, offset=offset, limit=limit, version=version)
        )
        end = offset + len(found.rows)
        if found.rows and end < found.total_size:
            return replace(found, next_page_token=self._tokens.write(subject, version=version, offset=end))
        return found

    async def watch(self, params: QueryParams, context: CallContext) -> AsyncGenerator[QueryAnswer, None]:
        """Answers at once, and again whenever another data version is active. Raises as a call does."""
        known: int | None = None
        while True:
            await self._reader.changed(known)
            answer = await self(params, context)
            if answer.stamp.data_version != known:
                known = answer.stamp.data_version
                yield answer

    async def _compute(
        self, plan: QueryPlan, params: QueryParams, *, offset: int, limit: int, version: int
    ) -> QueryAnswer:
        """A page of the answer, without its token."""
        level, top = params.interval_level, params.question.top
        if plan.along is None:
            query = replace(plan.query, offset=offset, limit=limit, count=True)
            found = await self._reader.select(query, version)
            values = await self._values(plan, level, found.stamp)
            rows = [
                AnswerRow(_named(plan.dimensions, row.values), values(row.sums, plan.metrics)) for row in found.rows
            ]
            size = found.total_rows
        else:
            values = await self._values(plan, level, await self._reader.stamp(version))
            every = await self._along(plan, plan.along, params.question, values, version)
            rows, size = every[offset : offset + limit], len(every)
            found = await self._reader.select(replace(plan.query, limit=0), version)
        totals = exposure = None
        if found.totals is not None:
            totals = AnswerRow({}, values(found.totals, [m for m in plan.metrics if m.name in plan.summable]))
            names = [item.name for item in plan.query.sums]
            exposure = float(found.totals[names.index(plan.table.exposure)])
        return QueryAnswer(
            dimensions=plan.dimensions,
            metrics=plan.metrics,
            exposure_unit=self._model.metrics[plan.table.exposure].unit,
            rows=tuple(rows),
            totals=totals,
            total_size=min(size, top) if top else size,
            next_page_token="",
            stamp=found.stamp,
            notes=_notes(plan, rows, found.stamp),
            exposure=exposure,
        )

    async def _values(self, plan: QueryPlan, level: float, stamp: DataStamp) -> Values:
        """What turns sums of the plan's measures into values of metrics that do not run along time."""
        currency = stamp.currency or self._model.currency_code
        variation: dict[str, float] = {}
        for metric in plan.metrics:
            rule = metric.interval_rule
            if rule is not None and rule.amount is not None:
                plain = metric.base or metric
                variation[plain.name] = await self._variation.of(plan.table, rule, stamp.data_version)
        names = [item.name for item in plan.query.sums]

        def values(sums: Sequence[Number], metrics: Sequence[Metric]) -> dict[str, MetricValue]:
            by_name = dict(zip(names, sums, strict=True))
            exposure = float(by_name[plan.table.exposure])
            return {
                m.name: metric_value(m, by_name, exposure, variation.get(m.name, 0.0), level, currency) for m in metrics
            }

        return values

    async def _along(
        self, plan: QueryPlan, along: Along, question: Question, values: Values, version: int
    ) -> list[AnswerRow]:
        """Every row of a question that runs along time, in its order. Raises InvalidQuery where there are too many."""
        found = await self._reader.select(along.query, version)
        if len(found.rows) > MAX_CELLS:
            text = f"more than {MAX_CELLS:,} groups and periods to run along; filter, or ask by fewer dimensions"
            raise InvalidQuery([Violation("dimensions", text)])
        passes = [passes_time(dimension, bound) for dimension, bound in along.passes]
        rows: list[AnswerRow] = []
        for group, periods in by_group(found.rows, along.time_at).items():
            columns = [_column(metric, plan.dimensions[along.time_at].type, periods, values) for metric in plan.metrics]
            for i, start in enumerate(periods.starts):
                if not all(passed(start) for passed in passes):
                    continue
                named = _named(plan.dimensions, (*group[: along.time_at], start, *group[along.time_at :]))
                metrics = {m.name: column[i] for m, column in zip(plan.metrics, columns, strict=True)}
                rows.append(AnswerRow(named, metrics))
        rows = [row for row in rows if _kept(row, question)]
        for key in (*question.order_by, *question.dimensions)[::-1]:
            rows = _sorted(rows, key.removeprefix("-"), descending=key.startswith("-"))
        return rows[: question.top] if question.top else rows


def _column(metric: Metric, grain: DimensionType, periods: Periods, values: Values) -> list[MetricValue]:
    """The metric's value in each period of one group."""
    base, over = metric.base, metric.over_time
    plain = [values(sums, [base or metric])[(base or metric).name] for sums in periods.sums]
    if base is None or over is None:
        return plain
    if metric.kind is MetricKind.CUMULATIVE:
        nothing = MetricValue(None, None, None, None, 0.0, None)
        sums_of_windows = running(metric, grain, periods)
        return [nothing if sums is None else values(sums, [base])[base.name] for sums in sums_of_windows]
    before = [None if sums is None else values(sums, [base])[base.name] for sums in earlier(metric, periods)]
    return [
        change_value(over.change, now, then, of_money=metric.unit == "minor")
        for now, then in zip(plain, before, strict=True)
    ]


def _kept(row: AnswerRow, question: Question) -> bool:
    for item in question.having:
        value = row.metrics[item.metric].value
        if value is None:
            return False
        if (item.at_least is not None and value < item.at_least) or (item.below is not None and value >= item.below):
            return False
    return True


def _sorted(rows: list[AnswerRow], name: str, *, descending: bool) -> list[AnswerRow]:
    """By a metric or a dimension, stable; rows without a value last."""

    def value(row: AnswerRow) -> float | str | None:
        return row.metrics[name].value if name in row.metrics else row.dimensions[name]

    with_value = [(found, row) for row in rows if (found := value(row)) is not None]
    with_value.sort(key=lambda pair: pair[0], reverse=descending)
    return [row for _, row in with_value] + [row for row in rows if value(row) is None]


def _weight(answer: QueryAnswer) -> int:
    """Bytes that an answer takes, roughly."""
    return (len(answer.rows) + 2) * (_BYTES_A_ROW + _BYTES_A_VALUE * len(answer.metrics))


def _named(dimensions: Sequence[Dimension], values: Sequence[Value]) -> dict[str, str]:
    return {d.name: _text(value) for d, value in zip(dimensions, values, strict=True)}


def _text(value: Value) -> str:
    if value is None:
        return ""
    return value.isoformat() if isinstance(value, date) else value


def _notes(plan: QueryPlan, rows: Sequence[AnswerRow], stamp: DataStamp) -> tuple[str, ...]:
    """Warns of periods that the watermark cuts short."""
    cut = stamp.watermark.date()
    starts = {
        DimensionType.MONTH: cut.replace(day=1),
        DimensionType.QUARTER: cut.replace(month=(cut.month - 1) // 3 * 3 + 1, day=1),
        DimensionType.YEAR: cut.replace(month=1, day=1),
    }
    notes = []
    for dimension in plan.dimensions:
        start = starts.get(dimension.type)
        if start is not None and any(row.dimensions[dimension.name] == start.isoformat() for row in rows):
            notes.append(f"the {dimension.name} from {start} is not complete: data up to {stamp.watermark:%F}")
    return tuple(notes)
