"""Route against a bare echo, in turns within one run: ``python -m tests.bench.route_bench``.

The servers are processes of their own: the echo, and in turn Sluice on SQLite (with ten rules, and with 50,000), on
PostgreSQL, and two Sluices on one PostgreSQL, as ``sluice serve`` runs them: durable before they answer, validating,
traced (1 % sampled, sent to a collector). The echo is a grpc.aio server on uvloop as it comes; ``echo-tuned`` has
gRPC's listener set as Sluice sets it, so that one can also see what Sluice adds to that.

The load is a process of its own too (``load``), the same for all. Only the servers of one case run beside the echo, and
each round begins when they are idle: what a server makes up for after its round, the export of its orders, falls on
nobody else's. Machines are shared and rounds differ, so a ratio is the median of the rounds' ratios, each to the echo
of the same round; beside it stands the ratio of the processor time that the server takes for a call, which others on
the machine disturb less.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import sys
import tempfile
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sluice.client import AsyncSluice
from sluice.routing.v1 import order_pb2, routing_pb2
from tests.bench import plans
from tests.bench.load import Load, Measured
from tests.bench.report import Row, report
from tests.bench.servers import ECHO, ROUTE, ServerProcess, application, echo_server, furnish, sluice_server
from tests.support.otlp import otlp_receiver
from tests.support.postgres import running_postgres

ROUNDS = 9
PEAK_SECONDS = 1.5
HALF_ROUNDS = 3
HALF_SECONDS = 2.0
QUIET_SECONDS, QUIET_STEP_SECONDS, QUIET_SHARE = 60.0, 0.4, 0.2
"""How long servers may go on after a round; they are idle when they take less than this share of a core for a step."""
BATCH_ROUNDS = 3
BATCH_SECONDS = 2.5
PRODUCTS = 6
RULES = 10
MANY_RULES, MANY_PRODUCTS = 50_000, 30_000


@dataclass(frozen=True, slots=True)
class Target:
    """What is put under load: one server, or several side by side."""

    name: str
    servers: Sequence[ServerProcess]
    path: str


@dataclass(frozen=True, slots=True)
class Round:
    """One target under load, once."""

    measured: Measured
    cpu_seconds_per_call: float


Rounds = dict[str, list[Round]]
"""By target."""


@dataclass(frozen=True, slots=True)
class Case:
    """One target and the echo, measured in turns."""

    name: str
    peaks: Rounds
    halves: Rounds


class Bench:
    """Puts targets under load in turns; every application is new."""

    def __init__(self) -> None:
        self._number = 0
        message = routing_pb2.RouteRequest(application=application(product_code=plans.code(1)))
        self._route = message.SerializeToString()
        self._application = message.application.SerializeToString()
        self.load_cpu_share = 0.0
        """The most of a core that the load took: near 1 it was the limit, and the figures are worth nothing."""

    async def peak(self, targets: Sequence[Target], rounds: int, seconds: float) -> Rounds:
        """As many calls as there are answers, 128 at once."""
        return await self._rounds(targets, rounds, seconds, lambda target: 0.0)

    async def at_half(self, targets: Sequence[Target], peaks: Rounds, rounds: int, seconds: float) -> Rounds:
        """Half as many calls a second as each target's median peak, on schedule."""
        half = {name: _median(found, lambda r: r.measured.calls_per_second) / 2 for name, found in peaks.items()}
        return await self._rounds(targets, rounds, seconds, lambda target: half[target.name])

    async def batches(self, target: Target, seconds: float) -> float:
        """Decisions a second by RouteBatch."""
        await self._quiet([target])
        [server] = target.servers
        arguments = (server.address, self._application.hex(), str(self._number), str(seconds))
        self._number += int(seconds * 300_000)
        return float(await _json_of("tests.bench.batch_load", *arguments))

    async def _rounds(
        self, targets: Sequence[Target], rounds: int, seconds: float, rate: Callable[[Target], float]
    ) -> Rounds:
        found: Rounds = defaultdict(list)
        for number in range(rounds):
            # The order turns round, so that none is always the one that runs after the same other.
            for target in targets if number % 2 == 0 else tuple(reversed(targets)):
                await self._quiet(targets)
                found[target.name].append(await self._once(target, seconds, rate(target)))
        return found

    async def _quiet(self, targets: Sequence[Target]) -> None:
        servers = [server for target in targets for server in target.servers]
        async with asyncio.timeout(QUIET_SECONDS):
            while True:
                used = sum(server.cpu_seconds() for server in servers)
                await asyncio.sleep(QUIET_STEP_SECONDS)
                if sum(server.cpu_seconds() for server in servers) - used < QUIET_SHARE * QUIET_STEP_SECONDS:
                    return

    async def _once(self, target: Target, seconds: float, calls_per_second: float) -> Round:
        load = Load(
            addresses=[server.address for server in target.servers],
            path=target.path,
            message_hex=self._route.hex(),
            first_number=self._number,
            seconds=seconds,
            calls_per_second=calls_per_second,
            least_answer_bytes=100,
        )
        cpu = sum(server.cpu_seconds() for server in target.servers)
        measured = Measured(**await _json_of("tests.bench.load", json.dumps(asdict(load))))
        cpu = sum(server.cpu_seconds() for server in target.servers) - cpu
        if measured.failed:
            raise RuntimeError(f"{target.name}: {measured.failed} calls failed")
        calls = measured.last_number - self._number
        self._number = measured.last_number
        self.load_cpu_share = max(self.load_cpu_share, measured.cpu_share)
        return Round(measured, cpu / calls)


