"""The whole server as the composition root builds it, in this process, with simulated insurers behind it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from ruamel.yaml import YAML

from sluice.client import AsyncSluice
from sluice_server.domain.context import SystemClock
from sluice_server.insurers.simulated.adapter import adapter_configuration
from sluice_server.insurers.simulated.ledger import Ledger
from sluice_server.insurers.simulated.modes import Mode
from sluice_server.insurers.simulated.server import SimulatedInsurer
from sluice_server.runtime.compose import build
from sluice_server.runtime.lifecycle import Server
from tests.e2e.routing_calls import activate, create, know_insurers
from tests.support.house import INSURERS
from tests.support.probe import probe_settings


@asynccontextmanager
async def _simulated_insurer(name: str, folder: Path) -> AsyncIterator[tuple[SimulatedInsurer, str]]:
    """The insurer, and its URL."""
    ledger = Ledger(folder / f"{name}.db", name)
    insurer = SimulatedInsurer(name, ledger, Mode(latency_median_ms=1, latency_p99_ms=2), SystemClock())
    runner = web.AppRunner(insurer.application())
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield insurer, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        await ledger.close()


@pytest.fixture
async def simulated_insurers(tmp_path: Path) -> AsyncIterator[dict[str, SimulatedInsurer]]:
    """insurer-a, insurer-b and insurer-c, healthy; ``insurers.yaml`` in the test's folder names their addresses."""
    async with AsyncExitStack() as opened:
        insurers: dict[str, SimulatedInsurer] = {}
        adapters: dict[str, object] = {}
        for name in INSURERS:
            insurers[name], url = await opened.enter_async_context(_simulated_insurer(name, tmp_path))
            # The documented plan names this endpoint.
            adapters[name] = {**adapter_configuration(url), "endpoints": {"screen": url}}
        with (tmp_path / "insurers.yaml").open("w") as file:
            YAML().dump({"insurers": adapters}, file)
        yield insurers


@pytest.fixture
async def whole_server(tmp_path: Path, simulated_insurers: dict[str, SimulatedInsurer]) -> AsyncIterator[Server]:
    """Everything, on embedded stores in the test's folder. No insurer is known to it yet, and no plan."""
    del simulated_insurers  # they only have to run, and their file to be there
    server = Server(
        build,
        probe_settings(
            store_url=f"sqlite+aiosqlite:///{tmp_path / 'store.db'}",
            risk_store_url=f"sqlite+aiosqlite:///{tmp_path / 'risk.db'}",
            export_dir=str(tmp_path / "export"),
            insurers_file=str(tmp_path / "insurers.yaml"),
        ),
    )
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@pytest.fixture
async def whole_client(whole_server: Server) -> AsyncIterator[AsyncSluice]:
    """A client of the whole server."""
    async with AsyncSluice(f"127.0.0.1:{whole_server.port}", actor="wang.li") as client:
        yield client


@pytest.fixture
async def client(whole_client: AsyncSluice) -> AsyncSluice:
    """A client of a server that knows the insurers and decides by the documented example."""
    await know_insurers(whole_client)
    await activate(whole_client, (await create(whole_client)).plan.version)
    return whole_client
