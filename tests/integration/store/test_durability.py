"""Nothing acknowledged is lost: a process that records decisions is killed, and what it has said is looked for."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

from sluice_server.domain.orders.model import OrderState
from sluice_server.store import open_store

ROOT = Path(__file__).parents[3]


async def said_until_killed(url: str, lines: int, run: str = "app") -> list[str]:
    """What a recording process says; it is killed without warning after some lines, in the middle of its work."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.integration.store.recorder", url, run),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    try:
        said: list[str] = []
        async with asyncio.timeout(60):
            while len(said) < lines:
                line = await process.stdout.readline()
                assert line, "the process ended by itself"
                said.append(line.decode().strip())
        process.kill()
        async with asyncio.timeout(60):
            rest = await process.stdout.read()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    # The pipe holds whole lines only: each was one write, smaller than the pipe's atomic size.
    return [*said, *rest.decode().splitlines()]


@pytest.mark.parametrize("lines", [1, 700])
async def test_what_a_killed_process_has_acknowledged_is_there(store_url: str, lines: int) -> None:
    said = await said_until_killed(store_url, lines)
    assert len(said) >= lines
    async with open_store(store_url) as store, store.read() as work:
        missing = []
        for line in said:
            verb, application_id = line.split()
            found = await work.orders.get(application_id)
            if found is None or (verb == "saved" and found.state is not OrderState.SUBMITTING):
                missing.append(line)
        assert missing == []


async def test_a_store_goes_on_after_its_process_was_killed(store_url: str) -> None:
    for run in ("first", "second"):
        assert len(await said_until_killed(store_url, 100, run)) >= 100