Start = Callable[[AsyncExitStack], Awaitable[Sequence[ServerProcess]]]
"""Starts a case's servers, to be stopped with the stack."""


async def measure() -> list[Row]:
    """Starts the servers, puts them under load, stops them."""
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sluice-bench-")))
        collector = await stack.enter_async_context(otlp_receiver())
        postgres = await asyncio.to_thread(stack.enter_context, running_postgres(fsync=True))

        async def sluice(servers: AsyncExitStack, name: str, store_url: str, plan: str = "") -> ServerProcess:
            server = await servers.enter_async_context(sluice_server(folder / name, store_url, collector.url))
            if plan:
                await furnish(server.address, plan)
            return server

        def on_sqlite(name: str, plan: str) -> Start:
            async def start(servers: AsyncExitStack) -> Sequence[ServerProcess]:
                return [await sluice(servers, name, f"sqlite+aiosqlite:///{folder / name / 'sluice.db'}", plan)]

            return start

        def on_postgres(*names: str) -> Start:
            async def start(servers: AsyncExitStack) -> Sequence[ServerProcess]:
                shared = postgres.url(await postgres.create_database())
                # The first one furnishes the house for all.
                plan_of = dict.fromkeys(names, "") | {names[0]: small}
                return [await sluice(servers, name, shared, plan_of[name]) for name in names]

            return start

        small = plans.plan(RULES, PRODUCTS)
        async with AsyncExitStack() as once:
            [server] = await on_sqlite("check", small)(once)
            answer_bytes = await _check(server)

        def echo(*, tuned: bool) -> Start:
            async def start(servers: AsyncExitStack) -> Sequence[ServerProcess]:
                log = folder / "echo.log"
                return [await servers.enter_async_context(echo_server(answer_bytes, log, tuned=tuned))]

            return start

        bare = Target("echo", await echo(tuned=False)(stack), ECHO)
        bench = Bench()
        cases: list[Case] = []
        batches: list[float] = []
        for name, path, start in (
            ("echo-tuned", ECHO, echo(tuned=True)),
            ("sqlite", ROUTE, on_sqlite("sqlite", small)),
            ("sqlite-50000", ROUTE, on_sqlite("large", plans.plan(MANY_RULES, MANY_PRODUCTS))),
            ("postgres", ROUTE, on_postgres("alone")),
            ("postgres-2", ROUTE, on_postgres("first", "second")),
        ):
            async with AsyncExitStack() as servers:
                targets = (bare, Target(name, await start(servers), path))
                peaks = await bench.peak(targets, ROUNDS, PEAK_SECONDS)
                cases.append(Case(name, peaks, await bench.at_half(targets, peaks, HALF_ROUNDS, HALF_SECONDS)))
                if name == "sqlite":
                    batches = [await bench.batches(targets[1], BATCH_SECONDS) for _ in range(BATCH_ROUNDS)]
        if not collector.spans:
            raise RuntimeError("no span arrived: the servers were not traced")
        print(f"the load took up to {bench.load_cpu_share:.0%} of a core; {len(collector.spans)} spans arrived")
    cost: dict[str, float] = await _json_of("tests.bench.routing_cost")
    return [*_route_rows(cases), *_cost_rows(cost, statistics.median(batches))]


