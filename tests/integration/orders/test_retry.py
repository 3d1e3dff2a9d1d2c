"""A recovery drains its incident's abnormal orders with the same insurer, oldest first."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace

import pytest

from sluice_server.domain.breaker.model import BreakerPolicy, BreakerState
from sluice_server.domain.errors import IncidentNotFound
from sluice_server.domain.orders.model import OrderState, Outcome, SubmissionKind
from sluice_server.domain.orders.report import OutcomeReport
from sluice_server.domain.orders.retry import RetryStep
from tests.integration.orders.world import A, B, C, World, application, context

POLICY = BreakerPolicy(retry_first_cohort=2, retry_per_second=20.0)


async def _outage(world: World, count: int, behaviours: Sequence[str] = ("lost",)) -> str:
    """So many abnormal orders app-00, app-01 … of A, a second apart, and A's incident, RETRYING."""
    for number in range(count):
        world[A].script = deque([behaviours[number % len(behaviours)]])
        order = (await world.submit(application(f"app-{number:02d}", line="solo"), context())).order
        assert order.state is OrderState.ABNORMAL
        world.clock.move(1)
    world[A].script.clear()
    return await world.trip(A, BreakerState.RETRYING)


async def _retry(world: World, incident_id: str) -> list[RetryStep]:
    return [step async for step in world.retry.retry_incident(incident_id, A, POLICY, context())]


async def test_every_abnormal_order_is_insured_at_the_same_insurer_with_the_same_key(world: World) -> None:
    incident_id = await _outage(world, 9, ("lost", "fail", "insured-but-lost"))
    before = len(world[A].submissions)
    steps = await _retry(world, incident_id)
    assert [s.outcome for s in steps] == [Outcome.SUCCESS] * 9
    assert [s.remaining for s in steps][-1] == 0
    assert [s.done for s in steps] == list(range(1, 10))
    for number in range(9):
        order = await world.get(f"app-{number:02d}")
        assert (order.state, order.insurer_id, order.incident_id) == (OrderState.INSURED, A, incident_id)
        assert len({s.idempotency_key for s in order.submissions}) == 1
        assert world.insured_at(order.application_id) == [A]
    assert len(world[A].submissions) - before == 6, "those that the inquiry found insured are not sent again"
    assert not world[B].submissions
    assert not world[C].submissions


async def test_oldest_first_in_cohorts_that_double(world: World) -> None:
    incident_id = await _outage(world, 11)
    before = len(world[A].submissions)
    steps = await _retry(world, incident_id)
    assert [s.cohort for s in steps] == [2] * 2 + [4] * 4 + [8] * 5
    called = [r.application.application_id for r in world[A].submissions[before:]]
    # Within a cohort calls overlap, so only the cohorts are in order.
    assert [sorted(called[start:end]) for start, end in ((0, 2), (2, 6), (6, 11))] == [
        [f"app-{number:02d}" for number in range(start, end)] for start, end in ((0, 2), (2, 6), (6, 11))
    ]


async def test_calls_begin_at_the_set_rate(world: World) -> None:
    incident_id = await _outage(world, 6)
    started = world.clock.now()
    await _retry(world, incident_id)
    assert (world.clock.now() - started).total_seconds() >= 0.05 * (6 - 3)
    orders = [await world.get(f"app-{number:02d}") for number in range(6)]
    begun = sorted(order.submissions[-1].started_at for order in orders)
    assert len(set(begun)) == 6


@pytest.mark.parametrize("behaviour", ["fail", "lost", "defect"])
async def test_the_first_technical_failure_ends_it(world: World, behaviour: str) -> None:
    incident_id = await _outage(world, 8)
    before = len(world[A].submissions)
    world[A].script.extend(["success", "success", behaviour])
    steps = await _retry(world, incident_id)
    assert [s.stops for s in steps].count(True) == 1
    assert not steps[0].stops
    assert not steps[1].stops
    assert len(steps) <= 6, "of the cohort of four, nothing begins after the failure; nothing of the next cohort"
    assert len(world[A].submissions) - before == len(steps)
    assert steps[-1].remaining > 0
    states = [(await world.get(f"app-{number:02d}")).state for number in range(8)]
    assert states.count(OrderState.INSURED) == sum(s.outcome is Outcome.SUCCESS for s in steps)
    assert OrderState.SUBMITTING not in states


async def test_a_failed_inquiry_ends_it_without_a_submission(world: World) -> None:
    incident_id = await _outage(world, 3)
    before = len(world[A].submissions)
    world[A].inquiries_fail = 1
    steps = await _retry(world, incident_id)
    assert steps[0].outcome is Outcome.UNKNOWN
    assert len(world[A].submissions) - before == len(steps) - 1


