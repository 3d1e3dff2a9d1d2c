"""The whole house as processes: simulated insurers, servers on one store, an alarm sink where it is asked for."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from google.protobuf import duration_pb2, field_mask_pb2
from ruamel.yaml import YAML

from sluice.client import AsyncSluice, errors
from sluice.insurer.v1 import breaker_pb2, insurer_control_pb2, insurer_pb2
from sluice.routing.v1 import application_pb2, routing_pb2
from sluice.type.v1 import money_pb2
from sluice_server.insurers.simulated.adapter import adapter_configuration
from tests.support.processes import Program, Programs, free_port, until_listening

INSURERS = ("insurer-a", "insurer-b", "insurer-c")
SLUICE = "sluice_server.cli.main"
START_SECONDS = 40.0
FIRST_OPERATOR = "li.wei"
SECOND_OPERATOR = "chen.na"

PLAN = """
plan: three-insurers
insurers: {insurer-a: , insurer-b: , insurer-c: }
products:
  - product_line: screen
  - product_line: accident
rules:
  - name: everything
    sticky_key: customer_ref
    on_exhausted: PARK
    allocations:
      - {insurer: insurer-a, share: 4000, binding: {insurer_product_code: A-1}}
      - {insurer: insurer-b, share: 3500, binding: {insurer_product_code: B-1}}
      - {insurer: insurer-c, share: 2500, binding: {insurer_product_code: C-1}}
