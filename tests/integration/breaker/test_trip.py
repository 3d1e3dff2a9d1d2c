"""How an insurer is cut by itself, and when it is not."""

from __future__ import annotations

import asyncio

import pytest

from sluice_server.domain.breaker.model import BreakerMode, BreakerPolicy, BreakerState, EvidenceKind, Scope
from sluice_server.domain.orders.model import OrderState
from tests.integration.breaker.insurers import A, B, C, EverythingAdmitted, application
from tests.integration.breaker.world import BreakerWorld, a_breaker_world, by, command


async def test_a_dead_insurer_is_cut_with_its_sixth_order_and_the_others_take_over(world: BreakerWorld) -> None:
    await world.submit(50)
    world.a.answers = "fail"
    await world.submit(5)
    await world.tick()
    assert world.admitted() == 10_000
    await world.submit(1)
    await world.tick()
    assert world.admitted() == 0
    calls = world.a.calls
    after = await world.submit(20)
    assert world.a.calls == calls, "no order goes to a cut insurer"
    assert {order.state for order in after} == {OrderState.INSURED}

    incident = (await world.incident((await world.breaker()).incident_id)).incident
    assert incident.evidence.tripped == (EvidenceKind.SEQUENTIAL,)
    assert incident.evidence.orders_since_first_failure == 6
    assert incident.seconds_to_cut is not None
    assert incident.seconds_to_detect is not None
    assert 0 < incident.seconds_to_detect <= incident.seconds_to_cut < 1
    assert incident.shares_before == {A: 50}
    assert A not in incident.shares_after
    assert sum(incident.shares_after.values()) == 20


async def test_a_trip_is_written_whole(world: BreakerWorld) -> None:
    incident_id = await world.break_a("lost")
    view = await world.incident(incident_id)
    assert (view.state, view.abnormal_orders_left, view.incident.affected_orders) == (BreakerState.OPEN, 6, 6)
    assert await world.timeline(incident_id) == ["TRIPPED"]
    (row,) = await world.audit("breaker.trip")
    assert (row.actor, row.subject, row.before["state"], row.after["state"]) == (
        "sluice",
        "insurers/insurer-a",
        "CLOSED",
        "OPEN",
    )
    alarm = await world.alarm("breaker/insurer-a")
    assert alarm is not None
    assert (alarm.severity, alarm.resolved_at, alarm.annotations["incident_id"]) == ("critical", None, incident_id)


async def test_a_cut_insurer_is_not_cut_again(world: BreakerWorld) -> None:
    await world.break_a()
    cut = await world.breaker()
    for _ in range(5):
        await world.tick(1.0)
    assert (await world.breaker()).version == cut.version
    assert len(await world.incident_ids()) == 1


async def test_two_replicas_that_see_the_same_outage_open_one_incident(store_url: str) -> None:
    async with a_breaker_world(store_url) as one, a_breaker_world(store_url, one.clock) as two:
        await one.know(A, B, C)
        one.a.answers = "lost"
        await one.submit(6)
        await asyncio.gather(one.watch.tick(), two.watch.tick())
        assert len(await one.incident_ids()) == 1
        assert (await one.breaker()).trips_in_a_row == 1
        assert len(await one.audit("breaker.trip")) == 1
        await two.board.refresh()
        assert (one.admitted(), two.admitted()) == (0, 0)


async def test_replicas_pool_their_evidence(store_url: str) -> None:
    async with a_breaker_world(store_url) as one, a_breaker_world(store_url, one.clock) as two:
        await one.know(A, B, C)
        for replica, name in ((one, "left"), (two, "right")):
            replica.a.answers = "lost"
            await replica.submit(3, prefix=name)
        await one.tick()
        assert (await one.breaker()).state is BreakerState.OPEN


async def test_a_cut_survives_the_end_of_every_process(store_url: str) -> None:
    async with a_breaker_world(store_url) as first:
        await first.know(A, B, C)
        incident_id = await first.break_a()
        clock = first.clock
    async with a_breaker_world(store_url, clock) as second:
        assert second.admitted() == 0
        await second.tick(1.0)
        assert (await second.breaker()).incident_id == incident_id
        assert await second.incident_ids() == [incident_id]


