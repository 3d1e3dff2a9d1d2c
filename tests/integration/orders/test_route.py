"""Deciding an application, durably and once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sluice_server.domain.errors import ApplicationConflict, NoActivePlan, NoRuleMatches
from sluice_server.domain.orders.decide import RoutedOrder
from sluice_server.domain.orders.model import OrderState, Outcome
from sluice_server.domain.orders.report import OutcomeReport
from sluice_server.domain.routing.frame import FirstDecision
from sluice_server.domain.routing.source.compile import compile_plan
from tests.integration.orders.world import PLAN, A, B, C, World, application, context


async def test_a_routed_order_is_stored_with_its_decision_before_it_is_answered(world: World) -> None:
    routed = await world.route(application(), context())
    stored = await world.get("app-1")
    assert stored == routed.order
    assert (stored.state, stored.insurer_id, routed.replayed) == (OrderState.ROUTED, A, False)
    assert stored.decision.binding is not None
    assert stored.decision.binding.insurer_product_code == "A-SCREEN-12"


async def test_nobody_is_called(world: World) -> None:
    await world.route(application(), context())
    await world.settle()
    assert not any(insurer.submissions for insurer in world.insurers.values())
    assert (await world.get("app-1")).state is OrderState.ROUTED


async def test_the_same_application_gets_the_stored_decision_even_after_a_cut(world: World) -> None:
    first = await world.route(application(), context())
    world.traffic.cut.add(A)
    again = await world.route(application(), context())
    assert again.replayed
    assert again.order == first.order


async def test_other_content_under_a_known_id_is_refused_and_changes_nothing(world: World) -> None:
    first = await world.route(application(), context())
    with pytest.raises(ApplicationConflict):
        await world.route(application(premium=1), context())
    assert await world.get("app-1") == first.order


async def test_a_repeat_is_answered_without_a_plan_and_without_a_rule(world: World) -> None:
    first = await world.route(application(), context())
    world.plans.plan = None
    assert (await world.route(application(), context())).order == first.order
    world.plans.plan = compile_plan(PLAN.replace("screen", "other"), version=2)
    assert (await world.route(application(), context())).order == first.order
    with pytest.raises(ApplicationConflict):
        await world.route(application(premium=1), context())
    with pytest.raises(NoRuleMatches):
        await world.route(application("app-2"), context())
    world.plans.plan = None
    with pytest.raises(NoActivePlan):
        await world.route(application("app-2"), context())


async def test_concurrent_calls_get_one_decision(world: World) -> None:
    answers = await asyncio.gather(*(world.route(application(), context()) for _ in range(10)))
    assert len({a.order.decision.decision_id for a in answers}) == 1
    assert sum(not a.replayed for a in answers) == 1


async def test_without_an_insurer_the_rule_parks_keeps_or_rejects(world: World) -> None:
    world.traffic.cut = {A, B, C}
    parked = (await world.route(application("p"), context())).order
    kept = (await world.route(application("k", line="kept"), context())).order
    refused = (await world.route(application("r", line="refused"), context())).order
    assert (parked.state, parked.insurer_id) == (OrderState.PARKED, "")
    assert (kept.state, kept.insurer_id) == (OrderState.ROUTED, A)
    assert (refused.state, refused.insurer_id) == (OrderState.REJECTED, "")
    for order in (parked, kept, refused):
        assert await world.get(order.application_id) == order


async def test_a_parked_order_of_a_team_that_calls_itself_is_routed_when_insurers_return(world: World) -> None:
    world.traffic.cut = {A, B, C}
    await world.route(application(), context())
    world.traffic.cut = {A}
    world.clock.move(60)
    await world.run_due()
    again = await world.route(application(), context())
    assert again.order.state is OrderState.ROUTED
    assert again.order.insurer_id in (B, C)
    assert not any(insurer.submissions for insurer in world.insurers.values())


async def test_after_a_reported_definite_failure_the_next_call_names_another_insurer(world: World) -> None:
    await world.route(application(), context())
    await world.report(OutcomeReport("app-1", A, Outcome.TECHNICAL_FAILURE, "HTTP_503", request_id="r1"), context())
    moved = await world.route(application(), context())
    assert not moved.replayed
    assert moved.order.insurer_id in (B, C)
    assert [d.number for d in moved.order.decisions] == [1, 2]
    assert (await world.route(application(), context())).order == moved.order


async def test_after_a_reported_unknown_outcome_nobody_else_is_named(world: World) -> None:
    await world.route(application(), context())
    await world.report(OutcomeReport("app-1", A, Outcome.UNKNOWN, "TIMEOUT", request_id="r1"), context())
    again = await world.route(application(), context())
    assert (again.order.insurer_id, again.order.state, again.replayed) == (A, OrderState.ABNORMAL, True)


async def test_of_many_each_is_answered_as_by_itself(world: World) -> None:
    known = await world.route(application("app-1"), context())
    await world.route(application("app-2"), context())
    fresh, unserved = application("app-3"), replace(application("app-4"), product_line="other")
    replayed, conflict, routed, refused = await world.route.many(
        [application("app-1"), application("app-2", premium=1), fresh, unserved]
    )
    assert replayed == RoutedOrder(known.order, replayed=True)
    assert isinstance(conflict, ApplicationConflict)
    assert isinstance(refused, NoRuleMatches)
    assert isinstance(routed, FirstDecision)
    stored = await world.get("app-3")
    assert stored.decisions == (routed.decision(),)
    assert stored.fingerprint == fresh.fingerprint()


async def test_many_repeats_are_answered_without_a_plan(world: World) -> None:
    first = await world.route(application("app-1"), context())
    world.plans.plan = None
    replayed, undecided, conflict = await world.route.many(
        [application("app-1"), application("app-2"), application("app-1", premium=1)]
    )
    assert replayed == RoutedOrder(first.order, replayed=True)
    assert isinstance(undecided, NoActivePlan)
    assert isinstance(conflict, ApplicationConflict)


async def test_many_after_a_reported_definite_failure_name_another_insurer(world: World) -> None:
    await world.route(application(), context())
    await world.report(OutcomeReport("app-1", A, Outcome.TECHNICAL_FAILURE, "HTTP_503"), context())
    [moved] = await world.route.many([application()])
    assert isinstance(moved, RoutedOrder)
    assert moved.order.insurer_id in (B, C)
    assert not moved.replayed
