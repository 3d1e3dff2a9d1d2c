"""A risk store in memory that computes every answer anew, row by row: what the SQL is held against."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any

from sluice_server.domain.context import Actor, CallContext
from sluice_server.domain.errors import DataVersionNotFound
from sluice_server.domain.risk.data_version import DataStamp, DataVersion, DataVersionState
from sluice_server.domain.risk.ports import (
    AmountCells,
    Condition,
    Figure,
    GroupColumn,
    Number,
    TableAnswer,
    TableQuery,
    TableRow,
    Value,
)
from sluice_server.domain.risk.result_rows import Kind, ResultRows
from sluice_server.domain.risk.semantic.semantic_model import DimensionType, ResultTable

Rows = Mapping[str, Sequence[Mapping[str, Any]]]
WATERMARK = datetime(2026, 11, 1, tzinfo=UTC)
CONTEXT = CallContext(actor=Actor("test"), request_id="test")


class FakeRiskReader:
    """Implements `RiskReader`. ``publish`` makes a version, counted from 1, and wakes those that wait for one."""

    def __init__(self, *versions: Rows) -> None:
        self._versions: dict[int, Rows] = {}
        self._published = asyncio.Condition()
        self.selects = 0
        """How often rows were read."""
        for rows in versions:
            self._versions[len(self._versions) + 1] = rows

    async def publish(self, rows: Rows) -> None:
        self._versions[len(self._versions) + 1] = rows
        async with self._published:
            self._published.notify_all()

    async def stamp(self, data_version: int | None) -> DataStamp:
        version = max(self._versions, default=0) if data_version is None else data_version
        if version not in self._versions:
            raise DataVersionNotFound(f"no data version {version}")
        return DataStamp(version, WATERMARK, WATERMARK)

    async def data_versions(
        self, states: Sequence[DataVersionState], before: int | None, limit: int
    ) -> Sequence[DataVersion]:
        newest = max(self._versions, default=0)
        found = [
            DataVersion(
                data_version=number,
                watermark=WATERMARK,
                published_at=WATERMARK,
                state=DataVersionState.PUBLISHED if number == newest else DataVersionState.SUPERSEDED,
                active=number == newest,
                row_counts={name: len(table) for name, table in rows.items()},
                fingerprint="",
                flink_version="",
                duration_seconds=0.0,
            )
            for number, rows in sorted(self._versions.items(), reverse=True)
            if before is None or number < before
        ]
        return [version for version in found if not states or version.state in states][:limit]

    async def select(self, query: TableQuery, data_version: int | None) -> TableAnswer:
        self.selects += 1
        stamp = await self.stamp(data_version)
        table = self._versions[stamp.data_version].get(query.table, ())
        kept = [row for row in table if all(_holds(row, condition) for condition in query.conditions)]
        groups: dict[tuple[Value, ...], list[Mapping[str, Any]]] = defaultdict(list)
        if not query.group_by:
            groups[()] = []
        for row in kept:
            groups[tuple(_value(row, column) for column in query.group_by)].append(row)
        names = [item.name for item in query.sums]

        def sums(rows: Sequence[Mapping[str, Any]]) -> tuple[Number, ...]:
            return tuple(sum((row[item.column] for row in rows), 0 if item.exact else 0.0) for item in query.sums)

        found = [TableRow(values, sums(rows)) for values, rows in groups.items()]
        for item in query.having:
            figures = [(row, _figure(item.figure, names, row)) for row in found]
            found = [
                row
                for row, value in figures
                if value is not None
                and (item.at_least is None or value >= item.at_least)
                and (item.below is None or value < item.below)
            ]
        for order in reversed(query.order_by):
            by = order.by
            position = None if isinstance(by, Figure) else query.group_by.index(by)

            def key(row: TableRow, by: Any = by, position: int | None = position) -> Any:
                return _figure(by, names, row) if position is None else row.values[position]

            with_value = sorted((r for r in found if key(r) is not None), key=key, reverse=order.descending)
            found = with_value + [row for row in found if key(row) is None]
        end = None if query.limit is None else query.offset + query.limit
        return TableAnswer(stamp, tuple(found[query.offset : end]), len(found), sums(kept) if query.totals else None)

    async def amount_cells(
        self, table: ResultTable, count: str, amount: str, expected: str | None, data_version: int
    ) -> AmountCells:
        rows = self._versions[data_version].get(table.name, ())
        cells = [row for row in rows if row[table.measures[count]] > 0]
        if expected is not None:
            cells = [row for row in cells if row[table.measures[expected]] > 0]
        counts = [row[table.measures[count]] for row in cells]
        amounts = [row[table.measures[amount]] for row in cells]
        if not sum(counts) or not sum(amounts):
            return AmountCells(0, 0, 0.0, 0.0)
        mean = sum(amounts) / sum(counts)
        wanted = [
            n * mean if expected is None else row[table.measures[expected]]
            for n, row in zip(counts, cells, strict=True)
        ]
        ratios = [s / e for s, e in zip(amounts, wanted, strict=True)]
        return AmountCells(
            len(cells),
            sum(counts),
            sum(n * r for n, r in zip(counts, ratios, strict=True)),
            sum(n * r * r for n, r in zip(counts, ratios, strict=True)),
        )

    async def rows(
        self,
        table: str,
        columns: Mapping[str, Kind],
        data_version: int | None,
        only: Mapping[str, Sequence[str]] | None = None,
    ) -> ResultRows | None:
        stamp = await self.stamp(data_version)
        found = self._versions[stamp.data_version].get(table)
        if found is None:
            return None
        kept = [row for row in found if all(row[name] in values for name, values in (only or {}).items())]
        return ResultRows(stamp, {name: [row[name] for row in kept] for name in columns})

    async def changed(self, known: int | None) -> DataStamp:
        async with self._published:
            await self._published.wait_for(lambda: max(self._versions, default=0) != known)
        return await self.stamp(None)


def _value(row: Mapping[str, Any], column: GroupColumn) -> Value:
    value = row[column.column]
    if not isinstance(value, date):
        return None if value is None else str(value)
    month = {DimensionType.QUARTER: (value.month - 1) // 3 * 3 + 1, DimensionType.YEAR: 1}
    if column.grain in (None, DimensionType.DAY):
        return value
    return value.replace(day=1, month=month.get(column.grain or DimensionType.MONTH, value.month))


def _holds(row: Mapping[str, Any], condition: Condition) -> bool:
    value: Any = _value(row, condition.column)
    return (
        (not condition.any_of or value in condition.any_of)
        and value not in condition.none_of
        and (condition.at_least is None or value >= condition.at_least)
        and (condition.below is None or value < condition.below)
    )


def _figure(figure: Figure, names: Sequence[str], row: TableRow) -> float | None:
    sums = dict(zip(names, row.sums, strict=True))
    if figure.denominator is None:
        return float(sums[figure.numerator])
    return sums[figure.numerator] / sums[figure.denominator] if sums[figure.denominator] else None
