"""Teams that call the insurer themselves tell what came of it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from sluice_server.domain.errors import (
    InvalidInput,
    OrderNotFound,
    OrderStateRefused,
    RequestIdConflict,
)
from sluice_server.domain.orders.model import OrderState, Outcome, ReportFlag, SubmissionKind
from sluice_server.domain.orders.report import OutcomeReport
from tests.integration.orders.world import START, A, B, World, application, context

STATES = {
    Outcome.SUCCESS: OrderState.INSURED,
    Outcome.BUSINESS_REJECTION: OrderState.REJECTED,
    Outcome.CALLER_FAULT: OrderState.REJECTED,
    Outcome.TECHNICAL_FAILURE: OrderState.ABNORMAL,
    Outcome.UNKNOWN: OrderState.ABNORMAL,
}


def _report(outcome: Outcome, *, request_id: str = "r1", insurer_id: str = A, policy: str = "P-1") -> OutcomeReport:
    return OutcomeReport(
        "app-1",
        insurer_id,
        outcome,
        policy_number=policy if outcome is Outcome.SUCCESS else "",
        latency_seconds=0.5,
        occurred_at=START,
        request_id=request_id,
    )


@pytest.mark.parametrize("outcome", Outcome)
async def test_an_outcome_moves_the_order_and_is_evidence(world: World, outcome: Outcome) -> None:
    await world.route(application(), context())
    order = await world.report(_report(outcome), context())
    assert order.state is STATES[outcome]
    assert await world.get("app-1") == order
    assert order.next_attempt_at is None, "the team's turn, not a worker's"
    (submission,) = order.submissions
    assert (submission.kind, submission.outcome) == (SubmissionKind.REPORTED, outcome)
    assert submission.started_at == START - timedelta(seconds=0.5)
    assert world.notified == 1
    async with world.store.read() as uow:
        evidence = await uow.evidence.outcomes(finished_from=START - timedelta(minutes=1), limit=10)
    assert [e.outcome for e in evidence] == [outcome]


async def test_a_success_keeps_the_policy_number(world: World) -> None:
    await world.route(application(), context())
    assert (await world.report(_report(Outcome.SUCCESS), context())).policy_number == "P-1"


@pytest.mark.parametrize("outcome", Outcome)
@pytest.mark.parametrize("request_id", ["r1", ""])
async def test_a_repeat_changes_nothing(world: World, outcome: Outcome, request_id: str) -> None:
    await world.route(application(), context())
    first = await world.report(_report(outcome, request_id=request_id), context())
    world.clock.move(60)
    assert await world.report(_report(outcome, request_id=request_id), context()) == first
    assert await world.get("app-1") == first


async def test_the_same_request_id_with_other_content_is_refused(world: World) -> None:
    await world.route(application(), context())
    await world.report(_report(Outcome.UNKNOWN), context())
    with pytest.raises(RequestIdConflict):
        await world.report(_report(Outcome.SUCCESS), context())
    assert (await world.get("app-1")).state is OrderState.ABNORMAL


@pytest.mark.parametrize("final", [Outcome.SUCCESS, Outcome.BUSINESS_REJECTION])
@pytest.mark.parametrize("later", Outcome)
async def test_a_report_after_the_end_is_kept_and_flagged_and_changes_nothing_else(
    world: World, final: Outcome, later: Outcome
) -> None:
    await world.route(application(), context())
    stored = await world.report(_report(final), context())
    order = await world.report(_report(later, request_id="r2"), context())
    assert await world.get("app-1") == order
    if later is final:
        assert order == stored
        return
    assert (order.state, order.policy_number, order.insurer_id) == (stored.state, stored.policy_number, A)
    assert order.submissions[:-1] == stored.submissions
    contradicts = Outcome.SUCCESS in (final, later) and later is not Outcome.UNKNOWN
    kept = order.submissions[-1]
    assert kept.flag is (ReportFlag.CONTRADICTING if contradicts else ReportFlag.LATE)
    assert kept.standing is later
    assert len(order.contradictions) == contradicts
    assert ("contradiction/app-1" in await world.alarm_keys()) is contradicts
    again = await world.report(_report(later, request_id="r2"), context())
    assert again == order, "a repeat changes nothing"
    async with world.store.read() as uow:
        evidence = await uow.evidence.outcomes(finished_from=START - timedelta(minutes=1), limit=10)
    assert [e.outcome for e in evidence] == ([final] if contradicts else [final, later]), "who is right is not known"


async def test_a_second_policy_number_is_kept_and_alarms(world: World) -> None:
    await world.route(application(), context())
    await world.report(_report(Outcome.SUCCESS), context())
    order = await world.report(_report(Outcome.SUCCESS, request_id="r2", policy="P-2"), context())
    assert (order.state, order.policy_number) == (OrderState.INSURED, "P-1")
    assert [s.policy_number for s in order.contradictions] == ["P-2"]
    assert {"contradiction/app-1", "insured-twice/app-1"} <= set(await world.alarm_keys())


async def test_an_old_report_does_not_settle_what_came_after_it(world: World) -> None:
    await world.route(application(), context())
    world.clock.move(60)
    late = _report(Outcome.TECHNICAL_FAILURE, request_id="r-old")
    newer = replace(_report(Outcome.UNKNOWN, request_id="r-new"), occurred_at=world.clock.now())
    before = await world.report(newer, context())
    order = await world.report(late, context())
    assert order.unsettled == before.unsettled, "the newer call may have insured"
    assert order.submissions[-1].flag is ReportFlag.LATE
    assert order.state is OrderState.ABNORMAL


async def test_an_unknown_outcome_may_become_known_later(world: World) -> None:
    await world.route(application(), context())
    await world.report(_report(Outcome.UNKNOWN), context())
    order = await world.report(_report(Outcome.SUCCESS, request_id="r2"), context())
    assert order.state is OrderState.INSURED
    assert not order.unsettled
    assert [s.outcome for s in order.submissions] == [Outcome.UNKNOWN, Outcome.SUCCESS]


async def test_a_failure_of_an_insurer_that_was_never_asked_is_refused(world: World) -> None:
    await world.route(application(), context())
    with pytest.raises(OrderStateRefused, match="insurer-a"):
        await world.report(_report(Outcome.TECHNICAL_FAILURE, insurer_id=B), context())
    assert (await world.get("app-1")).state is OrderState.ROUTED


async def test_who_is_insured_elsewhere_is_not_insured_again(world: World) -> None:
    await world.route(application(), context())
    order = await world.report(_report(Outcome.SUCCESS, insurer_id=B), context())
    assert (order.state, order.insurer_id, order.policy_number) == (OrderState.INSURED, B, "P-1")
    assert len(order.contradictions) == 1
    assert "contradiction/app-1" in await world.alarm_keys()
    await world.submit(application(), context())
    assert world[A].submissions == []


@pytest.mark.parametrize("outcome", [o for o in Outcome if o is not Outcome.SUCCESS])
async def test_what_sluice_submits_itself_is_not_reported(world: World, outcome: Outcome) -> None:
    world[A].script.append("lost")
    await world.submit(application(), context())
    with pytest.raises(OrderStateRefused):
        await world.report(_report(outcome), context())


async def test_a_success_told_while_sluice_submits_ends_the_order_when_the_call_fails(world: World) -> None:
    world[A].hold()
    world[A].script.append("fail")
    call = asyncio.create_task(world.submit(application(), context()))
    await world[A].entered.wait()
    during = await world.report(_report(Outcome.SUCCESS, insurer_id=B), context())
    assert during.state is OrderState.SUBMITTING
    world[A].release()
    order = (await call).order
    assert (order.state, order.insurer_id, order.policy_number) == (OrderState.INSURED, B, "P-1")
    assert world.insured_at("app-1") == [], "nobody was asked after A had failed"


async def test_a_success_told_while_sluice_submits_is_a_contradiction_when_the_call_insures_too(world: World) -> None:
    world[A].hold()
    call = asyncio.create_task(world.submit(application(), context()))
    await world[A].entered.wait()
    await world.report(_report(Outcome.SUCCESS, insurer_id=B), context())
    world[A].release()
    order = (await call).order
    assert (order.state, order.insurer_id) == (OrderState.INSURED, A)
    assert [s.insurer_id for s in order.contradictions] == [B]
    assert {"contradiction/app-1", "insured-twice/app-1"} <= set(await world.alarm_keys())


async def test_a_report_that_agrees_with_a_submitted_order_changes_nothing(world: World) -> None:
    order = (await world.submit(application(), context())).order
    same = await world.report(_report(Outcome.SUCCESS, policy=order.policy_number), context())
    assert same == order


async def test_an_unknown_application_is_told(world: World) -> None:
    with pytest.raises(OrderNotFound):
        await world.report(_report(Outcome.SUCCESS), context())


async def test_every_wrong_field_is_named_and_nothing_stored(world: World) -> None:
    routed = (await world.route(application(), context())).order
    wrong = OutcomeReport(
        "app-1", A, Outcome.SUCCESS, latency_seconds=-1, occurred_at=START + timedelta(hours=1), request_id="r"
    )
    with pytest.raises(InvalidInput) as refused:
        await world.report(wrong, context())
    assert {v.field for v in refused.value.violations} == {"policy_number", "latency", "occur_time"}
    assert await world.get("app-1") == routed
