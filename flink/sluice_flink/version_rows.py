"""The rows of a data version on their way into the store."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from sluice_flink.result_files import Row, Rows
from sluice_flink.result_partitions import Reopened
from sluice_flink.risk_store import incoming_tables

_CHUNK_ROWS = 50_000


async def load(connection: AsyncConnection, table: sa.Table, version: int, rows: Rows | str) -> int:
    """Bring the rows of one table into the version; returns how many."""
    if not isinstance(rows, str):
        await _insert(connection, table, version, rows.get(table.name, ()))
        return len(rows.get(table.name, ()))
    incoming = incoming_tables(rows).tables[f"{rows}.{table.name}"]
    copied = sa.select(sa.literal(version, sa.BigInteger), *incoming.columns)
    names = ["data_version", *incoming.columns.keys()]
    return (await connection.execute(table.insert().from_select(names, copied))).rowcount


async def _insert(connection: AsyncConnection, table: sa.Table, version: int, rows: Sequence[Row]) -> None:
    """Bulk insert past SQLAlchemy's row-wise parameter handling, which takes longer than the database does."""
    if not rows:
        return
    columns = [column.name for column in table.columns]
    if connection.dialect.name == "postgresql":
        driver = (await connection.get_raw_connection()).driver_connection
        assert driver is not None
        records = ((version, *row) for row in rows)
        await driver.copy_records_to_table(table.name, schema_name=table.schema, columns=columns, records=records)
        return
    # SQLAlchemy's DATE on SQLite is ISO text; the driver's own adapter for dates is deprecated.
    insert = str(table.insert().compile(dialect=connection.dialect))
    for start in range(0, len(rows), _CHUNK_ROWS):
        chunk = rows[start : start + _CHUNK_ROWS]
        texts = [(version, *(v.isoformat() if isinstance(v, dt.date) else v for v in row)) for row in chunk]
        await connection.exec_driver_sql(insert, texts)


async def take_over(connection: AsyncConnection, table: sa.Table, version: int, base: int, reopened: Reopened) -> int:
    """Copy the base's rows of the partitions that are not opened again, inside of the database; returns how many."""
    untouched = reopened.untouched(table)
    if untouched is None:
        return 0
    columns = [column for column in table.columns if column.name != "data_version"]
    rows = sa.select(sa.literal(version, sa.BigInteger), *columns).where(table.c.data_version == base, untouched)
    names = ["data_version", *(column.name for column in columns)]
    return (await connection.execute(table.insert().from_select(names, rows))).rowcount
