"""Replays: the live judgement at the speed of the data."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest

from sluice_server.domain.breaker.model import BreakerPolicy, EvidenceKind, Scope
from sluice_server.domain.breaker.replay import BREATH, Replay
from sluice_server.domain.breaker.replayed_order import ReplayedOrder
from sluice_server.domain.breaker.simulation import SimulateBreaker
from sluice_server.domain.errors import InvalidInput
from sluice_server.domain.orders.model import Outcome
from tests.unit.breaker.builders import at

SUCCESS, FAILED = Outcome.SUCCESS, Outcome.TECHNICAL_FAILURE


def order(
    seconds: float, outcome: Outcome | None = SUCCESS, *, count: int = 1, insurer: str = "insurer-b", line: str = ""
) -> ReplayedOrder:
    return ReplayedOrder(at(seconds), insurer, outcome, 0.2, line, count)


def scopes_of(orders: list[ReplayedOrder]) -> list[str]:
    """Who would have been cut."""
    return [str(trip.evidence.scope) for trip in Replay(BreakerPolicy()).run(orders)]


def test_an_outage_is_one_cut_and_what_comes_after_it_is_counted() -> None:
    orders = [order(n, FAILED if 100 <= n < 150 else SUCCESS) for n in range(300)]
    replay = Replay(BreakerPolicy())
    (trip,) = replay.run(orders)
    assert (trip.at, trip.orders_before) == (at(105), 106)
    assert trip.evidence.tripped == (EvidenceKind.SEQUENTIAL,)
    assert (replay.totals.orders, replay.totals.orders_saved) == (300, 44)
    # Until the successes have outweighed the failures, the insurer was well and would have been cut.
    assert 0 < replay.totals.wrongly_diverted < 40


@pytest.mark.parametrize("per_second", [20.0, 2.0])
def test_an_insurer_that_hangs_is_cut_within_the_grace_and_five_seconds(per_second: float) -> None:
    answered = [order(n / per_second) for n in range(int(60 * per_second))]
    hanging = [order(60 + n / per_second, None) for n in range(int(60 * per_second))]
    (trip,) = Replay(BreakerPolicy()).run([*answered, *hanging])
    assert at(90) < trip.at <= at(95)


def test_an_insurer_that_hangs_is_cut_also_when_its_calls_end_much_later_as_unknown() -> None:
    answered = [order(n / 10) for n in range(600)]
    hanging = [ReplayedOrder(at(60 + n / 10 + 120), "insurer-b", Outcome.UNKNOWN, 120.0) for n in range(600)]
    trip = next(iter(Replay(BreakerPolicy()).run([*answered, *hanging])))
    assert at(90) < trip.at <= at(95)


def test_a_day_of_jitter_cuts_nobody() -> None:
    draw = random.Random(11)
    orders = [order(n, FAILED if draw.random() < 0.02 else SUCCESS) for n in range(86_400)]
    assert list(Replay(BreakerPolicy()).run(orders)) == []


def test_a_burst_of_declines_cuts_nobody() -> None:
    orders = [order(n / 10, Outcome.BUSINESS_REJECTION if 100 < n < 900 else SUCCESS) for n in range(1_000)]
    assert list(Replay(BreakerPolicy()).run(orders)) == []


def test_counts_of_one_minute_are_mixed_evenly() -> None:
    calm = [order(60 * n, outcome, count=count) for n in range(60) for outcome, count in ((FAILED, 8), (SUCCESS, 92))]
    # Eight failures in a row would have tripped.
    assert list(Replay(BreakerPolicy()).run(calm)) == []
    outage = [*calm, order(3_600, FAILED, count=80), order(3_600, SUCCESS, count=20)]
    replay = Replay(BreakerPolicy())
    assert len(list(replay.run(outage))) == 1
    assert replay.totals.orders == 6_100


def test_insurers_are_judged_apart() -> None:
    orders = [
        made
        for n in range(50)
        for made in (order(n, FAILED, insurer="insurer-a"), order(n, SUCCESS, insurer="insurer-b"))
    ]
    (trip,) = Replay(BreakerPolicy()).run(orders)
    assert trip.evidence.scope.insurer_id == "insurer-a"


def test_a_product_line_that_fails_alone_is_cut_alone() -> None:
    screen = [order(n, FAILED if 100 <= n < 200 else SUCCESS, line="screen") for n in range(300)]
    tv = [order(n + 0.5, line="tv") for n in range(300)]
    replay = Replay(BreakerPolicy())
    (trip,) = replay.run([*screen, *tv])
    assert (str(trip.evidence.scope), trip.at, trip.orders_before) == ("insurer-b/screen", at(105), 106)
    # None of the other line's orders would have gone elsewhere.
    assert replay.totals.wrongly_diverted < 40
    assert replay.totals.orders_saved == 94


def test_an_insurer_that_fails_on_all_lines_is_cut_once_and_whole() -> None:
    lines = ("screen", "tv", "loss")
    orders = [order(n, FAILED if 100 <= n < 200 else SUCCESS, line=lines[n % 3]) for n in range(300)]
    (trip,) = Replay(BreakerPolicy()).run(orders)
    assert (str(trip.evidence.scope), trip.at, trip.orders_before) == ("insurer-b", at(105), 106)


def test_what_fails_is_named_by_its_line_where_nothing_else_was_ever_sent() -> None:
    assert scopes_of([order(n, FAILED, line="screen") for n in range(50)]) == ["insurer-b/screen"]


def test_a_line_without_contrast_falls_with_its_insurer() -> None:
    """The last word from the other lines was before the trouble: nobody knows that they still work."""
    calm = [order(n, line=("screen", "tv")[n % 2]) for n in range(100)]
    assert scopes_of([*calm, *(order(200 + n, FAILED, line="screen") for n in range(50))]) == ["insurer-b"]


def test_a_line_that_hangs_does_not_take_its_insurer_along() -> None:
    screen = [order(n / 5, None if n >= 300 else SUCCESS, line="screen") for n in range(1_800)]
    tv = [order(n / 5 + 0.1, line="tv") for n in range(1_800)]
    replay = Replay(BreakerPolicy())
    (trip,) = replay.run([*screen, *tv])
    assert str(trip.evidence.scope) == "insurer-b/screen"
    assert at(90) < trip.at <= at(95)
    assert replay.totals.wrongly_diverted == 0


def test_a_line_with_few_orders_borrows_from_its_insurer() -> None:
    # A sequential test that will not trip, so that the rate is alone; the insurer fails just below it.
    policy = BreakerPolicy(normal_failure_rate=0.4, outage_failure_rate=0.9)
    screen = [order(n, FAILED if n % 9 in (2, 4, 6, 8) else SUCCESS, line="screen") for n in range(300)]
    tv = [order(200.5 + n, FAILED, line="tv") for n in range(3)]
    assert list(Replay(policy).run(tv)) == []
    assert list(Replay(policy).run(screen)) == []
    (trip,) = Replay(policy).run([*screen, *tv])
    assert (str(trip.evidence.scope), trip.evidence.outcomes) == ("insurer-b/tv", 3)


def test_a_cut_for_hanging_ends_soon_after_orders_are_answered_again() -> None:
    def moment(n: int) -> ReplayedOrder:
        return order(n / 10, None if 600 <= n < 2_400 else SUCCESS)

    replay = Replay(BreakerPolicy())
    (trip,) = replay.run([moment(n) for n in range(12_000)])
    assert at(90) < trip.at <= at(95)
    assert replay.totals.wrongly_diverted <= 95 * 10


def test_many_unanswered_orders_are_replayed_at_the_speed_of_the_data() -> None:
    """Counting all that wait with each order would take hours."""
    (trip,) = Replay(BreakerPolicy()).run([order(n / 100, None) for n in range(60_000)])
    assert trip.at < at(35)


async def test_others_get_their_turn_while_a_replay_is_under_way() -> None:
    turns = 0

    async def others() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    task = asyncio.create_task(others())
    store: Any = None  # what is given is replayed, nothing is read
    replay = SimulateBreaker(store)(BreakerPolicy(), [order(n) for n in range(5_000)])
    assert [trip async for trip, _ in replay] == [None]
    task.cancel()
    assert turns >= 5_000 // BREATH


def test_a_draft_that_makes_no_sense_is_refused() -> None:
    with pytest.raises(InvalidInput) as refused:
        Replay(BreakerPolicy(window_seconds=0, slow_rate=2))
    assert {v.field for v in refused.value.violations} >= {"policy.window_seconds", "policy.slow_rate"}


def test_the_last_insurer_is_kept_in_a_file_of_several() -> None:
    failing = [
        order(n + part, FAILED if n >= 100 else SUCCESS, insurer=f"insurer-{name}")
        for n in range(200)
        for part, name in ((0, "a"), (0.5, "b"))
    ]
    assert scopes_of(failing) == ["insurer-a"]
    alone = [each for each in failing if each.insurer_id == "insurer-b"]
    assert scopes_of(alone) == ["insurer-b"]


@pytest.mark.parametrize(("limit", "cut"), [(5_000, []), (7_000, ["insurer-a"])])
def test_no_more_than_a_part_of_the_files_traffic_is_cut(limit: int, cut: list[str]) -> None:
    """Two thirds of the orders are insurer A's."""
    failing = [
        order(n + part, FAILED if n >= 100 and name == "a" else SUCCESS, insurer=f"insurer-{name}")
        for n in range(200)
        for part, name in ((0, "a"), (0.3, "a"), (0.6, "b"))
    ]
    trips = Replay(BreakerPolicy(maximum_cut_basis_points=limit)).run(failing)
    assert [str(trip.evidence.scope) for trip in trips] == cut


def test_a_product_line_may_have_a_policy_of_its_own() -> None:
    """Where the test does not trip: half of the orders fail, every other one."""
    policy = BreakerPolicy(normal_failure_rate=0.4, failure_rate=0.9)
    own = {Scope("insurer-b", "screen"): replace(policy, failure_rate=0.4)}
    orders = [order(n, FAILED if n % 2 else SUCCESS, line=("screen", "tv")[n // 2 % 2]) for n in range(200)]
    assert list(Replay(policy).run(orders)) == []
    assert {str(trip.evidence.scope) for trip in Replay(policy, own).run(orders)} == {"insurer-b/screen"}


def test_in_a_replay_all_have_the_same_grace() -> None:
    own = {Scope("insurer-b"): BreakerPolicy(backlog_grace_seconds=20.0)}
    with pytest.raises(InvalidInput) as refused:
        Replay(BreakerPolicy(), own)
    assert [v.field for v in refused.value.violations] == ["policy.scopes.insurer-b.backlog_grace_seconds"]
