"""Insurers' capacities over replicas: never exceeded, overflow to the others, then parked until there is room."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from sluice_server.domain.breaker.ports import Capacity
from sluice_server.domain.money import Money
from sluice_server.domain.orders.decide import SOMEBODY
from sluice_server.domain.orders.model import OrderState
from sluice_server.domain.routing.model import Disposition
from tests.integration.orders.shared_books import Replicas, replicas
from tests.integration.orders.world import A, B, C, application, context

BOTH = pytest.mark.parametrize("split", ["STICKY\n    sticky_key: application_id", "EXACT"])


async def routed(houses: Replicas, number: int, *, name: str = "app") -> Counter[str]:
    """Insurers of so many applications, routed by the replicas at once."""
    answers = await asyncio.gather(
        *(houses[place].route(application(f"{name}-{place}"), context()) for place in range(number))
    )
    return Counter(answer.order.insurer_id for answer in answers)


@BOTH
async def test_two_replicas_writing_at_once_never_exceed_orders_per_second(store_url: str, split: str) -> None:
    async with replicas(store_url, split=split) as houses:
        houses.traffic.capacities = {A: Capacity(orders_per_second=7), B: Capacity(orders_per_second=4)}
        counts = await routed(houses, 120)
        # A and B are full, C has no limit.
        assert counts == {A: 7, B: 4, C: 109}
        houses[0].clock.move(1.0)
        assert (await routed(houses, 120, name="later"))[A] == 7


@BOTH
async def test_what_a_day_takes_is_kept_over_a_restart(store_url: str, split: str) -> None:
    capacities = {name: Capacity(orders_per_day=5) for name in (A, B, C)}
    async with replicas(store_url, split=split) as houses:
        houses.traffic.capacities = capacities
        assert sum((await routed(houses, 10)).values()) == 10
    async with replicas(store_url, split=split) as houses:
        houses.traffic.capacities = capacities
        counts = await routed(houses, 20, name="later")
        assert counts[""] == 15
        houses[0].clock.at += timedelta(days=1)
        assert (await routed(houses, 20, name="tomorrow"))[""] == 5


@BOTH
async def test_premium_per_day_is_never_exceeded(store_url: str, split: str) -> None:
    async with replicas(store_url, split=split) as houses:
        limits = {A: 100_000, B: 50_000, C: 12_899}
        houses.traffic.capacities = {
            name: Capacity(premium_per_day=Money(limit, "CNY")) for name, limit in limits.items()
        }
        assert await routed(houses, 60) == {A: 7, B: 3, "": 50}


@BOTH
async def test_a_cut_pushes_no_healthy_insurer_over_its_capacity(store_url: str, split: str) -> None:
    async with replicas(store_url, split=split) as houses:
        houses.traffic.cut.add(A)
        houses.traffic.capacities = {B: Capacity(orders_per_second=6), C: Capacity(orders_per_second=6)}
        assert await routed(houses, 80) == {B: 6, C: 6, "": 68}


async def test_who_has_no_capacity_configured_is_not_counted(store_url: str) -> None:
    async with replicas(store_url, split="STICKY") as houses:
        await routed(houses, 10)
        async with houses[0].store.read() as uow:
            books = await uow.books.read([], [A, B, C])
        assert books.uses == {}


async def test_a_repeat_takes_no_room(store_url: str) -> None:
    async with replicas(store_url) as houses:
        houses.traffic.capacities = {name: Capacity(orders_per_day=1) for name in (A, B, C)}
        for _ in range(5):
            await routed(houses, 2)
        assert (await houses[0].route(application("app-2"), context())).order.insurer_id
        assert (await houses[1].route(application("app-3"), context())).order.state is OrderState.PARKED


@BOTH
async def test_parked_orders_are_insured_when_there_is_room_and_none_is_lost(store_url: str, split: str) -> None:
    async with replicas(store_url, split=split) as houses:
        houses.traffic.capacities = {name: Capacity(orders_per_second=2) for name in (A, B, C)}
        submitted = await asyncio.gather(
            *(houses[place].submit(application(f"app-{place}"), context()) for place in range(25))
        )
        states = Counter(each.order.state for each in submitted)
        assert states == {OrderState.INSURED: 6, OrderState.PARKED: 19}
        await houses[0].settle()
        stored = [await houses[0].get(f"app-{place}") for place in range(25)]
        assert {order.state for order in stored} == {OrderState.INSURED}
        by_second = Counter((order.insurer_id, order.decision.decided_at.replace(microsecond=0)) for order in stored)
        assert max(by_second.values()) <= 2


async def test_a_parked_order_that_finds_no_room_costs_no_write(store_url: str) -> None:
    async with replicas(store_url) as houses:
        houses.traffic.capacities = {name: Capacity(orders_per_day=1) for name in (A, B, C)}
        await routed(houses, 4)
        (parked,) = [o for n in range(4) if not (o := await houses[0].get(f"app-{n}")).insurer_id]
        assert await houses[0].decisions.redecide(parked, failed=frozenset(), accept=SOMEBODY) is None
        assert await houses[0].get(parked.application_id) == parked


async def test_two_replicas_that_drain_at_once_give_the_last_room_once(store_url: str) -> None:
    async with replicas(store_url) as houses:
        houses.traffic.capacities = {name: Capacity(orders_per_day=1) for name in (A, B, C)}
        await routed(houses, 8)
        houses.traffic.capacities[A] = Capacity(orders_per_day=3)
        parked = [o for n in range(8) if not (o := await houses[0].get(f"app-{n}")).insurer_id]
        assert len(parked) == 5
        moved = await asyncio.gather(
            *(
                houses[place].decisions.redecide(order, failed=frozenset(), accept=SOMEBODY)
                for place, order in enumerate(parked)
            )
        )
        assert [each.insurer_id for each in moved if each is not None] == [A, A]
        assert Counter(d.disposition for each in moved if each for d in each.decisions) == {
            Disposition.PARKED: 2,
            Disposition.ROUTED: 2,
        }
