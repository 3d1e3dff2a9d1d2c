"""Readers that hammer a store while versions are published one after another: how many saw a mixture of two."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from sluice_flink.publish import publish_rows
from tests.bench.report import Row
from tests.flink.published_rows import ROWS_PER_TABLE, marked_rows, publication, publisher_command, repository
from tests.flink.store_reading import read_active
from tests.support.postgres import Postgres, running_postgres

PUBLICATIONS = 60
READERS = 4


def torn_reads() -> list[Row]:
    """Both databases, one after another."""
    with TemporaryDirectory(prefix="sluice-torn-") as folder:
        rows = [asyncio.run(_hammer(f"sqlite:///{Path(folder) / 'risk.db'}"))]
    with running_postgres() as server:
        rows.append(asyncio.run(_on_postgres(server)))
    torn, reads, seconds = (sum(column) for column in zip(*rows, strict=True))
    return [
        Row(
            "publish/torn-reads", torn, "reads", f"{reads:,.0f} whole-version reads on SQLite and PostgreSQL", goal="0"
        ),
        Row("publish/flips", 2 * PUBLICATIONS / seconds, "flips/s", f"{READERS} readers beside"),
    ]


async def _on_postgres(server: Postgres) -> tuple[int, int, float]:
    return await _hammer(server.url(await server.create_database()))


async def _hammer(store_url: str) -> tuple[int, int, float]:
    """Torn reads, reads, and seconds of publishing."""
    await publish_rows(store_url, marked_rows(1), publication())
    marks = ",".join(str(mark) for mark in range(2, PUBLICATIONS + 2))
    begun = time.perf_counter()
    process = await asyncio.create_subprocess_exec(*publisher_command(store_url, marks), cwd=repository())
    ended = asyncio.create_task(process.wait())
    counts = await asyncio.gather(*(_read(store_url, ended) for _ in range(READERS)))
    if await ended != 0:
        raise RuntimeError("the publisher failed")
    return sum(torn for torn, _ in counts), sum(reads for _, reads in counts), time.perf_counter() - begun


async def _read(store_url: str, ended: asyncio.Task[int]) -> tuple[int, int]:
    torn = reads = 0
    while not ended.done():
        version, rows = await read_active(store_url)
        marks = {value for table in rows.values() for row in table for value in row if isinstance(value, int)}
        whole = all(len(table) == ROWS_PER_TABLE + version for table in rows.values())
        torn += marks != {version} or not whole
        reads += 1
    return torn, reads
