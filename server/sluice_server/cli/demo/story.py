"""The demo's story from the first process to the verdict."""

from __future__ import annotations

import asyncio
import json
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from sluice.client import AsyncSluice
from sluice.risk.v1 import query_pb2
from sluice.routing.v1 import order_pb2, routing_pb2
from sluice_server.cli.demo import house, ledgers, outage, report, risk
from sluice_server.cli.demo.applications import Portfolio, applications
from sluice_server.cli.demo.processes import Processes
from sluice_server.cli.demo.traffic import Traffic
from sluice_server.cli.demo.view import TrafficView

POLICIES = 200_000
SEED = 20260101
PER_SECOND = 30.0
SETTLE_SECONDS = 45.0
ALARM_SECONDS = 20.0
EXPORT_SECONDS = 20.0
FOUND_PART = 0.8
"""Part of the planted abnormal stores and shops that must be named …"""
FALSE_PART = 0.1
"""… and the part of the named ones that may be false at most."""


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that had to hold."""

    what: str
    held: bool
    figures: str


async def run(folder: Path, data: Path | None, console: Console) -> bool:
    """Plays the demo in ``folder``, which is empty and absolute; whether everything held."""
    began = time.monotonic()
    checks: list[Check] = []
    async with Processes(folder / "logs") as processes:
        console.rule("[bold]Sluice: one order insured, one outage survived, one risk question answered")
        console.print(f"portfolio of {POLICIES:,} policies (generated, seed {SEED}), then the processes …")
        portfolio = folder / "portfolio"
        await risk.generate(portfolio, POLICIES, SEED)
        home = await house.start(processes, folder)
        async with (
            AsyncSluice(home.address, actor=house.FIRST_OPERATOR) as first,
            AsyncSluice(home.address, actor=house.SECOND_OPERATOR) as second,
        ):
            await first.wait_until_serving()
            version = await house.furnish(first)
            console.print(f"server on {home.address}, three insurers, plan version {version} active")
            checks += await _outage(home, first, second, portfolio, console)
            if data is not None:
                # Before the generated portfolio, so that what stays active afterwards is the latter.
                checks += await _real_data(home, first, data, folder, console)
            checks += await _risk(home, first, portfolio, console)
            processes.check()
    console.rule("[bold]What had to hold")
    for check in checks:
        mark = "[green]✓[/green]" if check.held else "[bold red]✗[/bold red]"
        console.print(f"{mark} {check.what:<58} {check.figures}", highlight=False, soft_wrap=True)
    held = all(check.held for check in checks)
    seconds = time.monotonic() - began
    if held:
        console.print(f"\n[bold green]All of it held[/bold green], in {seconds:.0f} s.")
    else:
        console.print(
            f"\n[bold red]Not all of it held[/bold red] ({seconds:.0f} s); the logs are in {folder / 'logs'}."
        )
    report.what_next(console)
    return held


async def _outage(
    home: house.House, first: AsyncSluice, second: AsyncSluice, portfolio: Path, console: Console
) -> list[Check]:
    source = applications(Portfolio.read(portfolio), run=secrets.token_hex(3), seed=SEED)
    traffic = Traffic(first, source, per_second=PER_SECOND)
    watch = outage.Watch(first)
    watch.start()
    with TrafficView(console, house.INSURERS, house.SHARES) as view:
        traffic.start()
        try:
            seen = await outage.play(home, first, second, traffic, watch, view)
        finally:
            await traffic.stop()
            await watch.stop()
        view.say(f"{traffic.tally.sent} applications sent; waiting until every order is final")
        await _settle(first)
    found = await ledgers.compare(first, home.insurers, traffic.tally.acknowledged)
    alarms = await _alarms(home.alarms)
    report.incident(console, seen.incident)
    report.books(console, found)
    incident = seen.incident
    others = [name for name in house.INSURERS if name != house.FAILING]
    moved = all(seen.shares_cut.get(name, 0) > seen.shares_before.get(name, 0) for name in others)
    leaked = seen.shares_cut.get(house.FAILING, 0.0)
    return [
        Check(
            "the failing insurer was cut by itself",
            seen.seconds_to_cut is not None,
            "" if seen.seconds_to_cut is None else f"{seen.seconds_to_cut:.2f} s after it began to fail",
        ),
        Check("its share moved to the others", moved and leaked == 0, _shares(seen.shares_before, seen.shares_cut)),
        Check("the alarm reached the alarm platform", "InsurerCut" in alarms, ", ".join(sorted(alarms))),
        Check(
            "no order was lost",
            not found.lost,
            f"{len(traffic.tally.acknowledged)} acknowledged, {len(found.lost)} lost",
        ),
        Check(
            "none was insured twice",
            not found.doubly_insured and "OrderInsuredTwice" not in alarms,
            f"{found.policies} policies, {len(found.doubly_insured)} doubled",
        ),
        Check(
            "ledgers and store agree, every order is final",
            found.clean and found.insured > 0,
            f"{found.insured} insured, {len(found.disagreeing)} disagree, {len(found.not_final)} not final",
        ),
        Check(
            "the abnormal orders were retried",
            seen.retry_completed and seen.retried > 0,
            f"{seen.retried} retried, {seen.insured_by_retry} insured",
        ),
        Check(
            "two people gave the traffic back, in steps, until CLOSED",
            seen.closed and incident is not None and incident.HasField("close_time"),
            "" if incident is None else f"{len(incident.events)} lines in the incident",
        ),
        Check(
            "no caller saw an error",
            not traffic.tally.errors,
            f"slowest answer {traffic.tally.slowest_seconds:.1f} s"
            + "".join(f", {count} × {reason}" for reason, count in traffic.tally.errors.items()),
        ),
    ]


async def _settle(client: AsyncSluice) -> None:
    """Waits until no order is under way any more (reconciliation and parked orders included), or time is over."""
    unfinished = [
        order_pb2.ORDER_STATE_RECEIVED,
        order_pb2.ORDER_STATE_ROUTED,
        order_pb2.ORDER_STATE_SUBMITTING,
        order_pb2.ORDER_STATE_ABNORMAL,
        order_pb2.ORDER_STATE_PARKED,
    ]
    deadline = time.monotonic() + SETTLE_SECONDS
    while time.monotonic() < deadline:
        page = await client.routing.ListOrders(routing_pb2.ListOrdersRequest(states=unfinished, page_size=1))
        if not page.orders:
            return
        await asyncio.sleep(0.5)


async def _alarms(path: Path) -> set[str]:
    """Names of the alarms that the sink has received; waits until the cut is among them, or time is over."""
    deadline = time.monotonic() + ALARM_SECONDS
    while True:
        names = _names(path)
        if "InsurerCut" in names or time.monotonic() > deadline:
            return names
        await asyncio.sleep(0.5)


def _names(path: Path) -> set[str]:
    return {json.loads(line)["name"] for line in path.read_text().splitlines()} if path.exists() else set()


async def _exported(home: house.House) -> None:
    """Waits until the server's export has stopped growing."""
    deadline = time.monotonic() + EXPORT_SECONDS
    before = -1
    while time.monotonic() < deadline:
        lines = sum(path.read_bytes().count(b"\n") for path in home.exported_orders.rglob("*.jsonl"))
        if lines == before and lines > 0:
            return
        before = lines
        await asyncio.sleep(1.5)


