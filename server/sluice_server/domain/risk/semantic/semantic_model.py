"""The semantic model: entities, dimensions, metrics, and the result tables that serve them. Immutable once loaded."""

from __future__ import annotations

from calendar import monthrange
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Label:
    """A name or a sentence for people, in the languages of the house."""

    zh: str
    en: str


class DimensionType(StrEnum):
    """What a dimension's values are. The times are ordered by `TIME_GRAINS`."""

    TEXT = "text"
    DAY = "day"
    MONTH = "month"
    QUARTER = "quarter"
    YEAR = "year"


TIME_GRAINS = (DimensionType.DAY, DimensionType.MONTH, DimensionType.QUARTER, DimensionType.YEAR)
"""From fine to coarse. A table of one grain also serves every coarser one."""
MONTHS_IN = {DimensionType.MONTH: 1, DimensionType.QUARTER: 3, DimensionType.YEAR: 12}
"""Length of a period in months."""


def start_of(grain: DimensionType, day: date) -> date:
    """The first day of the period of ``grain`` that ``day`` lies in."""
    if grain is DimensionType.DAY:
        return day
    months = MONTHS_IN[grain]
    return date(day.year, (day.month - 1) // months * months + 1, 1)


class MetricKind(StrEnum):
    """How a metric is computed."""

    SIMPLE = "simple"
    RATIO = "ratio"
    CUMULATIVE = "cumulative"
    PERIOD_OVER_PERIOD = "period_over_period"


class Direction(StrEnum):
    """Whether a greater value is good."""

    NEITHER = "neither"
    LOWER_IS_BETTER = "lower_is_better"
    HIGHER_IS_BETTER = "higher_is_better"


class IntervalMethod(StrEnum):
    """How an interval is computed; `domain.risk.intervals` has the formulas and their sources."""

    EXACT_POISSON = "exact_poisson"
    COMPOUND_POISSON = "compound_poisson"
    EXACT_BINOMIAL = "exact_binomial"
    GAMMA_MEAN = "gamma_mean"
    GAMMA_POSTERIOR = "gamma_posterior"
    BOOTSTRAP = "bootstrap"
    WALD_LOG = "wald_log"
    RECOVERED_VARIANCE = "recovered_variance"


@dataclass(frozen=True, slots=True)
class Fact:
    """What the rows of a table count. Figures of two facts are never joined."""

    name: str
    counts: Label
    fan_out: Label
    """Why joining it with another fact would count its rows more than once."""


MIX_LEVELS = ("product_code", "product_line", "category", "region", "tier")
"""Columns of the mix table that an entity's ratings can be adjusted for."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A thing that figures are about."""

    name: str
    label: Label
    description: Label
    rated: bool
    screened: bool
    mix: tuple[str, ...] = ()
    """Columns of the mix table that ratings are adjusted for."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """Something to group and filter by."""

    name: str
    label: Label
    description: Label
    entity: str | None
    type: DimensionType

    @property
    def is_time(self) -> bool:
        return self.type is not DimensionType.TEXT


@dataclass(frozen=True, slots=True)
class IntervalRule:
    """How a ratio's interval is computed, and from which metrics besides its own two."""

    method: IntervalMethod
    count: str | None = None
    """The metric that counts claims, for the methods of amounts."""
    amount: str | None = None
    """The metric that sums the claims' amounts; its variation is estimated from the table's cells."""
    expected: str | None = None
    """The metric that sums the expected amounts; without it every claim is expected to cost the mean."""


class Change(StrEnum):
    """What a period is told against an earlier one as."""

    RELATIVE = "relative"
    DIFFERENCE = "difference"


@dataclass(frozen=True, slots=True)
class Span:
    """A length of time: so many calendar days, months, quarters or years."""

    periods: int
    grain: DimensionType

    @property
    def months(self) -> int:
        """Its length in months; 0 for a span of days."""
        return self.periods * MONTHS_IN.get(self.grain, 0)

    def before(self, day: date) -> date:
        """The day that lies this much before ``day``; of a shorter month the last day."""
        if self.grain is DimensionType.DAY:
            return day - timedelta(days=self.periods)
        months = day.year * 12 + day.month - 1 - self.months
        year, month = divmod(months, 12)
        return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))

    def holds(self, grain: DimensionType) -> bool:
        """True when it is a whole number of periods of ``grain``."""
        if grain is DimensionType.DAY or self.grain is DimensionType.DAY:
            return grain is DimensionType.DAY
        return self.months % MONTHS_IN[grain] == 0


