"""The product's small servers as real processes: started, spoken to, killed."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

_START_SECONDS = 30.0
_RUN = "import sys; from typer import Typer; from importlib import import_module; app = Typer(); \
app.add_typer(import_module('sluice_server.cli.' + sys.argv[1].replace('-', '_')).app, name=sys.argv[1]); app()"


@dataclass(slots=True)
class Program:
    """A process that listens."""

    process: asyncio.subprocess.Process
    url: str
    """As it printed it."""

    async def kill(self) -> None:
        """SIGKILL: no chance to put anything in order."""
        self.process.kill()
        await self.process.wait()

    async def terminate(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), _START_SECONDS)


@asynccontextmanager
async def running(name: str, *arguments: str) -> AsyncIterator[Program]:
    """``sluice NAME ARGUMENTS``, ready; ended with the block, however that ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-c", _RUN, name, *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS)
        yield Program(process, str(json.loads(line)["url"]))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
