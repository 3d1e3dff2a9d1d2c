"""The breakers' metrics, over HTTP from the whole server."""

from __future__ import annotations

from pathlib import Path

import aiohttp

from sluice.client import AsyncSluice
from sluice.insurer.v1 import insurer_control_pb2 as pb
from sluice.insurer.v1 import insurer_pb2
from sluice_server.runtime.compose import build
from sluice_server.runtime.lifecycle import Server
from tests.support.probe import probe_settings


async def test_a_cut_is_on_the_metrics_page_with_the_alarm_outbox(tmp_path: Path) -> None:
    settings = probe_settings(
        store_url=f"sqlite+aiosqlite:///{tmp_path / 'store.db'}",
        risk_store_url=f"sqlite+aiosqlite:///{tmp_path / 'risk.db'}",
        export_dir=str(tmp_path / "export"),
        metrics_listen="127.0.0.1:0",
    )
    server = Server(build, settings)
    await server.start()
    try:
        async with AsyncSluice(f"127.0.0.1:{server.port}", actor="wang.li") as client:
            insurer = insurer_pb2.Insurer(insurer_id="insurer-a", display_name="A")
            await client.insurers.CreateInsurer(pb.CreateInsurerRequest(insurer=insurer, reason="first"))
            await client.insurers.CutTraffic(pb.CutTrafficRequest(insurer_id="insurer-a", reason="drill"))
        url = f"http://127.0.0.1:{server.metrics_port}/metrics"
        async with aiohttp.ClientSession() as session, session.get(url) as answer:
            lines = (await answer.text()).splitlines()
    finally:
        await server.stop()
    labels = 'insurer_id="insurer-a",product_line=""'
    assert 'sluice_breaker_state{insurer_id="insurer-a",mode="ENFORCING",product_line="",state="OPEN"} 1.0' in lines
    assert f"sluice_breaker_admitted_ratio{{{labels}}} 0.0" in lines
    assert f"sluice_breaker_leaked_orders{{{labels}}} 0.0" in lines
    assert any(line.startswith("sluice_alarm_outbox_waiting ") for line in lines)
