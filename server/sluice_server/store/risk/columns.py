"""A result table of one data version in memory, by column: sums over a million rows in milliseconds.

It answers exactly what the compiled SQL answers, and holds only what it can sum exactly: keys and periods as positions
in sorted lists, counts and amounts as 64-bit floating point numbers whose sums stay below 2^53.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sluice_server.domain.risk.ports import (
    AmountCells,
    Condition,
    Figure,
    FigureCondition,
    GroupColumn,
    Number,
    Order,
    Sum,
    TableQuery,
    TableRow,
    Value,
)
from sluice_server.domain.risk.semantic_model import start_of

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]

EXACT_BELOW = float(2**53)
_MOST_BINS = 4_000_000
"""Beyond so many possible groups, those that there are are found by sorting."""


@dataclass(frozen=True, slots=True)
class Coded:
    """A key or the time: for each row the position of its value in the sorted ``values``."""

    codes: NDArray[np.int32]
    values: Sequence[str] | Sequence[date]


@dataclass(frozen=True, slots=True)
class Selected:
    """What a query found: a page of rows, the number of all, the sums over all."""

    rows: tuple[TableRow, ...]
    total_rows: int
    totals: tuple[Number, ...] | None


class ColumnTable:
    """The rows of one result table of one data version."""

    def __init__(self, keys: Mapping[str, Coded], measures: Mapping[str, Floats]) -> None:
        """By column; the time is one of the keys. All of the same length."""
        self._keys = keys
        self._measures = measures
        self.rows = len(next(iter(measures.values())))

    @property
    def nbytes(self) -> int:
        """Memory that the columns take."""
        codes = sum(key.codes.nbytes for key in self._keys.values())
        return codes + sum(values.nbytes for values in self._measures.values())

    @property
    def exact(self) -> bool:
        """True when no sum of whole numbers can lose a digit."""
        return all(float(np.abs(values).sum()) < EXACT_BELOW for values in self._measures.values())

    def select(self, query: TableQuery) -> Selected:
        """As `compile.compile_query` with the data version of this table."""
        chosen = self._chosen(query.conditions)
        sums = [self._taken(item.column, chosen) for item in query.sums]
        if query.group_by:
            codes, lists, grouped = self._grouped(query.group_by, sums, chosen)
        else:
            codes, lists, grouped = [], [], [np.array([values.sum()]) for values in sums]
        figures = _Figures(query.sums, grouped)
        kept = figures.kept(query.having)
        order = _ordered(query, figures, codes, kept)
        page = order[query.offset : None if query.limit is None else query.offset + query.limit]
        rows = tuple(
            TableRow(
                tuple(values[code[i]] for code, values in zip(codes, lists, strict=True)),
                _numbers(query.sums, grouped, i),
            )
            for i in page
        )
        totals = None
        if query.totals:
            totals = _numbers(query.sums, [np.array([values.sum()]) for values in sums], 0)
        return Selected(rows, len(kept), totals)

    def amount_cells(self, count: str, amount: str, expected: str | None) -> AmountCells:
        """As `ports.RiskReader.amount_cells`, with columns instead of measures."""
        n, s = self._measures[count], self._measures[amount]
        cells = n > 0
        if expected is not None:
            cells &= self._measures[expected] > 0
        n, s = n[cells], s[cells]
        if expected is None and (not n.sum() or not s.sum()):
            return AmountCells(0, 0, 0.0, 0.0)
        relative = s / (self._measures[expected][cells] if expected is not None else n * (s.sum() / n.sum()))
        return AmountCells(len(n), int(n.sum()), float((n * relative).sum()), float((n * relative * relative).sum()))

    def _chosen(self, conditions: Sequence[Condition]) -> Positions | None:
        """The rows that pass; None for all of them."""
        mask: NDArray[np.bool_] | None = None
        for condition in conditions:
            coded = self._coded(condition.column)
            passes = np.array([_passes(value, condition) for value in coded.values], dtype=np.bool_)
            found = passes[coded.codes]
            mask = found if mask is None else mask & found
        return None if mask is None else np.flatnonzero(mask)

    def _coded(self, column: GroupColumn) -> Coded:
        """The column, time cut down to its grain."""
        coded = self._keys[column.column]
        if column.grain is None:
            return coded
        starts = [start_of(column.grain, value) for value in coded.values if isinstance(value, date)]
        distinct = sorted(set(starts))
        if len(distinct) == len(starts):
            return coded
        position = {start: i for i, start in enumerate(distinct)}
        coarser = np.array([position[start] for start in starts], dtype=np.int32)
        return Coded(coarser[coded.codes], distinct)

    def _taken(self, column: str, chosen: Positions | None) -> Floats:
        values = self._measures[column]
        return values if chosen is None else values[chosen]

    def _grouped(
        self, columns: Sequence[GroupColumn], sums: Sequence[Floats], chosen: Positions | None
    ) -> tuple[list[Positions], list[Sequence[Any]], list[Floats]]:
        """For each group that there is, in the order of the columns: the positions of its values, and its sums."""
        coded = [self._coded(column) for column in columns]
        sizes = [max(1, len(one.values)) for one in coded]
        combined = np.zeros(self.rows if chosen is None else len(chosen), dtype=np.int64)
        bins = 1
        for one, size in zip(coded, sizes, strict=True):
            combined = combined * size + (one.codes if chosen is None else one.codes[chosen])
            bins *= size
        if bins <= _MOST_BINS:
            present = np.flatnonzero(np.bincount(combined, minlength=bins))
            added = [_added(combined, values, bins)[present] for values in sums]
        else:
            present, inverse = np.unique(combined, return_inverse=True)
            added = [_added(inverse, values, len(present)) for values in sums]
        codes = [np.asarray(axis, dtype=np.int64) for axis in np.unravel_index(present, sizes)]
        return codes, [one.values for one in coded], added


def _added(groups: Positions, values: Floats, size: int) -> Floats:
    """The sum of the values of each group; the groups are 0 to ``size - 1``."""
    return np.bincount(groups, weights=values, minlength=size).astype(np.float64, copy=False)


class _Figures:
    """Metrics over the sums of groups; not a number where there is no value."""

    def __init__(self, sums: Sequence[Sum], grouped: Sequence[Floats]) -> None:
        self._by_name = {item.name: values for item, values in zip(sums, grouped, strict=True)}
        self.size = len(grouped[0])

    def of(self, figure: Figure) -> Floats:
        numerator = self._by_name[figure.numerator]
        if figure.denominator is None:
            return numerator
        denominator = self._by_name[figure.denominator]
        found: Floats = np.full(self.size, np.nan)
        np.divide(numerator, denominator, out=found, where=denominator != 0)
        return found

    def kept(self, having: Sequence[FigureCondition]) -> Positions:
        """The groups whose figures pass."""
        mask = np.ones(self.size, dtype=np.bool_)
        for item in having:
            values = self.of(item.figure)
            with np.errstate(invalid="ignore"):
                if item.at_least is not None:
                    mask &= values >= item.at_least
                if item.below is not None:
                    mask &= values < item.below
        return np.flatnonzero(mask)


def _ordered(query: TableQuery, figures: _Figures, codes: Sequence[Positions], kept: Positions) -> Positions:
    """The kept groups in the order of the query, at least as many as its page needs."""
    natural = [Order(column) for column in query.group_by]
    if list(query.order_by) == natural:
        return kept  # They are found in this order.
    keys = []
    for order in query.order_by:
        if isinstance(order.by, Figure):
            values = figures.of(order.by)[kept]
        else:
            values = codes[query.group_by.index(order.by)][kept].astype(np.float64)
        # Without a value last, either way.
        keys.append(np.where(np.isnan(values), np.inf, -values if order.descending else values))
    if not keys:
        return kept
    wanted = len(kept) if query.limit is None else query.offset + query.limit
    if 0 < wanted < len(kept):
        # The rows of the page, and those that tie with its last one, are enough to sort.
        few = np.flatnonzero(keys[0] <= np.partition(keys[0], wanted - 1)[wanted - 1])
        return kept[few][np.lexsort([key[few] for key in reversed(keys)])]
    return kept[np.lexsort(keys[::-1])]


def _passes(value: Value, condition: Condition) -> bool:
    low, high = condition.at_least, condition.below
    return (
        (not condition.any_of or value in condition.any_of)
        and value not in condition.none_of
        # A condition's values are of its column's type: both are text or both are days.
        and (low is None or value >= low)  # type: ignore[operator]  # see above
        and (high is None or value < high)  # type: ignore[operator]  # see above
    )


def _numbers(sums: Sequence[Sum], grouped: Sequence[Floats], at: int) -> tuple[Number, ...]:
    return tuple(
        int(values[at]) if item.exact else float(values[at]) for item, values in zip(sums, grouped, strict=True)
    )
