"""Compiles a `TableQuery` with SQLAlchemy Core, for SQLite and for PostgreSQL."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from sluice_server.domain.risk.ports import Condition, Figure, GroupColumn, TableQuery
from sluice_server.domain.risk.semantic.semantic_model import DimensionType, SemanticModel
from sluice_server.store.risk.tables import RiskTables

Expression = sa.ColumnElement[Any]


@dataclass(frozen=True, slots=True)
class Statements:
    """The selects of one query: the page of groups, the number of groups, the sums over everything."""

    page: sa.Select[Any]
    count: sa.Select[Any]
    totals: sa.Select[Any]


def compile_query(
    query: TableQuery, model: SemanticModel, tables: RiskTables, dialect: str, data_version: int
) -> Statements:
    """The statements that answer ``query`` from the rows of ``data_version``.

    Groups are summed in an inner select; conditions on figures, order and page are around it, so that they are the same
    with and without groups.
    """
    table = tables.results[query.table]
    native = model.tables[query.table].time_grain

    def value(column: GroupColumn) -> Expression:
        found = table.c[column.column]
        return found if column.grain in (None, native) else _start_of(found, column.grain, dialect)

    restricted = [table.c.data_version == data_version]
    for condition in query.conditions:
        restricted += _conditions(value(condition.column), condition)
    sums = [sa.func.coalesce(sa.func.sum(table.c[item.column]), 0).label(f"sum_{item.name}") for item in query.sums]
    groups = [value(column).label(f"by_{column.dimension}") for column in query.group_by]
    inner = sa.select(*groups, *sums).where(*restricted)
    if groups:
        inner = inner.group_by(*(value(column) for column in query.group_by))
    rows = inner.subquery("sums")
    wanted = sa.select(*rows.c)
    for item in query.having:
        figure = _figure(item.figure, rows)
        if item.at_least is not None:
            wanted = wanted.where(figure >= item.at_least)
        if item.below is not None:
            wanted = wanted.where(figure < item.below)
    page = wanted.order_by(*_order(query, rows, dialect)).offset(query.offset or None)
    return Statements(
        page=page if query.limit is None else page.limit(query.limit),
        count=sa.select(sa.func.count()).select_from(wanted.subquery("wanted")),
        totals=sa.select(*sums).where(*restricted),
    )


def _conditions(value: Expression, condition: Condition) -> list[Expression]:
    found: list[Expression] = []
    if condition.any_of:
        found.append(value.in_(condition.any_of))
    if condition.none_of:
        found.append(sa.or_(value.not_in(condition.none_of), value.is_(None)))
    if condition.at_least is not None:
        found.append(value >= condition.at_least)
    if condition.below is not None:
        found.append(value < condition.below)
    return found


def _order(query: TableQuery, rows: sa.Subquery, dialect: str) -> list[Expression]:
    keys: list[Expression] = []
    for order in query.order_by:
        if isinstance(order.by, Figure):
            key: Expression = _figure(order.by, rows)
        else:
            key = rows.c[f"by_{order.by.dimension}"]
            if dialect == "postgresql" and order.by.grain is None:
                key = key.collate("C")  # By code point, as SQLite does, whatever the database's locale.
        keys += [key.is_(None), key.desc() if order.descending else key.asc()]
    return keys


def _figure(figure: Figure, rows: sa.Subquery) -> Expression:
    numerator: Expression = rows.c[f"sum_{figure.numerator}"]
    if figure.denominator is None:
        return numerator
    denominator = rows.c[f"sum_{figure.denominator}"]
    return sa.cast(numerator, sa.Double) / sa.func.nullif(sa.cast(denominator, sa.Double), 0.0)


def _start_of(column: Expression, grain: DimensionType | None, dialect: str) -> Expression:
    """The first day of the month, quarter or year of a date."""
    if dialect == "postgresql":
        return sa.cast(sa.func.date_trunc(sa.literal_column(f"'{grain}'"), column), sa.Date)
    if grain is DimensionType.QUARTER:
        months_into_it = (sa.cast(sa.func.strftime("%m", column), sa.Integer) - 1) % 3
        start = sa.func.date(column, "start of month", sa.func.printf("-%d months", months_into_it))
    else:
        start = sa.func.date(column, f"start of {grain}")
    return sa.type_coerce(start, sa.Date)
