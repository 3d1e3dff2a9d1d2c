"""The reader of the risk query store: pointer and rows in one transaction, on SQLite and on PostgreSQL."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.ext.asyncio import AsyncConnection

from sluice_server.domain.errors import DataVersionNotFound
from sluice_server.domain.risk.alerts.stream import StreamMetric, WindowSums
from sluice_server.domain.risk.data_version import DataStamp, DataVersion, DataVersionState
from sluice_server.domain.risk.groups.cells import GroupCells
from sluice_server.domain.risk.ports import AmountCells, Number, Sum, TableAnswer, TableQuery, TableRow
from sluice_server.domain.risk.result_rows import Kind, ResultRows
from sluice_server.domain.risk.semantic.semantic_model import ResultTable, SemanticModel
from sluice_server.store.faults import database_errors
from sluice_server.store.risk.column_loading import ColumnBuilder
from sluice_server.store.risk.columns import ColumnTable
from sluice_server.store.risk.compile import compile_query
from sluice_server.store.risk.engine import create_reader_engine
from sluice_server.store.risk.rating_cells import read_rating_cells
from sluice_server.store.risk.tables import RiskTables
from sluice_server.store.risk.uninterrupted import Uninterrupted
from sluice_server.store.risk.windows import read_newest_window, read_windows

_UNDEFINED = ("42P01", "3F000")
"""SQLSTATE of an undefined table and of an undefined schema."""
_PART_ROWS = 20_000
"""How many rows of a table are objects at once while it is loaded."""


class TableNotThere(DataVersionNotFound):
    """The store has no such table: nothing was ever published, or by a job that did not make it."""


class RiskStoreReader:
    """Implements `domain.risk.ports.RiskReader`. Nothing is opened before the first read, and nothing is ever created:
    a store that is not there yet is one without a data version."""

    def __init__(self, url: str, model: SemanticModel, *, poll_seconds: float = 0.5) -> None:
        """``poll_seconds``: how often `changed` looks at the pointer. Raises ValueError for a URL of another kind."""
        self._engine, self._file = create_reader_engine(url)
        self._dialect = self._engine.dialect.name
        self._model = model
        self._tables = RiskTables(model, self._dialect)
        self._poll_seconds = poll_seconds
        self._opened_file: tuple[int, int] | None = None
        self._reads = Uninterrupted()

    async def close(self) -> None:
        """Waits for the reads under way and closes every connection."""
        await self._reads.close()
        await self._engine.dispose()

    async def stamp(self, data_version: int | None) -> DataStamp:
        return await self._reads.run(self._read_stamp(data_version))

    async def data_versions(
        self, states: Sequence[DataVersionState], before: int | None, limit: int
    ) -> Sequence[DataVersion]:
        return await self._reads.run(self._read_data_versions(states, before, limit))

    async def select(self, query: TableQuery, data_version: int | None) -> TableAnswer:
        return await self._reads.run(self._read_rows(query, data_version))

    async def amount_cells(
        self, table: ResultTable, count: str, amount: str, expected: str | None, data_version: int
    ) -> AmountCells:
        return await self._reads.run(self._read_amount_cells(table, count, amount, expected, data_version))

    async def rows(
        self,
        table: str,
        columns: Mapping[str, Kind],
        data_version: int | None,
        only: Mapping[str, Sequence[str]] | None = None,
    ) -> ResultRows | None:
        return await self._reads.run(self._read_table(table, columns, data_version, only or {}))

    async def rating_cells(self, data_version: int | None) -> GroupCells:
        """Implements ``domain.risk.groups.ports.CellReader``."""
        return await self._reads.run(self._read_rating_cells(data_version))

    async def newest_window(self, table: str) -> datetime | None:
        """Implements ``domain.risk.alerts.stream.WindowReader``, as does `windows`."""
        return await self._reads.run(self._read_newest_window(table))

    async def windows(self, metric: StreamMetric, since: datetime, until: datetime, limit: int) -> Sequence[WindowSums]:
        return await self._reads.run(self._read_windows(metric, since, until, limit))

    async def columns(self, table: ResultTable, data_version: int) -> ColumnTable | None:
        """All rows of a table in memory; None where they cannot be held (`ColumnBuilder.finish`).

        Raises DataVersionNotFound, Unavailable.
        """
        return await self._reads.run(self._read_columns(table, data_version))

    async def changed(self, known: int | None) -> DataStamp:
        while True:
            stamp = await self.stamp(None)
            if stamp.data_version != known:
                return stamp
            # Another process flips the pointer, and SQLite has no way to tell its readers.
            await asyncio.sleep(self._poll_seconds)

    async def _read_stamp(self, data_version: int | None) -> DataStamp:
        async with self._transaction() as connection:
            return await self._stamp(connection, data_version)

    async def _read_data_versions(
        self, states: Sequence[DataVersionState], before: int | None, limit: int
    ) -> Sequence[DataVersion]:
        versions, pointer = self._tables.data_versions, self._tables.pointer
        query = sa.select(versions, pointer.c.data_version.label("active")).outerjoin(
            pointer, pointer.c.data_version == versions.c.data_version
        )
        if states:
            query = query.where(versions.c.state.in_([state.value for state in states]))
        if before is not None:
            query = query.where(versions.c.data_version < before)
        try:
            async with self._transaction() as connection:
                rows = await connection.execute(query.order_by(versions.c.data_version.desc()).limit(limit))
                return [_data_version(row) for row in rows]
        except DataVersionNotFound:
            return []

    async def _read_rows(self, query: TableQuery, data_version: int | None) -> TableAnswer:
        async with self._transaction() as connection:
            stamp = await self._stamp(connection, data_version)
            statements = compile_query(query, self._model, self._tables, self._dialect, stamp.data_version)
            groups = len(query.group_by)
            rows = tuple(
                TableRow(tuple(row[:groups]), _numbers(query.sums, row[groups:]))
                for row in await connection.execute(statements.page)
            )
            total_rows = len(rows)
            # A page that is not full, from the start, has counted them all.
            if query.count and (query.offset or len(rows) == query.limit):
                total_rows = int(await connection.scalar(statements.count) or 0)
            totals = None
            if query.totals:
                totals = _numbers(query.sums, (await connection.execute(statements.totals)).one())
            return TableAnswer(stamp, rows, total_rows, totals)

    async def _read_amount_cells(
        self, table: ResultTable, count: str, amount: str, expected: str | None, data_version: int
    ) -> AmountCells:
        found = self._tables.results[table.name]
        n = sa.cast(found.c[table.measures[count]], sa.Double)
        s = sa.cast(found.c[table.measures[amount]], sa.Double)
        cells = [found.c.data_version == data_version, n > 0]
        async with self._transaction() as connection:
            await self._stamp(connection, data_version)
            if expected is not None:
                e = sa.cast(found.c[table.measures[expected]], sa.Double)
                cells.append(e > 0)
                relative = s / e
            else:
                sums = sa.select(sa.func.sum(n), sa.func.sum(s)).where(*cells)
                claims, total = (await connection.execute(sums)).one()
                if not claims or not total:
                    return AmountCells(0, 0, 0.0, 0.0)
                relative = s / (n * (total / claims))
            figures = sa.select(
                sa.func.count(), sa.func.sum(n), sa.func.sum(n * relative), sa.func.sum(n * relative * relative)
            ).where(*cells)
            number, claims, first, second = (await connection.execute(figures)).one()
            return AmountCells(int(number), int(claims or 0), float(first or 0), float(second or 0))

    async def _read_table(
        self, table: str, columns: Mapping[str, Kind], data_version: int | None, only: Mapping[str, Sequence[str]]
    ) -> ResultRows | None:
        async with self._transaction() as connection:
            stamp = await self._stamp(connection, data_version)
        whole = self._tables.whole(table, columns)
        query = sa.select(*(whole.c[name] for name in columns)).where(whole.c.data_version == stamp.data_version)
        query = query.where(*(whole.c[name].in_(list(values)) for name, values in only.items()))
        try:
            async with self._transaction() as connection:
                found = (await connection.execute(query)).all()
                # The rows of a version that was pruned meanwhile would be none at all.
                await self._stamp(connection, stamp.data_version)
        except TableNotThere:
            return None
        by_column = zip(*found, strict=True) if found else ((),) * len(columns)
        return ResultRows(stamp, dict(zip(columns, by_column, strict=True)))

    async def _read_rating_cells(self, data_version: int | None) -> GroupCells:
        async with self._transaction() as connection:
            stamp = await self._stamp(connection, data_version)
            return await read_rating_cells(connection, stamp, self._tables.data_versions.schema)

    async def _read_newest_window(self, table: str) -> datetime | None:
        async with self._transaction() as connection:
            return await read_newest_window(connection, table, self._tables.data_versions.schema)

    async def _read_windows(
        self, metric: StreamMetric, since: datetime, until: datetime, limit: int
    ) -> Sequence[WindowSums]:
        async with self._transaction() as connection:
            return await read_windows(connection, metric, since, until, limit, self._tables.data_versions.schema)

    async def _read_columns(self, table: ResultTable, data_version: int) -> ColumnTable | None:
        found = self._tables.results[table.name]
        keys, measures = list(table.keys.values()), list(table.measures.values())
        builder = ColumnBuilder(keys, table.time_column, measures)
        time = found.c[table.time_column]
        # SQLite keeps days as this text already.
        text = sa.cast(time, sa.Text) if self._dialect == "postgresql" else sa.type_coerce(time, sa.Text)
        columns = (*(found.c[key] for key in keys), text, *(found.c[measure] for measure in measures))
        query = sa.select(*columns).where(found.c.data_version == data_version)
        async with self._transaction() as connection:
            await self._stamp(connection, data_version)
            async with connection.stream(query) as result:
                async for part in result.partitions(_PART_ROWS):
                    await asyncio.to_thread(builder.add, part)
        return await asyncio.to_thread(builder.finish)

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[AsyncConnection]:
        """A read transaction. Raises DataVersionNotFound where the store or its tables do not exist yet."""
        await self._check_file()
        with database_errors():
            try:
                async with self._engine.connect() as connection, connection.begin():
                    yield connection
            except exc.DBAPIError as error:
                if _is_undefined(error):
                    raise TableNotThere(str(_nothing_published())) from error
                raise

    async def _check_file(self) -> None:
        """Drops the open connections when another file was put in the place of theirs: they would never see it."""
        if self._file is None:
            return
        try:
            status = self._file.stat()
        except FileNotFoundError as error:
            raise _nothing_published() from error
        identity = (status.st_dev, status.st_ino)
        if self._opened_file not in (None, identity):
            await self._engine.dispose()
        self._opened_file = identity

    async def _stamp(self, connection: AsyncConnection, data_version: int | None) -> DataStamp:
        versions, pointer = self._tables.data_versions, self._tables.pointer
        query = sa.select(
            versions.c.data_version, versions.c.watermark, versions.c.published_at, versions.c.currency
        ).where(versions.c.state != DataVersionState.FAILED.value)
        if data_version is None:
            query = query.join(pointer, pointer.c.data_version == versions.c.data_version)
        else:
            query = query.where(versions.c.data_version == data_version)
        row = (await connection.execute(query)).one_or_none()
        if row is not None:
            return DataStamp(int(row.data_version), _utc(row.watermark), _utc(row.published_at), row.currency or None)
        if data_version is None:
            raise _nothing_published()
        raise DataVersionNotFound(
            f"no data version {data_version} is kept; ListDataVersions shows those that are",
            data_version=str(data_version),
        )


def _nothing_published() -> DataVersionNotFound:
    return DataVersionNotFound("no data version has been published yet; run the Flink job, then ask again")


def _is_undefined(error: exc.DBAPIError) -> bool:
    if isinstance(error.orig, sqlite3.OperationalError):
        return "no such table" in str(error.orig)  # SQLite has one code for this and for syntax errors.
    return getattr(error.orig, "sqlstate", None) in _UNDEFINED


def _numbers(sums: Sequence[Sum], values: Sequence[Any]) -> tuple[Number, ...]:
    """PostgreSQL sums 64-bit integers to decimals; both are exact."""
    return tuple(int(value) if item.exact else float(value) for item, value in zip(sums, values, strict=True))


def _utc(moment: datetime) -> datetime:
    """SQLite keeps no zone: what is stored is UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _data_version(row: sa.Row[Any]) -> DataVersion:
    counts = json.loads(row.row_counts) if isinstance(row.row_counts, str) else row.row_counts or {}
    return DataVersion(
        data_version=int(row.data_version),
        watermark=_utc(row.watermark) if row.watermark is not None else None,
        published_at=_utc(row.published_at) if row.published_at is not None else None,
        state=DataVersionState(row.state),
        active=row.active is not None,
        row_counts={str(name): int(count) for name, count in counts.items()},
        fingerprint=row.fingerprint or "",
        flink_version=row.flink_version or "",
        duration_seconds=float(row.duration_seconds or 0.0),
    )
