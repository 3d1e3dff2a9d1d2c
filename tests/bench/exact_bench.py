"""How exact an EXACT split is over two replicas, and what it costs beside STICKY.

    python -m tests.bench.exact_bench

Two stores on one database, as two processes have them, route batches of 500 at the same time; an insurer is cut and
comes back. The deviation is read from the answers, over every prefix of every page of the share ledger. The rows belong
to build/bench/route.json.
"""

from __future__ import annotations

import asyncio
import itertools
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import uvloop

from sluice_server.domain.routing.frame import FirstDecision
from sluice_server.domain.routing.model import Decision
from tests.bench.report import Row, report
from tests.integration.orders.shared_books import Replicas, replicas
from tests.integration.orders.world import A, B, application
from tests.support.postgres import running_postgres

BATCH = 500
ROUNDS = 12
STICKY = "STICKY\n    sticky_key: application_id"
_NUMBERS = itertools.count()


async def routed(house: Replicas, place: int) -> list[Decision]:
    """One batch by one of the replicas."""
    batch = [application(f"{next(_NUMBERS):010}") for _ in range(BATCH)]
    results = await house[place].route.many(batch)
    decided = [
        result.decision() if isinstance(result, FirstDecision) else result.order.decision
        for result in results
        if not isinstance(result, Exception)
    ]
    if len(decided) < BATCH:
        raise RuntimeError(f"not every application was decided: {[r for r in results if isinstance(r, Exception)][:1]}")
    return decided


async def deviation(url: str, deficit: str) -> Fraction:
    """The worst one, while two replicas write at once and insurers are cut and come back."""
    decided: list[Decision] = []
    async with replicas(url, split=f"EXACT\n    deficit: {deficit}") as house:
        for cut in ((), (A,), (), (B,), ()):
            house.traffic.cut = set(cut)
            for part in await asyncio.gather(*(routed(house, place) for place in range(4))):
                decided += part
            if deficit == "REPAID":
                break  # while a deficit is being repaid nobody is at its share
    return worst(decided)


def worst(decided: Iterable[Decision]) -> Fraction:
    """Orders by which an insurer was off its share at worst, over every prefix of every page."""
    pages: dict[tuple[int, ...], list[Decision]] = {}
    for decision in decided:
        pages.setdefault(tuple(c.weight_basis_points for c in decision.candidates), []).append(decision)
    found = Fraction(0)
    for weights, page in pages.items():
        page.sort(key=lambda decision: decision.ledger_position or 0)
        if [decision.ledger_position for decision in page] != list(range(1, len(page) + 1)):
            raise RuntimeError("the ledger has left positions out, or given one twice")
        counts: Counter[str] = Counter()
        for position, decision in enumerate(page, start=1):
            counts[decision.insurer_id] += 1
            for candidate, weight in zip(decision.candidates, weights, strict=True):
                due = Fraction(position * weight, sum(weights))
                found = max(found, abs(counts[candidate.insurer_id] - due))
    return found


async def speed(exact: str, sticky: str, replica_count: int) -> tuple[float, float]:
    """Durable decisions a second of EXACT in batches, and how much that is of STICKY's, in turn."""
    async with (
        replicas(exact, split="EXACT", number=replica_count) as one,
        replicas(sticky, split=STICKY, number=replica_count) as other,
    ):
        rates, ratios = [], []
        for _ in range(ROUNDS):
            seconds = []
            for house in (one, other):
                began = time.perf_counter()
                await asyncio.gather(*(routed(house, place) for place in range(2 * replica_count)))
                seconds.append(time.perf_counter() - began)
            rates.append(2 * replica_count * BATCH / seconds[0])
            ratios.append(seconds[1] / seconds[0])
        return statistics.median(rates), statistics.median(ratios)


def main() -> None:
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, running_postgres() as server:

        def urls(name: str) -> Sequence[str]:
            files = [f"sqlite+aiosqlite:///{Path(folder) / f'{name}-{n}.db'}" for n in range(2)]
            made = [server.url(asyncio.run(server.create_database())) for _ in range(2)]
            return [files[0], made[0], files[1], made[1]]

        off = [uvloop.run(deviation(url, deficit)) for deficit in ("FORGIVEN", "REPAID") for url in urls(deficit)[:2]]
        rows.append(Row("exact/worst-deviation", float(max(off)), "orders", goal="< 1"))
        for place, database in enumerate(("sqlite", "postgres")):
            for replica_count in (1, 2):
                made = urls(f"speed-{replica_count}")
                rate, ratio = uvloop.run(speed(made[place], made[place + 2], replica_count))
                name = f"exact/{database}" + ("" if replica_count == 1 else f"-{replica_count}-stores")
                rows.append(Row(name, rate, "durable decisions/s", "STICKY", ratio))
    report("route", rows, part=True)


if __name__ == "__main__":
    main()
