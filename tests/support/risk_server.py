"""A real server of the risk room alone, with all interceptors."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from sluice.client import AsyncSluice
from sluice.risk.v1 import risk_query_pb2, risk_query_pb2_grpc
from sluice_server.api.risk.service import RiskQueryServicer
from sluice_server.domain.risk.alerts.series import ModelSeries
from sluice_server.domain.risk.alerts.stream import StreamSeries
from sluice_server.domain.risk.alerts.use_cases import AlertUseCases, build_alert_use_cases
from sluice_server.domain.risk.charts.use_cases import build_chart_use_cases
from sluice_server.domain.risk.groups.read import ListRiskGroups
from sluice_server.domain.risk.pricing.use_cases import build_pricing_use_cases
from sluice_server.domain.risk.semantic.model_yaml import shipped_model
from sluice_server.domain.risk.use_cases import build_risk_use_cases
from sluice_server.runtime.lifecycle import Application, Platform, Server, Service
from sluice_server.store import SqlStore, open_store
from sluice_server.store.risk import RiskStoreReader
from tests.support.probe import probe_settings

RISK_QUERY = risk_query_pb2.DESCRIPTOR.services_by_name["RiskQuery"].full_name


@dataclass
class RiskRoom:
    """What a test reaches behind the server."""

    store: SqlStore
    reader: RiskStoreReader
    alerts: AlertUseCases
    address: str = ""

    def client(self, actor: str = "zhang.san") -> AsyncSluice:
        return AsyncSluice(self.address, actor=actor)


def build_risk_room(
    store_url: str, risk_url: str, built: list[RiskRoom]
) -> Callable[[Platform], Awaitable[Application]]:
    """For `Server`: the room over two databases, put into ``built``."""

    async def build(platform: Platform) -> Application:
        model = shipped_model()
        reader = RiskStoreReader(risk_url, model, poll_seconds=0.02)
        store = await open_store(store_url)

        async def close() -> None:
            await reader.close()
            await store.close()

        risk = build_risk_use_cases(model, reader)
        pricing = build_pricing_use_cases(store, platform.clock)
        alerts = build_alert_use_cases(
            store, [ModelSeries(model, reader, risk.answer_query), StreamSeries(reader)], platform.clock
        )
        built.append(RiskRoom(store, reader, alerts))
        charts = build_chart_use_cases(model, risk.answer_query, store, platform.clock, strict=True)
        servicer = RiskQueryServicer(risk, pricing, alerts, charts, ListRiskGroups(store, reader))
        add: Callable[[Any], None] = lambda server: risk_query_pb2_grpc.add_RiskQueryServicer_to_server(  # noqa: E731 - typed
            servicer, server
        )
        return Application(services=[Service(RISK_QUERY, add)], close=close)

    return build


@asynccontextmanager
async def risk_room(store_url: str, risk_url: str) -> AsyncIterator[RiskRoom]:
    """Serves until the block is left."""
    built: list[RiskRoom] = []
    server = Server(build_risk_room(store_url, risk_url, built), probe_settings())
    await server.start()
    try:
        [room] = built
        room.address = f"127.0.0.1:{server.port}"
        yield room
    finally:
        await server.stop()
