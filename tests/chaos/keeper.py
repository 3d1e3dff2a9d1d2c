"""A supervisor: whatever ends is started again, and what ended by itself is remembered."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Self

from tests.support.processes import ProcessEnded, Program

PAUSE_SECONDS = 0.3


class Keeper:
    """Keeps one program running within its block. ``start`` starts it and returns when it works."""

    def __init__(self, program: Program, start: Callable[[], Awaitable[None]]) -> None:
        self.program = program
        self.kills = 0
        self.failed_starts = 0
        """It ended while it started, as a server does that finds no database."""
        self.crashes: list[str] = []
        """It ended by itself after it had worked: a defect."""
        self._start = start
        self._works = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def works(self) -> bool:
        """Whether it has started and was not killed since."""
        return self._works.is_set() and self.program.running

    async def __aenter__(self) -> Self:
        self._works.set()
        self._task = asyncio.create_task(self._keep(), name=f"keep {self.program.name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None, "entered"
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def kill(self) -> None:
        """SIGKILL; it is started again at once."""
        self.kills += 1
        self._works.clear()
        await self.program.kill()

    async def until_it_works(self) -> None:
        """Waits for a start that is under way."""
        await self._works.wait()

    async def _keep(self) -> None:
        while True:
            code = await self.program.ended(seconds=24 * 3600)
            if code != -signal.SIGKILL:
                self.crashes.append(f"{self.program.name} ended with {code}")
            self._works.clear()
            await self._start_again()

    async def _start_again(self) -> None:
        while True:
            try:
                await self._start()
            except ProcessEnded:
                self.failed_starts += 1
                await asyncio.sleep(PAUSE_SECONDS)
                continue
            self._works.set()
            return
