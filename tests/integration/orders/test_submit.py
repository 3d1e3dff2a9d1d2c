"""Submitting an application: one insurer, one outcome, no second call."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sluice_server.domain.breaker.model import Scope
from sluice_server.domain.errors import ApplicationConflict, InsurerNotConfigured
from sluice_server.domain.orders.model import OrderState, Outcome, SubmissionKind
from sluice_server.domain.orders.report import OutcomeReport
from sluice_server.domain.unit_of_work import Store, UnitOfWork
from tests.integration.orders.world import A, B, C, World, application, context


async def test_success_insures_with_the_policy_number(world: World) -> None:
    answer = await world.submit(application(), context())
    order = answer.order
    assert (order.state, order.policy_number, order.insurer_id) == (OrderState.INSURED, "insurer-a-1", A)
    assert await world.get("app-1") == order
    (submission,) = order.submissions
    assert (submission.kind, submission.outcome) == (SubmissionKind.SUBMIT, Outcome.SUCCESS)
    assert order.next_attempt_at is None
    assert world.notified == 1


async def test_the_insurer_gets_the_binding_and_the_key(world: World) -> None:
    await world.submit(application(), context())
    (request,) = world[A].submissions
    assert request.binding.insurer_product_code == "A-SCREEN-12"
    assert request.idempotency_key.isalnum()
    assert request.application == application()


@pytest.mark.parametrize(
    ("behaviour", "outcome"), [("decline", Outcome.BUSINESS_REJECTION), ("fault", Outcome.CALLER_FAULT)]
)
async def test_a_refusal_rejects_and_goes_nowhere_else(world: World, behaviour: str, outcome: Outcome) -> None:
    world[A].script.append(behaviour)
    order = (await world.submit(application(), context())).order
    assert (order.state, order.submissions[-1].outcome) == (OrderState.REJECTED, outcome)
    assert not world[B].submissions
    assert not world[C].submissions
    assert await world.alarm_keys() == []


async def test_the_submission_is_durable_before_the_call(world: World) -> None:
    world[A].hold()
    calling = asyncio.create_task(world.submit(application(), context()))
    await world[A].entered.wait()
    seen = await world.get("app-1")
    assert (seen.state, seen.submissions[0].outcome) == (OrderState.SUBMITTING, None)
    world[A].release()
    assert (await calling).order.state is OrderState.INSURED


async def test_a_definite_failure_goes_to_another_insurer(world: World) -> None:
    world[A].script.append("fail")
    order = (await world.submit(application(), context())).order
    assert order.state is OrderState.INSURED
    assert order.insurer_id in (B, C)
    assert [d.number for d in order.decisions] == [1, 2]
    assert [s.outcome for s in order.submissions] == [Outcome.TECHNICAL_FAILURE, Outcome.SUCCESS]
    assert order.submissions[0].idempotency_key != order.submissions[1].idempotency_key
    excluded = {c.insurer_id: c.excluded_because for c in order.decision.candidates}
    assert excluded[A] == "FAILED_BEFORE"
    assert await world.get("app-1") == order


async def test_failures_everywhere_leave_the_order_abnormal_and_due(world: World) -> None:
    for insurer in world.insurers.values():
        insurer.script.append("fail")
    order = (await world.submit(application(), context())).order
    assert order.state is OrderState.ABNORMAL
    assert {s.insurer_id for s in order.submissions} == {A, B, C}
    assert order.next_attempt_at is not None
    assert all(len(insurer.submissions) == 1 for insurer in world.insurers.values())


@pytest.mark.parametrize("behaviour", ["lost", "insured-but-lost", "defect"])
async def test_an_unknown_outcome_goes_nowhere_else(world: World, behaviour: str) -> None:
    world[A].script.append(behaviour)
    order = (await world.submit(application(), context())).order
    assert (order.state, order.submissions[-1].outcome) == (OrderState.ABNORMAL, Outcome.UNKNOWN)
    assert not world[B].submissions
    assert not world[C].submissions
    assert order.next_attempt_at is not None


async def test_an_insurer_that_never_answers_is_unknown_at_the_deadline(world: World) -> None:
    world.timing = type(world.timing)(longest_call_seconds=0.15, overdue_seconds=0.1)
    world.start_process()
    world[A].hold()
    order = (await world.submit(application(), context())).order
    assert (order.state, order.submissions[-1].error_code) == (OrderState.ABNORMAL, "TIMEOUT")


async def test_the_call_ends_before_the_callers_deadline_and_after_the_longest_call(world: World) -> None:
    await world.submit(application("short"), context(world.clock, seconds=3))
    await world.submit(application("long"), context(world.clock, seconds=300))
    short, long = world[A].submissions
    assert (short.deadline - world.clock.now()).total_seconds() == pytest.approx(2.75)
    assert (long.deadline - world.clock.now()).total_seconds() == pytest.approx(30)


async def test_without_time_nobody_is_called_and_a_worker_submits(world: World) -> None:
    order = (await world.submit(application(), context(world.clock, seconds=0.2))).order
    assert order.state is OrderState.ROUTED
    assert not world[A].submissions
    await world.run_due()
    assert (await world.get("app-1")).state is OrderState.INSURED


async def test_a_reroute_stays_within_the_deadline(world: World) -> None:
    world[A].script.append("fail")
    world[A].hold()
    calling = asyncio.create_task(world.submit(application(), context(world.clock, seconds=2)))
    await world[A].entered.wait()
    world.clock.move(1.9)
    world[A].release()
    order = (await calling).order
    assert order.state is OrderState.ABNORMAL
    assert not world[B].submissions
    assert not world[C].submissions


async def test_a_repeat_of_a_finished_order_calls_nobody(world: World) -> None:
    first = await world.submit(application(), context())
    again = await world.submit(application(), context())
    assert again.replayed
    assert again.order == first.order
    assert len(world[A].submissions) == 1


async def test_a_repeat_with_other_content_is_refused(world: World) -> None:
    await world.submit(application(), context())
    with pytest.raises(ApplicationConflict):
        await world.submit(application(premium=1), context())
    assert len(world[A].submissions) == 1


async def test_a_repeat_in_the_same_process_waits_for_the_call_under_way(world: World) -> None:
    world[A].hold()
    first = asyncio.create_task(world.submit(application(), context()))
    await world[A].entered.wait()
    second = asyncio.create_task(world.submit(application(), context()))
    await asyncio.sleep(0)
    world[A].release()
    assert (await first).order == (await second).order
    assert len(world[A].submissions) == 1


async def test_concurrent_calls_call_the_insurer_once(world: World) -> None:
    answers = await asyncio.gather(*(world.submit(application(), context()) for _ in range(8)))
    assert len(world[A].submissions) == 1
    assert {a.order.application_id for a in answers} == {"app-1"}
    assert (await world.get("app-1")).state is OrderState.INSURED


async def test_a_repeat_in_another_process_answers_the_state_and_calls_nobody(world: World) -> None:
    world[A].hold()
    first = asyncio.create_task(world.submit(application(), context()))
    await world[A].entered.wait()
    own, calls = world.submit, world.calls
    world.start_process()
    seen = (await world.submit(application(), context())).order
    assert seen.state is OrderState.SUBMITTING
    assert len(world[A].submissions) == 1
    world[A].release()
    assert (await first).order.state is OrderState.INSURED
    assert own is not world.submit
    await calls.drain()


async def test_a_repeat_after_the_process_died_becomes_abnormal_and_is_reconciled(world: World) -> None:
    await _die_while_calling(world)
    world.clock.move(36)
    seen = (await world.submit(application(), context())).order
    assert seen.state is OrderState.ABNORMAL
    assert seen.submissions[0].outcome is None, "our own death is no evidence against the insurer"
    assert seen.submissions[0].settled_outcome is Outcome.UNKNOWN
    await world.settle()
    assert (await world.get("app-1")).state is OrderState.INSURED


async def test_an_order_whose_insurer_was_cut_before_its_submission_is_decided_again(world: World) -> None:
    await world.route(application(), context())
    world.traffic.cut.add(A)
    order = (await world.submit(application(), context())).order
    assert order.state is OrderState.INSURED
    assert order.insurer_id in (B, C)
    assert not world[A].submissions


async def test_an_order_cut_off_from_everybody_is_parked_and_submitted_later(world: World) -> None:
    await world.route(application(), context())
    world.traffic.cut = {A, B, C}
    parked = (await world.submit(application(), context())).order
    assert parked.state is OrderState.PARKED
    assert (await world.submit(application(), context())).order.state is OrderState.PARKED
    world.traffic.cut = {A}
    world.clock.move(10)
    await world.run_due()
    order = await world.get("app-1")
    assert order.state is OrderState.INSURED
    assert order.insurer_id in (B, C)


async def test_an_insurer_that_the_rule_keeps_is_called_although_it_is_cut(world: World) -> None:
    world.traffic.cut.add(A)
    order = (await world.submit(application(line="kept"), context())).order
    assert (order.state, order.insurer_id, len(order.decisions)) == (OrderState.INSURED, A, 1)


async def test_a_plan_that_rejects_calls_nobody(world: World) -> None:
    world.traffic.cut.add(A)
    order = (await world.submit(application(line="refused"), context())).order
    assert order.state is OrderState.REJECTED
    assert order.submissions == ()


async def test_one_definite_failure_does_not_reject_although_the_rule_rejects(world: World) -> None:
    world[A].script.append("fail")
    order = (await world.submit(application(line="refused"), context())).order
    assert order.state is OrderState.ABNORMAL
    await world.settle()
    assert (await world.get("app-1")).state is OrderState.INSURED


async def test_a_failed_order_of_another_team_is_taken_over(world: World) -> None:
    await world.route(application(), context())
    await world.report(OutcomeReport("app-1", A, Outcome.TECHNICAL_FAILURE, request_id="r"), context())
    order = (await world.submit(application(), context())).order
    assert order.state is OrderState.INSURED
    assert order.insurer_id in (B, C)


async def test_an_unknown_order_of_another_team_is_not_touched(world: World) -> None:
    await world.route(application(), context())
    await world.report(OutcomeReport("app-1", A, Outcome.UNKNOWN, request_id="r"), context())
    order = (await world.submit(application(), context())).order
    assert order.state is OrderState.ABNORMAL
    await world.settle()
    assert not any(insurer.submissions or insurer.inquiries for insurer in world.insurers.values())


async def test_an_insurer_without_adapter_is_told_and_the_order_kept(world: World) -> None:
    world.adapters.missing.add(A)
    with pytest.raises(InsurerNotConfigured):
        await world.submit(application(), context())
    kept = await world.get("app-1")
    assert (kept.state, kept.submissions) == (OrderState.ROUTED, ())
    world.adapters.missing.clear()
    world.clock.move(60)
    await world.run_due()
    assert (await world.get("app-1")).state is OrderState.INSURED


@pytest.mark.parametrize("behaviour", ["success", "fail", "lost", "insured-but-lost"])
async def test_a_cancelled_caller_leaves_an_order_whose_outcome_is_recorded(world: World, behaviour: str) -> None:
    world[A].script.append(behaviour)
    world[A].hold()
    calling = asyncio.create_task(world.submit(application(), context()))
    await world[A].entered.wait()
    calling.cancel()
    with pytest.raises(asyncio.CancelledError):
        await calling
    assert (await world.get("app-1")).state is OrderState.SUBMITTING
    world[A].release()
    await world.calls.drain()
    recorded = (await world.get("app-1")).submissions[0].outcome
    expected = {"success": Outcome.SUCCESS, "fail": Outcome.TECHNICAL_FAILURE}
    assert recorded is expected.get(behaviour, Outcome.UNKNOWN)
    await world.settle()
    assert (await world.get("app-1")).state is OrderState.INSURED
    assert len(world.insured_at("app-1")) == 1


async def test_a_result_that_comes_after_the_order_was_given_up_still_insures_it(world: World) -> None:
    world[A].hold()
    calling = asyncio.create_task(world.submit(application(), context()))
    await world[A].entered.wait()
    calls = world.calls
    world.start_process()
    world.clock.move(36)
    assert (await world.submit(application(), context())).order.state is OrderState.ABNORMAL
    world[A].release()
    assert (await calling).order.state is OrderState.INSURED
    assert (await world.get("app-1")).submissions[0].outcome is Outcome.SUCCESS
    await calls.drain()


async def _die_while_calling(world: World) -> None:
    """The process ends after the submission was written and before the insurer is asked; another one starts."""
    world[A].hold()
    dying = asyncio.create_task(world.submit(application(), context()))
    await world[A].entered.wait()
    call = world.calls.under_way("app-1")
    assert call is not None
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await dying
    world[A].release()
    world.start_process()


class CountingStore:
    """A store that counts its writing units of work: each is a commit of its own."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self.writes = 0

    def write(self) -> UnitOfWork:
        self.writes += 1
        return self._store.write()

    def read(self) -> UnitOfWork:
        return self._store.read()


async def test_orders_that_fail_in_an_outage_share_commits_and_join_the_incident(world: World) -> None:
    incident = await world.trip(A, product_line="other")
    async with world.store.write() as uow:
        breaker = await uow.breakers.get(Scope(A, "other"))
        assert breaker is not None
        assert await uow.breakers.add(replace(breaker, scope=Scope(A)))
        await uow.commit()
    world.traffic.cut.clear()
    counting = CountingStore(world.store)
    world.start_process(store=counting)
    world[A].default = "fail"
    calls = (world.submit(application(f"app-{n}", line="solo"), context()) for n in range(50))
    orders = [routed.order for routed in await asyncio.gather(*calls)]
    assert {(order.state, order.incident_id) for order in orders} == {(OrderState.ABNORMAL, incident)}
    assert all(order.next_attempt_at is not None for order in orders)
    assert counting.writes == 0, "every one of them went through the shared commits"
