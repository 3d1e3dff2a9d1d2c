"""What the risk room needs from a store: sums over one result table of one data version."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from sluice_server.domain.risk.data_version import DataStamp, DataVersion, DataVersionState
from sluice_server.domain.risk.result_rows import ResultRowsReader
from sluice_server.domain.risk.semantic.semantic_model import DimensionType, ResultTable

Number = int | float
"""Counts and amounts are int and exact; years are float."""
Value = str | date | None
"""Value of a dimension."""


@dataclass(frozen=True, slots=True)
class GroupColumn:
    """A dimension as the table has it: a key's column, or the time column cut down to a grain."""

    dimension: str
    column: str
    grain: DimensionType | None = None
    """Set for time: the start of the day, month, quarter or year."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition on a column, before grouping. Empty and None parts do not restrict."""

    column: GroupColumn
    any_of: tuple[str | date, ...] = ()
    none_of: tuple[str | date, ...] = ()
    at_least: str | date | None = None
    below: str | date | None = None


@dataclass(frozen=True, slots=True)
class Sum:
    """A measure summed over a group."""

    name: str
    column: str
    exact: bool
    """True for counts and amounts, false for years."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A metric over sums: ``numerator``, or ``numerator / denominator`` (nothing over 0)."""

    name: str
    numerator: str
    denominator: str | None = None


@dataclass(frozen=True, slots=True)
class FigureCondition:
    """A condition on a figure of a grouped row."""

    figure: Figure
    at_least: float | None = None
    below: float | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A key to sort by: a figure or a group column. Rows without a value come last either way."""

    by: Figure | GroupColumn
    descending: bool = False


@dataclass(frozen=True, slots=True)
class TableQuery:
    """Sums over one result table. Hashable: with a data version it is the key of a cache."""

    table: str
    group_by: tuple[GroupColumn, ...]
    sums: tuple[Sum, ...]
    conditions: tuple[Condition, ...] = ()
    having: tuple[FigureCondition, ...] = ()
    order_by: tuple[Order, ...] = ()
    """Always ends with all of ``group_by``, so that the order is total."""
    offset: int = 0
    limit: int | None = None
    count: bool = False
    """Also count the groups."""
    totals: bool = False
    """Also sum over everything that passes ``conditions``."""


@dataclass(frozen=True, slots=True)
class TableRow:
    """One group: the values of ``group_by`` and the sums, in the order of the query."""

    values: tuple[Value, ...]
    sums: tuple[Number, ...]


@dataclass(frozen=True, slots=True)
class TableAnswer:
    """What was read, all of it from one data version in one transaction."""

    stamp: DataStamp
    rows: tuple[TableRow, ...]
    total_rows: int
    """Number of groups after ``having`` where counting was asked for, else of the rows read."""
    totals: tuple[Number, ...] | None


@dataclass(frozen=True, slots=True)
class AmountCells:
    """How the amounts of claims vary, from the cells of a table (rows with at least one claim).

    With n claims, amount S and expected amount E in a cell: ``relative_squares`` is the sum of n (S/E)²,
    ``relative_sum`` the sum of n (S/E), ``claims`` the sum of n. Where the table has no expected amounts, E is n times
    the mean over all cells.
    """

    cells: int
    claims: int
    relative_sum: float
    relative_squares: float


class RiskReader(ResultRowsReader, Protocol):
    """Reads the risk query store. All methods raise Unavailable when it cannot be reached."""

    async def stamp(self, data_version: int | None) -> DataStamp:
        """The active data version, or the one named. Raises DataVersionNotFound."""
        ...

    async def data_versions(
        self, states: Sequence[DataVersionState], before: int | None, limit: int
    ) -> Sequence[DataVersion]:
        """Versions with a number below ``before``, newest first. Empty when nothing was ever published."""
        ...

    async def select(self, query: TableQuery, data_version: int | None) -> TableAnswer:
        """Reads the pointer and the rows in one transaction. Raises DataVersionNotFound."""
        ...

    async def amount_cells(
        self, table: ResultTable, count: str, amount: str, expected: str | None, data_version: int
    ) -> AmountCells:
        """How amounts vary in that version; the names are measures of the table. Raises DataVersionNotFound."""
        ...

    async def changed(self, known: int | None) -> DataStamp:
        """Returns as soon as another data version than ``known`` is active; at once if it is already."""
        ...
