"""The way back: two keys, the retries between them, the ramp."""

from __future__ import annotations

import asyncio

import pytest

from sluice_server.domain.breaker.model import BreakerMode, BreakerState
from sluice_server.domain.errors import (
    AbnormalOrdersRemain,
    Aborted,
    ConcurrentChange,
    IllegalTransition,
    InsurerNotFound,
    PermissionDenied,
    RequestIdConflict,
    StaleEtag,
)
from sluice_server.domain.orders.model import OrderState, Outcome
from tests.integration.breaker.insurers import A, B, C
from tests.integration.breaker.world import LI, WANG, BreakerWorld, a_breaker_world, by, command

S = BreakerState


async def ramp(world: BreakerWorld) -> list[int]:
    """Lets well-going traffic flow until the breaker is closed; the shares that were admitted."""
    shares = [world.admitted()]
    for _ in range(20):
        world.a.answers = "success"
        await world.submit(8, prefix="ramp")
        await world.tick(60.0)
        if shares[-1] != world.admitted():
            shares.append(world.admitted())
        if (await world.breaker()).state is S.CLOSED:
            return shares
    raise AssertionError("the ramp never ends")


async def test_the_whole_way_back(world: BreakerWorld) -> None:
    await world.submit(20)
    incident_id = await world.break_a()
    world.clock.move(120)
    await world.confirm()
    assert world.admitted() == 0
    world.clock.move(30)
    progress = await world.retry()
    retried = progress[1:-1]
    # Oldest first; within a cohort as the answers come.
    assert [(p.outcome, p.cohort) for p in retried] == [(Outcome.SUCCESS, 2)] * 2 + [(Outcome.SUCCESS, 4)] * 4
    assert {p.application_id for p in retried[:2]} == {"app-21", "app-22"}
    assert {p.application_id for p in retried[2:]} == {f"app-{n}" for n in range(23, 27)}
    assert sorted((p.remaining for p in retried), reverse=True) == [p.remaining for p in retried]
    last = progress[-1]
    assert (last.done, last.stopped_because, last.retried, last.insured, last.remaining) == (True, "", 6, 6, 0)
    assert (last.breaker.state, world.admitted()) == (S.RETRYING, 0)
    restored = await world.restore()
    assert (restored.state, world.admitted()) == (S.RAMPING, 1_000)
    assert await ramp(world) == [1_000, 2_500, 5_000, 10_000]

    view = await world.incident(incident_id)
    incident = view.incident
    assert (view.state, view.abnormal_orders_left) == (S.CLOSED, 0)
    assert (incident.affected_orders, incident.retried_orders, incident.insured_by_retry) == (6, 6, 6)
    assert (incident.confirmed_by, view.seconds_to_confirm) == (WANG, 120.0)
    assert incident.closed_at is not None
    assert view.seconds_to_recover == (incident.closed_at - incident.opened_at).total_seconds()
    assert await world.timeline(incident_id) == [
        "TRIPPED",
        "RECOVERY_CONFIRMED",
        "RETRY_STARTED",
        *["ORDER_RETRIED"] * 6,
        "RETRY_COMPLETED",
        "TRAFFIC_RESTORED",
        "RAMP_STEP",
        "RAMP_STEP",
        "CLOSED",
    ]
    confirmed = incident.events[1]
    assert (confirmed.actor, confirmed.details["contact"]) == (WANG, "their night desk")
    alarm = await world.alarm("breaker/insurer-a")
    assert alarm is not None
    assert alarm.resolved_at == incident.closed_at
    assert (await world.breaker()).trips_in_a_row == 0


async def test_every_step_out_of_order_is_refused_and_changes_nothing(world: BreakerWorld) -> None:
    closed = await world.breaker()
    for step in (world.confirm, world.retry, world.restore):
        with pytest.raises(IllegalTransition) as refused:
            await step()
        assert refused.value.metadata["state"] == "CLOSED"
    with pytest.raises(IllegalTransition):
        await world.restore(override=True)
    assert await world.breaker() == closed

    await world.break_a()
    cut = await world.breaker()
    for step in (world.retry, world.restore):
        with pytest.raises(IllegalTransition) as refused:
            await step()
        assert refused.value.metadata["state"] == "OPEN"
    with pytest.raises(IllegalTransition):
        await world.restore(override=True)
    assert await world.breaker() == cut

    await world.confirm()
    with pytest.raises(IllegalTransition) as refused:
        await world.restore()
    assert refused.value.metadata["allowed_states"] == "RETRYING,RAMPING"
    with pytest.raises(IllegalTransition):
        await world.control.cut_traffic(command(), by())


async def test_one_person_has_one_key(world: BreakerWorld) -> None:
    await world.break_a()
    await world.confirm(WANG)
    await world.retry(WANG)
    retrying = await world.breaker()
    with pytest.raises(PermissionDenied, match="second person"):
        await world.restore(WANG)
    with pytest.raises(PermissionDenied):
        await world.restore(WANG, override=True)
    assert await world.breaker() == retrying
    assert (await world.restore(LI)).state is S.RAMPING


