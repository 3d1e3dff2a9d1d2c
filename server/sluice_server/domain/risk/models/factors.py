"""How a column becomes a factor of a model: levels, bands, or a number."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.models.columns import Codes, Column, Floats, NumberColumn, TextColumn

OTHER = "(other)"
"""The level of what is too rare, or was never seen."""
FEWEST_CLAIMS = 5
"""A level with fewer claims is joined to ``(other)``: its relativity would be noise, or 0."""
MOST_PLAIN_LEVELS = 12
"""A column of numbers with more different values than this is cut into bands."""
DEFAULT_BANDS = 8


class Treatment(StrEnum):
    """What is made of a column."""

    LEVELS = "levels"
    BANDS = "bands"
    NUMBER = "number"
    ORDINAL = "ordinal"
    """A number: the place of the level, in the order of the alphabet, from 1."""


class Direction(StrEnum):
    """How the frequency may move with a number, for the challenger."""

    FREE = "free"
    INCREASING = "increasing"
    DECREASING = "decreasing"


@dataclass(frozen=True, slots=True)
class FactorDefinition:
    """What is wanted of a column."""

    name: str
    treatment: Treatment | None = None
    """None: levels for text and for numbers of few values, else bands of equal exposure."""
    edges: tuple[float, ...] = ()
    """Upper ends of the bands, each within its band; the last band is open. Empty: bands of equal exposure."""
    least: float | None = None
    """Smaller numbers count as this one."""
    greatest: float | None = None
    """Greater numbers count as this one."""
    logarithm: bool = False
    """Take the natural logarithm of the number."""
    direction: Direction = Direction.FREE

    def limited(self, values: Floats) -> Floats:
        """The numbers within ``least`` and ``greatest``."""
        return np.clip(values, -math.inf if self.least is None else self.least, self.greatest)


def parse_factor(text: str) -> FactorDefinition:
    """Reads ``COLUMN[:option…]``, for example ``age:bands=20,30,50`` or ``density:log``.

    Options: ``levels``, ``bands``, ``bands=E1,E2,…``, ``number``, ``log``, ``ordinal``, ``min=N``, ``max=N``,
    ``increasing``, ``decreasing``. Raises InvalidInput.
    """
    name, *options = text.split(":")
    found = FactorDefinition(name)
    wrong = []
    for option in options:
        try:
            found = _with_option(found, option)
        except ValueError:
            wrong.append(option)
    if wrong or not name:
        known = "levels, bands, bands=E1,E2 (rising), number, log, ordinal, min=N, max=N, increasing, decreasing"
        raise InvalidInput([Violation(f"factor {text!r}", f"does not understand {wrong}; there are: {known}")])
    return found


def _with_option(definition: FactorDefinition, option: str) -> FactorDefinition:
    """Raises ValueError for what is no option."""
    word, given, value = option.partition("=")
    if word == "bands" and given:
        edges = tuple(float(edge) for edge in value.split(","))
        if not all(a < b for a, b in itertools.pairwise(edges)) or not all(map(math.isfinite, edges)):
            raise ValueError
        return replace(definition, treatment=Treatment.BANDS, edges=edges)
    if word == "min" and given:
        return replace(definition, least=float(value))
    if word == "max" and given:
        return replace(definition, greatest=float(value))
    if option == "log":
        return replace(definition, treatment=Treatment.NUMBER, logarithm=True)
    if option in {Direction.INCREASING, Direction.DECREASING}:
        return replace(definition, direction=Direction(option))
    return replace(definition, treatment=Treatment(option))


@dataclass(frozen=True, slots=True)
class LevelScale:
    """A factor of levels; ``levels[0]`` is the base."""

    name: str
    levels: tuple[str, ...]
    assigned: dict[str, int]
    """Index of the level, by the text of a column; whatever is not in it is unknown."""
    edges: tuple[float, ...] = ()
    """Of a column of numbers: the upper ends of the bands, in rising order."""
    banded: tuple[int, ...] = ()
    """Index of the level of each band, one more than ``edges``, and of missing numbers as the last."""

    @property
    def unknown(self) -> int:
        """Index of the level that unknown values get: ``(other)`` where it was fitted, else the base."""
        return self.levels.index(OTHER) if OTHER in self.levels else 0

    def apply(self, column: Column) -> Codes:
        """Index of each row's level."""
        if isinstance(column, NumberColumn):
            if self.edges or self.banded:
                place = np.searchsorted(np.array(self.edges), column.values, side="left")
                place[np.isnan(column.values)] = len(self.edges) + 1
                return np.array(self.banded, dtype=np.int64)[place]
            column = as_text(column)
        table = [self.assigned.get(level, self.unknown) for level in column.levels]
        return np.array(table, dtype=np.int64)[column.codes]

    def unseen(self, column: Column) -> int:
        """Number of rows whose value was not there when the model was fitted."""
        if isinstance(column, NumberColumn):
            if self.edges or self.banded:
                return 0
            column = as_text(column)
        new = np.array([level not in self.assigned for level in column.levels], dtype=bool)
        return int(new[column.codes].sum())


