"""A result table of one data version in memory, by column: sums over a million rows in milliseconds.

It answers exactly what the compiled SQL answers, and holds only what it can sum exactly: keys and periods as positions
in sorted lists, counts and amounts as 64-bit floating point numbers whose sums stay below 2^53.
"""

from __future__ import annotations

import math
from bisect import bisect_left
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
    GroupColumn,
    Number,
    Order,
    Sum,
    TableQuery,
    TableRow,
)
from sluice_server.domain.risk.semantic.semantic_model import DimensionType, start_of

Floats = NDArray[np.float64]
Positions = NDArray[np.int64]

EXACT_BELOW = float(2**53)
_MOST_BINS = 4_000_000
"""Beyond so many possible groups, those that there are are found by sorting."""
_MOST_GROUPINGS = 8
"""Of one table; each takes up to 16 bytes a row."""


@dataclass(frozen=True, slots=True)
class Coded:
    """A key or the time: for each row the position of its value in the sorted ``values``."""

    codes: NDArray[np.int32]
    values: Sequence[str] | Sequence[date]


@dataclass(frozen=True, slots=True)
class Grouping:
    """Rows put into groups, which are numbered in the order of their columns."""

    codes: Sequence[NDArray[np.int32]]
    """For each column the position of the group's value in ``values``."""
    values: Sequence[Sequence[Any]]
    size: int
    of_row: Positions | None
    """The group of each row; None where each row is a group, in this order."""


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
        self._groupings: dict[tuple[tuple[str, DimensionType | None], ...], Grouping] = {}
        """By columns and grains; the one not used for longest is first."""
        self.rows = len(next(iter(measures.values())))

    @property
    def nbytes(self) -> int:
        """Memory that the columns take, without the groupings used last."""
        codes = sum(key.codes.nbytes for key in self._keys.values())
        return codes + sum(values.nbytes for values in self._measures.values())

    @property
    def exact(self) -> bool:
        """True when no sum of whole numbers can lose a digit."""
        return all(float(np.abs(values).sum()) < EXACT_BELOW for values in self._measures.values())

    def prepare(self, time: GroupColumn, keys: Sequence[str]) -> None:
        """Computes the groupings that most questions need: by time, by each key, by each key and time."""
        alone = [(time,), *((GroupColumn(key, key),) for key in keys)]
        for columns in (*alone, *((*one, time) for one in alone[1:])):
            self._grouping(columns)

    def select(self, query: TableQuery) -> Selected:
        """As `compile.compile_query` with the data version of this table."""
        chosen = self._chosen(query.conditions)
        sums = [self._taken(item.column, chosen) for item in query.sums]
        present: Positions | None = None
        grouped = [np.array([values.sum()]) for values in sums]
        codes: Sequence[NDArray[np.int32]] = ()
        lists: Sequence[Sequence[Any]] = ()
        if query.group_by:
            present, grouped = self._grouped(query.group_by, sums, chosen)
            grouping = self._grouping(query.group_by)
            codes, lists = grouping.codes, grouping.values
        page = _Page(query, grouped, codes, present)
        rows = tuple(
            TableRow(
                tuple(values[code[group]] for code, values in zip(codes, lists, strict=True)),
                _numbers(query.sums, grouped, i),
            )
            for i, group in page.groups()
        )
        totals = None
        if query.totals:
            totals = _numbers(query.sums, [np.array([values.sum()]) for values in sums], 0)
        return Selected(rows, page.total, totals)

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
            found = _passing(coded.values, condition)[coded.codes]
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
        self, columns: tuple[GroupColumn, ...], sums: Sequence[Floats], chosen: Positions | None
    ) -> tuple[Positions | None, list[Floats]]:
        """The groups that there are (None: all of the grouping), and the sums of each."""
        grouping = self._grouping(columns)
        if grouping.of_row is None:
            return chosen, list(sums)
        of_row = grouping.of_row if chosen is None else grouping.of_row[chosen]
        added: list[Floats] = [
            np.bincount(of_row, weights=values, minlength=grouping.size).astype(np.float64, copy=False)
            for values in sums
        ]
        if chosen is None:
            return None, added
        present = np.flatnonzero(np.bincount(of_row, minlength=grouping.size))
        return present, [values[present] for values in added]

    def _grouping(self, columns: tuple[GroupColumn, ...]) -> Grouping:
        """Computed once for each combination of columns, as long as it is among those used last."""
        key = tuple((column.column, column.grain) for column in columns)
        found = self._groupings.pop(key, None)
        if found is None:
            found = _group([self._coded(column) for column in columns], self.rows)
        # Threads that race here compute the same twice, which does no harm.
        self._groupings[key] = found
        while len(self._groupings) > _MOST_GROUPINGS:
            self._groupings.pop(next(iter(self._groupings)), None)
        return found


