"""A question in words of the semantic model, and its values made typed."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sluice_server.domain.errors import Violation
from sluice_server.domain.risk.semantic.semantic_model import Dimension, DimensionType, SemanticModel, Span, start_of

_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)
_FORMS = {
    DimensionType.DAY: "a day such as 2026-03-01",
    DimensionType.MONTH: "a month such as 2026-03",
    DimensionType.QUARTER: "the first month of a quarter, such as 2026-04",
    DimensionType.YEAR: "a year such as 2026",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on a dimension, values as typed."""

    dimension: str
    any_of: tuple[str, ...] = ()
    none_of: tuple[str, ...] = ()
    at_least: str = ""
    below: str = ""
    last: int = 0
    """Of time: keep so many periods, up to the one that the watermark lies in; 0 does not restrict."""


@dataclass(frozen=True, slots=True)
class MetricFilter:
    """A condition on a metric of the grouped rows."""

    metric: str
    at_least: float | None = None
    below: float | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked, without paging. Hashable."""

    metrics: tuple[str, ...]
    dimensions: tuple[str, ...] = ()
    filters: tuple[Filter, ...] = ()
    having: tuple[MetricFilter, ...] = ()
    order_by: tuple[str, ...] = ()
    """Names of metrics or dimensions asked for; ``-`` before one sorts downwards."""
    top: int = 0
    """0 keeps all rows."""
    totals: bool = False


@dataclass(frozen=True, slots=True)
class TypedFilter:
    """The parts of a filter in the type of its dimension."""

    any_of: tuple[str | date, ...] = ()
    none_of: tuple[str | date, ...] = ()
    at_least: str | date | None = None
    below: str | date | None = None


def typed_filter(dimension: Dimension, given: Filter, field: str, wrong: list[Violation]) -> TypedFilter:
    """The filter's values in the dimension's type; what is wrong goes into ``wrong``."""
    if not (given.any_of or given.none_of or given.at_least or given.below or given.last):
        wrong.append(Violation(field, "restricts nothing; give any_of, none_of, at_least, below or last"))
    if given.last and not dimension.is_time:
        wrong.append(Violation(f"{field}.last", f"only time has last periods, and {dimension.name} is none"))
    if given.last and given.at_least:
        wrong.append(Violation(f"{field}.last", "says where to begin, and so does at_least: give one of them"))

    def value(text: str, part: str) -> str | date:
        if not dimension.is_time:
            return text
        found = _start_of_period(dimension.type, text)
        if found is None:
            wrong.append(Violation(f"{field}.{part}", f"{text!r} is not {_FORMS[dimension.type]}"))
            return date.min
        return found

    typed = TypedFilter(
        tuple(value(text, f"any_of[{i}]") for i, text in enumerate(given.any_of)),
        tuple(value(text, f"none_of[{i}]") for i, text in enumerate(given.none_of)),
        value(given.at_least, "at_least") if given.at_least else None,
        value(given.below, "below") if given.below else None,
    )
    # Both ends are of one type, as the dimension says; an end that was wrong has been reported already.
    if typed.at_least is not None and typed.below is not None and str(typed.at_least) >= str(typed.below):
        wrong.append(Violation(f"{field}.below", "must be greater than at_least, else nothing is left"))
    return typed


def as_of(model: SemanticModel, question: Question, watermark: datetime) -> Question:
    """The question with `Filter.last` turned into the period to begin with. The last period is the one that has the
    moment just before ``watermark``."""

    def begun(given: Filter) -> Filter:
        if not given.last:
            return given
        grain = model.dimensions[given.dimension].type
        newest = start_of(grain, (watermark - timedelta(microseconds=1)).date())
        if given.last > 1:
            newest = Span(given.last - 1, grain).before(newest)
        return replace(given, last=0, at_least=newest.isoformat())

    if not any(given.last for given in question.filters):
        return question
    return replace(question, filters=tuple(begun(given) for given in question.filters))


def _start_of_period(grain: DimensionType, text: str) -> date | None:
    """The first day of the period that ``text`` names, None when it names none of this grain."""
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    year, month, day = match.groups()
    if (grain is DimensionType.DAY and day is None) or (grain is not DimensionType.YEAR and month is None):
        return None
    try:
        found = date(int(year), int(month or 1), int(day or 1))
    except ValueError:
        return None
    starts = {
        DimensionType.DAY: True,
        DimensionType.MONTH: found.day == 1,
        DimensionType.QUARTER: found.day == 1 and found.month in (1, 4, 7, 10),
        DimensionType.YEAR: found.day == 1 and found.month == 1,
    }
    return found if starts[grain] else None
