"""Reads that end although their caller has given up."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, TypeVar

from sluice_server.domain.errors import Unavailable

T = TypeVar("T")


class Uninterrupted:
    """Runs short reads, each in a task of its own that is not cancelled with the caller.

    A call that is cancelled twice (by its client, then by the stop of the server) while SQLite's thread works leaves
    aiosqlite waiting for a thread that has ended, and with it the end of the event loop. It also spares PostgreSQL a
    new connection for every caller that gives up.
    """

    def __init__(self) -> None:
        self._running: set[asyncio.Task[Any]] = set()
        self._closed = False

    async def run(self, read: Coroutine[Any, Any, T]) -> T:
        """What ``read`` returns or raises. Raises Unavailable after `close`."""
        if self._closed:
            read.close()
            raise Unavailable("the risk store is closed; the server is stopping")
        task = asyncio.create_task(read)
        self._running.add(task)
        task.add_done_callback(self._ended)
        return await asyncio.shield(task)

    async def close(self) -> None:
        """Takes no more reads and waits for those that are under way."""
        self._closed = True
        if self._running:
            await asyncio.wait(self._running)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._running.discard(task)
        if not task.cancelled():
            task.exception()  # The caller gets it; marks it as seen where the caller has gone.
