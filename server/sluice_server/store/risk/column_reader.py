"""The reader that holds tables in memory: what is asked of the active data version is answered from there."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping, Sequence

from sluice_server.domain.risk.data_version import DataStamp, DataVersion, DataVersionState
from sluice_server.domain.risk.ports import AmountCells, GroupColumn, TableAnswer, TableQuery
from sluice_server.domain.risk.result_rows import Kind, ResultRows
from sluice_server.domain.risk.semantic.semantic_model import ResultTable, SemanticModel
from sluice_server.store.risk.columns import ColumnTable
from sluice_server.store.risk.reader import RiskStoreReader

SMALL_ROWS = 5_000
"""The database answers from tables up to this size in a few milliseconds."""
_BYTES_A_CODE, _BYTES_A_MEASURE = 4, 8


class ColumnReader:
    """Implements `domain.risk.ports.RiskReader` over a `RiskStoreReader`.

    The first question to a table of the active version is answered by SQL, and starts the table's loading; from its end
    on questions are answered in memory, by the same rules. Tables that do not fit, and other versions, stay with SQL.
    """

    def __init__(
        self, reader: RiskStoreReader, model: SemanticModel, *, memory_bytes: int, small_rows: int = SMALL_ROWS
    ) -> None:
        """``memory_bytes``: for all held tables together; 0 holds none. Tables up to ``small_rows`` stay with SQL."""
        self._reader = reader
        self._model = model
        self._memory_bytes = memory_bytes
        self._small_rows = small_rows
        self._held: OrderedDict[tuple[int, str], ColumnTable | None] = OrderedDict()
        """None where the table cannot be held. The one not used for longest is first."""
        self._loading: dict[tuple[int, str], asyncio.Task[None]] = {}

    @property
    def held_bytes(self) -> int:
        """What the held tables take."""
        return sum(table.nbytes for table in self._held.values() if table is not None)

    async def close(self) -> None:
        """Waits for the reads under way and closes every connection."""
        await self._reader.close()
        await asyncio.gather(*self._loading.values(), return_exceptions=True)

    async def loaded(self) -> None:
        """Waits until no table is being loaded."""
        while self._loading:
            await asyncio.wait(self._loading.values())

    async def stamp(self, data_version: int | None) -> DataStamp:
        return await self._reader.stamp(data_version)

    async def data_versions(
        self, states: Sequence[DataVersionState], before: int | None, limit: int
    ) -> Sequence[DataVersion]:
        return await self._reader.data_versions(states, before, limit)

    async def rows(
        self,
        table: str,
        columns: Mapping[str, Kind],
        data_version: int | None,
        only: Mapping[str, Sequence[str]] | None = None,
    ) -> ResultRows | None:
        return await self._reader.rows(table, columns, data_version, only)

    async def changed(self, known: int | None) -> DataStamp:
        return await self._reader.changed(known)

    async def select(self, query: TableQuery, data_version: int | None) -> TableAnswer:
        stamp = await self._reader.stamp(data_version)
        table = self._in_memory(query.table, stamp.data_version)
        if table is None:
            return await self._reader.select(query, stamp.data_version)
        # A second thread, so that other calls go on meanwhile.
        found = await asyncio.to_thread(table.select, query)
        return TableAnswer(stamp, found.rows, found.total_rows if query.count else len(found.rows), found.totals)

    async def amount_cells(
        self, table: ResultTable, count: str, amount: str, expected: str | None, data_version: int
    ) -> AmountCells:
        held = self._in_memory(table.name, data_version)
        if held is None:
            return await self._reader.amount_cells(table, count, amount, expected, data_version)
        columns = table.measures
        return await asyncio.to_thread(
            held.amount_cells, columns[count], columns[amount], None if expected is None else columns[expected]
        )

    def _in_memory(self, table: str, data_version: int) -> ColumnTable | None:
        """The table where it is held; else its loading begins, if it was not tried yet."""
        key = (data_version, table)
        if key in self._held:
            self._held.move_to_end(key)
            return self._held[key]
        if self._memory_bytes and key not in self._loading:
            task = asyncio.create_task(self._load(self._model.tables[table], data_version))
            self._loading[key] = task
            task.add_done_callback(lambda done: self._ended(key, done))
        return None

    async def _load(self, table: ResultTable, data_version: int) -> None:
        listed = await self._reader.data_versions((), data_version + 1, 1)
        here = listed and listed[0].data_version == data_version
        rows = listed[0].row_counts.get(table.name, 0) if here else 0
        width = _BYTES_A_CODE * (1 + len(table.keys)) + _BYTES_A_MEASURE * len(table.measures)
        found = None
        if here and listed[0].active and rows > self._small_rows and rows * width <= self._memory_bytes:
            found = await self._reader.columns(table, data_version)
        if found is not None:
            time = GroupColumn(table.time_grain, table.time_column, table.time_grain)
            await asyncio.to_thread(found.prepare, time, list(table.keys.values()))
        for key in [key for key in self._held if key[1] == table.name and key[0] < data_version]:
            del self._held[key]
        self._held[(data_version, table.name)] = found
        while self.held_bytes > self._memory_bytes:
            self._held.popitem(last=False)

    def _ended(self, key: tuple[int, str], task: asyncio.Task[None]) -> None:
        del self._loading[key]
        if not task.cancelled():
            task.exception()  # The question that began it was answered by SQL; the next one tries again.
