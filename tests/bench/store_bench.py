"""What the store does by itself: durable decisions and changes a second, the breaker's questions over half an hour.

    python -m tests.bench.store_bench

Both databases run on this machine; PostgreSQL is the tests' one, which does not wait for the disk (fsync is off).
"""

from __future__ import annotations

import asyncio
import gc
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import uvloop

from sluice_server.domain.orders.model import Order, OrderState, Outcome
from sluice_server.store import SqlStore, open_store
from tests.bench.report import Row, report
from tests.integration.store.samples import NOON, ended, order, submitting
from tests.support.postgres import running_postgres

DECISIONS = 40_000
HALF_AN_HOUR = 360_000
"""Orders of thirty minutes at 200 a second."""


def orders(name: str, count: int) -> list[Order]:
    return [
        order(
            f"{name}-{number:08}",
            f"insurer-{number % 3}",
            at=NOON + timedelta(microseconds=number * 5_000),
            product_line=f"line-{number % 5}",
        )
        for number in range(count)
    ]


async def a_second(items: Sequence[Order], callers: int, call: Callable[[Order], Awaitable[object]]) -> float:
    """Calls a second when ``callers`` of them are always under way."""
    left: Iterator[Order] = iter(items)

    async def caller() -> None:
        for item in left:
            await call(item)

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(callers)))
    return len(items) / (time.perf_counter() - began)


async def batches_a_second(store: SqlStore, items: Sequence[Order], size: int, together: int) -> float:
    """Decisions a second when ``together`` callers each record ``size`` of them at once."""
    parts = iter([items[start : start + size] for start in range(0, len(items), size)])

    async def caller() -> None:
        for part in parts:
            await asyncio.gather(*(store.decision_log.record(item) for item in part))

    began = time.perf_counter()
    await asyncio.gather(*(caller() for _ in range(together)))
    return len(items) / (time.perf_counter() - began)


async def median_milliseconds(ask: Callable[[], Awaitable[object]], times: int = 15) -> float:
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        await ask()
        taken.append(time.perf_counter() - began)
    return sorted(taken)[times // 2] * 1_000


async def measure(database: str, url: str) -> list[Row]:
    rows: list[Row] = []

    def row(case: str, value: float, unit: str, goal: str = "") -> None:
        rows.append(Row(f"{case}/{database}", value, unit, goal=goal))

    async with open_store(url) as store:
        log = store.decision_log
        gc.collect()
        gc.freeze()
        gc.set_threshold(100_000, 50, 100)
        made = orders("batch", DECISIONS)
        row("record/500-at-once", await batches_a_second(store, made, 500, 4), "decisions/s", "≥ 80,000 (sqlite)")
        made = orders("single", DECISIONS)
        row("record/256-callers", await a_second(made, 256, log.record), "decisions/s")
        begun = [submitting(each, at=each.created_at) for each in made]
        row("save/256-callers", await a_second(begun, 256, log.save), "changes/s")

        async def in_its_own_commit(each: Order) -> None:
            async with store.write() as work:
                await work.orders.save(replace(each, version=1))
                await work.commit()

        row("save/unit-of-work", await a_second(begun[:500], 8, in_its_own_commit), "changes/s")
        await half_an_hour(store)
        end = NOON + timedelta(seconds=1_800)

        async def backlog() -> None:
            async with store.read() as work:
                since, until = end - timedelta(seconds=1_799.3), end - timedelta(seconds=30.2)
                await work.evidence.backlog(decided_from=since, decided_until=until)

        async def outcomes() -> None:
            async with store.read() as work:
                await work.evidence.outcomes(finished_from=end - timedelta(seconds=1), limit=10_000)

        row("evidence/backlog-30-minutes", await median_milliseconds(backlog), "ms")
        row("evidence/outcomes-1-second", await median_milliseconds(outcomes), "ms")
    return rows


async def half_an_hour(store: SqlStore) -> None:
    """Thirty minutes of orders at 200 a second, of which one in fifty is unfinished."""
    made = orders("window", HALF_AN_HOUR)
    for start in range(0, len(made), 4_000):
        await asyncio.gather(
            *(
                store.decision_log.record(each if number % 50 == 0 else insured(each))
                for number, each in enumerate(made[start : start + 4_000])
            )
        )


def insured(of: Order) -> Order:
    at = of.created_at
    return ended(submitting(of, at=at), Outcome.SUCCESS, at=at + timedelta(seconds=0.3), state=OrderState.INSURED)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        rows = uvloop.run(measure("sqlite", f"sqlite+aiosqlite:///{Path(folder) / 'store.db'}"))
    with running_postgres() as server:
        url = server.url(asyncio.run(server.create_database()))
        rows += uvloop.run(measure("postgres", url))
    report("store", rows)


if __name__ == "__main__":
    main()
