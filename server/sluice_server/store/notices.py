"""PostgreSQL's LISTEN: what one replica commits, the others hear of at once.

Nobody relies on it: whoever listens also polls. A notice that is lost with its connection costs a poll's time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from sluice_server.domain.errors import Unavailable
from sluice_server.store.faults import database_errors

CHANNEL = "sluice"
BREAKERS = "breakers"
"""Topic: a breaker or an insurer was changed."""
PLANS = "plans"
"""Topic: another plan is active."""
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0
PROBE_SECONDS = 15.0
"""How often a quiet connection is asked whether it is still there: one that a network has swallowed says nothing."""
PROBE_TIMEOUT_SECONDS = 5.0

logger = logging.getLogger(__name__)


class PostgresNotices:
    """As a worker: tells of each topic's changes, on a connection of its own, which it opens again when it is lost."""

    name = "store-notices"

    def __init__(self, engine: AsyncEngine, tell: Mapping[str, Callable[[], None]]) -> None:
        """``tell``: whom to call for each topic; called in the loop, and must not block."""
        self._engine = engine
        self._tell = tell
        self.listening = asyncio.Event()
        """Set while a connection listens."""

    async def run(self, stopping: asyncio.Event) -> None:
        """Listens until ``stopping`` is set."""
        pause = FIRST_PAUSE_SECONDS
        while not stopping.is_set():
            try:
                await self._listen(stopping)
                pause = FIRST_PAUSE_SECONDS
            except Unavailable as error:
                logger.warning("no notices from the database, the poll goes on: %s", error.message)
            finally:
                self.listening.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(stopping.wait(), pause)
            pause = min(LONGEST_PAUSE_SECONDS, pause * 2)

    async def _listen(self, stopping: asyncio.Event) -> None:
        """Until the connection is lost or ``stopping`` is set."""
        with database_errors():
            connection = await self._engine.connect()
        try:
            with database_errors():
                raw: Any = (await connection.get_raw_connection()).driver_connection
                lost = asyncio.Event()
                raw.add_termination_listener(lambda _: lost.set())
                await raw.add_listener(CHANNEL, self._heard)
            self.listening.set()
            # What happened while nobody listened is not told again.
            for tell in self._tell.values():
                tell()
            await self._watch(raw, lost, stopping)
        finally:
            await _throw_away(connection)

    async def _watch(self, raw: Any, lost: asyncio.Event, stopping: asyncio.Event) -> None:
        ends = [asyncio.create_task(lost.wait()), asyncio.create_task(stopping.wait())]
        try:
            while not lost.is_set() and not stopping.is_set():
                done, _ = await asyncio.wait(ends, timeout=PROBE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                if not done:
                    with database_errors():
                        await raw.execute("SELECT 1", timeout=PROBE_TIMEOUT_SECONDS)
        finally:
            for task in ends:
                task.cancel()

    def _heard(self, _connection: Any, _pid: int, _channel: str, topic: str) -> None:
        tell = self._tell.get(topic)
        if tell is not None:
            tell()


async def _throw_away(connection: AsyncConnection) -> None:
    """Ends the connection instead of giving it back to the pool: it still listens."""
    with suppress(Unavailable), database_errors():
        await connection.invalidate()
    with suppress(Unavailable), database_errors():
        await connection.close()
