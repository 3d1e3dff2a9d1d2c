"""How long a plan's simulation takes over 100,000 stored applications.

    python -m tests.bench.simulate_bench

SimulatePlan's use case in this process, on each database: reading, deciding, adding up. ``route_rows`` gives the row
that belongs into build/bench/route.json.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from datetime import timedelta
from pathlib import Path

import uvloop

from sluice_server.domain.routing.active import ActivePlan
from sluice_server.domain.routing.simulate import SimulatePlan, Simulation
from sluice_server.store import SqlStore, open_store
from tests.bench.report import Row, report
from tests.integration.orders.world import HandClock
from tests.integration.store.samples import NOON, order
from tests.support.postgres import running_postgres

APPLICATIONS = 100_000
GOAL = "< 10 s"

PLAN = """
plan: draft
products: [{product_line: line-0}, {product_line: line-1}, {product_line: line-2}]
factors:
  price_band: 'application.device.price.amount_minor >= 600000 ? "high" : "low"'
rules:
  - name: long
    match: {product_line: line-0, term_months: {at_least: 24}}
    allocations: [{insurer: insurer-0, share: 10000, binding: {insurer_product_code: A-1}}]
  - name: cheap
    match: {factors.price_band: low}
    when: application.channel.tier == "gold"
    allocations:
      - {insurer: insurer-0, share: 5000, binding: {insurer_product_code: A-1}}
      - {insurer: insurer-1, share: 3000, binding: {insurer_product_code: "B-{application.product_code}"}}
      - {insurer: insurer-2, share: 2000, binding: {insurer_product_code: C-1}}
  - name: rest
    allocations: [{insurer: insurer-1, share: 10000, binding: {insurer_product_code: A-1}}]
"""


async def fill(store: SqlStore, count: int = APPLICATIONS) -> None:
    """Stores decided orders of three insurers and three product lines."""
    made = [
        order(
            f"app-{number:08}",
            f"insurer-{number % 3}",
            at=NOON + timedelta(milliseconds=number),
            product_line=f"line-{number % 3}",
        )
        for number in range(count)
    ]
    for start in range(0, count, 4_000):
        await asyncio.gather(*(store.decision_log.record(each) for each in made[start : start + 4_000]))


async def seconds(url: str, count: int = APPLICATIONS) -> tuple[float, float]:
    """Of one whole simulation, after the store was filled: by the clock, and of the processor."""
    async with open_store(url) as store:
        await fill(store, count)
        clock = HandClock(NOON + timedelta(days=1))
        simulate = SimulatePlan(store=store, plans=ActivePlan(store), clock=clock)
        began, worked = time.perf_counter(), time.process_time()
        async for step in simulate(Simulation(source=PLAN, limit=count)):
            last = step
        taken = time.perf_counter() - began, time.process_time() - worked
        if (last.replayed, last.unmatched_count) != (count, 0):
            raise RuntimeError(f"not all of {count} applications were replayed: {last}")
        return taken


def route_rows(folder: Path) -> list[Row]:
    """``simulate/100000`` on SQLite, as in build/bench/route.json."""
    return _rows("", f"sqlite+aiosqlite:///{folder / 'store.db'}")


def _rows(database: str, url: str) -> list[Row]:
    taken, worked = uvloop.run(seconds(url))
    case = f"simulate/{APPLICATIONS}{database}"
    # The second one says how much of the first is other people's work on a busy machine.
    return [Row(case, taken, "s", goal=GOAL), Row(f"{case}-processor", worked, "s")]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = route_rows(Path(folder))
    with running_postgres() as server:
        rows += _rows("/postgres", server.url(asyncio.run(server.create_database())))
    report("simulate", rows)


if __name__ == "__main__":
    main()
