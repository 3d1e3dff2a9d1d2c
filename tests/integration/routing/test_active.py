"""Every process serves the active version, whole, and says so when there is none."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sluice_server.domain.errors import ApplicationConflict, InvalidPlan, NoActivePlan, PlanNotFound
from sluice_server.domain.routing.active import ActivePlan, PlanPreparation, PlanRefresh
from sluice_server.domain.routing.plan import CompiledPlan
from sluice_server.domain.routing.ports import StoredPlan
from sluice_server.domain.routing.publish import Activation
from sluice_server.domain.routing.source.compile import content_hash
from sluice_server.domain.unit_of_work import Store
from tests.integration.routing.world import CONTEXT, PlanRoom
from tests.unit.routing.builders import APPLICATION, PLAN, application

ONLY_B = PLAN.replace("share: 7000", "share: 1").replace("share: 3000", "share: 9999")

ONLY_REST = """\
  - name: everything
    allocations: [{insurer: insurer-b, share: 10000, binding: {insurer_product_code: B-3}}]
"""


async def test_without_an_active_plan_nothing_is_decided(room: PlanRoom) -> None:
    assert not await room.active.refresh()
    with pytest.raises(NoActivePlan):
        await room.route(APPLICATION, CONTEXT)
    with pytest.raises(NoActivePlan):
        await room.explain(APPLICATION, 0, CONTEXT)


async def test_another_process_serves_the_new_version_after_its_next_refresh(room: PlanRoom, replica: PlanRoom) -> None:
    await room.stored()
    await room.stored(ONLY_B)
    await room.activate(Activation(1, "on"), CONTEXT)
    assert await replica.active.refresh()
    assert not await replica.active.refresh(), "nothing has changed since"
    first = (await replica.route(APPLICATION, CONTEXT)).order
    await room.activate(Activation(2, "on"), CONTEXT)
    assert replica.active.current().version == 1
    assert await replica.active.refresh()
    second = (await replica.route(application(application_id="app-2"), CONTEXT)).order
    assert (first.decision.plan_version, second.decision.plan_version) == (1, 2)
    assert second.decision.insurer_id == "insurer-b"


class ToldActivePlan(ActivePlan):
    """Tells when it has looked, and when it has taken something over."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.looked = asyncio.Event()
        self.changed = asyncio.Event()

    async def refresh(self) -> bool:
        changed = await super().refresh()
        self.looked.set()
        if changed:
            self.changed.set()
        return changed


async def test_the_worker_takes_over_what_another_process_activated(room: PlanRoom, replica: PlanRoom) -> None:
    await room.stored()
    active = ToldActivePlan(replica.store)
    stopping = asyncio.Event()
    running = asyncio.create_task(PlanRefresh(active, every_seconds=0.001).run(stopping))
    await room.activate(Activation(1, "on"), CONTEXT)
    async with asyncio.timeout(20):
        await active.changed.wait()
    stopping.set()
    await running
    assert active.current().version == 1


async def test_decisions_during_activations_belong_to_one_version_each(room: PlanRoom) -> None:
    await room.stored()
    await room.stored(ONLY_B)
    await room.activate(Activation(1, "on"), CONTEXT)

    async def swap() -> None:
        for version in (2, 1, 2, 1, 2):
            await room.activate(Activation(version, "on"), CONTEXT)

    async def decide(n: int) -> tuple[int, int]:
        order = (await room.route(application(application_id=f"app-{n}"), CONTEXT)).order
        return order.decision.plan_version, order.decision.candidates[0].share_basis_points

    swapping = asyncio.create_task(swap())
    seen = [await decide(n) for n in range(60)]
    await swapping
    assert set(seen) <= {(1, 7000), (2, 1)}
    assert (await decide(999)) == (2, 1)


async def test_a_text_that_does_not_compile_here_leaves_the_version_served_before(room: PlanRoom) -> None:
    await room.stored()
    await room.activate(Activation(1, "on"), CONTEXT)
    now = room.clock.now()
    async with room.store.write() as uow:
        newer = StoredPlan("new", 0, "plan: x", content_hash("plan: x"), True, (), "", now, "somebody", False, "")
        version = (await uow.plans.add(newer)).version
        await uow.plans.activate(version, expected_etag="")
        await uow.commit()
    with pytest.raises(InvalidPlan):
        await room.active.refresh()
    assert room.active.current().version == 1


async def test_a_stored_version_is_served_also_when_a_later_release_would_not_store_it_any_more(room: PlanRoom) -> None:
    unreachable = PLAN.replace("  - name: rest", f"{ONLY_REST}  - name: rest")
    assert not (await room.validate(unreachable)).valid
    now = room.clock.now()
    async with room.store.write() as uow:
        older = StoredPlan("old", 0, unreachable, content_hash(unreachable), True, (), "", now, "somebody", False, "")
        version = (await uow.plans.add(older)).version
        await uow.plans.activate(version, expected_etag="")
        await uow.commit()
    assert await room.active.refresh()
    assert (await room.route(APPLICATION, CONTEXT)).order.decision.rule == "gold-phones"


async def test_two_processes_give_one_application_one_decision(room: PlanRoom, replica: PlanRoom) -> None:
    await room.stored()
    await room.stored(ONLY_B)
    await room.activate(Activation(1, "on"), CONTEXT)
    await replica.active.refresh()
    # The other process has not heard of it yet: the two would decide by different versions.
    await room.activate(Activation(2, "on"), CONTEXT)
    assert replica.active.current().version == 1
    answers = await asyncio.gather(*(each.route(APPLICATION, CONTEXT) for each in (room, replica) * 5))
    assert len({a.order.decision.decision_id for a in answers}) == 1
    assert sum(not a.replayed for a in answers) == 1
    other = replace(APPLICATION, term_months=12)
    for each in (room, replica):
        with pytest.raises(ApplicationConflict):
            await each.route(other, CONTEXT)


