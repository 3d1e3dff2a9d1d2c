"""EXACT shares over replicas, repeats, failures and restarts."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import Counter
from dataclasses import replace

import pytest

from sluice_server.domain.errors import ApplicationConflict, NoActivePlan
from sluice_server.domain.orders.decide import RoutedOrder
from sluice_server.domain.orders.model import OrderState
from sluice_server.domain.routing.verify import verify_decision
from tests.integration.orders.mortal import Killed, Life, MortalDirectory, MortalLog, MortalStore
from tests.integration.orders.shared_books import replicas, worst_deviation
from tests.integration.orders.world import A, B, C, application, context


async def test_two_replicas_writing_at_once_are_never_a_whole_order_off(store_url: str) -> None:
    async with replicas(store_url) as houses:
        routed = await asyncio.gather(
            *(houses[number].route(application(f"app-{number}"), context()) for number in range(200))
        )
        orders = [each.order for each in routed]
        assert worst_deviation(orders) < 1
        assert Counter(order.insurer_id for order in orders) == {A: 100, B: 60, C: 40}
        assert [await houses[0].get(order.application_id) for order in orders[:20]] == orders[:20]


async def test_the_ledger_goes_on_after_a_restart(store_url: str) -> None:
    orders = []
    for life in range(3):
        async with replicas(store_url, number=1) as houses:
            for number in range(7):
                routed = await houses[0].route(application(f"app-{life}-{number}"), context())
                orders.append(routed.order)
    assert [order.decision.ledger_position for order in orders] == list(range(1, 22))
    assert worst_deviation(orders) < 1


async def test_a_repeat_takes_no_position(store_url: str) -> None:
    async with replicas(store_url) as houses:
        first = await houses[0].route(application("app-1"), context())
        again = await asyncio.gather(*(houses[number].route(application("app-1"), context()) for number in range(10)))
        assert {each.replayed for each in again} == {True}
        assert [each.order.decision for each in again] == [first.order.decision] * 10
        with pytest.raises(ApplicationConflict):
            await houses[1].route(application("app-1", premium=1), context())
        second = await houses[1].route(application("app-2"), context())
        assert second.order.decision.ledger_position == 2


async def test_the_same_new_application_at_both_replicas_takes_one_position(store_url: str) -> None:
    async with replicas(store_url) as houses:
        for number in range(12):
            both = await asyncio.gather(
                *(houses[place].route(application(f"app-{number}"), context()) for place in range(2))
            )
            assert sorted(each.replayed for each in both) == [False, True]
            assert both[0].order == both[1].order
            assert both[0].order.decision.ledger_position == number + 1


async def test_a_batch_has_its_positions_in_its_order_and_repeats_within_it_have_none(store_url: str) -> None:
    async with replicas(store_url) as houses:
        batch = [application(f"app-{number // 2}") for number in range(40)]
        results = await houses[0].route.many(batch)
        orders = [result.order for result in results if isinstance(result, RoutedOrder) and not result.replayed]
        assert [order.decision.ledger_position for order in orders] == list(range(1, 21))
        assert worst_deviation(orders) < 1


async def test_what_no_plan_decides_takes_no_position(store_url: str) -> None:
    async with replicas(store_url) as houses:
        plan, houses[0].plans.plan = houses[0].plans.plan, None
        with pytest.raises(NoActivePlan):
            await houses[0].route(application("app-0"), context())
        houses[0].plans.plan = plan
        assert (await houses[0].route(application("app-1"), context())).order.decision.ledger_position == 1


async def test_orders_of_both_splits_share_commits(store_url: str) -> None:
    async with replicas(store_url) as houses:
        mixed = [application(f"app-{n}", line="screen" if n % 3 else "solo") for n in range(60)]
        many, _, _ = await asyncio.gather(
            houses[0].route.many(mixed[:30]),
            asyncio.gather(*(houses[1].route(each, context()) for each in mixed[20:50])),
            asyncio.gather(*(houses[n].submit(each, context()) for n, each in enumerate(mixed[40:]))),
        )
        assert not [each for each in many if isinstance(each, Exception)]
        orders = [await houses[0].get(each.application_id) for each in mixed]
        assert {o.decisions[0].ledger_position for o in orders if o.application.product_line == "solo"} == {None}
        assert worst_deviation(o for o in orders if o.application.product_line == "screen") < 1
        assert {o.state for o in orders[40:]} == {OrderState.INSURED}


@pytest.mark.parametrize(
    ("deficit", "counts"),
    [("FORGIVEN", {A: 5, B: 3, C: 2}), ("REPAID", {A: 10})],
)
async def test_a_cut_insurer_s_deficit_is_as_the_plan_says(
    store_url: str, deficit: str, counts: dict[str, int]
) -> None:
    async with replicas(store_url, split=f"EXACT\n    deficit: {deficit}") as houses:
        houses.traffic.cut.add(A)
        cut = [await houses[n].route(application(f"cut-{n}"), context()) for n in range(20)]
        assert Counter(each.order.insurer_id for each in cut) == {B: 12, C: 8}
        houses.traffic.cut.clear()
        back = [await houses[n].route(application(f"back-{n}"), context()) for n in range(10)]
        assert Counter(each.order.insurer_id for each in back) == counts


async def test_submit_takes_a_position_and_calls_the_insurer_that_it_gives(store_url: str) -> None:
    async with replicas(store_url) as houses:
        submitted = [await houses[n].submit(application(f"app-{n}"), context()) for n in range(10)]
        assert {each.order.state for each in submitted} == {OrderState.INSURED}
        assert worst_deviation([each.order for each in submitted]) < 1
        called = Counter({name: sum(len(world[name].submissions) for world in houses.worlds) for name in (A, B, C)})
        assert called == {A: 5, B: 3, C: 2}


async def test_a_failed_order_goes_on_by_the_ledger_of_those_that_are_left(store_url: str) -> None:
    async with replicas(store_url) as houses:
        houses[0][A].default = "fail"
        submitted = [await houses[0].submit(application(f"app-{n}"), context()) for n in range(10)]
        assert Counter(each.order.insurer_id for each in submitted) == {B: 6, C: 4}
        moved = [each.order for each in submitted if len(each.order.decisions) > 1]
        assert len(moved) == 5
        for order in moved:
            assert order.decision.candidates[0].excluded_because == "FAILED_BEFORE"
            assert order.decision.ledger_position == moved.index(order) + 1


async def test_a_stored_exact_decision_is_derived_again(store_url: str) -> None:
    async with replicas(store_url) as houses:
        plan = houses[0].plans.current()
        for number in range(7):
            await houses[number].route(application(f"app-{number}"), context())
            order = await houses[0].get(f"app-{number}")
            found = verify_decision(order.decision, order.application, plan)
            assert (found.identical, found.taken_over) == (True, ("ledger_orders",))


async def test_an_order_that_the_database_refuses_takes_no_position(store_url: str) -> None:
    async with replicas(store_url) as houses:
        # PostgreSQL stores no NUL in a text, SQLite does.
        odd = replace(application("app-odd"), customer_ref="a\0b")
        results = await houses[0].route.many([application("app-1"), odd, application("app-2")])
        third = await houses[1].route(application("app-3"), context())
        orders = [result.order for result in (*results, third) if isinstance(result, RoutedOrder)]
        assert len(orders) == (4 if store_url.startswith("sqlite") else 3)
        assert worst_deviation(orders) < 1


@pytest.mark.parametrize("behaviour", ["success", "fail", "insured-but-lost"])
async def test_a_process_that_dies_anywhere_leaves_no_position_out(store_url: str, behaviour: str) -> None:
    async with replicas(store_url) as houses:
        world = houses[0]
        for ends_at in itertools.count(1):
            for insurer_id in (A, B, C):
                world[insurer_id].script.clear()
            world[A].script.append(behaviour)
            life = Life(ends_at)
            world.start_process(
                store=MortalStore(world.store, life),
                log=MortalLog(world.store.decision_log, life),
                adapters=MortalDirectory(world.adapters, life),
            )
            with contextlib.suppress(Killed):
                await world.submit(application(f"app-{ends_at}"), context())
            world.start_process()
            await world.submit(application(f"app-{ends_at}"), context())
            await world.settle()
            order = await world.get(f"app-{ends_at}")
            assert order.state is OrderState.INSURED
            assert world.insured_at(order.application_id) == [order.insurer_id]
            if not life.over:
                break
        # The first decisions share a page; what failed goes on on the pages of those that are left.
        assert ends_at > 4
        orders = [await world.get(f"app-{n}") for n in range(1, ends_at + 1)]
        assert worst_deviation(orders) < 1
