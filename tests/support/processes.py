"""Real processes that a test starts, kills without warning, starts again, and always ends."""

from __future__ import annotations

import asyncio
import os
import random
import shutil
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).parents[2]
STOP_SECONDS = 40.0


class ProcessEnded(Exception):
    """A process that should run has ended; the text says with what and where its log is."""


_WORKERS = 8
"""Processes that run tests side by side at most (pytest-xdist names them gw0, gw1 …)."""
_given: deque[int] = deque(maxlen=200)
"""The latest; what was given before them has been used."""


def free_port() -> int:
    """A free port on loopback below those that the system gives to outgoing connections, so that a server can be
    started on it again after a kill. Nobody else gets it: not later in this process, whose program may not listen yet,
    and not in another one that runs tests beside it."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")) % _WORKERS
    for port in random.sample(range(20000 + worker, 32000, _WORKERS), 200):
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            _given.append(port)
            return port
    raise RuntimeError("no free port found between 20000 and 32000")


@dataclass
class Program:
    """``python -m MODULE ARGUMENTS`` with its output in a log file; started again it does the same with the same."""

    name: str
    module: str
    arguments: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    file_size_limit: int | None = None
    """Bytes that a file of the process may have at most (RLIMIT_FSIZE): a disk that is full."""
    process: Process | None = field(default=None, repr=False)

    async def start(self) -> None:
        """Starts it; returns at once."""
        assert self.process is None or self.process.returncode is not None, f"{self.name} runs already"
        command = [sys.executable, "-m", self.module, *self.arguments]
        setpriv = shutil.which("setpriv")
        if setpriv is not None:
            # Also a test run that is killed leaves nothing behind.
            command = [setpriv, "--pdeathsig", "KILL", *command]
        if self.file_size_limit is not None:
            command = ["prlimit", f"--fsize={self.file_size_limit}:", *command]  # the soft limit alone
        clean = {key: value for key, value in os.environ.items() if not key.startswith("SLUICE_")}
        with self.log.open("ab") as sink:
            self.process = await asyncio.create_subprocess_exec(
                *command,
                cwd=ROOT,
                env={**clean, **self.environment},
                stdin=DEVNULL,
                stdout=sink,
                stderr=sink,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether it has been started and has not ended."""
        return self.process is not None and self.process.returncode is None

    def check(self) -> None:
        """Raises ProcessEnded if it does not run."""
        if not self.running:
            code = None if self.process is None else self.process.returncode
            tail = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
            raise ProcessEnded(f"{self.name} has ended with {code}; {self.log} ends with:\n{tail}")

    async def kill(self) -> None:
        """SIGKILL, and waits until it is gone."""
        if self.process is not None and self.process.returncode is None:
            self.process.kill()
            await self.process.wait()

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal."""
        assert self.process is not None, f"{self.name} was never started"
        self.process.send_signal(number)

    async def ended(self, seconds: float = STOP_SECONDS) -> int:
        """Waits for its end; the exit code (negative: the signal)."""
        assert self.process is not None, f"{self.name} was never started"
        return await asyncio.wait_for(self.process.wait(), seconds)

    def log_text(self) -> str:
        """Everything that it has said, over all its lives."""
        return self.log.read_text(errors="replace")


class Programs:
    """Starts programs, and kills all of them when the block is left, however that happens."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._programs: list[Program] = []

    async def __aenter__(self) -> Self:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.gather(*(program.kill() for program in self._programs))

    def new(
        self,
        name: str,
        module: str,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        file_size_limit: int | None = None,
    ) -> Program:
        """A program that is not started yet."""
        log = self._folder / f"{name}.log"
        program = Program(name, module, arguments, environment or {}, log, file_size_limit)
        self._programs.append(program)
        return program


async def until_listening(program: Program, port: int, seconds: float = 40.0) -> None:
    """Waits until something accepts connections on the port. Raises ProcessEnded, TimeoutError."""
    async with asyncio.timeout(seconds):
        while True:
            program.check()
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
                continue
            writer.close()
            return
