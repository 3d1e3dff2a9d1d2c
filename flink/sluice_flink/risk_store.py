"""The risk query store's tables, made from the result DDL, and engines on them.

Every result table gets the column `data_version` in front of its key. Two tables of the store's own say which version
is the active one:

- `data_versions`: one row a version. The rows of every listed version can be read, except for FAILED ones, which have
  a reason instead.
- `active_data_version`: one row, the pointer. A reader reads it and the rows of that version in one transaction.

On PostgreSQL the tables live in the schema `risk`, on SQLite in a file of their own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from sluice_flink.sql_files import TableSchema, result_tables

POSTGRES_SCHEMA = "risk"

_TYPES: dict[str, type[sa.types.TypeEngine[Any]]] = {
    "STRING": sa.Text,
    "BIGINT": sa.BigInteger,
    "INT": sa.Integer,
    "DOUBLE": sa.Double,
    "DATE": sa.Date,
    "BOOLEAN": sa.Boolean,
}


class BadStoreUrl(ValueError):
    """The store's URL names no database that the loader can fill."""


class RiskTables:
    """The store's tables as SQLAlchemy Core objects, in `schema` (None: the database's default)."""

    def __init__(self, schema: str | None) -> None:
        self.metadata = sa.MetaData(schema=schema)
        self.results = {table.name: _result_table(table, self.metadata) for table in result_tables().values()}
        """The result tables by name."""
        self.data_versions = sa.Table(
            "data_versions",
            self.metadata,
            sa.Column("data_version", sa.BigInteger, primary_key=True, autoincrement=False),
            sa.Column("watermark", sa.DateTime(timezone=True), nullable=False),
            sa.Column("published_at", sa.DateTime(timezone=True), nullable=False),
            sa.Column("row_counts", sa.JSON, nullable=False),
            sa.Column("fingerprint", sa.Text, nullable=False),
            sa.Column("flink_version", sa.Text, nullable=False),
            sa.Column("duration_seconds", sa.Double, nullable=False),
            sa.Column(
                "state", sa.Text, sa.CheckConstraint("state IN ('PUBLISHED', 'SUPERSEDED', 'FAILED')"), nullable=False
            ),
            # Added later: stores that were made before get them when the next version is published.
            sa.Column("currency", sa.Text, comment="ISO 4217 code of every amount; empty where there is none."),
            sa.Column("input", sa.JSON, comment="files, bytes, and by source table: rows, newest (event time)."),
            sa.Column("rejects", sa.JSON, comment="Rejected rows by source table and reason."),
            sa.Column(
                "incremental", sa.JSON(none_as_null=True), comment="base, changed_files, reopened, rows_taken_over."
            ),
            sa.Column("reason", sa.Text, comment="Why a FAILED version was not published."),
        )
        self.active_data_version = sa.Table(
            "active_data_version",
            self.metadata,
            # The check makes a second pointer impossible.
            sa.Column(
                "only_row", sa.SmallInteger, sa.CheckConstraint("only_row = 1"), primary_key=True, autoincrement=False
            ),
            sa.Column("data_version", sa.BigInteger, nullable=False),
        )


def add_missing_columns(connection: sa.Connection, tables: RiskTables) -> None:
    """Add the columns that a store made by an earlier release lacks. Those of `data_versions` may be empty; a result
    column that may not is a figure, and is 0 in the versions that were published without it."""
    inspector = sa.inspect(connection)
    for table in (tables.data_versions, *tables.results.values()):
        present = {column["name"] for column in inspector.get_columns(table.name, schema=table.schema)}
        for column in table.columns:
            if column.name not in present:
                kind = column.type.compile(connection.dialect)
                name = connection.dialect.identifier_preparer.format_table(table)
                rest = "" if column.nullable else " NOT NULL DEFAULT 0"
                connection.execute(sa.text(f"ALTER TABLE {name} ADD COLUMN {column.name} {kind}{rest}"))


def incoming_tables(schema: str) -> sa.MetaData:
    """The result tables without data versions, for rows on their way into one. A crash may lose them: not logged."""
    metadata = sa.MetaData(schema=schema)
    for table in result_tables().values():
        columns = [
            sa.Column(column.name, _TYPES[column.type], primary_key=column.name in table.key, autoincrement=False)
            for column in table.columns
        ]
        sa.Table(table.name, metadata, *columns, prefixes=["UNLOGGED"])
    return metadata


def _result_table(table: TableSchema, metadata: sa.MetaData) -> sa.Table:
    columns = [
        sa.Column(column.name, _TYPES[column.type], primary_key=column.name in table.key, nullable=not column.required)
        for column in table.columns
    ]
    version = sa.Column("data_version", sa.BigInteger, primary_key=True, autoincrement=False)
    # The rows of a version then lie together: a reader scans its own version only.
    return sa.Table(table.name, metadata, version, *columns, comment=table.comment, sqlite_with_rowid=False)


def normalise_url(text: str) -> URL:
    """The URL with the asynchronous driver that the loader uses. Raises `BadStoreUrl`, never showing a password."""
    try:
        url = make_url(text)
    except sa.exc.ArgumentError as error:
        raise BadStoreUrl(
            "the store's URL can not be parsed; use sqlite:///FILE or postgresql://HOST/DATABASE"
        ) from error
    backend = url.get_backend_name()
    if backend == "sqlite":
        if not url.database or url.database == ":memory:":
            raise BadStoreUrl("a SQLite store needs a file: sqlite:///var/risk.db")
        return url.set(drivername="sqlite+aiosqlite")
    if backend in ("postgresql", "postgres"):
        return url.set(drivername="postgresql+asyncpg")
    raise BadStoreUrl(f"the store must be SQLite or PostgreSQL, not {backend}")


def store_schema(url: URL) -> str | None:
    """The schema that holds the tables in the database of `url`."""
    return None if url.get_backend_name() == "sqlite" else POSTGRES_SCHEMA


def open_store(url: URL) -> AsyncEngine:
    """An engine whose transactions take SQLite's write lock when they begin; makes the folder of a SQLite file."""
    if url.get_backend_name() != "sqlite":
        return create_async_engine(url)
    Path(str(url.database)).parent.mkdir(parents=True, exist_ok=True)
    engine = create_async_engine(url, connect_args={"timeout": 60})

    @sa.event.listens_for(engine.sync_engine, "connect")
    def _configure(connection: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
        # The driver must not begin transactions by itself: it would begin them without the write lock.
        connection.isolation_level = None
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute("PRAGMA synchronous=FULL")
        cursor.close()

    @sa.event.listens_for(engine.sync_engine, "begin")
    def _begin(connection: sa.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    return engine