async def test_an_order_that_the_insurer_declines_is_final_and_does_not_end_it(world: World) -> None:
    incident_id = await _outage(world, 3)
    world[A].script.append("decline")
    steps = await _retry(world, incident_id)
    assert sorted(s.outcome for s in steps) == [Outcome.BUSINESS_REJECTION, Outcome.SUCCESS, Outcome.SUCCESS]
    assert steps[-1].remaining == 0


async def test_a_second_run_goes_on_where_the_first_stopped(world: World) -> None:
    incident_id = await _outage(world, 5)
    world[A].script.append("fail")
    assert any(step.stops for step in await _retry(world, incident_id))
    world.start_process()
    steps = await _retry(world, incident_id)
    assert steps[-1].remaining == 0
    assert all([(await world.get(f"app-{n:02d}")).state is OrderState.INSURED for n in range(5)])


async def test_two_runs_at_once_call_for_each_order_once(world: World) -> None:
    incident_id = await _outage(world, 6, ("fail",))
    before = len(world[A].submissions)
    first = world.retry
    world.start_process()
    second = world.retry

    async def drain(steps: AsyncIterator[RetryStep]) -> int:
        return len([step async for step in steps])

    runs = await asyncio.gather(*(drain(r.retry_incident(incident_id, A, POLICY, context())) for r in (first, second)))
    assert len(world[A].submissions) - before == 6
    assert sum(runs) >= 6
    assert all([(await world.get(f"app-{n:02d}")).state is OrderState.INSURED for n in range(6)])


async def test_hanging_up_begins_no_further_call_and_records_those_under_way(world: World) -> None:
    incident_id = await _outage(world, 8)
    before = len(world[A].submissions)
    async with aclosing(world.retry.retry_incident(incident_id, A, POLICY, context())) as steps:
        async for _ in steps:
            break
    await world.calls.drain()
    assert 1 <= len(world[A].submissions) - before <= 2
    states = [(await world.get(f"app-{number:02d}")).state for number in range(8)]
    assert states.count(OrderState.INSURED) == len(world[A].submissions) - before
    assert states.count(OrderState.ABNORMAL) == 8 - states.count(OrderState.INSURED)


async def test_an_order_that_a_killed_retry_left_submitting_is_waited_for_and_retried(world: World) -> None:
    incident_id = await _outage(world, 2)
    world[A].hold()
    world[A].entered.clear()
    killed = asyncio.create_task(_retry(world, incident_id))
    await world[A].entered.wait()
    for task in list(world.calls._tasks):
        task.cancel()
    killed.cancel()
    with pytest.raises(asyncio.CancelledError):
        await killed
    assert (await world.get("app-00")).state is OrderState.SUBMITTING
    world[A].release()
    world.start_process()
    started = world.clock.now()
    steps = await _retry(world, incident_id)
    assert steps[-1].remaining == 0
    assert (world.clock.now() - started).total_seconds() >= 30
    assert all([(await world.get(f"app-{n:02d}")).state is OrderState.INSURED for n in range(2)])


async def test_orders_that_the_trip_has_not_seen_are_gathered(world: World) -> None:
    incident_id = await world.trip(A, BreakerState.RETRYING)
    world.traffic.cut.clear()
    async with world.store.write() as uow:
        breaker = (await uow.breakers.list())[0]
        await uow.breakers.save(replace(breaker, incident_id=""))
        await uow.commit()
    world[A].script.append("lost")
    unattached = (await world.submit(application(line="solo"), context())).order
    assert unattached.incident_id == ""
    steps = await _retry(world, incident_id)
    assert [s.application_id for s in steps] == ["app-1"]


async def test_orders_of_teams_that_call_themselves_are_left_to_them(world: World) -> None:
    await world.route(application(line="solo"), context())
    await world.report(OutcomeReport("app-1", A, Outcome.UNKNOWN, request_id="r"), context())
    incident_id = await world.trip(A, BreakerState.RETRYING)
    assert await _retry(world, incident_id) == []
    assert not world[A].submissions


async def test_an_incident_without_abnormal_orders_has_nothing_to_retry(world: World) -> None:
    assert await _retry(world, await world.trip(A, BreakerState.RETRYING)) == []


async def test_an_unknown_incident_is_told(world: World) -> None:
    with pytest.raises(IncidentNotFound):
        await _retry(world, "inc-none")


async def test_retries_are_marked_as_such(world: World) -> None:
    incident_id = await _outage(world, 1)
    await _retry(world, incident_id)
    order = await world.get("app-00")
    assert [s.kind for s in order.submissions] == [SubmissionKind.SUBMIT, SubmissionKind.RETRY]
