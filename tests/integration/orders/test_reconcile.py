"""What calls have left behind is finished, with the same insurer first."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from sluice_server.domain.breaker.model import BreakerState
from sluice_server.domain.errors import InsurerNotConfigured
from sluice_server.domain.orders.history import NEVER_ANSWERED
from sluice_server.domain.orders.model import Order, OrderState, Outcome, SubmissionKind
from sluice_server.domain.orders.timing import OrderTiming
from tests.integration.orders.world import START, A, B, C, World, application, context


async def _abnormal(world: World, behaviour: str, application_id: str = "app-1", line: str = "screen") -> Order:
    """An order whose only call to A went like this, and that nobody has taken up yet."""
    world[A].script.append(behaviour)
    order = (await world.submit(application(application_id, line=line), context())).order
    if order.state is not OrderState.ABNORMAL:
        raise AssertionError(f"expected an abnormal order, not {order.state}")
    return order


async def test_an_unknown_order_that_the_insurer_has_insured_is_insured_there(world: World) -> None:
    await _abnormal(world, "insured-but-lost")
    world.clock.move(2)
    await world.run_due()
    order = await world.get("app-1")
    assert (order.state, order.insurer_id, order.policy_number) == (OrderState.INSURED, A, "insurer-a-1")
    (submission,) = order.submissions
    assert submission.outcome is Outcome.UNKNOWN, "the breaker's evidence stays what it was"
    assert submission.settled_outcome is Outcome.SUCCESS
    assert world.insured_at("app-1") == [A]


async def test_an_unknown_order_that_the_insurer_declined_is_rejected(world: World) -> None:
    order = await _abnormal(world, "lost")
    world[A].declined.add(order.submissions[0].idempotency_key)
    world.clock.move(2)
    await world.run_due()
    assert (await world.get("app-1")).state is OrderState.REJECTED
    assert not world[B].submissions
    assert not world[C].submissions


async def test_nothing_known_is_believed_only_after_the_quiet_time(world: World) -> None:
    await _abnormal(world, "lost")
    world.clock.move(9.9)
    await world.run_due()
    waiting = await world.get("app-1")
    assert waiting.state is OrderState.ABNORMAL
    assert waiting.unsettled
    assert world[A].inquiries
    # The request was still on its way, and arrives now.
    world[A].ledger[waiting.submissions[0].idempotency_key] = "late-1"
    world[A].applications["app-1"] = "late-1"
    await world.settle()
    order = await world.get("app-1")
    assert (order.state, order.policy_number) == (OrderState.INSURED, "late-1")
    assert world.insured_at("app-1") == [A]


async def test_nothing_known_makes_the_failure_definite_and_another_insurer_is_asked(world: World) -> None:
    await _abnormal(world, "lost")
    await world.settle()
    order = await world.get("app-1")
    assert order.state is OrderState.INSURED
    assert order.insurer_id in (B, C)
    assert order.submissions[0].outcome is Outcome.UNKNOWN
    assert order.submissions[0].settled_outcome is Outcome.TECHNICAL_FAILURE
    assert order.submissions[1].kind is SubmissionKind.RETRY


async def test_a_failed_inquiry_is_repeated_with_growing_waits(world: World) -> None:
    await _abnormal(world, "insured-but-lost")
    world[A].inquiries_fail = 4
    asked = []
    while not (await world.get("app-1")).final:
        world.clock.move(0.25)
        before = len(world[A].inquiries)
        await world.run_due()
        if len(world[A].inquiries) > before:
            asked.append(world.clock.now())
    waits = [(later - earlier).total_seconds() for earlier, later in itertools.pairwise(asked)]
    assert len(waits) == 4
    for number, wait in enumerate(waits, start=1):
        assert 0.5 * 2**number <= wait <= 2**number + 0.25
    assert not world[B].submissions
    assert not world[C].submissions


async def test_back_off_is_bounded_and_jittered() -> None:
    timing = OrderTiming()
    order = _order(attempts=500)
    waits = {(timing.retry_at(order, order.created_at) - order.created_at).total_seconds() for _ in range(50)}
    assert len(waits) > 25
    assert 30 <= min(waits) <= max(waits) <= 60


async def test_an_order_that_failed_everywhere_is_tried_again(world: World) -> None:
    for insurer in world.insurers.values():
        insurer.script.append("fail")
    await world.submit(application(), context())
    await world.settle()
    order = await world.get("app-1")
    assert order.state is OrderState.INSURED
    assert len(order.submissions) == 4


async def test_an_order_without_anybody_left_is_parked_and_insured_later(world: World) -> None:
    await _abnormal(world, "fail", line="solo")
    world.traffic.cut.add(A)
    world.clock.move(2)
    await world.run_due()
    assert (await world.get("app-1")).state is OrderState.PARKED
    world.traffic.cut.clear()
    await world.settle()
    assert (await world.get("app-1")).state is OrderState.INSURED


async def test_an_order_whose_process_died_before_the_submission_is_submitted(world: World) -> None:
    routed = await world.decisions.first(application(), submit=True, deadline=None)
    assert routed.order.state is OrderState.ROUTED
    world.start_process()
    await world.run_due()
    assert not world[A].submissions, "the caller's own process may still be at it"
    await world.settle()
    assert (await world.get("app-1")).state is OrderState.INSURED


@pytest.mark.parametrize("reached", [True, False])
async def test_a_call_whose_process_died_is_inquired_after_its_deadline(world: World, reached: bool) -> None:
    world[A].hold()
    dying = asyncio.create_task(world.submit(application(), context()))
    await world[A].entered.wait()
    call = world.calls.under_way("app-1")
    assert call is not None
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    world[A].release()
    if reached:
        (request,) = world[A].submissions
        world[A].ledger[request.idempotency_key] = "policy-1"
        world[A].applications["app-1"] = "policy-1"
    world.start_process()
    await world.run_due()
    assert (await world.get("app-1")).state is OrderState.SUBMITTING
    await world.settle()
    order = await world.get("app-1")
    assert order.state is OrderState.INSURED
    assert world.insured_at("app-1") == [order.insurer_id]
    assert (order.insurer_id == A) == reached
    assert order.submissions[0].outcome is None
    assert order.submissions[0].error_code == NEVER_ANSWERED
    assert await world.alarm_keys() == []


async def test_two_replicas_do_not_work_on_the_same_order(world: World) -> None:
    await _abnormal(world, "lost")
    world.clock.move(20)
    first = world.reconcile
    world.start_process()
    done = await asyncio.gather(first("app-1"), world.reconcile("app-1"), first("app-1"))
    assert sum(order is not None for order in done) == 1
    assert sum(len(world[i].submissions) for i in (B, C)) == 1


async def test_a_lease_of_a_dead_worker_ends(world: World) -> None:
    await _abnormal(world, "lost")
    world.clock.move(20)
    taken = await world.reconcile._take_up("app-1")
    assert taken is not None
    await world.run_due()
    assert (await world.get("app-1")).unsettled
    await world.settle()
    assert (await world.get("app-1")).state is OrderState.INSURED


async def test_taking_an_order_up_does_not_count_as_a_change_of_it(world: World) -> None:
    order = await _abnormal(world, "lost")
    world[A].inquiries_fail = 1
    world.clock.move(2)
    await world.run_due()
    seen = await world.get("app-1")
    assert seen.attempts == 1
    assert seen.updated_at == order.updated_at


async def test_a_missing_adapter_is_told_and_the_order_comes_back(world: World) -> None:
    await _abnormal(world, "insured-but-lost")
    world.adapters.missing.add(A)
    world.clock.move(2)
    with pytest.raises(InsurerNotConfigured):
        await world.reconcile("app-1")
    waiting = await world.get("app-1")
    assert waiting.next_attempt_at is not None
    assert waiting.next_attempt_at - world.clock.now() <= timedelta(seconds=2)
    world.adapters.missing.clear()
    await world.settle()
    assert (await world.get("app-1")).state is OrderState.INSURED


@pytest.mark.parametrize("state", [BreakerState.OPEN, BreakerState.CONFIRMED, BreakerState.RETRYING])
async def test_failed_orders_of_a_cut_insurer_wait_for_its_recovery(world: World, state: BreakerState) -> None:
    order = await _abnormal(world, "fail", line="solo")
    incident_id = await world.trip(A, state)
    assert order.incident_id == ""
    world.clock.move(2)
    await world.settle(hours=0.05)
    waiting = await world.get("app-1")
    assert (waiting.state, waiting.incident_id) == (OrderState.ABNORMAL, incident_id)
    assert len(world[A].submissions) == 1


async def test_unknown_orders_of_a_cut_insurer_are_inquired_and_insured_but_not_moved(world: World) -> None:
    await _abnormal(world, "insured-but-lost", "in-ledger")
    await _abnormal(world, "lost", "not-in-ledger")
    await world.trip(A)
    world.clock.move(2)
    await world.settle(hours=0.02)
    assert (await world.get("in-ledger")).state is OrderState.INSURED
    waiting = await world.get("not-in-ledger")
    assert waiting.state is OrderState.ABNORMAL
    assert not waiting.unsettled
    assert not world[B].submissions
    assert not world[C].submissions


async def test_an_order_that_becomes_abnormal_while_its_insurer_is_cut_joins_the_incident(world: World) -> None:
    world[A].script.append("lost")
    world[A].hold()
    calling = asyncio.create_task(world.submit(application(), context()))
    await world[A].entered.wait()
    incident_id = await world.trip(A)
    world[A].release()
    order = (await calling).order
    assert (order.state, order.incident_id) == (OrderState.ABNORMAL, incident_id)
    assert (await world.get("app-1")).incident_id == incident_id


async def test_an_incident_of_a_product_line_takes_only_its_orders(world: World) -> None:
    await _abnormal(world, "lost", "solo-1", line="solo")
    await _abnormal(world, "lost", "screen-1")
    incident_id = await world.trip(A, product_line="solo")
    assert (await world.get("solo-1")).incident_id == incident_id
    assert (await world.get("screen-1")).incident_id == ""


@pytest.mark.parametrize("state", [BreakerState.RAMPING, BreakerState.CLOSED])
async def test_what_the_recovery_has_left_is_moved_like_any_other(world: World, state: BreakerState) -> None:
    await _abnormal(world, "lost")
    await world.trip(A)
    world.clock.move(30)
    await world.run_due()
    assert (await world.get("app-1")).state is OrderState.ABNORMAL
    await world.move_breaker(A, state)
    await world.settle()
    order = await world.get("app-1")
    assert order.state is OrderState.INSURED
    assert order.insurer_id in (B, C)


async def test_a_setting_moves_the_definitely_failed_orders_of_a_cut_insurer(world: World) -> None:
    world.timing = replace(world.timing, move_orders_of_incident=True)
    world.start_process()
    await _abnormal(world, "lost")
    await world.trip(A)
    await world.settle()
    order = await world.get("app-1")
    assert order.state is OrderState.INSURED
    assert order.insurer_id in (B, C)


async def test_parked_orders_of_one_product_do_not_hold_up_those_of_another(world: World) -> None:
    world.traffic.cut = {A, B, C}
    for number in range(6):
        await world.submit(application(f"solo-{number}", line="solo"), context())
    await world.submit(application("screen-1"), context())
    world.traffic.cut = {A}
    world.clock.move(3)
    for _ in range(3):
        step = await world.drain(3)
        for order in step.routed:
            await world.drain.submit(order)
    assert (await world.get("screen-1")).state is OrderState.INSURED
    assert (await world.get("solo-1")).state is OrderState.PARKED


async def test_two_replicas_drain_a_parked_order_once(world: World) -> None:
    world.traffic.cut = {A, B, C}
    await world.submit(application(), context())
    world.traffic.cut.clear()
    world.clock.move(3)
    first = world.drain
    world.start_process()
    steps = await asyncio.gather(first(10), world.drain(10))
    assert sum(len(step.routed) for step in steps) == 1


def _order(*, attempts: int) -> Order:
    return Order(
        application=application(),
        fingerprint="",
        state=OrderState.ABNORMAL,
        decisions=(),
        submissions=(),
        incident_id="",
        policy_number="",
        submit_requested=True,
        attempts=attempts,
        next_attempt_at=None,
        created_at=START,
        updated_at=START,
        version=1,
    )
