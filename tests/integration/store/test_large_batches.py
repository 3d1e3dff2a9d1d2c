"""New orders by the hundred: all of a batch or none of it, whatever its size."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from sluice_server.store import open_store
from sluice_server.store.columns import FIRST_COLUMNS
from sluice_server.store.order_write import FirstWrite, new_order
from sluice_server.store.rows import SQLITE3
from sluice_server.store.sqlite.first import ROWS_AT_ONCE
from sluice_server.store.sqlite.writer import SqliteWriter
from sluice_server.store.unit_of_work import WriteGate
from tests.integration.store.samples import order

_numbers = itertools.count()


@pytest.fixture
async def database(tmp_path: Path) -> Path:
    async with open_store(f"sqlite+aiosqlite:///{tmp_path / 'sluice.db'}"):
        return tmp_path / "sluice.db"


@pytest.fixture
async def writer(database: Path) -> AsyncIterator[SqliteWriter]:
    opened = SqliteWriter(str(database), WriteGate())
    yield opened
    await opened.close()


def writes(count: int) -> list[FirstWrite]:
    made = [new_order(order(f"app-{next(_numbers):06}"), SQLITE3) for _ in range(count)]
    assert all(isinstance(each, FirstWrite) for each in made)
    return made  # type: ignore[return-value]  # just seen


def stored(database: Path, batch: Sequence[FirstWrite]) -> list[str]:
    ids = {write.application_id for write in batch}
    with sqlite3.connect(database) as connection:
        found = connection.execute(
            "SELECT application_id FROM orders JOIN decisions USING (order_seq) ORDER BY order_seq"
        ).fetchall()
    return [application_id for (application_id,) in found if application_id in ids]


@pytest.mark.parametrize("count", [1, 63, 64, 65, 129, 500, ROWS_AT_ONCE - 1, ROWS_AT_ONCE, ROWS_AT_ONCE + 1, 2_500])
async def test_a_batch_of_any_size_is_stored_in_its_order(writer: SqliteWriter, database: Path, count: int) -> None:
    batch = writes(count)
    assert list(await writer.write(batch)) == [True] * count
    assert stored(database, batch) == [write.application_id for write in batch]


@pytest.mark.parametrize("count", [2, 64, 100, 500, ROWS_AT_ONCE, ROWS_AT_ONCE + 70])
async def test_of_a_batch_with_a_row_that_is_refused_nothing_is_stored(
    writer: SqliteWriter, database: Path, count: int
) -> None:
    batch = writes(count)
    row = list(batch[-1].row)
    row[FIRST_COLUMNS.index("product_code")] = None
    batch[-1] = FirstWrite(batch[-1].application_id, tuple(row))
    with pytest.raises(sqlite3.IntegrityError):
        await writer.write(batch)
    assert stored(database, batch) == []


@pytest.mark.parametrize("count", [70, ROWS_AT_ONCE + 5])
async def test_what_is_known_is_told_of_each(writer: SqliteWriter, count: int) -> None:
    batch = writes(count)
    known = [new_order(order(write.application_id, "insurer-b"), SQLITE3) for write in batch[::3]]
    await writer.write(known)
    assert list(await writer.write(batch)) == [place % 3 != 0 for place in range(count)]
