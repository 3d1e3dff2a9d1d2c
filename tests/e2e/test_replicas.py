"""Two real servers on one store, and one that loses its database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from sqlalchemy import make_url

from sluice.client import AsyncSluice, errors
from sluice.insurer.v1 import breaker_pb2
from sluice.insurer.v1 import insurer_control_pb2 as pb
from sluice.routing.v1 import routing_pb2
from sluice_server.runtime.compose import build
from sluice_server.runtime.lifecycle import Server
from tests.integration.store.proxy import CuttableProxy
from tests.support.house import application, furnish, house, until_plan_is_active
from tests.support.probe import probe_settings

ROUTING, RISK = "sluice.routing.v1.Routing", "sluice.risk.v1.RiskQuery"
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SECONDS = 30
CUT = "insurer-a"


async def test_a_cut_on_one_process_is_in_force_on_the_other_within_a_second(store_url: str, tmp_path: Path) -> None:
    async with (
        house(tmp_path, store_url, servers=2) as made,
        AsyncSluice(made.servers[0].address, actor="wang.li") as one,
        AsyncSluice(made.servers[1].address, actor="wang.li") as two,
    ):
        await furnish(one)
        await until_plan_is_active(made.servers[1])
        watch = aiter(two.insurers.WatchInsurers(pb.WatchInsurersRequest(insurer_ids=[CUT])))
        assert (await anext(watch)).initial
        cut = await one.insurers.CutTraffic(pb.CutTrafficRequest(insurer_id=CUT, reason="drill"))
        async with asyncio.timeout(1.0):
            while (change := await anext(watch)).insurer.breaker.state != breaker_pb2.BREAKER_STATE_OPEN:
                pass
        assert change.insurer.breaker.incident_id == cut.incident_id
        for number in range(40):
            answer = await two.routing.Route(routing_pb2.RouteRequest(application=application(number)))
            assert answer.decision.insurer_id != CUT


class TestWithoutItsDatabase:
    @pytest.fixture
    async def proxy(self, postgres_url: str) -> AsyncIterator[CuttableProxy]:
        port = make_url(postgres_url).port
        assert port is not None
        async with CuttableProxy(port) as opened:
            yield opened

    @pytest.fixture
    async def server(self, postgres_url: str, proxy: CuttableProxy, tmp_path: Path) -> AsyncIterator[Server]:
        url = make_url(postgres_url).set(port=proxy.port).render_as_string(hide_password=False)
        settings = probe_settings(
            store_url=url,
            risk_store_url=f"sqlite+aiosqlite:///{tmp_path / 'risk.db'}",
            export_dir=str(tmp_path / "export"),
            breaker_state_lasts_seconds=2.0,
            drain_seconds=0.5,
        )
        server = Server(build, settings)
        await server.start()
        yield server
        await server.stop()

    @pytest.fixture
    async def health(self, server: Server) -> AsyncIterator[Any]:
        async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
            yield health_pb2_grpc.HealthStub(channel)

    async def test_it_is_not_serving_after_its_time_and_serves_again_when_the_database_is_back(
        self, server: Server, health: Any, proxy: CuttableProxy
    ) -> None:
        async with AsyncSluice(f"127.0.0.1:{server.port}", actor="wang.li") as client:
            await furnish(client)
            asked = routing_pb2.RouteRequest(application=application(1))
            await client.routing.Route(asked)
            watch = aiter(health.Watch(health_pb2.HealthCheckRequest(service=ROUTING)))
            risk = await health.Check(health_pb2.HealthCheckRequest(service=RISK))
            async with asyncio.timeout(SECONDS):
                assert (await anext(watch)).status == SERVING
                proxy.cut()
                assert (await anext(watch)).status == NOT_SERVING
                with pytest.raises(errors.Unavailable, match="nobody knows who was cut since"):
                    await client.routing.Route(asked, timeout=5)
                assert (await health.Check(health_pb2.HealthCheckRequest())).status == NOT_SERVING
                assert (await health.Check(health_pb2.HealthCheckRequest(service=RISK))).status == risk.status
                proxy.mend()
                assert (await anext(watch)).status == SERVING
            await client.routing.Route(routing_pb2.RouteRequest(application=application(2)))
