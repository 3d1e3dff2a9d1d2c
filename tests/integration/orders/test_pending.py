"""Insurers that accept now and decide later: asked, told by callbacks, forgotten."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sluice_server.domain.breaker.model import BreakerPolicy, BreakerState
from sluice_server.domain.errors import OrderNotFound, OrderStateRefused, RequestIdConflict
from sluice_server.domain.orders.callback import InsurerNotice
from sluice_server.domain.orders.cancel import Cancellation
from sluice_server.domain.orders.history import SETTLEMENT_OVERDUE, idempotency_key
from sluice_server.domain.orders.model import Order, OrderState, Outcome, ReportFlag
from sluice_server.domain.orders.ports import SubmissionResult
from tests.integration.orders.world import ASK_SECONDS, SETTLE_SECONDS, START, A, B, C, World, application, context

ISSUED = SubmissionResult(Outcome.SUCCESS, policy_number="insurer-a-1")
DECLINED = SubmissionResult(Outcome.BUSINESS_REJECTION, "TOO_OLD")
FAILED = SubmissionResult(Outcome.TECHNICAL_FAILURE, "NOT_PROCESSED")


async def accepted(world: World, application_id: str = "app-1") -> Order:
    world[A].script.append("accept")
    return (await world.submit(application(application_id), context())).order


def notice(result: SubmissionResult, *, application_id: str = "", insurer_id: str = A, key: str = "") -> InsurerNotice:
    """With the key alone, unless an application is named."""
    if not application_id and not key:
        key = idempotency_key("app-1", insurer_id)
    return InsurerNotice(insurer_id, application_id, key, result)


async def outcomes(world: World) -> list[Outcome]:
    async with world.store.read() as uow:
        return [r.outcome for r in await uow.evidence.outcomes(finished_from=START, limit=100)]


async def test_an_accepted_order_is_under_way_and_no_evidence(world: World) -> None:
    order = await accepted(world)
    assert order == await world.get("app-1")
    assert order.state is OrderState.SUBMITTING
    assert (order.last_call.pending, order.last_call.reference[:4]) == (True, "ref-")
    assert await outcomes(world) == []
    async with world.store.read() as uow:
        (backlog,) = await uow.evidence.backlog(decided_from=START, decided_until=START)
    assert (backlog.orders, backlog.unfinished) == (1, 1), "in flight from its decision on"
    again = await world.submit(application(), context())
    assert (again.order, again.replayed) == (order, True)
    assert len(world[A].submissions) == 1


async def test_it_is_asked_as_agreed_by_the_insurers_reference_until_it_is_decided(world: World) -> None:
    await accepted(world)
    assert await world.run_due() == 0
    for asked in (1, 2, 3):
        world.clock.move(ASK_SECONDS)
        await world.run_due()
        assert len(world[A].inquiries) == asked
        assert (await world.get("app-1")).state is OrderState.SUBMITTING
    assert {r.reference for r in world[A].inquiries} == {(await world.get("app-1")).last_call.reference}
    world[A].decide()
    world.clock.move(ASK_SECONDS)
    await world.run_due()
    order = await world.get("app-1")
    assert (order.state, order.policy_number) == (OrderState.INSURED, "insurer-a-1")
    assert (order.last_call.outcome, order.last_call.latency_seconds) == (Outcome.SUCCESS, 0.0)
    assert await outcomes(world) == [Outcome.SUCCESS]


async def test_a_failure_that_is_decided_later_goes_to_another_insurer(world: World) -> None:
    await accepted(world)
    world[A].decide("fail")
    await world.settle()
    order = await world.get("app-1")
    assert order.state is OrderState.INSURED
    assert order.insurer_id in (B, C)
    assert (await outcomes(world))[0] is Outcome.TECHNICAL_FAILURE


async def test_a_decline_that_is_decided_later_ends_the_order(world: World) -> None:
    await accepted(world)
    world[A].decide("decline")
    await world.settle()
    assert (await world.get("app-1")).state is OrderState.REJECTED


async def test_what_is_not_decided_in_its_time_is_unknown_evidence_and_stays_with_its_insurer(world: World) -> None:
    await accepted(world)
    world.clock.move(SETTLE_SECONDS)
    await world.run_due()
    order = await world.get("app-1")
    assert (order.state, order.last_call.error_code) == (OrderState.ABNORMAL, SETTLEMENT_OVERDUE)
    assert await outcomes(world) == [Outcome.UNKNOWN]
    world.clock.move(3600)
    await world.run_due()
    assert (await world.get("app-1")).insurer_id == A, "it may still insure"
    world[A].decide()
    await world.settle()
    assert (await world.get("app-1")).state is OrderState.INSURED
    assert world.insured_at("app-1") == [A]


async def test_an_inquiry_that_fails_decides_nothing(world: World) -> None:
    await accepted(world)
    world[A].inquiries_fail = 3
    world[A].decide()
    await world.settle(hours=0.1)
    order = await world.get("app-1")
    assert (order.state, len(order.submissions)) == (OrderState.INSURED, 1)


async def test_a_killed_process_leaves_what_was_accepted_to_the_others(world: World) -> None:
    await accepted(world)
    world.start_process()
    world[A].decide()
    await world.settle()
    assert (await world.get("app-1")).state is OrderState.INSURED


@pytest.mark.parametrize("named", ["app-1", ""])
@pytest.mark.parametrize(
    ("result", "state"), [(ISSUED, OrderState.INSURED), (DECLINED, OrderState.REJECTED), (FAILED, OrderState.ABNORMAL)]
)
async def test_a_callback_settles_and_its_repeat_changes_nothing(
    world: World, named: str, result: SubmissionResult, state: OrderState
) -> None:
    await accepted(world)
    order = await world.tell(notice(result, application_id=named))
    assert order == await world.get("app-1")
    assert (order.state, order.last_call.outcome) == (state, result.outcome)
    assert await outcomes(world) == [result.outcome]
    for _ in range(3):
        assert await world.tell(notice(result, application_id=named)) == order


async def test_a_callback_may_overtake_the_answer_that_announces_it(world: World) -> None:
    world[A].hold()
    world[A].script.append("accept")
    call = asyncio.create_task(world.submit(application(), context()))
    await world[A].entered.wait()
    told = await world.tell(notice(ISSUED))
    assert told.state is OrderState.INSURED
    world[A].release()
    assert (await call).order == told == await world.get("app-1")


async def test_a_callback_settles_what_timed_out(world: World) -> None:
    world[A].script.append("lost")
    assert (await world.submit(application(), context())).order.state is OrderState.ABNORMAL
    order = await world.tell(notice(ISSUED))
    assert (order.state, order.submissions[0].outcome) == (OrderState.INSURED, Outcome.UNKNOWN)
    assert order.submissions[0].settled_outcome is Outcome.SUCCESS


async def test_a_failure_told_about_one_of_several_calls_is_not_believed_but_asked_about(world: World) -> None:
    await accepted(world)
    world[A].undecided.clear()
    await world.tell(notice(FAILED))
    incident = await world.trip(A)
    await world.move_breaker(A, BreakerState.RETRYING)
    world[A].script.append("insured-but-lost")
    async for _ in world.retry.retry_incident(incident, A, BreakerPolicy(), context()):
        pass
    before = await world.get("app-1")
    assert before.unsettled
    order = await world.tell(notice(FAILED))
    assert order.unsettled == before.unsettled, "it may be the first call's failure, told again"
    assert order.next_attempt_at == world.clock.now()
    await world.run_due()
    assert (await world.get("app-1")).state is OrderState.INSURED
    assert world.insured_at("app-1") == [A]


async def test_a_success_told_after_the_order_has_gone_elsewhere_alarms(world: World) -> None:
    await accepted(world)
    world[A].decide("fail")
    await world.settle()
    elsewhere = await world.get("app-1")
    order = await world.tell(notice(ISSUED))
    assert (order.state, order.policy_number) == (OrderState.INSURED, elsewhere.policy_number)
    (kept,) = order.contradictions
    assert (kept.insurer_id, kept.standing, kept.policy_number) == (A, Outcome.SUCCESS, "insurer-a-1")
    assert {"contradiction/app-1", "insured-twice/app-1"} <= set(await world.alarm_keys())
    assert await world.tell(notice(ISSUED)) == order


async def test_a_failure_told_after_a_success_is_kept_and_changes_nothing(world: World) -> None:
    await accepted(world)
    insured = await world.tell(notice(ISSUED))
    order = await world.tell(notice(DECLINED))
    assert (order.state, order.policy_number) == (insured.state, insured.policy_number)
    assert order.submissions[-1].flag is ReportFlag.CONTRADICTING
    assert await outcomes(world) == [Outcome.SUCCESS]


async def test_nobody_tells_about_the_orders_of_others(world: World) -> None:
    order = await accepted(world)
    for wrong in (
        notice(ISSUED, application_id="nobody"),
        notice(ISSUED, insurer_id=B),
        notice(ISSUED, application_id="app-1", insurer_id=B),
        notice(ISSUED, application_id="app-1", key="of-another-order"),
        notice(ISSUED, key="unheard-of"),
    ):
        with pytest.raises(OrderNotFound):
            await world.tell(wrong)
    assert await world.get("app-1") == order


async def test_the_retries_of_a_recovery_wait_for_what_is_decided_later(world: World) -> None:
    world[A].script.append("fail")
    await world.submit(replace(application(line="solo")), context())
    incident = await world.trip(A)
    await world.move_breaker(A, BreakerState.RETRYING)
    world[A].script.append("accept")
    world[A].decide_after_inquiries = 2
    steps = [s async for s in world.retry.retry_incident(incident, A, BreakerPolicy(), context())]
    assert [(s.outcome, s.remaining) for s in steps] == [(Outcome.SUCCESS, 0)]
    assert (await world.get("app-1")).state is OrderState.INSURED


async def test_retries_stop_at_an_insurer_that_never_decides(world: World) -> None:
    world[A].script.append("fail")
    await world.submit(application(line="solo"), context())
    incident = await world.trip(A)
    await world.move_breaker(A, BreakerState.RETRYING)
    world[A].script.append("accept")
    steps = [s async for s in world.retry.retry_incident(incident, A, BreakerPolicy(), context())]
    assert [(s.outcome, s.stops) for s in steps] == [(Outcome.UNKNOWN, True)]


@pytest.mark.parametrize("how", ["routed", "parked", "failed"])
async def test_what_nobody_can_have_insured_may_be_cancelled(world: World, how: str) -> None:
    if how == "routed":
        await world.route(application(), context())
    elif how == "parked":
        world.traffic.cut |= {A, B, C}
        await world.submit(application(), context())
    else:
        world.traffic.cut |= {B, C}
        world[A].script.append("fail")
        await world.submit(application(), context())
    order = await world.cancel(Cancellation("app-1", "withdrawn", "c-1"), context())
    assert order.state is OrderState.CANCELLED
    assert order == await world.get("app-1")
    assert await world.cancel(Cancellation("app-1", "withdrawn", "c-1"), context()) == order
    world.traffic.cut.clear()
    await world.settle()
    assert (await world.submit(application(), context())).order == order
    assert world.insured_at("app-1") == []
    async with world.store.read() as uow:
        row = await uow.audit.by_request("c-1", "CancelOrder")
    assert row is not None
    assert (row.subject, row.reason, row.after) == ("orders/app-1", "withdrawn", {"state": "CANCELLED"})


@pytest.mark.parametrize("script", ["accept", "lost", "success", "decline"])
async def test_what_may_be_insured_is_not_cancelled(world: World, script: str) -> None:
    world[A].script.append(script)
    order = (await world.submit(application(), context())).order
    with pytest.raises(OrderStateRefused):
        await world.cancel(Cancellation("app-1", "withdrawn"), context())
    assert await world.get("app-1") == order


async def test_a_request_id_cancels_one_order(world: World) -> None:
    for name in ("app-1", "app-2"):
        await world.route(application(name), context())
    await world.cancel(Cancellation("app-1", "withdrawn", "c-1"), context())
    with pytest.raises(RequestIdConflict):
        await world.cancel(Cancellation("app-2", "withdrawn", "c-1"), context())


async def test_an_insurer_that_insures_what_was_cancelled_alarms(world: World) -> None:
    world.traffic.cut |= {B, C}
    world[A].script.append("fail")
    await world.submit(application(), context())
    await world.cancel(Cancellation("app-1", "withdrawn"), context())
    order = await world.tell(notice(ISSUED, application_id="app-1"))
    assert order.state is OrderState.CANCELLED
    assert len(order.contradictions) == 1
    assert "contradiction/app-1" in await world.alarm_keys()