async def _risk(home: house.House, client: AsyncSluice, portfolio: Path, console: Console) -> list[Check]:
    console.rule("[bold]The risk question")
    await _exported(home)
    await risk.publish(home, portfolio)
    version = await risk.newest_version(client)
    by_channel = await risk.ask(client, ["loss_ratio", "claim_frequency"], "channel", "-loss_ratio", 10)
    by_model = await risk.ask(client, ["loss_ratio", "severity"], "device_model", "-loss_ratio", 10)
    orders = await risk.ask(client, ["orders", "insured"], "insurer", "insurer", 10)
    report.answer(console, "loss ratio by channel", by_channel)
    report.answer(console, "loss ratio by device model, the ten highest", by_model)
    report.answer(console, "the orders of this demo, as Flink has counted them", orders)
    found = await risk.abnormal(client, portfolio)
    table = Table("abnormal", "planted", "found", "false")
    for kind in found:
        table.add_row(kind.kind, str(len(kind.planted)), str(kind.found), str(kind.false))
    console.print(table)
    return [
        Check(
            "the Flink job published one data version",
            version.data_version > 0,
            f"data version {version.data_version}, watermark {version.watermark.ToJsonString()}",
        ),
        Check(
            "loss ratio by channel and by device model",
            bool(by_channel.rows and by_model.rows),
            f"{by_channel.total_size} channels, {by_model.total_size} models",
        ),
        Check(
            "the orders just insured are in it", _sum(orders, "insured") > 0, f"{_sum(orders, 'insured'):.0f} insured"
        ),
        *(
            Check(
                f"abnormal {kind.kind} were named",
                kind.found >= FOUND_PART * len(kind.planted) and kind.false <= FALSE_PART * max(1, len(kind.named)),
                f"{kind.found} of {len(kind.planted)} planted, {kind.false} false",
            )
            for kind in found
        ),
    ]


async def _real_data(home: house.House, client: AsyncSluice, data: Path, folder: Path, console: Console) -> list[Check]:
    """The same job, publication and queries on freMTPL2."""
    console.rule(f"[bold]Real data: {data}")
    source = folder / "fremtpl2"
    await risk.import_fremtpl2(data, source)
    await risk.publish(home, source, with_orders=False)
    version = await risk.newest_version(client)
    by_channel = await risk.ask(client, ["claim_frequency", "claims"], "channel", "-claim_frequency", 10)
    by_model = await risk.ask(client, ["claim_frequency", "claims"], "device_model", "-claim_frequency", 10)
    report.answer(console, "claim frequency by region", by_channel)
    report.answer(console, "claim frequency by vehicle class", by_model)
    return [
        Check(
            "the same job published the real data",
            bool(by_channel.rows and by_model.rows),
            f"data version {version.data_version}, {by_channel.total_size} regions, {by_model.total_size} classes",
        )
    ]


def _sum(answer: query_pb2.QueryResponse, metric: str) -> float:
    return sum(row.metrics[metric].value for row in answer.rows)


def _shares(before: dict[str, float], after: dict[str, float]) -> str:
    return ", ".join(
        f"{name[-1].upper()} {before.get(name, 0):.0%} → {after.get(name, 0):.0%}" for name in house.INSURERS
    )
