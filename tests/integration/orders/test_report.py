"""Teams that call the insurer themselves tell what came of it."""

from __future__ import annotations

from datetime import timedelta

import pytest

from sluice_server.domain.errors import (
    InvalidInput,
    OrderNotFound,
    OrderStateRefused,
    RequestIdConflict,
)
from sluice_server.domain.orders.model import OrderState, Outcome, SubmissionKind
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
async def test_a_contradiction_of_a_final_state_is_refused(world: World, final: Outcome, later: Outcome) -> None:
    await world.route(application(), context())
    stored = await world.report(_report(final), context())
    if later is final:
        assert await world.report(_report(later, request_id="r2"), context()) == stored
    else:
        with pytest.raises(OrderStateRefused):
            await world.report(_report(later, request_id="r2"), context())
    assert await world.get("app-1") == stored


async def test_another_policy_number_contradicts(world: World) -> None:
    await world.route(application(), context())
    await world.report(_report(Outcome.SUCCESS), context())
    with pytest.raises(OrderStateRefused):
        await world.report(_report(Outcome.SUCCESS, request_id="r2", policy="P-2"), context())


async def test_an_unknown_outcome_may_become_known_later(world: World) -> None:
    await world.route(application(), context())
    await world.report(_report(Outcome.UNKNOWN), context())
    order = await world.report(_report(Outcome.SUCCESS, request_id="r2"), context())
    assert order.state is OrderState.INSURED
    assert not order.unsettled
    assert [s.outcome for s in order.submissions] == [Outcome.UNKNOWN, Outcome.SUCCESS]


async def test_only_the_insurer_in_charge_may_be_reported(world: World) -> None:
    await world.route(application(), context())
    with pytest.raises(OrderStateRefused, match="insurer-a"):
        await world.report(_report(Outcome.SUCCESS, insurer_id=B), context())
    assert (await world.get("app-1")).state is OrderState.ROUTED


async def test_what_sluice_submits_itself_is_not_reported(world: World) -> None:
    world[A].script.append("lost")
    await world.submit(application(), context())
    with pytest.raises(OrderStateRefused):
        await world.report(_report(Outcome.SUCCESS), context())


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
