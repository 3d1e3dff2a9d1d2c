"""The loader: publishes result rows into the risk query store as one data version.

Rows, version, pointer flip and pruning are one transaction, so a reader sees the old version or the new one, and a
publisher that is killed at any moment leaves the old one active with nothing to clean up.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sluice_flink.result_files import Rows, read_results
from sluice_flink.result_partitions import Reopened
from sluice_flink.risk_store import (
    RiskTables,
    add_missing_columns,
    normalise_url,
    open_store,
    store_schema,
)
from sluice_flink.version_rows import load, take_over

_PUBLISHERS_LOCK = 7_310_845
"""Key of the PostgreSQL advisory lock by which publishers go one after another."""


class NoSuchVersion(LookupError):
    """A data version to go back to that is not kept or has failed; the message lists those that can be had."""


class BaseReplaced(RuntimeError):
    """Another data version was published while this one was computed from an older one; nothing was published."""


@dataclass(frozen=True)
class Base:
    """The version that an incremental one is made from."""

    data_version: int
    reopened: Reopened
    """Partitions that the publication brings anew; all others are the base's."""
    changed_files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Input files that made the difference, by source table."""


@dataclass(frozen=True)
class ActiveVersion:
    """What readers see."""

    data_version: int
    watermark: dt.datetime
    fingerprint: str
    flink_version: str
    row_counts: Mapping[str, int]


@dataclass(frozen=True)
class Publication:
    """What is said about a data version beside its rows."""

    watermark: dt.datetime
    """Everything known before this instant is in the version; with time zone."""
    published_at: dt.datetime
    """Now, by the caller's clock; with time zone."""
    fingerprint: str = ""
    """Digest of the input; taken from the rows where empty."""
    flink_version: str = "none"
    duration_seconds: float = 0.0
    keep_versions: int = 5
    """How many versions stay readable, the new one included; older ones are deleted in the same transaction."""
    currency: str | None = None
    """ISO 4217 code of every amount."""
    input: Mapping[str, object] = field(default_factory=dict)
    """Files, bytes, rows and newest event times that were read."""
    rejects: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    """Rejected rows by source table and reason."""
    base: Base | None = None
    """The version whose other rows are taken over, in an incremental publication."""


@dataclass(frozen=True)
class PublishedVersion:
    """The version that readers see from now on."""

    data_version: int
    row_counts: Mapping[str, int]
    taken_over: Mapping[str, int] = field(default_factory=dict)
    """Of the rows those of the base."""


def _ignore(_step: str) -> None:
    return None


def publish(
    store_url: str,
    results_dir: Path,
    publication: Publication,
    on_step: Callable[[str], None] = _ignore,
) -> PublishedVersion:
    """Publish the CSV files that the job wrote under `results_dir`.

    Not for use inside a running event loop: see `publish_rows`.

    Raises `BadResults` where a file does not fit its table, and `BadStoreUrl`; then nothing is published.
    """
    return publish_results(store_url, read_results(results_dir), publication, on_step)


def publish_results(
    store_url: str,
    rows: Rows | str,
    publication: Publication,
    on_step: Callable[[str], None] = _ignore,
) -> PublishedVersion:
    """`publish_rows` for callers outside of an event loop."""
    return asyncio.run(publish_rows(store_url, rows, publication, on_step))


async def publish_rows(
    store_url: str,
    rows: Rows | str,
    publication: Publication,
    on_step: Callable[[str], None] = _ignore,
) -> PublishedVersion:
    """Publish `rows` as the next data version and make it the active one; creates the tables where they are missing.

    `rows` as a text: the schema whose tables they are in (see `jdbc_sink`).
    `on_step` is told each step as it ends. A second publisher waits for the first.
    """
    base = publication.base
    async with _store(store_url) as (engine, tables):
        on_step("tables ready")
        async with engine.begin() as connection:
            await _serialise_publishers(connection)
            await _require_base(connection, tables, base)
            version = await _next_version(connection, tables)
            on_step("version reserved")
            counts, taken = {}, {}
            for name, table in tables.results.items():
                loaded = await load(connection, table, version, rows)
                on_step(f"{name} loaded")
                taken[name] = (
                    await take_over(connection, table, version, base.data_version, base.reopened)
                    if base is not None
                    else 0
                )
                if taken[name]:
                    on_step(f"{name} taken over")
                counts[name] = loaded + taken[name]
            await _supersede(connection, tables)
            fingerprint = publication.fingerprint or ("" if isinstance(rows, str) else _digest(rows))
            entry = _entry(version, publication, counts, fingerprint, taken)
            await connection.execute(tables.data_versions.insert().values(**entry, state="PUBLISHED"))
            await _point_at(connection, tables, version)
            on_step("pointer flipped")
            await _prune(connection, tables, publication.keep_versions)
            on_step("old versions pruned")
        on_step("committed")
        return PublishedVersion(version, counts, taken)


async def record_failure(store_url: str, publication: Publication, reason: str) -> int:
    """List a run that published nothing as a FAILED version with its reason; returns its number. No row, no flip."""
    async with _store(store_url) as (engine, tables), engine.begin() as connection:
        await _serialise_publishers(connection)
        version = await _next_version(connection, tables)
        entry = _entry(version, publication, {}, publication.fingerprint, {})
        await connection.execute(tables.data_versions.insert().values(**entry, state="FAILED", reason=reason))
        return version


