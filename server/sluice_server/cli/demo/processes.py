"""The processes of the demo: started in order, stopped in reverse, never left behind."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

START_SECONDS = 30.0
STOP_SECONDS = 15.0


class ProcessFailed(Exception):
    """A process of the demo did not start or ended by itself; the text says where its log is."""


def free_port(preferred: int) -> int:
    """``preferred`` if nobody listens there, else the next free port above it (all below the ephemeral range)."""
    for port in range(preferred, preferred + 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise ProcessFailed(f"no free port from {preferred} to {preferred + 199} on 127.0.0.1")


class Processes:
    """Starts programs of this environment and ends all of them when the block is left, whatever happens."""

    def __init__(self, log_folder: Path) -> None:
        self._logs = log_folder
        self._running: list[tuple[str, asyncio.subprocess.Process]] = []

    async def __aenter__(self) -> Self:
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, process in reversed(self._running):
            await self._stop(name, process)

    async def start(self, name: str, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        """Starts ``sluice ARGUMENTS`` with its output in the log folder."""
        await self._spawn(name, arguments, environment, stdout_to_log=True)

    async def start_and_read(self, name: str, *arguments: str) -> dict[str, object]:
        """Starts ``sluice ARGUMENTS`` and answers the JSON line that it prints when it is ready."""
        process = await self._spawn(name, arguments, None, stdout_to_log=False)
        assert process.stdout is not None  # asked for a pipe above
        try:
            line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        except TimeoutError:
            line = b""
        if not line:
            raise ProcessFailed(f"{name} did not start; see {self._logs / name}.log")
        ready: dict[str, object] = json.loads(line)
        return ready

    def check(self) -> None:
        """Raises ProcessFailed if a process ended by itself."""
        for name, process in self._running:
            if process.returncode is not None:
                raise ProcessFailed(f"{name} ended with code {process.returncode}; see {self._logs / name}.log")

    async def stop(self, name: str) -> None:
        """Ends one process and waits for it."""
        for entry in self._running:
            if entry[0] == name:
                self._running.remove(entry)
                await self._stop(*entry)
                return

    async def _spawn(
        self, name: str, arguments: tuple[str, ...], environment: Mapping[str, str] | None, *, stdout_to_log: bool
    ) -> asyncio.subprocess.Process:
        log = (self._logs / f"{name}.log").open("ab")
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "sluice_server.cli.main",
                *arguments,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log if stdout_to_log else asyncio.subprocess.PIPE,
                stderr=log,
                env={**os.environ, **(environment or {})},
                # A Ctrl-C is for the demo, which then stops its processes in order.
                start_new_session=True,
            )
        finally:
            log.close()
        self._running.append((name, process))
        return process

    @staticmethod
    async def _stop(name: str, process: asyncio.subprocess.Process) -> None:
        if process.returncode is not None:
            return
        process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), STOP_SECONDS)
        except TimeoutError:
            process.kill()
            await process.wait()
