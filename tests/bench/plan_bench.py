"""How soon another replica decides by a version that was activated or rolled back to: a small plan, and 50,000 rules.

    python -m tests.bench.plan_bench

Two processes' worth of stores and workers on one database each. The rows belong to build/bench/route.json.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from sluice_server.domain.breaker.ports import Capacity, Insurer
from sluice_server.domain.context import Actor, CallContext
from sluice_server.domain.routing.active import ActivePlan, PlanPreparation, PlanRefresh
from sluice_server.domain.routing.publish import ActivatePlan, Activation, CreatePlan, PlanDraft
from sluice_server.store import SqlStore, open_store
from sluice_server.store.notices import PLANS
from tests.bench import plans
from tests.bench.report import Row, report
from tests.integration.orders.world import HandClock
from tests.support.postgres import running_postgres

CALL = CallContext(Actor("bench"), "bench")
GOAL = "< 1 s"
SIZES = {"10": (10, 6), "50000": (50_000, 30_000)}


@dataclass(frozen=True, slots=True)
class Replica:
    """One process: its store, and what it serves."""

    store: SqlStore
    active: ActivePlan


@asynccontextmanager
async def replica(url: str) -> AsyncIterator[Replica]:
    """With its workers running, as the server has them."""
    async with open_store(url) as store:
        active, stopping = ActivePlan(store), asyncio.Event()
        refresh = PlanRefresh(active)
        notices = store.notices({PLANS: refresh.notify})
        workers = [refresh, PlanPreparation(active, store), *((notices,) if notices is not None else ())]
        running = [asyncio.create_task(worker.run(stopping)) for worker in workers]
        try:
            yield Replica(store, active)
        finally:
            stopping.set()
            await asyncio.gather(*running)


async def served(here: Replica, version: int) -> None:
    """Returns when it decides by the version."""
    while here.active.version != version:  # noqa: ASYNC110 - nothing in the product tells, and a poll measures it
        await asyncio.sleep(0.001)


async def prepared(here: Replica, version: int) -> None:
    """Returns when it has compiled the version: what a team waits for between storing and activating, unknowingly."""
    await here.active.prepare(version)


async def seconds(url: str, rules: int, products: int) -> tuple[float, float]:
    """From ActivatePlan's call to the other replica's first decision: forward, and back again."""
    async with AsyncExitStack() as opened:
        one, two = [await opened.enter_async_context(replica(url)) for _ in range(2)]
        clock = HandClock()
        await _know(one.store, clock)
        create = CreatePlan(store=one.store, clock=clock)
        activate = ActivatePlan(store=one.store, clock=clock, plans=one.active)
        for draft in (plans.plan(10, 6), plans.plan(rules, products)):
            await create(PlanDraft(draft, "bench"), CALL)
        await activate(Activation(1, "bench"), CALL)
        await served(two, 1)
        await asyncio.gather(prepared(one, 2), prepared(two, 2))
        taken = []
        for version in (2, 1):
            began = time.perf_counter()
            await activate(Activation(version, "bench"), CALL)
            await served(two, version)
            taken.append(time.perf_counter() - began)
        return taken[0], taken[1]


async def _know(store: SqlStore, clock: HandClock) -> None:
    now = clock.now()
    async with store.write() as uow:
        for name in ("insurer-a", "insurer-b"):
            await uow.insurers.add(Insurer(name, name, "", Capacity(), "desk", now, now, 0))
        await uow.commit()


def main() -> None:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, running_postgres() as server:
        for size, (rules, products) in SIZES.items():
            urls = {
                "": f"sqlite+aiosqlite:///{Path(folder) / f'plans-{size}.db'}",
                "/postgres": server.url(asyncio.run(server.create_database())),
            }
            for database, url in urls.items():
                forward, back = uvloop.run(seconds(url, rules, products))
                rows.append(Row(f"plan-activate/{size}{database}", forward, "s", goal=GOAL))
                rows.append(Row(f"plan-rollback/{size}{database}", back, "s", goal=GOAL))
    report("route", rows, part=True)


if __name__ == "__main__":
    main()
