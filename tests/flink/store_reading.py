"""Reads the risk store as the server does: the pointer and the rows of its version in one transaction."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from sluice_flink.result_files import Row
from sluice_flink.risk_store import RiskTables, normalise_url, store_schema


async def active_version(store_url: str) -> int:
    """The version the pointer shows."""
    version, _ = await read_active(store_url)
    return version


async def read_active(store_url: str) -> tuple[int, dict[str, list[Row]]]:
    """The active version and its rows by table, without the column data_version."""
    return await _read(store_url, None)


async def read_version(store_url: str, version: int) -> dict[str, list[Row]]:
    """The rows of `version` by table."""
    return (await _read(store_url, version))[1]


async def listed_versions(store_url: str) -> list[tuple[int, str]]:
    """Version and state of everything listed, ascending."""
    return [(row.data_version, row.state) for row in await version_rows(store_url)]


async def version_rows(store_url: str) -> list[Any]:
    """Everything listed, ascending, with all columns as attributes."""
    url = normalise_url(store_url)
    versions = RiskTables(store_schema(url)).data_versions
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            return list(await connection.execute(sa.select(versions).order_by(versions.c.data_version)))
    finally:
        await engine.dispose()


async def _read(store_url: str, version: int | None) -> tuple[int, dict[str, list[Row]]]:
    url = normalise_url(store_url)
    tables = RiskTables(store_schema(url))
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            # A snapshot for the whole transaction; SQLite has one by itself.
            if connection.dialect.name == "postgresql":
                await connection.execution_options(isolation_level="REPEATABLE READ")
            else:
                await connection.exec_driver_sql("BEGIN")
            if version is None:
                version = (await connection.scalars(sa.select(tables.active_data_version.c.data_version))).one()
            rows: dict[str, list[Row]] = {}
            for name, table in tables.results.items():
                columns = [column for column in table.columns if column.name != "data_version"]
                query = sa.select(*columns).where(table.c.data_version == version)
                rows[name] = [tuple(row) for row in await connection.execute(query)]
            return version, rows
    finally:
        await engine.dispose()
