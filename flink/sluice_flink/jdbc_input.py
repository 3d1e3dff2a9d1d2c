"""Source tables in PostgreSQL, read by Flink through JDBC.

Every table is read through a subquery that gives its columns the types of the contract. Large tables are read in
parts at once. A part is a range of a whole number; what lies outside of all ranges would be lost silently. So their
bounds are asked of the table itself, the number is never NULL, and the rows are counted beforehand.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.engine import URL
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

from sluice_flink.inputs import EVENT_TIMES, ORDERS, UNREADABLE, BadInput, StagedInput
from sluice_flink.risk_store import BadStoreUrl, normalise_url
from sluice_flink.sql_files import TableSchema, source_tables

_PARTS_BY = {
    "policies": "COALESCE(start_date::date - DATE '1970-01-01', 0)",
    "claims": "COALESCE(occurred_on::date - DATE '1970-01-01', 0)",
    "devices": "COALESCE(hashtext(device_id::text) & 1023, 0)",
}
"""Whole numbers by which large tables are cut into parts; a NULL counts as 0 and so lies within the bounds."""
_CASTS = {"STRING": "text", "BIGINT": "bigint", "INT": "int", "DOUBLE": "float8", "DATE": "date", "BOOLEAN": "boolean"}
_TIME = 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'
_FETCH_ROWS = 10_000


@dataclass(frozen=True)
class JdbcInput:
    """The source tables of one schema of a database."""

    staged: StagedInput
    """What the files would have been: rows, newest event times; the fingerprint is one of counts, not of content."""
    options: Mapping[str, str]
    """The WITH clause by source table, in place of the declared one."""


def is_database(text: str) -> bool:
    """Whether an input is a database's URL and not a folder."""
    return re.match(r"postgres(ql)?://", text) is not None


def jars(folder: Path) -> list[Path]:
    """The connectors' jars. Raises `BadInput` where they have not been fetched."""
    found = sorted(folder.resolve().glob("*.jar"))
    if not any(path.name.startswith("flink-connector-jdbc-postgres") for path in found):
        raise BadInput([f"no connectors in {folder}: `make flink-connectors` fetches them"])
    return found


def inspect(url_text: str, schema: str, work: Path, parts: int) -> JdbcInput:
    """Look at the tables in `schema`; `parts` are read at once. Raises `BadInput` naming every missing column."""
    try:
        url = normalise_url(url_text)
    except BadStoreUrl as error:
        raise BadInput([f"input: {error}"]) from error
    staged = work / "staged"
    optional = [table.name for table in source_tables().values() if not table.required]
    for name in (ORDERS, UNREADABLE, *optional):
        (staged / name).mkdir(parents=True, exist_ok=True)
    return asyncio.run(_inspect(url, schema, staged, parts))


@dataclass(frozen=True)
class _Seen:
    rows: int
    lowest: int
    highest: int
    newest: str | None
    select: str


async def _inspect(url: URL, schema: str, staged: Path, parts: int) -> JdbcInput:
    tables = [table for table in source_tables().values() if table.name != ORDERS]
    engine = create_async_engine(url)
    try:
        async with engine.connect() as connection:
            found = await _columns(connection, schema)
            if problems := _missing(tables, found, schema):
                raise BadInput(problems)
            present = [table for table in tables if table.name in found]
            seen = {table.name: await _look(connection, schema, table, found[table.name]) for table in present}
    except (OSError, sa.exc.SQLAlchemyError) as error:
        # The driver's own message may show how it connected.
        raise BadInput([f"input: the database can not be read ({type(error).__name__})"]) from error
    finally:
        await engine.dispose()
    told = repr([(name, item.rows, item.lowest, item.highest, item.newest) for name, item in seen.items()])
    return JdbcInput(
        StagedInput(
            staged, staged / ORDERS, f"counts-sha256:{hashlib.sha256(told.encode()).hexdigest()}", 0, 0,
            {name: item.rows for name, item in seen.items()},
            {name: item.newest for name, item in seen.items() if item.newest is not None},
        ),
        {name: _with_clause(url, name, item, parts) for name, item in seen.items()},
    )  # fmt: skip


async def _columns(connection: AsyncConnection, schema: str) -> dict[str, dict[str, str]]:
    query = sa.text(
        "SELECT table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = :schema"
    )
    found: dict[str, dict[str, str]] = {}
    for table, column, kind in await connection.execute(query, {"schema": schema}):
        found.setdefault(table, {})[column] = kind
    return found


def _missing(tables: Sequence[TableSchema], found: Mapping[str, Mapping[str, str]], schema: str) -> list[str]:
    problems = []
    for table in tables:
        missing = [name for name in table.column_names if name not in found.get(table.name, {})]
        if table.name not in found and not table.required:
            continue
        if table.name not in found:
            problems.append(f"{table.name}: no such table in schema {schema}")
        elif missing:
            problems.append(f"{table.name}: missing {', '.join(missing)}")
    return problems


async def _look(connection: AsyncConnection, schema: str, table: TableSchema, kinds: Mapping[str, str]) -> _Seen:
    quote = connection.dialect.identifier_preparer.quote
    source = f"{quote(schema)}.{quote(table.name)}"
    part = _PARTS_BY.get(table.name, "0")
    columns = []
    for column in table.columns:
        name = quote(column.name)
        if column.type == "STRING" and kinds[column.name].startswith("timestamp"):
            utc = f"{name} AT TIME ZONE 'UTC'" if kinds[column.name].endswith("with time zone") else name
            columns.append(f"to_char({utc}, '{_TIME}') AS {name}")
        else:
            columns.append(f"{name}::{_CASTS[column.type]} AS {name}")
    select = f"SELECT {', '.join(columns)}, {part} AS scan_part FROM {source}"
    event_time = EVENT_TIMES.get(table.name)
    newest = f"MAX({event_time})" if event_time else "NULL"
    counted = sa.text(f"SELECT COUNT(*), MIN(scan_part), MAX(scan_part), {newest} FROM ({select}) AS rows_read")
    rows, lowest, highest, last = (await connection.execute(counted)).one()
    return _Seen(rows, lowest or 0, highest or 0, last, select)


def _with_clause(url: URL, table: str, seen: _Seen, parts: int) -> str:
    options = {
        "connector": "jdbc",
        "url": f"jdbc:postgresql://{url.host or '127.0.0.1'}:{url.port or 5432}/{url.database}",
        "table-name": f"({seen.select}) AS {table}",
        "scan.fetch-size": str(_FETCH_ROWS),
        # Without it the driver reads the whole table into memory.
        "scan.auto-commit": "false",
    }
    if url.username:
        options["username"] = url.username
        options["password"] = url.password or ""
    if table in _PARTS_BY and parts > 1 and seen.highest > seen.lowest:
        options |= {
            "scan.partition.column": "scan_part",
            "scan.partition.num": str(parts),
            "scan.partition.lower-bound": str(seen.lowest),
            "scan.partition.upper-bound": str(seen.highest),
        }
    return f"WITH ({quoted_options(options)})"


def quoted_options(options: Mapping[str, str]) -> str:
    """The inside of a WITH clause."""
    return ", ".join(f"'{key}' = '{value.replace(chr(39), chr(39) * 2)}'" for key, value in options.items())


def replace_source(statement: str, options: Mapping[str, str]) -> str:
    """A source's CREATE TABLE with the options of its table, if there are some."""
    name = re.match(r"CREATE\s+TABLE\s+(\w+)", statement)
    if name is None or name[1] not in options:
        return statement
    return f"{statement[: statement.rindex('WITH (')]}{options[name[1]]}"