async def test_abnormal_orders_that_remain_forbid_the_return_unless_it_is_overridden(world: BreakerWorld) -> None:
    incident_id = await world.break_a()
    await world.confirm()
    stream = world.control.retry_abnormal_orders(command(), by())
    await anext(stream)
    await stream.aclose()
    assert (await world.breaker()).state is S.RETRYING
    with pytest.raises(AbnormalOrdersRemain, match="6 abnormal orders"):
        await world.restore()
    assert (await world.restore(override=True)).state is S.RAMPING
    assert (await world.timeline(incident_id))[-1] == "OVERRIDDEN"
    (row,) = await world.audit("RestoreTraffic")
    assert (row.actor, row.reason) == (LI, "because of the drill")


async def test_a_retry_that_fails_cuts_again_and_the_recovery_must_be_confirmed_anew(world: BreakerWorld) -> None:
    incident_id = await world.break_a()
    await world.confirm()
    world.a.next_answers.extend(["success", "fail"])
    progress = await world.retry()
    last = progress[-1]
    assert (last.breaker.state, last.done, last.remaining) == (S.OPEN, True, 5)
    assert "TECHNICAL_FAILURE" in last.stopped_because
    assert last.breaker.trips_in_a_row == 2
    with pytest.raises(IllegalTransition):
        await world.retry()
    incident = (await world.incident(incident_id)).incident
    assert (incident.confirmed_by, incident.confirmed_at) == ("", None)
    await world.confirm(LI)
    assert (await world.retry())[-1].remaining == 0
    # Li has confirmed this time.
    with pytest.raises(PermissionDenied):
        await world.restore(LI)
    assert (await world.restore(WANG)).state is S.RAMPING


async def test_retries_go_on_in_another_process_after_a_kill(store_url: str) -> None:
    async with a_breaker_world(store_url) as first:
        await first.know(A, B, C)
        await first.break_a()
        await first.confirm()
        stream = first.control.retry_abnormal_orders(command(), by())
        async for progress in stream:
            if progress.retried == 3:
                break
        # Nothing is told to the store any more: as after a kill.
        await stream.aclose()
        await first.calls.drain()
        clock, ledger = first.clock, dict(first.a.ledger)
    async with a_breaker_world(store_url, clock) as second:
        second.a.ledger = ledger
        progress_of_second = await second.retry()
        assert progress_of_second[-1].remaining == 0
        for number in range(1, 7):
            async with second.store.read() as uow:
                order = await uow.orders.get(f"app-{number}")
            assert order is not None
            assert order.state is OrderState.INSURED
        assert len(second.a.ledger) == 6, "nobody is insured twice"
        assert (await second.restore()).state is S.RAMPING


async def test_a_second_call_while_retries_run_is_refused(world: BreakerWorld) -> None:
    await world.break_a()
    await world.confirm()
    stream = world.control.retry_abnormal_orders(command(), by())
    await anext(stream)
    with pytest.raises(ConcurrentChange, match="another call"):
        await world.retry(LI)
    await stream.aclose()
    assert (await world.retry(LI))[-1].remaining == 0


async def test_orders_that_become_abnormal_after_the_cut_belong_to_the_incident(world: BreakerWorld) -> None:
    gate = world.a.hang = asyncio.Event()
    late = asyncio.create_task(world.submit(1, prefix="late"))
    await world.a.until_called(1)
    world.a.hang = None
    incident_id = await world.break_a()
    world.a.answers = "lost"
    gate.set()
    await late
    world.a.answers = "success"
    await world.tick(1.0)
    view = await world.incident(incident_id)
    assert (view.incident.affected_orders, view.abnormal_orders_left) == (7, 7)
    await world.confirm()
    assert (await world.retry())[-1].insured == 7


async def test_a_trip_while_ramping_goes_on_with_the_same_incident(world: BreakerWorld) -> None:
    incident_id = await world.break_a()
    await world.confirm()
    await world.retry()
    await world.restore()
    world.a.answers = "fail"
    await world.submit(12, prefix="again")
    await world.tick()
    cut = await world.breaker()
    assert (cut.state, cut.incident_id, cut.trips_in_a_row) == (S.OPEN, incident_id, 2)
    assert (await world.timeline(incident_id))[-1] == "TRIPPED_AGAIN"
    assert await world.incident_ids() == [incident_id]


async def test_a_step_of_the_ramp_waits_for_its_dwell_and_its_outcomes(world: BreakerWorld) -> None:
    await world.break_a()
    await world.confirm()
    await world.retry()
    await world.restore()
    world.a.answers = "success"
    await world.submit(20, prefix="early")
    await world.tick(50.0)
    assert world.admitted() == 1_000, "the dwell is not over"
    await world.tick(10.0)
    assert world.admitted() == 2_500
    await world.tick(600.0)
    assert world.admitted() == 2_500, "no outcomes in this step"


