"""`sluice-flink stream` as a process of its own, which tests stop and kill, and what it has written."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import create_async_engine

from sluice_flink.stream_store import StreamStore

Rows = dict[str, set[tuple[Any, ...]]]
WAIT_SECONDS = 180.0
_LOOK_SECONDS = 0.3


class Stream:
    """The running command; its JVM is in its process group."""

    def __init__(self, process: subprocess.Popen[bytes], told: Path) -> None:
        self._process = process
        self._told = told

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def output(self) -> str:
        """What it has printed."""
        return self._told.read_text()

    def stop(self) -> int:
        """SIGTERM to the command alone, as a service manager sends it; returns the exit code."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(WAIT_SECONDS)

    def kill(self) -> None:
        """SIGKILL to the command and its JVM at once."""
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def check(self) -> None:
        """Fails when it has ended by itself."""
        assert self._process.poll() is None, self.output


@contextmanager
def streaming(folder: Path, *options: str | Path) -> Iterator[Stream]:
    """Run the command for the time of the block; its output goes to a file under `folder`."""
    told = folder / f"stream-{time.monotonic_ns()}.txt"
    command = [sys.executable, "-c", "from sluice_flink.cli import app; app()", "stream", *map(str, options)]
    with told.open("wb") as output:
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )
    stream = Stream(process, told)
    try:
        yield stream
    finally:
        stream.kill()


async def stored(store_url: str) -> Rows:
    """Every table's rows, in UTC without time zones; warnings without the time of their detection."""
    store = StreamStore(store_url)
    engine = create_async_engine(store.url)
    try:
        async with engine.connect() as connection:
            return {
                name: {_plain(row) for row in await connection.execute(_select(table))}
                for name, table in store.tables.items()
            }
    finally:
        await engine.dispose()
        await store.close()


def _select(table: sa.Table) -> sa.Select[Any]:
    return sa.select(*(column for column in table.columns if column.name != "detected_at"))


def _plain(row: sa.Row[Any]) -> tuple[Any, ...]:
    return tuple(
        value.astimezone(dt.UTC).replace(tzinfo=None) if isinstance(value, dt.datetime) and value.tzinfo else value
        for value in row
    )


def wrong(found: Rows, expected: Rows) -> dict[str, int]:
    """By table the rows that are missing or should not be there; floats may differ in their last bits."""
    told = {name: len(_rounded(found[name]) ^ _rounded(rows)) for name, rows in expected.items()}
    return {name: count for name, count in told.items() if count}


def _rounded(rows: set[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    return {tuple(float(f"{value:.12g}") if isinstance(value, float) else value for value in row) for row in rows}


async def settled(store_url: str, expected: Rows, stream: Stream) -> Rows:
    """What is stored as soon as it is as much as expected, or when no more has come for long."""
    came, most = time.monotonic(), -1
    while True:
        found = await stored(store_url)
        if all(len(found[name]) >= len(rows) for name, rows in expected.items()):
            return found
        if (count := sum(map(len, found.values()))) > most:
            came, most = time.monotonic(), count
        if time.monotonic() - came > WAIT_SECONDS / 2:
            return found
        stream.check()
        await asyncio.sleep(_LOOK_SECONDS)


async def begun(store_url: str, stream: Stream, rows: int) -> int:
    """Waits until so many windows of insurers are stored; returns how many there are."""
    deadline = time.monotonic() + WAIT_SECONDS
    store = StreamStore(store_url)
    engine = create_async_engine(store.url)
    count = sa.select(sa.func.count()).select_from(store.tables["insurer_window"])
    try:
        await store.create()
        while time.monotonic() < deadline:
            stream.check()
            async with engine.connect() as connection:
                if (found := (await connection.execute(count)).scalar_one()) >= rows:
                    return int(found)
            await asyncio.sleep(_LOOK_SECONDS)
    finally:
        await engine.dispose()
        await store.close()
    raise AssertionError(f"no {rows} windows: {stream.output}")