@dataclass(frozen=True, slots=True)
class NumberScale:
    """A factor that is a number: its effect is exponential in it (a power, where the logarithm is taken)."""

    name: str
    definition: FactorDefinition
    order: tuple[str, ...]
    """Of an ordinal text column: the levels in their order."""
    centre: float
    """Subtracted; the base of the relativities."""
    spread: float
    """Divided by, so that all coefficients are of one size."""
    shown: tuple[float, ...]
    """Values at which relativities are shown, the base first, on the column's own scale."""

    @property
    def names(self) -> tuple[str, ...]:
        """What is ``shown``, as text: the level of an ordinal column, else the number."""
        if self.order:
            return tuple(self.order[int(value) - 1] for value in self.shown)
        return tuple(f"{value:.6g}" for value in self.shown)

    def place(self, column: Column) -> Floats:
        """The number each row counts with, before centring."""
        if isinstance(column, TextColumn):
            table = [float(self.order.index(lv) + 1) if lv in self.order else math.nan for lv in column.levels]
            values = np.array(table)[column.codes]
        else:
            values = column.values
        return self._transformed(values)

    def apply(self, column: Column) -> Floats:
        """The centred and scaled number of each row; 0 for what is missing or unknown."""
        return np.nan_to_num((self.place(column) - self.centre) / self.spread, nan=0.0)

    def at(self, values: Sequence[float]) -> Floats:
        """The centred and scaled numbers of values on the column's own scale."""
        return (self._transformed(np.array(values, dtype=np.float64)) - self.centre) / self.spread

    def unseen(self, column: Column) -> int:
        """Number of rows without a number."""
        return int(np.isnan(self.place(column)).sum())

    def _transformed(self, values: Floats) -> Floats:
        limited = self.definition.limited(values)
        if not self.definition.logarithm:
            return limited
        return np.log(np.where(limited > 0, limited, np.nan))


Scale = LevelScale | NumberScale


def make_scale(definition: FactorDefinition, column: Column, claims: Floats, exposure: Floats) -> Scale:
    """Learns the levels, bands or centre of a factor from the learning rows. Raises InvalidInput where it cannot."""
    treatment = definition.treatment or _suitable(column)
    if treatment in {Treatment.NUMBER, Treatment.ORDINAL}:
        return _number_scale(definition, treatment, column, exposure)
    if isinstance(column, NumberColumn) and treatment is Treatment.BANDS:
        return _band_scale(definition, column, claims, exposure)
    if treatment is Treatment.BANDS:
        raise InvalidInput([Violation(f"factor {definition.name}", "bands need a column of numbers; this one is text")])
    if isinstance(column, NumberColumn):
        limited = NumberColumn(definition.limited(column.values))
        return _limited_levels(definition, column, limited, claims, exposure)
    return _level_scale(definition.name, column, claims, exposure)


def as_text(column: NumberColumn) -> TextColumn:
    """Numbers as levels, written as short as they are: 3, 2.5."""
    values, codes = np.unique(column.values, return_inverse=True)
    return TextColumn(tuple(_written(float(value)) for value in values), codes.astype(np.int64))


def _suitable(column: Column) -> Treatment:
    if isinstance(column, TextColumn) or len(np.unique(column.values)) <= MOST_PLAIN_LEVELS:
        return Treatment.LEVELS
    return Treatment.BANDS


def _level_scale(name: str, column: TextColumn, claims: Floats, exposure: Floats) -> LevelScale:
    places, levels = _joined(column.levels, column.codes, claims, exposure)
    used = np.bincount(column.codes, minlength=len(column.levels)) > 0
    return LevelScale(name, levels, {level: places[i] for i, level in enumerate(column.levels) if used[i]})


def _limited_levels(
    definition: FactorDefinition, column: NumberColumn, limited: NumberColumn, claims: Floats, exposure: Floats
) -> LevelScale:
    """Levels of numbers: what lies beyond the limits has the level of the limit."""
    scale = _level_scale(definition.name, as_text(limited), claims, exposure)
    raw = np.unique(column.values)
    of_limit = {_written(float(value)): _written(float(definition.limited(value))) for value in raw}
    return LevelScale(scale.name, scale.levels, {value: scale.assigned[limit] for value, limit in of_limit.items()})