async def test_of_two_contents_under_one_id_at_the_same_time_one_is_stored(room: PlanRoom, replica: PlanRoom) -> None:
    await room.stored()
    await room.activate(Activation(1, "on"), CONTEXT)
    await replica.active.refresh()
    answers = await asyncio.gather(
        room.route(APPLICATION, CONTEXT),
        replica.route(replace(APPLICATION, term_months=12), CONTEXT),
        return_exceptions=True,
    )
    assert sum(isinstance(a, ApplicationConflict) for a in answers) == 1
    async with room.store.read() as uow:
        stored = await uow.orders.get(APPLICATION.application_id)
    assert stored is not None
    assert len(stored.decisions) == 1


async def test_explaining_shows_the_stored_decision_beside_what_would_be_decided_now(room: PlanRoom) -> None:
    await room.stored()
    await room.stored(ONLY_B)
    await room.activate(Activation(1, "on"), CONTEXT)
    before = await room.explain(APPLICATION, 0, CONTEXT)
    assert before.stored_decision is None
    assert before.decision is not None
    assert before.decision.decision_id == ""
    routed = (await room.route(APPLICATION, CONTEXT)).order
    assert replace(before.decision, decision_id=routed.decision.decision_id) == routed.decision
    room.traffic.cut.add("insurer-a")
    after = await room.explain(APPLICATION, 0, CONTEXT)
    assert after.stored_decision == routed.decision
    assert after.decision is not None
    assert (after.decision.insurer_id, after.decision.candidates[0].excluded_because) == ("insurer-b", "CUT")
    other = await room.explain(APPLICATION, 2, CONTEXT)
    assert other.plan_version == 2
    assert other.decision is not None
    assert other.decision.candidates[0].share_basis_points == 1
    with pytest.raises(PlanNotFound):
        await room.explain(APPLICATION, 3, CONTEXT)
    async with room.store.read() as uow:
        stored = await uow.orders.get(APPLICATION.application_id)
    assert stored is not None
    assert stored.decisions == (routed.decision,), "explaining has stored nothing"


async def test_explaining_shows_every_rule_tried_and_that_none_matches(room: PlanRoom) -> None:
    source = PLAN.replace("    on_exhausted: REJECT", "    match: {device.category: tv}")
    await room.stored(source)
    await room.activate(Activation(1, "on"), CONTEXT)
    silver = application(channel=replace(APPLICATION.channel, tier="silver"))
    explained = await room.explain(silver, 0, CONTEXT)
    assert explained.decision is None
    assert explained.factors == {"band": "high"}
    assert [(t.rule, t.matched, t.because) for t in explained.rules[:2]] == [
        ("gold-phones", False, 'when: application.channel.tier == "gold" is false'),
        ("rest", False, "match.device.category: 'phone' is not 'tv'"),
    ]
    assert "no rule of plan 'small'" in explained.rules[2].because
    foreign = await room.explain(application(product_line="warranty"), 0, CONTEXT)
    assert foreign.decision is None
    assert ["does not serve" in t.because for t in foreign.rules] == [True]


async def test_going_live_and_rolling_back_take_what_is_compiled_already(room: PlanRoom, replica: PlanRoom) -> None:
    await room.stored()
    await room.stored(ONLY_B)
    await room.activate(Activation(1, "on"), CONTEXT)
    assert await replica.active.refresh()
    first, prepared = replica.active.current(), await replica.active.prepare(2)
    for version, compiled in ((2, prepared), (1, first), (2, prepared)):
        await room.activate(Activation(version, "on"), CONTEXT)
        assert await replica.active.refresh()
        assert replica.active.current() is compiled


class ToldPreparation(ActivePlan):
    """Tells when it has compiled something ahead."""

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self.prepared: asyncio.Queue[int] = asyncio.Queue()

    async def prepare(self, version: int) -> CompiledPlan:
        try:
            return await super().prepare(version)
        finally:
            self.prepared.put_nowait(version)


async def test_every_replica_compiles_what_is_stored_before_it_is_activated(room: PlanRoom, replica: PlanRoom) -> None:
    active = ToldPreparation(replica.store)
    stopping = asyncio.Event()
    running = asyncio.create_task(PlanPreparation(active, replica.store, every_seconds=0.001).run(stopping))
    async with asyncio.timeout(20):
        await room.stored()
        assert await active.prepared.get() == 1
        now = room.clock.now()
        async with room.store.write() as uow:
            wrong = StoredPlan("new", 0, "plan: x", content_hash("plan: x"), True, (), "", now, "somebody", False, "")
            await uow.plans.add(wrong)
            await uow.commit()
        assert await active.prepared.get() == 2, "one that does not compile here does not end the worker"
        await room.stored(ONLY_B)
        assert await active.prepared.get() == 3
    stopping.set()
    await running


async def test_the_worker_looks_at_once_when_it_is_told(room: PlanRoom, replica: PlanRoom) -> None:
    await room.stored()
    active = ToldActivePlan(replica.store)
    worker = PlanRefresh(active, every_seconds=3_600)
    stopping = asyncio.Event()
    running = asyncio.create_task(worker.run(stopping))
    async with asyncio.timeout(20):
        await active.looked.wait()
        await room.activate(Activation(1, "on"), CONTEXT)
        worker.notify()
        await active.changed.wait()
    stopping.set()
    await running
