"""Plans become versions, versions become active: once for each request, never half."""

from __future__ import annotations

import asyncio

import pytest

from sluice_server.domain.errors import (
    InvalidPageToken,
    InvalidPlan,
    PlanNotActivatable,
    PlanNotFound,
    RequestIdConflict,
    StaleEtag,
)
from sluice_server.domain.routing.ports import StoredPlan
from sluice_server.domain.routing.publish import Activated, Activation, PlanDraft
from sluice_server.domain.routing.source.compile import content_hash
from sluice_server.domain.routing.source.findings import Severity
from tests.integration.routing.world import CONTEXT, PlanRoom
from tests.unit.routing.builders import APPLICATION, PLAN

OTHER = PLAN.replace("share: 7000", "share: 8000").replace("share: 3000", "share: 2000")
UNKNOWN_INSURER = PLAN.replace("insurer: insurer-b", "insurer: insurer-x", 1)


async def test_a_created_version_is_stored_whole_and_active_only_after_activation(room: PlanRoom) -> None:
    created = await room.stored()
    assert created == await room.get(created.version)
    assert (created.name, created.version, created.active, created.created_by) == ("small", 1, False, "wang.li")
    assert (created.source, created.content_hash) == (PLAN, content_hash(PLAN))
    with pytest.raises(PlanNotFound):
        await room.get(0)
    activated = await room.activate(Activation(1, "agreed"), CONTEXT)
    assert (activated.plan.active, activated.previous_version) == (True, 0)
    assert await room.get(0) == activated.plan
    assert room.active.current().version == 1


async def test_every_change_leaves_an_audit_row(room: PlanRoom) -> None:
    await room.stored(request_id="make-1")
    await room.activate(Activation(1, "go", request_id="go-1"), CONTEXT)
    created, activated = await room.audited()
    assert (created.action, created.subject, created.actor, created.actor_verified, created.reason) == (
        *("CreatePlan", "plans/1", "wang.li", False),
        "agreed",
    )
    assert (created.request_id, created.trace_id, created.after["content_hash"]) == (
        *("make-1", CONTEXT.trace_id),
        content_hash(PLAN),
    )
    assert (activated.action, activated.reason, activated.before, activated.after) == (
        *("ActivatePlan", "go"),
        *({"active_version": 0}, {"active_version": 1}),
    )


async def test_an_invalid_plan_is_not_stored(room: PlanRoom) -> None:
    with pytest.raises(InvalidPlan) as refused:
        await room.stored(PLAN.replace("share: 7000", "share: 6000"))
    assert [v.field for v in refused.value.violations] == ["source.rules[0].allocations"]
    assert (await room.list()).plans == ()
    assert await room.audited() == []


async def test_a_repeated_request_gets_the_version_that_it_created(room: PlanRoom) -> None:
    first = await room.stored(request_id="make-1")
    assert await room.stored(request_id="make-1") == first
    with pytest.raises(RequestIdConflict):
        await room.stored(OTHER, request_id="make-1")
    assert [plan.version for plan in (await room.list()).plans] == [1]
    assert len(await room.audited()) == 1
    assert (await room.stored()).version == 2, "without a request id the same text is a new version"


async def test_of_requests_with_one_id_at_the_same_time_one_creates(room: PlanRoom, replica: PlanRoom) -> None:
    created = await asyncio.gather(*(each.stored(request_id="make-1") for each in (room, replica) * 4))
    assert {plan.version for plan in created} == {1}
    assert len(await room.audited()) == 1


async def test_rolling_back_is_activating_the_older_version(room: PlanRoom) -> None:
    await room.stored()
    await room.stored(OTHER)
    for version, before in ((1, 0), (2, 1), (1, 2)):
        activated = await room.activate(Activation(version, "on"), CONTEXT)
        assert (activated.plan.version, activated.previous_version) == (version, before)
        assert room.active.current().version == version
    page = await room.list()
    assert [(plan.version, plan.active) for plan in page.plans] == [(2, False), (1, True)]


async def test_activating_the_active_version_changes_nothing(room: PlanRoom) -> None:
    await room.stored()
    first = await room.activate(Activation(1, "on"), CONTEXT)
    again = await room.activate(Activation(1, "on again"), CONTEXT)
    assert again == Activated(first.plan, 1)
    assert len(await room.audited()) == 2


async def test_a_stale_etag_is_refused_and_changes_nothing(room: PlanRoom) -> None:
    seen = await room.stored()
    await room.stored(OTHER)
    active = (await room.activate(Activation(1, "on", etag=seen.etag), CONTEXT)).plan
    with pytest.raises(StaleEtag) as refused:
        await room.activate(Activation(2, "too late", etag=seen.etag), CONTEXT)
    assert refused.value.metadata["etag"] == active.etag
    assert (await room.get(0)).version == 1
    assert [event.action for event in await room.audited()] == ["CreatePlan", "CreatePlan", "ActivatePlan"]
    assert (await room.activate(Activation(2, "now", etag=active.etag), CONTEXT)).plan.version == 2


