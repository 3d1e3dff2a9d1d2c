"""The servers that are measured, each a process of its own on a loopback port below the ephemeral ones."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from sluice.client import AsyncSluice
from sluice.insurer.v1 import insurer_control_pb2, insurer_pb2
from sluice.routing.v1 import application_pb2, routing_pb2
from sluice.type.v1 import money_pb2
from tests.bench.load import PLACEHOLDER

ROUTE = "/sluice.routing.v1.Routing/Route"
ECHO = "/bench.Echo/Call"
_FIRST_PORT = 17350
_START_SECONDS = 60.0
_CLOCK_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class ServerProcess:
    """A server that serves."""

    address: str
    pid: int

    def cpu_seconds(self) -> float:
        """What the process has used until now, in the kernel and outside."""
        fields = Path(f"/proc/{self.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _CLOCK_TICKS

    def peak_megabytes(self) -> float:
        """The most memory that it has held."""
        for line in Path(f"/proc/{self.pid}/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("the kernel does not tell VmHWM")


@asynccontextmanager
async def echo_server(answer_bytes: int, log: Path, *, tuned: bool = False) -> AsyncIterator[ServerProcess]:
    """The bare echo; ``tuned``: with gRPC's listener as ``sluice serve`` sets it."""
    port = _free_port()
    arguments = ("-m", "tests.bench.echo_process", str(port), str(answer_bytes), *(("tuned",) if tuned else ()))
    async with _process(arguments, {}, log) as pid:
        await _listening(port)
        yield ServerProcess(f"127.0.0.1:{port}", pid)


@asynccontextmanager
async def sluice_server(folder: Path, store_url: str, otlp_endpoint: str) -> AsyncIterator[ServerProcess]:
    """``sluice serve`` as it comes, and tracing (1 % sampled) turned on."""
    folder.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - nothing else runs yet
    port = _free_port()
    environment = {
        "SLUICE_LISTEN": f"127.0.0.1:{port}",
        "SLUICE_METRICS_LISTEN": f"127.0.0.1:{_free_port(after=port)}",
        "SLUICE_STORE_URL": store_url,
        "SLUICE_RISK_STORE_URL": f"sqlite+aiosqlite:///{folder / 'risk.db'}",
        "SLUICE_EXPORT_DIR": str(folder / "export"),
        "SLUICE_OTLP_ENDPOINT": otlp_endpoint,
    }
    async with _process(("-m", "sluice_server.cli.main", "serve"), environment, folder / "log") as pid:
        await _listening(port)
        yield ServerProcess(f"127.0.0.1:{port}", pid)


async def furnish(address: str, plan: str) -> None:
    """Creates the insurers and activates the plan."""
    async with AsyncSluice(address, actor="bench") as client:
        for insurer_id in INSURERS:
            await client.insurers.CreateInsurer(
                insurer_control_pb2.CreateInsurerRequest(
                    insurer=insurer_pb2.Insurer(insurer_id=insurer_id, display_name=insurer_id, contact="bench"),
                    reason="bench",
                )
            )
        created = await client.routing.CreatePlan(
            routing_pb2.CreatePlanRequest(source=plan, reason="bench"), timeout=120
        )
        await client.routing.ActivatePlan(
            routing_pb2.ActivatePlanRequest(version=created.plan.version, reason="bench"), timeout=120
        )


INSURERS = ("insurer-a", "insurer-b", "insurer-c")


def application(
    number: str = PLACEHOLDER.decode(), product_code: str = "screen-cover-12m"
) -> application_pb2.Application:
    """An application as sellers send it; without a number the message for the load to fill in."""
    return application_pb2.Application(
        application_id=f"bench-{number}",
        product_code=product_code,
        product_line="screen",
        device=application_pb2.Device(
            device_ref=f"dev-{number}",
            model_id="aurora-12",
            category="phone",
            brand="Aurora",
            price=money_pb2.Money(amount_minor=499_900, currency_code="CNY"),
            purchased_on="2026-02-28",
        ),
        channel=application_pb2.Channel(channel_id="channel-7", store_id="store-12", tier="gold"),
        customer_ref=f"cust-{number}",
        premium=money_pb2.Money(amount_minor=29_900, currency_code="CNY"),
        term_months=12,
    )


@asynccontextmanager
async def _process(arguments: tuple[str, ...], environment: Mapping[str, str], log: Path) -> AsyncIterator[int]:
    with log.open("ab") as sink:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *arguments,
            env={**_without_settings(), **environment},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
        )
    try:
        yield process.pid
        if process.returncode is not None:
            raise RuntimeError(f"{arguments[1]} ended by itself:\n{log.read_text(errors='replace')[-2000:]}")  # noqa: ASYNC240 - at the end
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), 30)
            except TimeoutError:
                process.kill()
                await process.wait()


def _without_settings() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith(("SLUICE_", "GRPC_EXPERIMENTS"))}


async def _listening(port: int) -> None:
    async with asyncio.timeout(_START_SECONDS):
        while True:
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                writer.close()
                return


_given: set[int] = set()


def _free_port(after: int = _FIRST_PORT) -> int:
    for port in range(after + 1, after + 400):
        if port in _given:
            continue
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given.add(port)
        return port
    raise RuntimeError(f"no free port above {after}")
