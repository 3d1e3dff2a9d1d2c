"""Runs of like orders: judged as if each had been judged by itself."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice_server.domain.breaker.model import BreakerPolicy
from sluice_server.domain.breaker.replay import Replay, SimulatedTrip, Totals
from sluice_server.domain.breaker.replayed_order import ENDS, Moment, OutOfOrder, ReplayedOrder, moments, sorted_moments
from sluice_server.domain.orders.model import Outcome
from tests.bench.breaker_traces import calm_times, outages
from tests.unit.breaker.builders import START, at

GRACE = BreakerPolicy().backlog_grace_seconds
LINES = ("", "screen", "tv")


class OneByOne(Replay):
    """Judges after every single order."""

    def _without_effect(self, *_: object, **__: object) -> int:
        return 0


def single(given: Iterable[Moment]) -> Iterator[Moment]:
    for moment, what, number, order, count in given:
        for n in range(count):
            yield moment, what, number + n, order, 1


def judged(
    kind: type[Replay], policy: BreakerPolicy, given: Iterable[Moment]
) -> tuple[list[SimulatedTrip], Totals, list[object]]:
    """Trips with all their evidence, totals, and what is known of each scope at the end."""
    replay = kind(policy)
    trips = [trip for trip in replay.steps(given) if trip is not None]
    known = [
        (
            scope,
            each.evidence(START),
            each.normal.learned.steps,
            each.last_success_began,
            round(each.normal.estimate, 9),
        )
        for scope, each in replay._book.scopes().items()
    ]
    return trips, replay.totals, list(known)


def assert_same(policy: BreakerPolicy, orders: list[ReplayedOrder]) -> list[SimulatedTrip]:
    grace = policy.backlog_grace_seconds
    reference = judged(OneByOne, policy, single(sorted_moments(orders, grace)))
    assert judged(Replay, policy, sorted_moments(orders, grace)) == reference
    return reference[0]


ORDERS = st.lists(
    st.builds(
        ReplayedOrder,
        at=st.integers(0, 400).map(lambda n: at(n * 5.0)),
        insurer_id=st.sampled_from(("insurer-a", "insurer-b")),
        outcome=st.sampled_from((*Outcome, Outcome.SUCCESS, Outcome.SUCCESS, Outcome.TECHNICAL_FAILURE, None)),
        latency_seconds=st.sampled_from((0.0, 0.2, 0.2, 12.0, 45.0)),
        product_line=st.sampled_from(LINES),
        count=st.integers(0, 12) | st.integers(0, 400),
    ),
    max_size=30,
)
POLICIES = st.builds(
    BreakerPolicy,
    minimum_volume=st.sampled_from((1, 5, 20, 200)),
    failure_rate=st.sampled_from((0.2, 0.5, 1.0)),
    slow_rate=st.sampled_from((0.3, 0.8, 1.0)),
    backlog_count=st.sampled_from((2, 20)),
    rate_window_seconds=st.sampled_from((1.0, 60.0, 600.0)),
    normal_failure_rate=st.sampled_from((0.02, 0.3)),
    maximum_cut_basis_points=st.sampled_from((3_000, 6_000, 10_000)),
    keep_last_insurer=st.booleans(),
    mean_orders_between_false_cuts=st.sampled_from((1e3, 1e10)),
)


@settings(max_examples=60, deadline=None)
@given(POLICIES, ORDERS)
def test_any_orders_are_judged_like_one_by_one(policy: BreakerPolicy, orders: list[ReplayedOrder]) -> None:
    assert_same(policy, orders)


@pytest.mark.parametrize("seed", range(3))
def test_hours_of_counts_a_minute_with_outages_are_judged_like_one_by_one(seed: int) -> None:
    """Long enough that what is normal is learned, up and down, and lines and insurers are cut and come back."""
    draw, orders = random.Random(seed), []
    failing = dict.fromkeys(LINES, 0.02)
    for minute in range(240):
        for line in LINES:
            if draw.random() < 0.05:
                failing[line] = draw.choice((0.0, 0.02, 0.05, 0.08, 0.5, 1.0))
            total = draw.randrange(40, 90)
            failed = sum(draw.random() < failing[line] for _ in range(total))
            slow = 15.0 if draw.random() < 0.05 else 0.3
            moment = at(60 * minute)
            orders += [
                ReplayedOrder(moment, "insurer-b", Outcome.SUCCESS, slow, line, total - failed),
                ReplayedOrder(moment, "insurer-b", Outcome.TECHNICAL_FAILURE, 0.3, line, failed),
                ReplayedOrder(moment, "insurer-b", None, 0.0, line, 30 if draw.random() < 0.01 else 0),
            ]
    assert assert_same(BreakerPolicy(), orders)


def test_the_traces_of_the_bench_are_judged_like_one_by_one() -> None:
    for trace in (*outages(), *calm_times()):
        in_minutes = [replace(order, at=order.at.replace(second=0, microsecond=0)) for order in trace.orders[::16]]
        assert_same(BreakerPolicy(), trace.orders[::16])
        assert_same(BreakerPolicy(), in_minutes)


@given(st.lists(st.integers(0, 9), min_size=1, max_size=5))
def test_the_orders_of_one_moment_are_mixed_by_their_places(counts: list[int]) -> None:
    rows = [replace(order(), product_line=f"line-{n}", count=count) for n, count in enumerate(counts)]
    places = sorted(((n + 0.5) / row.count, index) for index, row in enumerate(rows) for n in range(row.count))
    mixed = [moment[3].product_line for moment in single(sorted_moments(rows, GRACE))]
    assert mixed == [f"line-{index}" for _, index in places]


@given(ORDERS)
def test_what_is_read_in_the_order_of_time_needs_no_sorting(orders: list[ReplayedOrder]) -> None:
    orders.sort(key=lambda each: each.at)
    assert list(moments(iter(orders), GRACE)) == list(sorted_moments(orders, GRACE))


def test_the_moments_are_in_order_and_each_begins_before_it_ends() -> None:
    orders = [order(n, latency=45.0 if n % 7 == 0 else 0.1) for n in range(300)]
    found = list(moments(orders, GRACE))
    assert [each[:3] for each in found] == sorted(each[:3] for each in found)
    assert sum(what == ENDS for _, what, *_ in found) == 300


@pytest.mark.parametrize(
    ("seconds", "latency"), [(-1.0, 0.2), (3_600.0, 1_800.0)], ids=["an-earlier-one", "took-too-long"]
)
def test_what_cannot_be_replayed_while_it_is_read_is_said(seconds: float, latency: float) -> None:
    with pytest.raises(OutOfOrder):
        list(moments([order(), order(seconds, latency=latency)], GRACE))


def order(seconds: float = 0.0, *, latency: float = 0.2) -> ReplayedOrder:
    moment: datetime = at(seconds)
    return ReplayedOrder(moment, "insurer-b", Outcome.SUCCESS, latency)
