"""Against the real Alertmanager, where one is installed (or named by SLUICE_TEST_ALERTMANAGER)."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from sluice_server.alerts.alertmanager import AlertmanagerSink
from sluice_server.domain.breaker.ports import AlarmNotDelivered
from sluice_server.domain.context import SystemClock
from tests.support.alarms import HandClock, alarm

PROGRAM = os.environ.get("SLUICE_TEST_ALERTMANAGER") or shutil.which("prometheus-alertmanager")
CONFIGURATION = "route: {receiver: nobody, group_wait: 1s}\nreceivers: [{name: nobody}]\n"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture
async def alertmanager(tmp_path: Path) -> AsyncIterator[str]:
    """A real one on a free port; its base URL."""
    if PROGRAM is None:
        pytest.skip("no prometheus-alertmanager here: install Debian's package or set SLUICE_TEST_ALERTMANAGER")
    (tmp_path / "alertmanager.yml").write_text(CONFIGURATION)
    address = f"127.0.0.1:{free_port()}"
    process = await asyncio.create_subprocess_exec(
        PROGRAM,
        f"--config.file={tmp_path / 'alertmanager.yml'}",
        f"--storage.path={tmp_path / 'data'}",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    try:
        async with asyncio.timeout(20):
            while b"Listening on" not in (line := await process.stderr.readline()):
                assert line, "it ended before it listened"
        drain = asyncio.create_task(process.stderr.read())
        yield f"http://{address}"
    finally:
        process.kill()
        await process.wait()
    await drain


async def alerts(base_url: str, active: bool) -> list[dict[str, Any]]:
    async with aiohttp.ClientSession() as session:
        query = f"active={str(active).lower()}"
        async with session.get(f"{base_url}/api/v2/alerts?{query}") as answer:
            found: list[dict[str, Any]] = await answer.json()
            return found


async def test_an_alarm_is_active_until_it_is_resolved(alertmanager: str) -> None:
    sink = AlertmanagerSink(alertmanager, clock=SystemClock())
    began = datetime.now(UTC) - timedelta(minutes=10)
    await sink.send([alarm(starts_at=began), alarm("other", starts_at=began)])
    found = {each["labels"]["alarm_key"]: each for each in await alerts(alertmanager, active=True)}
    assert found.keys() == {"breaker/insurer-b", "other"}
    cut = found["breaker/insurer-b"]
    assert cut["labels"] == {
        "alertname": "InsurerCut",
        "severity": "critical",
        "alarm_key": "breaker/insurer-b",
        "insurer_id": "insurer-b",
    }
    assert cut["annotations"] == {"summary": alarm().summary, "state": "OPEN", "incident_id": "inc-1"}
    left = datetime.fromisoformat(cut["endsAt"]) - datetime.now(UTC)
    assert timedelta(minutes=4) < left <= timedelta(minutes=5)
    await sink.send([alarm(starts_at=began, resolved_at=datetime.now(UTC), summary="back")])
    assert [each["labels"]["alarm_key"] for each in await alerts(alertmanager, active=True)] == ["other"]
    await sink.close()


async def test_a_repeat_prolongs_the_same_alert(alertmanager: str) -> None:
    clock = HandClock(datetime.now(UTC))
    sink = AlertmanagerSink(alertmanager, clock=clock)
    ends = []
    for _ in range(2):
        await sink.send([alarm(starts_at=clock.now())])
        (found,) = await alerts(alertmanager, active=True)
        ends.append(datetime.fromisoformat(found["endsAt"]))
        clock.forward(120)
    assert timedelta(seconds=119) < ends[1] - ends[0] < timedelta(seconds=121)
    await sink.close()


async def test_a_platform_that_refuses_or_is_silent_has_not_got_the_alarm() -> None:
    async def refuse(request: web.Request) -> web.StreamResponse:
        return web.Response(status=500)

    async def hang(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    app = web.Application()
    app.add_routes([web.post("/refuses/api/v2/alerts", refuse), web.post("/hangs/api/v2/alerts", hang)])
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    base = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        for path, says in (("refuses", "answered 500"), ("hangs", "no answer in time")):
            sink = AlertmanagerSink(f"{base}/{path}/", clock=SystemClock(), timeout_seconds=0.3)
            with pytest.raises(AlarmNotDelivered, match=says):
                await sink.send([alarm()])
            await sink.close()
    finally:
        await runner.cleanup()