def _group(coded: Sequence[Coded], rows: int) -> Grouping:
    combined = np.zeros(rows, dtype=np.int64)
    sizes = [max(1, len(one.values)) for one in coded]
    for one, size in zip(coded, sizes, strict=True):
        combined = combined * size + one.codes
    bins = math.prod(sizes)
    if bins <= _MOST_BINS:
        present = np.flatnonzero(np.bincount(combined, minlength=bins))
        number = np.zeros(bins, dtype=np.int64)
        number[present] = np.arange(len(present))
        of_row = number[combined]
    else:
        present, of_row = np.unique(combined, return_inverse=True)
    codes = [np.asarray(axis, dtype=np.int32) for axis in np.unravel_index(present, sizes)]
    # The rows come by their key: grouped by all of it, each is its own group, and nothing has to be added.
    alone = len(present) == rows and bool((of_row == np.arange(rows)).all())
    return Grouping(codes, [one.values for one in coded], len(present), None if alone else of_row)


class _Page:
    """Which of the groups a query shows, in its order."""

    def __init__(
        self,
        query: TableQuery,
        grouped: Sequence[Floats],
        codes: Sequence[NDArray[np.int32]],
        present: Positions | None,
    ) -> None:
        """``present``: the numbers of the groups that ``grouped`` has the sums of; None: all."""
        self._query = query
        self._by_name = {item.name: values for item, values in zip(query.sums, grouped, strict=True)}
        self._codes = codes
        self._present = present
        self._kept = self._passing()
        self.total = len(grouped[0]) if self._kept is None else len(self._kept)

    def groups(self) -> list[tuple[int, int]]:
        """For each row of the page: its position in the sums, and the number of its group."""
        query = self._query
        end = None if query.limit is None else query.offset + query.limit
        positions = self._ordered()[query.offset : end]
        numbers = positions if self._present is None else self._present[positions]
        return list(zip(positions.tolist(), numbers.tolist(), strict=True))

    def _figure(self, figure: Figure) -> Floats:
        """Not a number where there is no value."""
        numerator = self._by_name[figure.numerator]
        if figure.denominator is None:
            return numerator
        denominator = self._by_name[figure.denominator]
        with np.errstate(divide="ignore", invalid="ignore"):
            found: Floats = numerator / denominator
        found[denominator == 0] = np.nan
        return found

    def _passing(self) -> Positions | None:
        """The positions whose figures pass; None for all."""
        mask: NDArray[np.bool_] | None = None
        for item in self._query.having:
            values = self._figure(item.figure)
            passes = ~np.isnan(values)
            if item.at_least is not None:
                passes &= values >= item.at_least
            if item.below is not None:
                passes &= values < item.below
            mask = passes if mask is None else mask & passes
        return None if mask is None else np.flatnonzero(mask)

    def _ordered(self) -> Positions:
        """The kept positions in the order of the query, at least as many as its page needs."""
        query = self._query
        kept = np.arange(self.total) if self._kept is None else self._kept
        if [order.by for order in query.order_by] == list(query.group_by) and not any(
            order.descending for order in query.order_by
        ):
            return kept  # Groups are found in this order.
        first, *others = query.order_by
        keys = [self._key(first, self._kept)]
        wanted = self.total if query.limit is None else query.offset + query.limit
        if 0 < wanted < self.total:
            # The rows of the page, and those that tie with its last one, are enough to sort.
            few = np.flatnonzero(keys[0] <= np.partition(keys[0], wanted - 1)[wanted - 1])
            kept, keys = kept[few], [keys[0][few]]
        keys += [self._key(order, kept) for order in others]
        return kept[np.lexsort(keys[::-1])]

    def _key(self, order: Order, at: Positions | None) -> Floats:
        """What to sort by upwards; infinite where there is no value, which comes last either way."""
        if isinstance(order.by, Figure):
            values = self._figure(order.by)
        else:
            codes = self._codes[self._query.group_by.index(order.by)]
            values = (codes if self._present is None else codes[self._present]).astype(np.float64)
        if at is not None:
            values = values[at]
        key = -values if order.descending else values
        nothing = np.isnan(key)
        return np.where(nothing, np.inf, key) if nothing.any() else key


def _passing(values: Sequence[Any], condition: Condition) -> NDArray[np.bool_]:
    """Which of the sorted values pass."""
    passes = np.full(len(values), not condition.any_of, dtype=np.bool_)
    for wanted, passed in ((condition.any_of, True), (condition.none_of, False)):
        for value in wanted:
            i = bisect_left(values, value)
            if i < len(values) and values[i] == value:
                passes[i] = passed
    if condition.at_least is not None:
        passes[: bisect_left(values, condition.at_least)] = False
    if condition.below is not None:
        passes[bisect_left(values, condition.below) :] = False
    return passes


def _numbers(sums: Sequence[Sum], grouped: Sequence[Floats], at: int) -> tuple[Number, ...]:
    return tuple(
        int(values[at]) if item.exact else float(values[at]) for item, values in zip(sums, grouped, strict=True)
    )