@dataclass(frozen=True, slots=True)
class OverTime:
    """How a metric is computed from another one's periods. Exactly one of ``window`` and ``shift`` and ``to_date`` may
    be set; a cumulative metric without any runs from the first period of the data."""

    window: Span | None = None
    """Cumulative over this much time, the period itself included."""
    to_date: DimensionType | None = None
    """Cumulative from the start of this period."""
    shift: Span | None = None
    """Against the period this much earlier."""
    change: Change = Change.RELATIVE


@dataclass(frozen=True, slots=True)
class Metric:
    """Something a query can return."""

    name: str
    label: Label
    description: Label
    kind: MetricKind
    unit: str
    """``years``, ``claims``, ``orders``, ``policies``, ``minor``, ``1/year``, ``ratio`` or ``share``."""
    numerator: str | None = None
    denominator: str | None = None
    interval: IntervalRule | None = None
    direction: Direction = Direction.NEITHER
    same_period: DimensionType | None = None
    """Set when the parts may only be added within one period of this grain, as the same thing is counted in each."""
    use_instead: str | None = None
    """The metric to ask for where this one cannot be added up."""
    base: Metric | None = None
    """Of a cumulative or a period over period metric: the simple or ratio metric that it is computed from."""
    over_time: OverTime | None = None
    """Set with ``base``."""

    @property
    def interval_rule(self) -> IntervalRule | None:
        """How the intervals of its values, or of those that it is computed from, are computed."""
        return self.interval if self.base is None else self.base.interval

    @property
    def additive(self) -> bool:
        """True when the parts may be added up over every dimension."""
        return self.kind is MetricKind.SIMPLE and self.same_period is None

    @property
    def measures(self) -> tuple[str, ...]:
        """The measures (simple metrics) that have to be summed for it and its interval."""
        if self.base is not None:
            return self.base.measures
        if self.kind is MetricKind.SIMPLE:
            return (self.name,)
        rule = self.interval
        extra = () if rule is None else (rule.count, rule.amount, rule.expected)
        return tuple(dict.fromkeys(name for name in (self.numerator, self.denominator, *extra) if name is not None))


@dataclass(frozen=True, slots=True)
class ResultTable:
    """A result table of the Flink jobs."""

    name: str
    fact: str
    time_column: str
    time_grain: DimensionType
    keys: Mapping[str, str]
    """Dimension to column."""
    measures: Mapping[str, str]
    """Simple metric to column."""
    exposure: str
    """The simple metric that says how much an answer rests on."""

    def serves_dimension(self, dimension: Dimension) -> bool:
        """True when its rows can be grouped and filtered by ``dimension``."""
        if dimension.is_time:
            return TIME_GRAINS.index(dimension.type) >= TIME_GRAINS.index(self.time_grain)
        return dimension.name in self.keys

    def serves_metric(self, metric: Metric) -> bool:
        """True when it has every measure that ``metric`` is made of."""
        return all(name in self.measures for name in metric.measures)


@dataclass(frozen=True)
class SemanticModel:
    """Everything that can be asked. Mappings keep the order of the file."""

    currency_code: str
    facts: Mapping[str, Fact]
    entities: Mapping[str, Entity]
    dimensions: Mapping[str, Dimension]
    metrics: Mapping[str, Metric]
    tables: Mapping[str, ResultTable]
    content_hash: str = field(default="")
    """Changes when a definition changes."""

    @property
    def rated(self) -> tuple[str, ...]:
        """The entities that ratings know."""
        return tuple(entity.name for entity in self.entities.values() if entity.rated)

    @property
    def screened(self) -> tuple[str, ...]:
        """The entities that are screened for abnormal ones."""
        return tuple(entity.name for entity in self.entities.values() if entity.screened)

    @property
    def scored(self) -> tuple[str, ...]:
        """The entities that have a risk score."""
        return tuple(entity.name for entity in self.entities.values() if entity.rated or entity.screened)

    def tables_with_metric(self, metric: Metric) -> tuple[ResultTable, ...]:
        """The tables that have every measure of ``metric``."""
        return tuple(table for table in self.tables.values() if table.serves_metric(metric))

    def tables_with_dimension(self, dimension: Dimension) -> tuple[ResultTable, ...]:
        """The tables that can be grouped by ``dimension``."""
        return tuple(table for table in self.tables.values() if table.serves_dimension(dimension))

    def dimensions_of(self, metric: Metric) -> tuple[Dimension, ...]:
        """What ``metric`` can be asked by, one dimension at a time."""
        tables = self.tables_with_metric(metric)
        return tuple(d for d in self.dimensions.values() if any(table.serves_dimension(d) for table in tables))

    def metrics_of(self, dimension: Dimension) -> tuple[Metric, ...]:
        """What can be asked by ``dimension``."""
        tables = self.tables_with_dimension(dimension)
        return tuple(m for m in self.metrics.values() if any(table.serves_metric(m) for table in tables))