async def active_version(store_url: str) -> ActiveVersion | None:
    """What readers see now; None before the first publication. Raises `BadStoreUrl`."""
    async with _store(store_url) as (engine, tables), engine.connect() as connection:
        versions, pointer = tables.data_versions, tables.active_data_version
        found = await connection.execute(sa.select(versions).where(versions.c.data_version == pointer.c.data_version))
        row = found.one_or_none()
        if row is None:
            return None
        # SQLite gives the instant without its zone.
        watermark = row.watermark if row.watermark.tzinfo is not None else row.watermark.replace(tzinfo=dt.UTC)
        return ActiveVersion(row.data_version, watermark, row.fingerprint, row.flink_version, row.row_counts)


async def roll_back(store_url: str, version: int) -> None:
    """Make an older version that is still kept the active one. Raises `NoSuchVersion`, `BadStoreUrl`.

    The next publication gets a number above all others as ever.
    """
    async with _store(store_url) as (engine, tables), engine.begin() as connection:
        await _serialise_publishers(connection)
        versions = tables.data_versions
        readable = sa.select(versions.c.data_version).where(versions.c.state != "FAILED")
        kept = sorted((await connection.scalars(readable)).all())
        if version not in kept:
            raise NoSuchVersion(
                f"no data version {version} can be read; kept are {', '.join(map(str, kept)) or 'none'}"
            )
        await _supersede(connection, tables)
        chosen = versions.update().where(versions.c.data_version == version)
        await connection.execute(chosen.values(state="PUBLISHED"))
        await _point_at(connection, tables, version)


@asynccontextmanager
async def _store(store_url: str) -> AsyncIterator[tuple[AsyncEngine, RiskTables]]:
    """The store with its tables there."""
    url = normalise_url(store_url)
    tables = RiskTables(store_schema(url))
    engine = open_store(url)
    try:
        async with engine.begin() as connection:
            await _serialise_publishers(connection)
            if tables.metadata.schema is not None:
                await connection.execute(sa.schema.CreateSchema(tables.metadata.schema, if_not_exists=True))
            await connection.run_sync(tables.metadata.create_all)
            await connection.run_sync(add_missing_columns, tables)
        yield engine, tables
    finally:
        await engine.dispose()


async def _serialise_publishers(connection: AsyncConnection) -> None:
    """On SQLite the transaction began with the write lock; PostgreSQL needs one, given back at the end."""
    if connection.dialect.name == "postgresql":
        await connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_PUBLISHERS_LOCK)))


async def _next_version(connection: AsyncConnection, tables: RiskTables) -> int:
    highest = await connection.scalar(sa.select(sa.func.max(tables.data_versions.c.data_version)))
    return (highest or 0) + 1


async def _supersede(connection: AsyncConnection, tables: RiskTables) -> None:
    versions = tables.data_versions
    await connection.execute(versions.update().where(versions.c.state == "PUBLISHED").values(state="SUPERSEDED"))


async def _require_base(connection: AsyncConnection, tables: RiskTables, base: Base | None) -> None:
    active = await connection.scalar(sa.select(tables.active_data_version.c.data_version))
    if base is not None and active != base.data_version:
        raise BaseReplaced(f"nothing published: data version {active} is active and not {base.data_version}; run again")


def _entry(
    version: int,
    publication: Publication,
    counts: Mapping[str, int],
    fingerprint: str,
    taken_over: Mapping[str, int],
) -> dict[str, object]:
    return {
        "data_version": version,
        "watermark": publication.watermark,
        "published_at": publication.published_at,
        "row_counts": dict(counts),
        "fingerprint": fingerprint,
        "flink_version": publication.flink_version,
        "duration_seconds": publication.duration_seconds,
        "currency": publication.currency,
        "input": dict(publication.input),
        "rejects": {source: dict(reasons) for source, reasons in publication.rejects.items()},
        "incremental": incremental_summary(publication.base, taken_over),
    }


def incremental_summary(base: Base | None, taken_over: Mapping[str, int]) -> dict[str, object] | None:
    """What a data version tells about its base; None where it was computed as a whole."""
    if base is None:
        return None
    return {
        "base": base.data_version,
        "changed_files": {table: list(files) for table, files in base.changed_files.items()},
        "reopened": base.reopened.describe(),
        "rows_taken_over": dict(taken_over),
    }


async def _point_at(connection: AsyncConnection, tables: RiskTables, version: int) -> None:
    pointer = tables.active_data_version
    flipped = await connection.execute(pointer.update().values(data_version=version))
    if flipped.rowcount == 0:
        await connection.execute(pointer.insert().values(only_row=1, data_version=version))


async def _prune(connection: AsyncConnection, tables: RiskTables, keep: int) -> None:
    """Delete all but the newest `keep` readable versions, and their entries in data_versions: what is listed can be
    read. Failed ones go with the readable ones that they are older than."""
    versions = tables.data_versions.c.data_version
    readable = sa.select(versions).where(tables.data_versions.c.state != "FAILED")
    newest = readable.order_by(versions.desc()).limit(max(1, keep))
    oldest_kept = min((await connection.scalars(newest)).all())
    for table in (*tables.results.values(), tables.data_versions):
        await connection.execute(table.delete().where(table.c.data_version < oldest_kept))


def _digest(rows: Rows) -> str:
    digest = hashlib.sha256()
    for name in sorted(rows):
        digest.update(repr((name, sorted(map(repr, rows[name])))).encode())
    return f"sha256:{digest.hexdigest()}"