def _band_scale(definition: FactorDefinition, column: NumberColumn, claims: Floats, exposure: Floats) -> LevelScale:
    values = definition.limited(column.values)
    edges = np.array(definition.edges) if definition.edges else _equal_exposure(values, exposure)
    place = np.searchsorted(edges, values, side="left").astype(np.int64)
    place[np.isnan(values)] = len(edges) + 1
    names = _band_names([float(edge) for edge in edges])
    places, levels = _joined(names, place, claims, exposure)
    return LevelScale(definition.name, levels, {}, tuple(float(edge) for edge in edges), tuple(places))


def _joined(names: Sequence[str], codes: Codes, claims: Floats, exposure: Floats) -> tuple[list[int], tuple[str, ...]]:
    """The levels, the one with the greatest exposure first, and where each name goes; rare ones are joined.

    Where even ``(other)`` has too few claims it goes with the base.
    """
    counts = np.bincount(codes, weights=claims, minlength=len(names))
    years = np.bincount(codes, weights=exposure, minlength=len(names))
    base = int(np.argmax(years))
    rare = counts < FEWEST_CLAIMS
    rare[base] = False
    levels = [names[base], *(name for i, name in enumerate(names) if i != base and not rare[i])]
    own = {name: i for i, name in enumerate(levels)}
    if counts[rare].sum() >= FEWEST_CLAIMS:
        levels.append(OTHER)
        other = len(levels) - 1
    else:
        other = 0
    return [other if rare[i] else own[name] for i, name in enumerate(names)], tuple(levels)


def _number_scale(definition: FactorDefinition, treatment: Treatment, column: Column, exposure: Floats) -> NumberScale:
    order: tuple[str, ...] = ()
    if isinstance(column, TextColumn):
        if treatment is not Treatment.ORDINAL:
            text = "is text; a number needs a column of numbers (or the option ordinal)"
            raise InvalidInput([Violation(f"factor {definition.name}", text)])
        order = tuple(sorted(column.levels))
    scale = NumberScale(definition.name, definition, order, 0.0, 1.0, ())
    values = scale.place(column)
    known = ~np.isnan(values)
    if not known.any() or np.ptp(values[known]) == 0:
        raise InvalidInput([Violation(f"factor {definition.name}", "has no two different numbers")])
    mean = float(np.average(values[known], weights=exposure[known]))
    spread = float(np.sqrt(np.average((values[known] - mean) ** 2, weights=exposure[known])))
    shown = _quantiles(values[known], exposure[known], [0.5, 0.05, 0.25, 0.75, 0.95])
    own = [float(np.exp(value)) if definition.logarithm else float(value) for value in shown]
    return NumberScale(definition.name, definition, order, float(shown[0]), spread, tuple(dict.fromkeys(own)))


def _equal_exposure(values: Floats, exposure: Floats) -> Floats:
    known = ~np.isnan(values)
    parts = [i / DEFAULT_BANDS for i in range(1, DEFAULT_BANDS)]
    edges = np.unique(_quantiles(values[known], exposure[known], parts))
    return np.asarray(edges[edges < values[known].max()])


def _quantiles(values: Floats, weights: Floats, parts: Sequence[float]) -> Floats:
    order = np.argsort(values, kind="stable")
    cumulative = np.cumsum(weights[order])
    places = np.searchsorted(cumulative, np.array(parts) * cumulative[-1])
    return np.asarray(values[order][np.minimum(places, len(values) - 1)])


def _band_names(edges: Sequence[float]) -> list[str]:
    written = [_written(edge) for edge in edges]
    inner = [f"({a}, {b}]" for a, b in itertools.pairwise(written)]
    return [f"≤ {written[0]}", *inner, f"> {written[-1]}", "(missing)"] if written else ["all", "(missing)"]


def _written(value: float) -> str:
    if math.isnan(value):
        return "(missing)"
    return f"{value:.10g}"


def as_levels(column: NumberColumn, bands: int = DEFAULT_BANDS) -> TextColumn:
    """Numbers as levels: as they are where they are few, else in bands of equally many rows."""
    if len(np.unique(column.values)) <= MOST_PLAIN_LEVELS:
        return as_text(column)
    known = column.values[~np.isnan(column.values)]
    edges = np.unique(np.quantile(known, np.arange(1, bands) / bands, method="inverted_cdf"))
    edges = edges[edges < known.max()]
    place = np.searchsorted(edges, column.values, side="left").astype(np.int64)
    place[np.isnan(column.values)] = len(edges) + 1
    return TextColumn(tuple(_band_names([float(edge) for edge in edges])), place)
