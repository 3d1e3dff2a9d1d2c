"""EXACT shares and capacities through a real server: as a team and an operator see them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from google.protobuf.field_mask_pb2 import FieldMask

from sluice.client import AsyncSluice
from sluice.insurer.v1 import insurer_control_pb2, insurer_pb2
from sluice.routing.v1 import decision_pb2, order_pb2
from sluice.routing.v1 import routing_pb2 as pb
from sluice_server.runtime.compose import build
from sluice_server.runtime.lifecycle import Server
from tests.e2e.routing_calls import activate, application, create, know_insurers, route, submit
from tests.support.probe import probe_settings

SHARES = {"insurer-a": 5000, "insurer-b": 3000, "insurer-c": 2000}
PLAN = """
plan: exact-shares
insurers: {insurer-a: , insurer-b: , insurer-c: }
products: [{product_line: screen}]
rules:
  - name: everything
    split: EXACT
    allocations:
      - {insurer: insurer-a, share: 5000, binding: {insurer_product_code: A-1}}
      - {insurer: insurer-b, share: 3000, binding: {insurer_product_code: B-1}}
      - {insurer: insurer-c, share: 2000, binding: {insurer_product_code: C-1}}
"""


@pytest.fixture
async def client(whole_client: AsyncSluice) -> AsyncSluice:
    await know_insurers(whole_client)
    await activate(whole_client, (await create(whole_client, PLAN)).plan.version)
    return whole_client


@pytest.fixture
async def replica(whole_server: Server, tmp_path: Path) -> AsyncIterator[AsyncSluice]:
    """A second server on the same stores."""
    del whole_server
    server = Server(
        build,
        probe_settings(
            store_url=f"sqlite+aiosqlite:///{tmp_path / 'store.db'}",
            risk_store_url=f"sqlite+aiosqlite:///{tmp_path / 'risk.db'}",
            export_dir=str(tmp_path / "export-2"),
            insurers_file=str(tmp_path / "insurers.yaml"),
        ),
    )
    await server.start()
    try:
        async with AsyncSluice(f"127.0.0.1:{server.port}", actor="wang.li") as client:
            yield client
    finally:
        await server.stop()


async def limit(client: AsyncSluice, insurer_id: str, capacity: insurer_pb2.Capacity) -> None:
    await client.insurers.UpdateInsurer(
        insurer_control_pb2.UpdateInsurerRequest(
            insurer=insurer_pb2.Insurer(insurer_id=insurer_id, capacity=capacity),
            update_mask=FieldMask(paths=["capacity"]),
            reason="agreed with the insurer",
        )
    )


def deviation(decisions: list[decision_pb2.Decision]) -> float:
    """Orders by which an insurer was off its share at worst, over every prefix by ledger position."""
    decisions = sorted(decisions, key=lambda decision: decision.ledger_position)
    assert [decision.ledger_position for decision in decisions] == list(range(1, len(decisions) + 1))
    counts: Counter[str] = Counter()
    worst = 0.0
    for position, decision in enumerate(decisions, start=1):
        counts[decision.insurer_id] += 1
        worst = max(worst, *(abs(counts[i] - position * share / 10_000) for i, share in SHARES.items()))
    return worst


async def test_two_servers_keep_one_ledger(client: AsyncSluice, replica: AsyncSluice) -> None:
    # The replica takes over the plan within half a second; a call before that says that there is none.
    assert (await replica.routing.GetPlan(pb.GetPlanRequest())).plan.version == 1
    one_by_one = [await route(client, application(f"one-{n}")) for n in range(10)]
    assert Counter(each.decision.insurer_id for each in one_by_one) == {"insurer-a": 5, "insurer-b": 3, "insurer-c": 2}
    routed, submitted = await asyncio.gather(
        asyncio.gather(*(route((client, replica)[n % 2], application(f"many-{n}")) for n in range(40))),
        asyncio.gather(*(submit((client, replica)[n % 2], application(f"submitted-{n}")) for n in range(10))),
    )
    decisions = [each.decision for each in (*one_by_one, *routed)] + [each.order.decisions[0] for each in submitted]
    assert deviation(decisions) < 1
    again = await route(replica, application("one-3"))
    assert (again.replayed, again.decision) == (True, one_by_one[3].decision)


async def test_a_batch_keeps_the_shares_in_its_order(client: AsyncSluice) -> None:
    batch = pb.RouteBatchRequest(applications=[application(f"app-{n}") for n in range(30)])
    results = (await client.routing.RouteBatch(batch)).results
    decisions = [result.response.decision for result in results]
    assert [decision.ledger_position for decision in decisions] == list(range(1, 31))
    assert deviation(decisions) < 1


async def test_explain_shows_the_next_position_and_does_not_take_it(client: AsyncSluice) -> None:
    await route(client, application("app-1"))
    for _ in range(2):
        explained = await client.routing.ExplainRoute(pb.ExplainRouteRequest(application=application("app-2")))
        assert explained.decision.ledger_position == 2
        assert explained.decision.insurer_id == "insurer-b"
        assert [c.ledger_orders for c in explained.decision.candidates] == [1, 0, 0]
    taken = await route(client, application("app-2"))
    assert (taken.decision.ledger_position, taken.decision.insurer_id) == (2, "insurer-b")


async def test_a_capacity_overflows_to_the_others_then_parks_and_drains(client: AsyncSluice) -> None:
    for insurer_id in SHARES:
        await limit(client, insurer_id, insurer_pb2.Capacity(orders_per_day=4))
    await until_full_after(client, 12)
    parked = await submit(client, application("parked"))
    assert parked.order.state == order_pb2.ORDER_STATE_PARKED
    assert {c.excluded_because for c in parked.order.decisions[0].candidates} == {"CAPACITY"}
    # Six are parked; there is room for them, and no more, with C.
    await limit(client, "insurer-c", insurer_pb2.Capacity(orders_per_day=10))
    order = await until_insured(client, "parked")
    assert order.decisions[-1].insurer_id == "insurer-c"
    late = await route(client, application("late"))
    assert (late.state, late.decision.insurer_id) == (order_pb2.ORDER_STATE_PARKED, "")


async def until_insured(client: AsyncSluice, application_id: str) -> order_pb2.Order:
    """The order, when the drain has found an insurer for it and for the others that were parked before it."""
    async with asyncio.timeout(30):
        while True:
            order = await get(client, application_id)
            if order.state == order_pb2.ORDER_STATE_INSURED and not await somebody_is_parked(client):
                return order
            await asyncio.sleep(0.1)


async def somebody_is_parked(client: AsyncSluice) -> bool:
    parked = pb.ListOrdersRequest(states=[order_pb2.ORDER_STATE_PARKED])
    return bool((await client.routing.ListOrders(parked)).orders)


async def get(client: AsyncSluice, application_id: str) -> order_pb2.Order:
    return (await client.routing.GetOrder(pb.GetOrderRequest(application_id=application_id))).order


async def until_full_after(client: AsyncSluice, number: int) -> None:
    """Routes until the capacities are used up; exactly so many find room."""
    answers = await asyncio.gather(*(route(client, application(f"app-{n}")) for n in range(number + 5)))
    counts = Counter(each.decision.insurer_id for each in answers)
    assert counts == {"insurer-a": 4, "insurer-b": 4, "insurer-c": 4, "": 5}
