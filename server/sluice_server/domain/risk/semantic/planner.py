"""From a question in words of the semantic model to sums over the one result table that can answer it.

A query is answered from one table only. What would need two is refused with the reason: either no table has the
combination, or joining would count the rows of one fact once for each row of the other (fan-out).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import TypeVar

from sluice_server.domain.errors import InvalidInput, InvalidQuery, Violation
from sluice_server.domain.risk.ports import Condition, Figure, FigureCondition, GroupColumn, Order, Sum, TableQuery
from sluice_server.domain.risk.semantic.over_time import MAX_CELLS, unfit
from sluice_server.domain.risk.semantic.question import Question, TypedFilter, typed_filter
from sluice_server.domain.risk.semantic.semantic_model import (
    TIME_GRAINS,
    Dimension,
    DimensionType,
    Metric,
    ResultTable,
    SemanticModel,
)

_FLOAT_UNITS = frozenset({"years"})
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class QueryPlan:
    """How a question is answered. ``query`` is without offset and limit."""

    table: ResultTable
    metrics: tuple[Metric, ...]
    dimensions: tuple[Dimension, ...]
    query: TableQuery
    summable: frozenset[str]
    """The metrics that have a value in the totals row."""
    along: Along | None = None
    """Set when a metric runs along time. ``query`` is then the plain query of the same filters, for totals alone."""


@dataclass(frozen=True, slots=True)
class Along:
    """How a question with metrics that run along time is answered: ``query`` reads all its periods, unsorted by
    figures, and the rest is done to what was read."""

    query: TableQuery
    time_at: int
    """Position of the time among the dimensions."""
    passes: tuple[tuple[Dimension, TypedFilter], ...]
    """Filters on time, which leave out periods only after all of them were added up."""


def plan_query(model: SemanticModel, question: Question, violations: Sequence[Violation] = ()) -> QueryPlan:
    """Chooses the table and the sums. Raises InvalidQuery with every violation, those already known included.

    Raises InvalidInput where nothing but what is already known is wrong.
    """
    wrong: list[Violation] = []
    metrics = _lookup_all(model.metrics, question.metrics, "metrics[{}]", "metric", wrong)
    dimensions = _lookup_all(model.dimensions, question.dimensions, "dimensions[{}]", "dimension", wrong)
    names = [item.dimension for item in question.filters]
    filtered = _lookup_all(model.dimensions, names, "filters[{}].dimension", "dimension", wrong)
    if not question.metrics:
        wrong.append(Violation("metrics", "at least one is required; DescribeModel lists them"))
    _check_references(question, wrong)
    bounds = [
        typed_filter(dimension, given, f"filters[{i}]", wrong)
        for i, given in enumerate(question.filters)
        if (dimension := model.dimensions.get(given.dimension)) is not None
    ]
    if wrong:
        raise InvalidQuery(_distinct([*violations, *wrong]))
    if violations:
        raise InvalidInput(violations)

    table = _choose_table(model, metrics, dimensions, filtered)
    groups = tuple(_group_column(table, dimension) for dimension in dimensions)
    conditions = tuple(
        Condition(_group_column(table, dimension), bound.any_of, bound.none_of, bound.at_least, bound.below)
        for dimension, bound in zip(filtered, bounds, strict=True)
    )
    measures = dict.fromkeys([*(name for metric in metrics for name in metric.measures), table.exposure])
    query = TableQuery(
        table=table.name,
        group_by=groups,
        sums=tuple(sum_of(model, table, name) for name in measures),
        conditions=conditions,
        having=tuple(
            FigureCondition(figure_of(model.metrics[item.metric]), item.at_least, item.below)
            for item in question.having
        ),
        order_by=_orders(model, question.order_by, groups),
        totals=question.totals,
    )
    along = None
    if any(metric.base is not None for metric in metrics):
        along = _along(metrics, dimensions, list(zip(filtered, bounds, strict=True)), query)
        plain = tuple(Order(column) for column in groups)
        query = replace(query, having=(), order_by=plain)
    summable = _check_periods(metrics, dimensions, list(zip(filtered, bounds, strict=True)))
    summable -= {metric.name for metric in metrics if metric.base is not None}
    return QueryPlan(table, tuple(metrics), tuple(dimensions), query, summable, along)


def _along(
    metrics: Sequence[Metric],
    dimensions: Sequence[Dimension],
    filters: Sequence[tuple[Dimension, TypedFilter]],
    query: TableQuery,
) -> Along:
    """Raises InvalidQuery where the metrics cannot run along the time of the question."""
    running = _and(metric.name for metric in metrics if metric.base is not None)
    times = [i for i, dimension in enumerate(dimensions) if dimension.is_time]
    if len(times) != 1:
        grains = ", ".join(TIME_GRAINS)
        found = _and(dimensions[i].name for i in times) or "none"
        raise InvalidQuery(
            [Violation("dimensions", f"{running} need exactly one of {grains} to run along, not {found}")]
        )
    grain = dimensions[times[0]].type
    wrong = [Violation("metrics", text) for metric in metrics if (text := unfit(metric, grain)) is not None]
    wrong += [
        Violation("filters", f"{running} run along {grain}s: a filter on {dimension.name} is too fine; use {grain}")
        for dimension, _ in filters
        if dimension.is_time and not _fine(grain, dimension.type)
    ]
    if wrong:
        raise InvalidQuery(wrong)
    read = replace(
        query,
        conditions=tuple(condition for condition in query.conditions if condition.column.grain is None),
        having=(),
        order_by=tuple(Order(column) for column in query.group_by),
        limit=MAX_CELLS + 1,
        totals=False,
    )
    return Along(read, times[0], tuple((d, bound) for d, bound in filters if d.is_time))


def figure_of(metric: Metric) -> Figure:
    """The metric over sums of measures. One that runs along time has none: it stands for its base."""
    metric = metric.base or metric
    if metric.numerator is None:
        return Figure(metric.name, metric.name)
    return Figure(metric.name, metric.numerator, metric.denominator)


def sum_of(model: SemanticModel, table: ResultTable, measure: str) -> Sum:
    """The sum of one measure of the table."""
    return Sum(measure, table.measures[measure], model.metrics[measure].unit not in _FLOAT_UNITS)


def _lookup_all(known: Mapping[str, T], names: Sequence[str], field: str, what: str, wrong: list[Violation]) -> list[T]:
    found = []
    for i, name in enumerate(names):
        if name in known:
            found.append(known[name])
            continue
        near = get_close_matches(name, known, 1)
        hint = f"did you mean {near[0]!r}?" if near else "DescribeModel lists them"
        wrong.append(Violation(field.format(i), f"no {what} is named {name!r}; {hint}"))
    return found


def _distinct(violations: Sequence[Violation]) -> list[Violation]:
    """The first one for each field: an empty name, for example, is also an unknown one."""
    return list({violation.field: violation for violation in reversed(violations)}.values())[::-1]


def _check_references(question: Question, wrong: list[Violation]) -> None:
    """Nothing twice, and nothing sorted by or held against that is not asked for."""
    for field, names in (("metrics", question.metrics), ("dimensions", question.dimensions)):
        for i, name in enumerate(names):
            if name in names[:i]:
                wrong.append(Violation(f"{field}[{i}]", f"{name!r} is asked for twice"))
    seen: set[str] = set()
    for i, key in enumerate(question.order_by):
        name = key.removeprefix("-")
        if name not in question.metrics and name not in question.dimensions:
            wrong.append(Violation(f"order_by[{i}]", f"{name!r} is not among the metrics and dimensions asked for"))
        elif name in seen:
            wrong.append(Violation(f"order_by[{i}]", f"{name!r} is sorted by twice"))
        seen.add(name)
    for i, item in enumerate(question.having):
        if item.metric not in question.metrics:
            wrong.append(Violation(f"having[{i}].metric", f"{item.metric!r} is not among the metrics asked for"))
        if item.at_least is None and item.below is None:
            wrong.append(Violation(f"having[{i}]", "restricts nothing; give at_least or below"))


def _choose_table(
    model: SemanticModel, metrics: Sequence[Metric], dimensions: Sequence[Dimension], filtered: Sequence[Dimension]
) -> ResultTable:
    wanted = list(dict.fromkeys([dimension.name for dimension in (*dimensions, *filtered)]))
    by = [model.dimensions[name] for name in wanted]
    for table in model.tables.values():
        if all(table.serves_metric(m) for m in metrics) and all(table.serves_dimension(d) for d in by):
            return table
    raise InvalidQuery(_refusals(model, metrics, by, {d.name for d in dimensions}))


def _refusals(
    model: SemanticModel, metrics: Sequence[Metric], by: Sequence[Dimension], grouped: set[str]
) -> list[Violation]:
    """Why no table answers, told by the smallest combination that none answers."""
    together = [table for table in model.tables.values() if all(table.serves_metric(m) for m in metrics)]
    if not together:
        return [Violation("metrics", _apart(model, metrics))]
    wrong = []
    for dimension in by:
        if not any(table.serves_dimension(dimension) for table in together):
            field = "dimensions" if dimension.name in grouped else "filters"
            wrong.append(Violation(field, _not_by(model, metrics, dimension, together)))
    if wrong:
        return wrong
    served = dict.fromkeys(", ".join(d.name for d in by if table.serves_dimension(d)) for table in together)
    fact = model.facts[together[0].fact]
    text = (
        f"no result table has {_and(m.name for m in metrics)} by {_and(d.name for d in by)} at once; joining tables "
        f"that are summed up already would count {fact.counts.en} more than once; possible at once: "
        f"{' or '.join(filter(None, served))}"
    )
    return [Violation("dimensions", text)]


def _apart(model: SemanticModel, metrics: Sequence[Metric]) -> str:
    facts: dict[str, list[str]] = {}
    for metric in metrics:
        for name in dict.fromkeys(table.fact for table in model.tables_with_metric(metric)):
            facts.setdefault(name, []).append(metric.name)
    if len(facts) > 1:
        parts = "; ".join(f"{_and(names)} from {model.facts[fact].counts.en}" for fact, names in facts.items())
        why = " and ".join(model.facts[fact].fan_out.en for fact in facts)
        return f"cannot be asked together: {parts}. Joining them would count rows more than once, as {why}. Ask twice"
    return f"no result table has all of {_and(m.name for m in metrics)}; ask for them in separate queries"


def _not_by(
    model: SemanticModel, metrics: Sequence[Metric], dimension: Dimension, together: Sequence[ResultTable]
) -> str:
    names = _and(metric.name for metric in metrics)
    fact = model.facts[together[0].fact]
    others = [table for table in model.tables_with_dimension(dimension) if table.fact != fact.name]
    same_fact = [table for table in model.tables_with_dimension(dimension) if table.fact == fact.name]
    possible = ", ".join(
        d.name for d in model.dimensions.values() if any(table.serves_dimension(d) for table in together)
    )
    if dimension.is_time:
        return f"{names}: kept by {together[0].time_grain}, not by {dimension.name}; possible: {possible}"
    if others and not same_fact:
        other = model.facts[others[0].fact]
        instead = ", ".join(m.name for m in model.metrics_of(dimension))
        return (
            f"{names} cannot be asked by {dimension.name}: one is kept for {fact.counts.en}, the other for "
            f"{other.counts.en}, and {fact.fan_out.en}, so that joining them would count rows more than once. "
            f"By {dimension.name} one can ask: {instead}"
        )
    return f"no result table has {names} by {dimension.name}; possible: {possible}"


def _group_column(table: ResultTable, dimension: Dimension) -> GroupColumn:
    if dimension.is_time:
        return GroupColumn(dimension.name, table.time_column, dimension.type)
    return GroupColumn(dimension.name, table.keys[dimension.name])


def _orders(model: SemanticModel, order_by: Sequence[str], groups: Sequence[GroupColumn]) -> tuple[Order, ...]:
    """The keys asked for, then every group column not among them."""
    columns = {column.dimension: column for column in groups}
    orders = []
    for key in order_by:
        name = key.removeprefix("-")
        by = columns.pop(name) if name in columns else figure_of(model.metrics[name])
        orders.append(Order(by, key.startswith("-")))
    return (*orders, *(Order(column) for column in columns.values()))


def _check_periods(
    metrics: Sequence[Metric], dimensions: Sequence[Dimension], filters: Sequence[tuple[Dimension, TypedFilter]]
) -> frozenset[str]:
    """Refuses metrics whose parts would be added over periods; returns those that the totals may add up."""
    wrong, summable = [], set()
    for metric in metrics:
        grain = metric.same_period
        pinned = any(_fine(d.type, grain) and len(f.any_of) == 1 for d, f in filters)
        if grain is None or pinned:
            summable.add(metric.name)
        elif not any(_fine(d.type, grain) for d in dimensions):
            instead = f", or ask for {metric.use_instead}" if metric.use_instead else ""
            text = (
                f"{metric.name} are counted again in every {grain}, so that they cannot be added up over several; "
                f"add the dimension {grain}, filter on one {grain}{instead}"
            )
            wrong.append(Violation("metrics", text))
    if wrong:
        raise InvalidQuery(wrong)
    return frozenset(summable)


def _fine(kind: DimensionType, grain: DimensionType | None) -> bool:
    """True when one value of ``kind`` lies within one period of ``grain``."""
    if grain is None or kind not in TIME_GRAINS:
        return False
    return TIME_GRAINS.index(kind) <= TIME_GRAINS.index(grain)


def _and(names: Iterable[str]) -> str:
    return " and ".join(names)