"""

QUICK_WAY_BACK = breaker_pb2.BreakerPolicy(
    ramp_steps_basis_points=[5000],
    ramp_dwell=duration_pb2.Duration(seconds=1),
    ramp_minimum_outcomes=1,
    retry_first_cohort=8,
    retry_per_second=100,
)
"""A way back in seconds instead of minutes."""


@dataclass
class Insurer:
    """A simulated insurer. ``url`` is its own address, where its script and its ledger are."""

    insurer_id: str
    url: str
    port: int
    program: Program

    async def start(self) -> None:
        """Starts it (again) and waits until it answers."""
        await _start(self.program, self.port)

    async def set_mode(self, mode: str, **numbers: float) -> None:
        """Scripts it."""
        async with (
            aiohttp.ClientSession() as session,
            session.put(f"{self.url}/admin/mode", json={"mode": mode, **numbers}) as answer,
        ):
            assert answer.status == 200, await answer.text()

    async def ledger(self) -> list[dict[str, object]]:
        """Every entry, the declined ones too."""
        async with aiohttp.ClientSession() as session, session.get(f"{self.url}/admin/ledger?declined=1") as answer:
            assert answer.status == 200
            return [json.loads(line) for line in (await answer.text()).splitlines() if line]


@dataclass
class Server:
    """``sluice serve``."""

    address: str
    port: int
    program: Program

    async def start(self) -> None:
        """Starts it (again) and waits until it serves. Raises ProcessEnded if it ends instead."""
        await _start(self.program, self.port)
        ended = asyncio.ensure_future(self.program.ended(START_SECONDS))
        async with AsyncSluice(self.address) as client:
            serves = asyncio.ensure_future(client.wait_until_serving(START_SECONDS))
            try:
                await asyncio.wait({serves, ended}, return_when=asyncio.FIRST_COMPLETED)
                self.program.check()
                await serves
            finally:
                for task in (serves, ended):
                    task.cancel()
                await asyncio.gather(serves, ended, return_exceptions=True)


@dataclass
class AlarmSink:
    """``sluice alarm-sink``: takes only what is signed with the secret."""

    url: str
    secret_file: Path
    output: Path

    def received(self) -> list[dict[str, object]]:
        """The alarms so far."""
        return [json.loads(line) for line in self.output.read_text().splitlines()] if self.output.exists() else []


@dataclass
class House:
    """Everything that runs."""

    folder: Path
    insurers: Mapping[str, Insurer]
    servers: Sequence[Server]
    alarms: AlarmSink | None = None

    @property
    def server(self) -> Server:
        """The only one, or the first."""
        return self.servers[0]


@asynccontextmanager
async def house(
    folder: Path,
    store_url: str,
    *,
    servers: int = 1,
    module: str = SLUICE,
    module_arguments: Sequence[str] = ("serve",),
    alarms: bool = False,
    insurer_timeout_seconds: float = 1.0,
    seen_at: Mapping[str, str] | None = None,
    insurer_latency_ms: float = 5.0,
    decline_rate: float = 0.0,
    seed: int = 1,
    ports: Mapping[str, int] | None = None,
    file_size_limit: int | None = None,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[House]:
    """Starts everything in ``folder`` and ends all of it with the block.

    ``module``: what is started as the server. ``ports``: those of the insurers, by id, and ``seen_at``: the base URLs
    under which the servers reach them, where something stands in between. ``settings``: of the servers.
    """
    async with Programs(folder / "logs") as programs:
        insurers = {}
        for insurer_id in INSURERS:
            port = ports[insurer_id] if ports else free_port()
            program = programs.new(
                insurer_id,
                SLUICE,
                *("simulated-insurer", "--name", insurer_id, "--listen", f"127.0.0.1:{port}"),
                *("--ledger", str(folder / f"{insurer_id}.ledger.db"), "--seed", str(seed)),
                *("--latency-median-ms", str(insurer_latency_ms), "--latency-p99-ms", str(4 * insurer_latency_ms)),
                *("--decline-rate", str(decline_rate)),
            )
            insurers[insurer_id] = Insurer(insurer_id, f"http://127.0.0.1:{port}", port, program)
        insurers_file = folder / "insurers.yaml"
        addresses = seen_at or {name: insurer.url for name, insurer in insurers.items()}
        adapters = {
            name: adapter_configuration(url, timeout_seconds=insurer_timeout_seconds) for name, url in addresses.items()
        }
        with insurers_file.open("w") as file:
            YAML().dump({"insurers": adapters}, file)
        environment = {
            "SLUICE_STORE_URL": store_url,
            "SLUICE_RISK_STORE_URL": f"sqlite+aiosqlite:///{folder / 'risk.db'}",
            "SLUICE_EXPORT_DIR": str(folder / "export"),
            "SLUICE_INSURERS_FILE": str(insurers_file),
            "SLUICE_METRICS_LISTEN": "off",
            **(settings or {}),
        }
        sink, program, port = _alarm_sink(programs, folder)
        starts = [insurer.start() for insurer in insurers.values()]
        if alarms:
            environment["SLUICE_ALARM_WEBHOOK_URL"] = sink.url
            environment["SLUICE_ALARM_WEBHOOK_SECRET_FILE"] = str(sink.secret_file)
            starts.append(_start(program, port))
        built = [
            _server(programs, number, module, module_arguments, environment, file_size_limit)
            for number in range(servers)
        ]
        await asyncio.gather(*starts, built[0].start())
        # After the first one, which migrates the store.
        await asyncio.gather(*(server.start() for server in built[1:]))
        yield House(folder, insurers, built, sink if alarms else None)


async def furnish(
    client: AsyncSluice,
    policy: breaker_pb2.BreakerPolicy = QUICK_WAY_BACK,
    *,
    plan: str = PLAN,
    capacities: Mapping[str, insurer_pb2.Capacity] | None = None,
) -> None:
    """Creates the insurers, those in ``capacities`` with theirs, gives their breakers the set fields of ``policy``,
    activates the plan."""
    mask = field_mask_pb2.FieldMask(paths=[descriptor.name for descriptor, _ in policy.ListFields()])
    for insurer_id in INSURERS:
        await client.insurers.CreateInsurer(
            insurer_control_pb2.CreateInsurerRequest(
                insurer=insurer_pb2.Insurer(
                    insurer_id=insurer_id,
                    display_name=insurer_id,
                    contact="operations desk",
                    capacity=(capacities or {}).get(insurer_id),
                ),
                reason="test",
            )
        )
        await client.insurers.UpdateBreakerPolicy(
            insurer_control_pb2.UpdateBreakerPolicyRequest(
                insurer_id=insurer_id, policy=policy, update_mask=mask, reason="test"
            )
        )
    created = await client.routing.CreatePlan(routing_pb2.CreatePlanRequest(source=plan, reason="test"))
    await client.routing.ActivatePlan(routing_pb2.ActivatePlanRequest(version=created.plan.version, reason="test"))


async def until_plan_is_active(server: Server) -> None:
    """A replica hears of a plan that another has activated with its next look at the store."""
    request = routing_pb2.ExplainRouteRequest(application=application(1))
    async with AsyncSluice(server.address) as client, asyncio.timeout(START_SECONDS):
        while True:
            try:
                await client.routing.ExplainRoute(request)
                return
            except errors.FailedPrecondition:
                await asyncio.sleep(0.1)  # no call waits for it


async def confirm_and_retry(client: AsyncSluice, insurer_id: str) -> insurer_control_pb2.RetryAbnormalOrdersResponse:
    """The first key, and retries until no abnormal order of the incident is left; the last message with the sums of all
    runs. AssertionError when one of them stops because the insurer fails."""
    await client.insurers.ConfirmRecovery(
        insurer_control_pb2.ConfirmRecoveryRequest(
            insurer_id=insurer_id, contact="operations desk", evidence="status page is green", reason="they are back"
        )
    )
    request = insurer_control_pb2.RetryAbnormalOrdersRequest(insurer_id=insurer_id, reason="confirmed")
    retried = insured = 0
    async with asyncio.timeout(START_SECONDS):
        while True:
            last = [step async for step in client.insurers.RetryAbnormalOrders(request)][-1]
            retried, insured = retried + last.retried, insured + last.insured
            if not last.stopped_because:
                last.retried, last.insured = retried, insured
                return last
            # Those that the workers have in hand at this moment come with the next run.
            assert "in other hands" in last.stopped_because


def application(
    number: int, *, prefix: str = "app", premium_minor: int = 12900, product_line: str = "screen"
) -> application_pb2.Application:
    """An application whose every part follows from its number."""
    return application_pb2.Application(
        application_id=f"{prefix}-{number:06d}",
        product_code=f"{product_line}-12m",
        product_line=product_line,
        device=application_pb2.Device(
            device_ref=f"serial-{prefix}-{number}",
            model_id="aurora-12",
            category="phone",
            brand="Aurora",
            price=money_pb2.Money(amount_minor=499900, currency_code="CNY"),
            purchased_on="2026-03-01",
        ),
        channel=application_pb2.Channel(channel_id="ch-1", store_id="store-1", tier="gold"),
        customer_ref=f"person-{prefix}-{number}",
        premium=money_pb2.Money(amount_minor=premium_minor, currency_code="CNY"),
        term_months=12,
    )


def _server(
    programs: Programs,
    number: int,
    module: str,
    arguments: Sequence[str],
    environment: Mapping[str, str],
    file_size_limit: int | None,
) -> Server:
    port = free_port()
    address = f"127.0.0.1:{port}"
    program = programs.new(
        f"server-{number}",
        module,
        *arguments,
        environment={**environment, "SLUICE_LISTEN": address},
        file_size_limit=file_size_limit,
    )
    return Server(address, port, program)


def _alarm_sink(programs: Programs, folder: Path) -> tuple[AlarmSink, Program, int]:
    secret = folder / "alarms.secret"
    secret.write_text("a secret of this test\n")
    secret.chmod(0o600)
    output = folder / "alarms.jsonl"
    port = free_port()
    program = programs.new(
        "alarm-sink",
        SLUICE,
        *("alarm-sink", "--listen", f"127.0.0.1:{port}", "--secret-file", str(secret), "--output", str(output)),
    )
    return AlarmSink(f"http://127.0.0.1:{port}/alarms", secret, output), program, port


async def _start(program: Program, port: int) -> None:
    await program.start()
    await until_listening(program, port)