async def test_evidence_is_rebuilt_after_a_restart(store_url: str) -> None:
    async with a_breaker_world(store_url) as first:
        await first.know(A, B, C)
        first.a.answers = "lost"
        await first.submit(5)
        await first.tick()
        clock = first.clock
    # An hour later: with few orders a day the run of failures must not be forgotten.
    clock.move(3600)
    async with a_breaker_world(store_url, clock) as second:
        await second.tick()
        assert second.admitted() == 10_000
        second.a.answers = "lost"
        await second.submit(1, prefix="later")
        await second.tick()
        assert second.admitted() == 0


async def test_declines_and_malformed_requests_cut_nobody(world: BreakerWorld) -> None:
    for how in ("decline", "fault"):
        world.a.answers = how
        await world.submit(40)
    await world.tick()
    assert (await world.breaker()).state is BreakerState.CLOSED


async def test_an_insurer_that_never_answers_is_cut_after_the_grace(world: BreakerWorld) -> None:
    await world.submit(20)
    world.a.hang = asyncio.Event()
    hanging = [asyncio.create_task(world.submit_application(application(f"hang-{n}"), by("shop"))) for n in range(6)]
    await world.a.until_called(26)
    await world.tick(29.0)
    assert (await world.breaker()).state is BreakerState.CLOSED
    await world.tick(2.0)
    assert (await world.breaker()).state is BreakerState.OPEN
    world.a.hang.set()
    await asyncio.gather(*hanging)


async def test_metrics_only_records_once_what_it_would_have_cut(world: BreakerWorld) -> None:
    await world.control.set_breaker_mode(command(), BreakerMode.METRICS_ONLY, by())
    world.a.answers = "fail"
    for _ in range(4):
        await world.submit(3)
        await world.tick(1.0)
    assert world.admitted() == 10_000
    (row,) = await world.audit("breaker.would_have_cut")
    assert "SEQUENTIAL" in str(row.after["tripped"])
    # Well again, then the next episode.
    world.a.answers = "success"
    await world.submit(30)
    await world.tick(61.0)
    world.a.answers = "fail"
    await world.submit(8)
    await world.tick()
    assert len(await world.audit("breaker.would_have_cut")) == 2
    assert await world.incident_ids() == []


async def test_the_last_insurer_with_traffic_is_kept_and_alarmed(world: BreakerWorld) -> None:
    for other in (B, C):
        await world.control.cut_traffic(command(other), by())
    world.a.answers = "fail"
    await world.submit(8)
    await world.tick()
    await world.tick(1.0)
    assert (await world.breaker()).state is BreakerState.CLOSED
    alarm = await world.alarm("kept/insurer-a")
    assert alarm is not None
    assert "only insurer" in alarm.annotations["reason"]
    assert len(await world.audit("breaker.kept")) == 1
    # The rule is adjustable: without it the insurer is cut, and the alarm ends.
    await world.change_policy(keep_last_insurer=False)
    await world.tick(1.0)
    assert (await world.breaker()).state is BreakerState.OPEN
    alarm = await world.alarm("kept/insurer-a")
    assert alarm is not None
    assert alarm.resolved_at is not None


async def test_the_panic_rule_stops_cuts_of_too_much_traffic(world: BreakerWorld) -> None:
    """Nearly all orders go to insurer A, one of three."""
    await world.change_policy(maximum_cut_basis_points=5_000)
    await world.submit(8)
    world.a.answers = "fail"
    await world.submit(8)
    await world.tick()
    assert (await world.breaker()).state is BreakerState.CLOSED
    alarm = await world.alarm("kept/insurer-a")
    assert alarm is not None
    assert "% of the traffic would be cut, more than 50 % may be at once" in alarm.annotations["reason"]
    await world.change_policy(maximum_cut_basis_points=10_000)
    await world.tick(1.0)
    assert (await world.breaker()).state is BreakerState.OPEN


async def test_shares_are_those_of_the_time_before_the_oldest_cut_that_stands(world: BreakerWorld) -> None:
    await world.change_policy(maximum_cut_basis_points=5_000)
    await world.control.cut_traffic(command(B), by())
    await world.tick(1.0)
    world.a.answers = "fail"
    await world.submit(8)
    await world.tick()
    # No orders before the cut: equal shares, and with A two of three would be cut.
    assert (await world.breaker()).state is BreakerState.CLOSED
    alarm = await world.alarm("kept/insurer-a")
    assert alarm is not None
    assert "66.7 % of the traffic" in alarm.annotations["reason"]