async def test_the_hold_time_delays_the_confirmation(world: BreakerWorld) -> None:
    await world.change_policy(hold_seconds=300.0)
    await world.break_a()
    with pytest.raises(IllegalTransition, match="another 300 seconds"):
        await world.confirm()
    world.clock.move(300)
    assert (await world.confirm()).state is S.CONFIRMED


async def test_a_cut_by_hand_has_a_person_and_no_evidence_of_its_own(world: BreakerWorld) -> None:
    await world.submit(10)
    cut = await world.control.cut_traffic(command(reason="they asked us to"), by(LI))
    incident = (await world.incident(cut.incident_id)).incident
    assert (incident.seconds_to_cut, [str(kind) for kind in incident.evidence.tripped]) == (None, ["MANUAL"])
    assert (incident.events[0].actor, incident.events[0].reason) == (LI, "they asked us to")
    assert world.admitted() == 0
    again = await world.control.cut_traffic(command(), by(WANG))
    assert again.version == cut.version
    # Without abnormal orders the way back is the same; the retries have nothing to do.
    await world.confirm()
    assert [p.done for p in await world.retry()] == [False, True]
    assert (await world.restore()).state is S.RAMPING


async def test_a_repeat_with_the_same_request_id_changes_nothing(world: BreakerWorld) -> None:
    await world.break_a()
    first = await world.confirm(request_id="r-1")
    assert await world.confirm(request_id="r-1") == first
    await world.retry(request_id="r-2")
    restored = await world.restore(request_id="r-3")
    # Meanwhile it is RAMPING: a repeat of the earlier calls is still harmless.
    assert (await world.confirm(request_id="r-1")).state is S.RAMPING
    assert [p.done for p in await world.retry(request_id="r-2")] == [True]
    assert (await world.restore(request_id="r-3")).version == restored.version
    await world.control.set_breaker_mode(command(B, request_id="r-4"), BreakerMode.METRICS_ONLY, by())
    with pytest.raises(RequestIdConflict):
        await world.control.set_breaker_mode(command(C, request_id="r-4"), BreakerMode.METRICS_ONLY, by())
    assert (await world.breaker(C)).mode is BreakerMode.ENFORCING


async def test_a_stale_etag_is_refused(world: BreakerWorld) -> None:
    before = await world.breaker()
    await world.break_a()
    cut = await world.breaker()
    with pytest.raises(StaleEtag) as refused:
        await world.confirm(etag=str(before.version))
    assert refused.value.metadata["etag"] == str(cut.version)
    assert await world.breaker() == cut
    assert (await world.confirm(etag=str(cut.version))).state is S.CONFIRMED


async def test_of_two_operators_at_once_both_are_told_what_happened(store_url: str) -> None:
    async with a_breaker_world(store_url) as one, a_breaker_world(store_url, one.clock) as two:
        await one.know(A, B, C)
        incident_id = await one.break_a()
        cut = await one.breaker()
        etag = str(cut.version)
        answers = await asyncio.gather(one.confirm(WANG, etag=etag), two.confirm(LI, etag=etag), return_exceptions=True)
        won = [answer for answer in answers if not isinstance(answer, BaseException)]
        lost = [answer for answer in answers if isinstance(answer, BaseException)]
        assert len(won) == 1
        assert isinstance(lost[0], Aborted)
        assert (await one.timeline(incident_id)).count("RECOVERY_CONFIRMED") == 1
        assert (await one.breaker()).version == cut.version + 1


async def test_forcing_a_cut_insurer_closed_stands_in_its_incident(world: BreakerWorld) -> None:
    incident_id = await world.break_a()
    await world.control.set_breaker_mode(command(), BreakerMode.FORCED_CLOSED, by())
    assert world.admitted() == 10_000
    assert (await world.timeline(incident_id))[-1] == "OVERRIDDEN"
    await world.control.set_breaker_mode(command(), BreakerMode.ENFORCING, by())
    assert world.admitted() == 0, "the state behind the mode is what it was"


async def test_an_unknown_insurer_is_not_found(world: BreakerWorld) -> None:
    with pytest.raises(InsurerNotFound):
        await world.control.cut_traffic(command("insurer-z"), by())
    with pytest.raises(InsurerNotFound):
        await world.control.cut_traffic(command("insurer-z", line="screen"), by())


async def test_a_watcher_sees_the_present_state_and_then_every_change(world: BreakerWorld) -> None:
    stream = world.control.watch_insurers([A])
    view, initial = await anext(stream)
    assert (view.breaker.state, initial) == (S.CLOSED, True)
    seen = []
    for act in (world.break_a, world.confirm):
        waiting = asyncio.create_task(anext(stream))
        await act()
        view, initial = await waiting
        seen.append((view.breaker.state, initial))
    assert seen == [(S.OPEN, False), (S.CONFIRMED, False)]
    await stream.aclose()
