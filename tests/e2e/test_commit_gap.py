"""The gap between shared commits is a setting."""

from __future__ import annotations

import asyncio
from pathlib import Path

from sluice.client import AsyncSluice
from sluice.routing.v1 import routing_pb2
from sluice_server.runtime.compose import build
from sluice_server.runtime.lifecycle import Server
from tests.support.house import application, furnish
from tests.support.probe import probe_settings

GAP_SECONDS = 0.5


async def test_a_commit_waits_for_the_gap_since_the_one_before(tmp_path: Path) -> None:
    settings = probe_settings(
        store_url=f"sqlite+aiosqlite:///{tmp_path / 'store.db'}",
        risk_store_url=f"sqlite+aiosqlite:///{tmp_path / 'risk.db'}",
        export_dir=str(tmp_path / "export"),
        commit_gap_seconds=GAP_SECONDS,
    )
    server = Server(build, settings)
    await server.start()
    try:
        async with AsyncSluice(f"127.0.0.1:{server.port}", actor="li.wei") as client:
            await furnish(client)
            began = asyncio.get_running_loop().time()
            for number in range(1, 4):
                await client.routing.Route(routing_pb2.RouteRequest(application=application(number)))
            assert asyncio.get_running_loop().time() - began >= 2 * GAP_SECONDS
    finally:
        await server.stop(drain_seconds=0)