async def test_a_repeated_activation_does_not_undo_what_came_after_it(room: PlanRoom) -> None:
    await room.stored()
    await room.stored(OTHER)
    await room.activate(Activation(1, "on", request_id="go-1"), CONTEXT)
    await room.activate(Activation(2, "better", request_id="go-2"), CONTEXT)
    repeated = await room.activate(Activation(1, "on", request_id="go-1"), CONTEXT)
    assert (repeated.plan.version, repeated.plan.active, repeated.previous_version) == (1, False, 0)
    assert room.active.current().version == 2
    with pytest.raises(RequestIdConflict):
        await room.activate(Activation(2, "on", request_id="go-1"), CONTEXT)


async def test_of_activations_with_one_request_id_at_the_same_time_one_is_audited(
    room: PlanRoom, replica: PlanRoom
) -> None:
    await room.stored()
    answers = await asyncio.gather(
        *(each.activate(Activation(1, "on", request_id="go-1"), CONTEXT) for each in (room, replica) * 3)
    )
    assert {(a.plan.version, a.previous_version, a.plan.etag) for a in answers} == {(1, 0, answers[0].plan.etag)}
    assert len(await room.audited()) == 2


async def test_of_two_activations_at_the_same_time_with_one_etag_one_is_refused(
    room: PlanRoom, replica: PlanRoom
) -> None:
    await room.stored()
    etag = (await room.stored(OTHER)).etag
    answers = await asyncio.gather(
        room.activate(Activation(1, "one", etag=etag), CONTEXT),
        replica.activate(Activation(2, "two", etag=etag), CONTEXT),
        return_exceptions=True,
    )
    assert {type(answer) for answer in answers} == {Activated, StaleEtag}


async def test_a_version_that_does_not_exist_is_not_activated(room: PlanRoom) -> None:
    with pytest.raises(PlanNotFound):
        await room.activate(Activation(7, "on"), CONTEXT)
    with pytest.raises(PlanNotFound):
        await room.get(7)


async def test_a_version_with_an_unknown_insurer_is_stored_with_a_warning_and_activated_once_it_is_known(
    room: PlanRoom,
) -> None:
    check = await room.validate(UNKNOWN_INSURER)
    assert check.valid
    assert [(f.severity, f.line, f.path) for f in check.findings] == [
        (Severity.WARNING, 20, "rules[0].allocations[1].insurer")
    ]
    created = await room.stored(UNKNOWN_INSURER)
    assert created.warnings == tuple(f.text() for f in check.findings)
    with pytest.raises(PlanNotActivatable) as refused:
        await room.activate(Activation(created.version, "on"), CONTEXT)
    assert refused.value.metadata["insurers"] == "insurer-x"
    with pytest.raises(PlanNotFound):
        await room.get(0)
    await room.know("insurer-x")
    assert (await room.activate(Activation(created.version, "on"), CONTEXT)).plan.active
    assert (await room.validate(UNKNOWN_INSURER)).findings == ()


async def test_a_stored_text_that_this_server_finds_invalid_is_not_activated(room: PlanRoom) -> None:
    now = room.clock.now()
    source = PLAN.replace("share: 7000", "share: 1")
    async with room.store.write() as uow:
        older = StoredPlan("old", 0, source, content_hash(source), True, (), "", now, "somebody", False, "")
        version = (await uow.plans.add(older)).version
        await uow.commit()
    with pytest.raises(PlanNotActivatable, match="shares sum to 3001"):
        await room.activate(Activation(version, "on"), CONTEXT)


async def test_validation_stores_nothing(room: PlanRoom) -> None:
    assert (await room.validate(PLAN)).valid
    bad = await room.validate("plan: [")
    assert (bad.valid, [f.line for f in bad.findings]) == (False, [1])
    assert (await room.list()).plans == ()


async def test_versions_are_listed_newest_first_page_by_page_without_their_texts(room: PlanRoom) -> None:
    for _ in range(5):
        await room.stored()
    seen: list[int] = []
    token = ""
    for size in (2, 2, 1):
        page = await room.list(2, token)
        assert len(page.plans) == size
        assert {plan.source for plan in page.plans} == {""}
        seen += [plan.version for plan in page.plans]
        token = page.next_page_token
    assert (seen, token) == ([5, 4, 3, 2, 1], "")
    for wrong in ("x", "cGxhbnM6MA", "ü"):
        with pytest.raises(InvalidPageToken):
            await room.list(2, wrong)


async def test_a_long_text_is_checked_aside_and_stored_like_any_other(room: PlanRoom) -> None:
    source = PLAN + "".join(f"# {n:06d} {'long ' * 12}\n" for n in range(400))
    created = await room.create(PlanDraft(source, "long"), CONTEXT)
    assert created.source == source
    await room.activate(Activation(created.version, "on"), CONTEXT)
    # Its expressions were compiled in another thread than the one that computes them.
    order = (await room.route(APPLICATION, CONTEXT)).order
    assert (order.decision.plan_version, order.decision.rule) == (created.version, "gold-phones")
    assert order.decision.factors == {"band": "high"}
