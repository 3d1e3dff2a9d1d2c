"""SimulatePlan over a real store: what would change, counted by hand."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from sluice_server.domain.errors import Exhausted, InvalidPlan, PlanNotFound
from sluice_server.domain.money import Money
from sluice_server.domain.orders.model import Order
from sluice_server.domain.routing.publish import Activation
from sluice_server.domain.routing.simulate import MOST_AT_ONCE, PAGE, SimulatePlan, Simulation, SimulationStep
from tests.integration.routing.world import CONTEXT, PlanRoom
from tests.integration.store.samples import after, order
from tests.unit.routing.builders import TWO, application

ACTIVE = TWO.replace("ON_EXHAUSTED", "PARK")
DRAFT = (
    ACTIVE.replace("name: only", "name: all")
    .replace("share: 6000", "share: 3000")
    .replace("share: 4000", "share: 7000")
)
GOLD_ONLY = DRAFT.replace("on_exhausted: PARK", "match: {channel.tier: gold}")


async def simulated(room: PlanRoom, wanted: Simulation) -> list[SimulationStep]:
    simulate = SimulatePlan(store=room.store, plans=room.active, clock=room.clock)
    return [step async for step in simulate(wanted)]


async def decided(room: PlanRoom, count: int, **changes: Any) -> list[Order]:
    """Activates the plan and routes so many applications, a second apart."""
    version = (await room.stored(ACTIVE)).version
    await room.activate(Activation(version, "on"), CONTEXT)
    routed = []
    for number in range(count):
        room.clock.move(1)
        wanted = application(application_id=f"app-{number:04}", customer_ref=f"customer-{number}", **changes)
        routed.append((await room.route(wanted, CONTEXT)).order)
    room.clock.move(1)
    return routed


async def test_the_counts_are_those_of_deciding_each_application_by_hand(room: PlanRoom) -> None:
    orders = await decided(room, 40)
    steps = await simulated(room, Simulation(source=DRAFT))
    last = steps[-1]
    assert (last.replayed, last.total, last.unmatched_count) == (40, 40, 0)
    before = Counter(order.insurer_id for order in orders)
    # Shares move from a to b, so an application of a may go to b and never the other way round.
    changed = [each for step in steps for each in step.changed]
    assert len(changed) == last.changed_count > 0
    assert {(c.insurer_id_before, c.insurer_id, c.rule, c.rule_before) for c in changed} == {
        ("insurer-a", "insurer-b", "all", "only")
    }
    assert {c.application_id for c in changed} < {o.application_id for o in orders if o.insurer_id == "insurer-a"}
    shares = {share.insurer_id: share for step in steps for share in step.shares}
    assert {name: s.applications_before for name, s in shares.items()} == dict(before)
    assert shares["insurer-a"].applications == before["insurer-a"] - len(changed)
    assert shares["insurer-b"].applications == before["insurer-b"] + len(changed)
    for share in shares.values():
        assert share.premium == Money(12_900 * share.applications, "CNY")
        assert share.premium_before == Money(12_900 * share.applications_before, "CNY")


async def test_the_same_plan_changes_nothing(room: PlanRoom) -> None:
    await decided(room, 20)
    last = (await simulated(room, Simulation(version=1)))[-1]
    assert (last.replayed, last.changed_count) == (20, 0)


async def test_an_application_is_decided_as_at_the_moment_of_its_decision(room: PlanRoom) -> None:
    # Bought 2026-11-01: 23 days old when it was decided, older a year later.
    fresh = ACTIVE.replace("on_exhausted: PARK", "match: {device.age_days: {at_most: 400}}")
    await decided(room, 1)
    room.clock.move(5 * 365 * 86_400)
    assert (await simulated(room, Simulation(source=fresh)))[-1].unmatched_count == 0


async def test_breakers_have_no_say_in_the_draft(room: PlanRoom) -> None:
    room.traffic.cut.add("insurer-a")
    orders = await decided(room, 20)
    assert {order.insurer_id for order in orders} == {"insurer-b"}
    last = (await simulated(room, Simulation(version=1)))[-1]
    assert last.changed_count == next(s.applications for s in last.shares if s.insurer_id == "insurer-a") > 0


async def test_what_has_no_rule_is_counted_and_told(room: PlanRoom) -> None:
    await decided(room, 3, channel=replace(application().channel, tier="silver"))
    steps = await simulated(room, Simulation(source=GOLD_ONLY))
    assert steps[-1].unmatched_count == 3
    assert {(c.insurer_id, c.rule) for step in steps for c in step.changed} == {("", "")}
    assert [(s.rule, s.applications) for s in steps[-1].shares if s.applications] == [("", 3)]


async def test_the_newest_orders_of_the_time_asked_for_are_taken(room: PlanRoom) -> None:
    orders = await decided(room, 12)
    created = [order.created_at for order in orders]

    async def replayed(**where: Any) -> tuple[int, int]:
        last = (await simulated(room, replace(Simulation(source=DRAFT), **where)))[-1]
        return last.replayed, last.total

    assert await replayed(created_from=created[4], created_before=created[9]) == (5, 5)
    assert await replayed(created_from=created[4]) == (8, 8)
    assert await replayed(created_before=created[0]) == (0, 0)
    assert await replayed(limit=5) == (5, 5)
    everything = replace(Simulation(source=GOLD_ONLY.replace("gold", "none")), limit=5)
    newest = [c.application_id for step in await simulated(room, everything) for c in step.changed]
    assert newest == [order.application_id for order in orders[-5:]]


async def test_pages_neither_repeat_nor_leave_out_orders_of_the_same_moment(room: PlanRoom) -> None:
    same = [order(f"app-{n:05}", at=after(n // 700), product_line="screen") for n in range(2 * PAGE + 100)]
    async with room.store.write() as uow:
        for each in same:
            await uow.orders.add(each)
        await uow.commit()
    room.clock.move(10 * 365 * 86_400)
    steps = await simulated(room, Simulation(source=GOLD_ONLY.replace("gold", "none")))
    assert [c.application_id for step in steps for c in step.changed] == [each.application_id for each in same]
    assert [step.replayed for step in steps] == [PAGE, 2 * PAGE, 2 * PAGE + 100, 2 * PAGE + 100]


async def test_supplied_applications_are_held_against_the_active_plan(room: PlanRoom) -> None:
    await room.activate(Activation((await room.stored(ACTIVE)).version, "on"), CONTEXT)
    given = tuple(application(application_id=f"new-{n}", customer_ref=f"customer-{n}") for n in range(PAGE + 1))
    steps = await simulated(room, Simulation(source=DRAFT, applications=given))
    assert (steps[-1].replayed, steps[-1].total) == (PAGE + 1, PAGE + 1)
    assert {(c.insurer_id_before, c.insurer_id) for step in steps for c in step.changed} == {("insurer-a", "insurer-b")}
    async with room.store.read() as uow:
        assert await uow.orders.get("new-0") is None


async def test_without_an_active_plan_supplied_applications_were_nobody_s(room: PlanRoom) -> None:
    steps = await simulated(room, Simulation(source=DRAFT, applications=(application(),)))
    assert [(c.insurer_id_before, c.rule_before) for c in steps[0].changed] == [("", "")]


async def test_a_draft_that_is_not_valid_or_not_there_is_refused(room: PlanRoom) -> None:
    with pytest.raises(InvalidPlan):
        await simulated(room, Simulation(source=DRAFT.replace("share: 3000", "share: 2000")))
    with pytest.raises(PlanNotFound):
        await simulated(room, Simulation(version=7))


async def test_a_process_runs_only_so_many_at_once(room: PlanRoom) -> None:
    await decided(room, 1)
    simulate = SimulatePlan(store=room.store, plans=room.active, clock=room.clock)
    running = [simulate(Simulation(source=DRAFT)) for _ in range(MOST_AT_ONCE)]
    for each in running:
        await anext(each)
    with pytest.raises(Exhausted, match="4 simulations are under way"):
        await anext(simulate(Simulation(source=DRAFT)))
    await running[0].aclose()
    assert [step.replayed async for step in simulate(Simulation(source=DRAFT))] == [1, 1]
    for each in running[1:]:
        await each.aclose()


async def test_nothing_stored_gives_an_empty_answer(room: PlanRoom) -> None:
    steps = await simulated(room, Simulation(source=DRAFT))
    assert steps == [SimulationStep(0, 0, 0, 0)]


async def test_a_re_routed_order_counts_as_it_was_first_decided(room: PlanRoom) -> None:
    first = (await decided(room, 1))[0]
    other = "insurer-b" if first.insurer_id == "insurer-a" else "insurer-a"
    again = replace(first.decision, decision_id="dec-2", number=2, insurer_id=other)
    async with room.store.write() as uow:
        await uow.orders.save(
            replace(first, decisions=(*first.decisions, again), updated_at=first.updated_at + timedelta(seconds=1))
        )
        await uow.commit()
    assert (await simulated(room, Simulation(version=1)))[-1].changed_count == 0
