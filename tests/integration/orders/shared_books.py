"""Two processes of one house that agree on share ledgers and capacities by their database alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from fractions import Fraction

from sluice_server.domain.breaker.ports import Capacity
from sluice_server.domain.orders.model import Order
from sluice_server.domain.routing.ports import TrafficSnapshot
from sluice_server.domain.routing.source.compile import compile_plan
from tests.integration.orders.world import A, B, C, HandTraffic, World, a_world

SHARES = {A: 5000, B: 3000, C: 2000}
PLAN = """\
plan: shared-books
insurers: {insurer-a: {}, insurer-b: {}, insurer-c: {}}
products: [{product_line: screen}, {product_line: solo}]
rules:
  - name: solo
    match: {product_line: solo}
    allocations: [{insurer: insurer-a, share: 10000, binding: {insurer_product_code: SOLO}}]
  - name: screens
    split: SPLIT
    allocations:
      - {insurer: insurer-a, share: 5000, binding: {insurer_product_code: "A-{application.product_code}"}}
      - {insurer: insurer-b, share: 3000, binding: {insurer_product_code: B}}
      - {insurer: insurer-c, share: 2000, binding: {insurer_product_code: C}}
"""


class LimitedTraffic(HandTraffic):
    """The breakers' word, and what the insurers take."""

    def __init__(self) -> None:
        super().__init__()
        self.capacities: dict[str, Capacity] = {}

    def snapshot(self) -> TrafficSnapshot:
        snapshot = super().snapshot()
        return TrafficSnapshot(snapshot.version, snapshot.admissions, self.capacities)


class Replicas:
    """The processes, with one clock and one breakers' word."""

    def __init__(self, worlds: Sequence[World], split: str) -> None:
        self.worlds = worlds
        self.traffic = LimitedTraffic()
        for world in worlds:
            world.clock = worlds[0].clock
            world.traffic = self.traffic
            world.plans.plan = compile_plan(PLAN.replace("SPLIT", split), version=1)
            world.start_process()

    def __getitem__(self, place: int) -> World:
        return self.worlds[place % len(self.worlds)]


@asynccontextmanager
async def replicas(store_url: str, *, split: str = "EXACT", number: int = 2) -> AsyncIterator[Replicas]:
    """``number`` processes on one database; ``split`` may go on with other lines of the rule."""
    async with AsyncExitStack() as stack:
        yield Replicas([await stack.enter_async_context(a_world(store_url)) for _ in range(number)], split)


def worst_deviation(orders: Iterable[Order]) -> Fraction:
    """Orders by which an insurer was off its share at worst, after any number of the orders by ledger position."""
    placed = sorted((order.decisions[0].ledger_position or 0, order.decisions[0].insurer_id) for order in orders)
    assert [position for position, _ in placed] == list(range(1, len(placed) + 1))
    counts: Counter[str] = Counter()
    worst = Fraction(0)
    for position, insurer_id in placed:
        counts[insurer_id] += 1
        for each, share in SHARES.items():
            worst = max(worst, abs(counts[each] - Fraction(position * share, 10_000)))
    return worst
