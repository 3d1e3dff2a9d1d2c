"""The embedded store on a disk that is full, until there is room again."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sluice.client import AsyncSluice, errors
from sluice.routing.v1 import routing_pb2
from tests.support.books import Acknowledged, read_books, until_final
from tests.support.house import FIRST_OPERATOR, House, application, furnish, house

SECONDS = 60
SETTINGS = {"SLUICE_ORDER_LONGEST_CALL_SECONDS": "3", "SLUICE_ORDER_QUIET_SECONDS": "1"}
ROOM = 3 * 1024 * 1024
"""Bytes: enough for the tables and some dozen commits."""
HANDS = 8
REFUSALS = 20
LIMIT = 5_000


class Callers:
    """Callers who go on although they are refused."""

    def __init__(self, client: AsyncSluice) -> None:
        self.acknowledged = Acknowledged()
        self.refused: list[errors.SluiceError] = []
        self._client = client
        self._number = 0

    async def until_refused(self, times: int) -> None:
        """Calls until so many calls were refused in all."""

        async def hand() -> None:
            while len(self.refused) < times and self._number < LIMIT:
                await self.call()

        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*(hand() for _ in range(HANDS)))

    async def call(self) -> bool:
        """One new application; whether it was answered."""
        self._number += 1
        request = routing_pb2.SubmitRequest(application=application(self._number))
        try:
            answer = await self._client.routing.Submit(request, timeout=5)
        except errors.SluiceError as refused:
            self.refused.append(refused)
            return False
        self.acknowledged.submitted(answer.order)
        return True

    async def until_answered(self) -> None:
        """Calls until the server works again."""
        async with asyncio.timeout(SECONDS):
            while not await self.call():  # noqa: ASYNC110 - the disk of another process
                await asyncio.sleep(0.1)


async def prove(home: House, make_room: Callable[[], None]) -> None:
    """Fills the disk under load; everything acknowledged is there, is kept, and the same process goes on afterwards."""
    once = (("grpc.enable_retries", 0),)
    async with AsyncSluice(home.server.address, actor=FIRST_OPERATOR, options=once) as client:
        await furnish(client)
        callers = Callers(client)
        await callers.until_refused(REFUSALS)
        # Every refusal says that it may pass. DEADLINE_EXCEEDED: the outcome could not be written in time.
        assert {type(refused) for refused in callers.refused} <= {
            errors.Unavailable,
            errors.ResourceExhausted,
            errors.DeadlineExceeded,
        }
        assert "STORE_UNAVAILABLE" in {refused.reason for refused in callers.refused}
        assert len(callers.acknowledged) > HANDS
        home.server.program.check()
        # What is there can still be read, and nothing acknowledged is missing.
        found = await read_books(client, home.insurers, callers.acknowledged)
        assert found.missing == ()
        assert found.doubly_insured == ()

        make_room()
        await callers.until_answered()
        await until_final(client, SECONDS)
        verdict = await read_books(client, home.insurers, callers.acknowledged)
        assert verdict.clean, verdict

        # The last word has the disk, not the process's memory.
        await home.server.program.kill()
        home.server.program.file_size_limit = None
        await home.server.start()
        async with AsyncSluice(home.server.address) as again:
            verdict = await read_books(again, home.insurers, callers.acknowledged)
        assert verdict.clean, verdict


@pytest.mark.chaos
async def test_a_file_that_may_not_grow_refuses_and_loses_nothing(tmp_path: Path) -> None:
    store_url = f"sqlite+aiosqlite:///{tmp_path / 'sluice.db'}"
    async with house(tmp_path, store_url, settings=SETTINGS, file_size_limit=ROOM) as home:
        process = home.server.program.process
        assert process is not None

        def make_room() -> None:
            subprocess.run(["prlimit", f"--pid={process.pid}", "--fsize=unlimited:"], check=True)

        await prove(home, make_room)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own that is soon full, where one may be mounted."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={ROOM}", "tmpfs", str(disk)], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted here: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", str(disk)], check=True)


@pytest.mark.chaos
async def test_a_full_disk_refuses_and_loses_nothing(tmp_path: Path, small_disk: Path) -> None:
    def make_room() -> None:
        subprocess.run(["mount", "-o", f"remount,size={64 * ROOM}", str(small_disk)], check=True)

    store_url = f"sqlite+aiosqlite:///{small_disk / 'sluice.db'}"
    async with house(tmp_path, store_url, settings=SETTINGS) as home:
        await prove(home, make_room)