async def test_a_product_line_with_its_own_breaker_is_cut_alone(world: BreakerWorld) -> None:
    await world.control.set_breaker_mode(command(), BreakerMode.METRICS_ONLY, by())
    line = await world.control.set_breaker_mode(command(line="screen"), BreakerMode.METRICS_ONLY, by())
    assert line.scope == Scope(A, "screen")
    await world.control.set_breaker_mode(command(line="screen"), BreakerMode.ENFORCING, by())
    await world.break_line()
    assert (world.admitted(line="screen"), world.admitted(line="tv")) == (0, 10_000)


async def _with_breakers_for(world: BreakerWorld, *lines: str) -> None:
    for line in lines:
        await world.control.update_breaker_policy(
            command(line=line), BreakerPolicy(minimum_volume=21), ["minimum_volume"], by()
        )
    await world.tick()


async def test_an_insurer_that_fails_on_all_lines_is_cut_once_as_a_whole(world: BreakerWorld) -> None:
    await _with_breakers_for(world, "screen", "tv")
    world.a.answers = "fail"
    # Within one look of the watch each line fails often enough to be cut by itself.
    for line in ("screen", "tv", "screen", "tv"):
        await world.submit(5, line=line)
    await world.tick()
    assert (await world.breaker()).state is BreakerState.OPEN
    assert [(await world.breaker(line=line)).state for line in ("screen", "tv")] == [BreakerState.CLOSED] * 2
    assert len(await world.incident_ids()) == 1


async def test_what_went_before_a_return_of_the_insurer_is_not_held_against_its_lines(world: BreakerWorld) -> None:
    await _with_breakers_for(world, "screen", "tv")
    for line in ("screen", "tv"):
        world.a.next_answers.extend(["fail"] * 5)
        await world.submit(5, line=line)
    await world.tick()
    await world.confirm()
    await world.restore(override=True)
    # One more failure of each would be the sixth in a row.
    world.a.next_answers.extend(["fail", "fail"])
    await world.change_policy(ramp_failure_rate=0.5)
    await world.submit(1, line="screen")
    await world.submit(1, line="tv")
    await world.tick()
    assert [(await world.breaker(line=line)).state for line in ("screen", "tv")] == [BreakerState.CLOSED] * 2


async def test_the_backlog_of_a_cut_line_is_not_held_against_its_insurer(world: BreakerWorld) -> None:
    await _with_breakers_for(world, "screen")
    await world.submit(5, line="tv")
    world.a.answers = "lost"
    await world.submit(30, line="screen")
    world.a.answers = "success"
    await world.submit(20, line="tv")
    await world.tick()
    assert (await world.breaker(line="screen")).state is BreakerState.OPEN
    # The lost orders are unfinished for long: 30 of 55, past the grace.
    await world.tick(60.0)
    assert (await world.breaker()).state is BreakerState.CLOSED
    seen = world.watch.evidence(Scope(A))
    assert seen is not None
    assert (seen.backlog, seen.failures) == (0, 0)


async def test_submissions_after_the_cut_are_counted_as_leaked(world: BreakerWorld) -> None:
    incident_id = await world.break_a()
    world.clock.move(0.5)
    stale = world.submitting(EverythingAdmitted())
    await stale(application("leak-1"), by("shop"))
    await world.tick(1.0)
    assert (await world.incident(incident_id)).incident.leaked_orders == 1
    await world.tick(1.0)
    assert (await world.incident(incident_id)).incident.leaked_orders == 1


@pytest.mark.parametrize("mode", [BreakerMode.FORCED_OPEN, BreakerMode.FORCED_CLOSED])
async def test_a_forced_mode_holds_against_the_evidence_and_is_alarmed(world: BreakerWorld, mode: BreakerMode) -> None:
    await world.control.set_breaker_mode(command(), mode, by())
    assert world.admitted() == (0 if mode is BreakerMode.FORCED_OPEN else 10_000)
    world.a.answers = "fail"
    await world.submit(10)
    await world.tick()
    assert (await world.breaker()).state is BreakerState.CLOSED
    alarm = await world.alarm("forced/insurer-a")
    assert alarm is not None
    assert alarm.resolved_at is None
    await world.control.set_breaker_mode(command(), BreakerMode.ENFORCING, by())
    alarm = await world.alarm("forced/insurer-a")
    assert alarm is not None
    assert alarm.resolved_at is not None