async def _check(server: ServerProcess) -> int:
    """Routes one application with the real client and reads it back; the size of the answer, for the echo."""
    async with AsyncSluice(server.address, actor="bench") as client:
        one = application("0000000000", product_code=plans.code(1))
        answer = await client.routing.Route(routing_pb2.RouteRequest(application=one))
        order = await client.routing.GetOrder(routing_pb2.GetOrderRequest(application_id=one.application_id))
        assert answer.state == order.order.state == order_pb2.ORDER_STATE_ROUTED, answer
        assert order.order.decisions[0] == answer.decision, "stored as it was answered"
        return answer.ByteSize()


def _route_rows(cases: Sequence[Case]) -> list[Row]:
    goals = {"sqlite": "≥ 0.80", "postgres": "≥ 0.70", "postgres-2": "≥ 1.0"}
    rows = _rows_of("echo", cases[0], "")
    for case in cases:
        rows += _rows_of(case.name, case, goals.get(case.name, ""))
        beside = _median(case.peaks["echo"], lambda r: r.measured.calls_per_second)
        rows.append(Row(f"route/{case.name}-echo", beside, "req/s of the echo in the same rounds"))
    return rows


def _rows_of(name: str, measured: Case, goal: str) -> list[Row]:
    peaks, halves = measured.peaks, measured.halves

    def row(case: str, unit: str, rounds: Rounds, read: Callable[[Round], float], wanted: str = "") -> Row:
        own, echo = rounds[name], rounds["echo"]
        ratios = [read(mine) / read(theirs) for mine, theirs in zip(own, echo, strict=True)]
        beside = name != "echo"
        return Row(
            f"route/{name}{case}",
            _median(own, read),
            unit,
            "echo" if beside else "",
            statistics.median(ratios) if beside else None,
            wanted,
        )

    p99_goal = "≤ 2" if name == "sqlite" else ""
    return [
        row("", "req/s", peaks, lambda r: r.measured.calls_per_second, goal),
        row("-cpu", "µs of the server/call", peaks, lambda r: r.cpu_seconds_per_call * 1e6),
        row("-p50", "ms at peak", peaks, lambda r: r.measured.p50_seconds * 1e3),
        row("-p99", "ms at peak", peaks, lambda r: r.measured.p99_seconds * 1e3, p99_goal),
        row("-half-p50", "ms at half of peak", halves, lambda r: r.measured.p50_seconds * 1e3),
        row("-half-p99", "ms at half of peak", halves, lambda r: r.measured.p99_seconds * 1e3),
    ]


def _cost_rows(cost: dict[str, float], batch: float) -> list[Row]:
    few = cost["decision_seconds"] / cost["rules_ratio"]
    return [
        Row("batch/500", batch, "durable decisions/s", goal="≥ 80,000"),
        Row(
            "rules/50000",
            cost["decision_seconds"] * 1e6,
            "µs/decision",
            f"10 rules: {few * 1e6:.1f} µs",
            cost["rules_ratio"],
            "≤ 1.5",
        ),
        Row("plan-load/50000", cost["plan_load_seconds"], "s", goal="< 5"),
        Row("plan-load/50000-cpu", cost["plan_load_cpu_seconds"], "s of processor time"),
        Row("plan-load/50000-memory", cost["plan_load_megabytes"], "MB", goal="< 600"),
        Row("sticky/survivors-moved", cost["survivors_moved"], "applications", goal="0"),
    ]


def _median(rounds: Sequence[Round], read: Callable[[Round], float]) -> float:
    return statistics.median(read(found) for found in rounds)


async def _json_of(module: str, *arguments: str) -> Any:
    """What a module's process prints. Raises RuntimeError with its last words when it fails."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, error = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"{module} failed:\n{error.decode(errors='replace')[-2000:]}")
    return json.loads(out)


if __name__ == "__main__":
    report("route", asyncio.run(measure()), part=True)
