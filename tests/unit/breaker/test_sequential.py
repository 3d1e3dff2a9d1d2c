"""The sequential test and its exact run lengths."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sluice_server.domain.breaker.model import BreakerPolicy
from sluice_server.domain.breaker.policy import policy_violations
from sluice_server.domain.breaker.sequential import SequentialDesign, SequentialStatistic, design_test

DEFAULT = BreakerPolicy()
DEFAULT_DESIGN = design_test(
    DEFAULT.normal_failure_rate, DEFAULT.outage_failure_rate, DEFAULT.mean_orders_between_false_cuts
)


def policy(p0: float, p1: float, budget: float) -> BreakerPolicy:
    return BreakerPolicy(normal_failure_rate=p0, outage_failure_rate=p1, mean_orders_between_false_cuts=budget)


def orders_to_alarm(design: SequentialDesign, draw: random.Random, rate: float) -> int:
    statistic, orders = SequentialStatistic(design), 0
    while not statistic.tripped:
        statistic.observe(failed=draw.random() < rate)
        orders += 1
    return orders


def test_by_default_a_dead_insurer_trips_with_its_sixth_order() -> None:
    statistic = SequentialStatistic(DEFAULT_DESIGN)
    tripped = []
    for _ in range(6):
        statistic.observe(failed=True)
        tripped.append(statistic.tripped)
    assert tripped == [False] * 5 + [True]
    assert DEFAULT_DESIGN.failures_in_a_row == 6


def test_the_budget_is_kept_and_the_limit_is_the_smallest_that_keeps_it() -> None:
    budget = DEFAULT.mean_orders_between_false_cuts
    assert DEFAULT_DESIGN.mean_orders_to_alarm(DEFAULT.normal_failure_rate) >= budget
    lower = SequentialDesign(
        DEFAULT_DESIGN.normal_failure_rate,
        DEFAULT_DESIGN.outage_failure_rate,
        DEFAULT_DESIGN.unit,
        DEFAULT_DESIGN.failure_weight,
        DEFAULT_DESIGN.success_weight,
        DEFAULT_DESIGN.limit - 1,
    )
    assert lower.mean_orders_to_alarm(DEFAULT.normal_failure_rate) < budget


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.5])
def test_computed_run_lengths_are_those_of_the_running_test(rate: float) -> None:
    design = design_test(0.02, 0.5, 1_000.0)
    draw = random.Random(7)
    runs = [orders_to_alarm(design, draw, rate) for _ in range(2_000)]
    # Run lengths spread about as much as they are long: 5 standard errors of the mean.
    tolerance = 5 * float(np.std(runs)) / len(runs) ** 0.5
    assert np.mean(runs) == pytest.approx(design.mean_orders_to_alarm(rate), abs=tolerance)


def test_run_lengths_at_the_ends_of_the_scale() -> None:
    assert DEFAULT_DESIGN.mean_orders_to_alarm(0.0) == float("inf")
    assert DEFAULT_DESIGN.mean_orders_to_alarm(1.0) == 6.0


@given(p0=st.floats(0.001, 0.4), p1=st.floats(0.05, 0.999), budget=st.floats(1e2, 1e12))
def test_any_policy_that_is_allowed_keeps_its_budget_and_finds_the_outage_sooner(
    p0: float, p1: float, budget: float
) -> None:
    assume(not list(policy_violations(policy(p0, p1, budget))))
    design = design_test(p0, p1, budget)
    assert design.mean_orders_to_alarm(p0) >= budget
    assert design.mean_orders_to_alarm(p1) < design.mean_orders_to_alarm(p0)


@given(st.lists(st.booleans(), max_size=200))
def test_the_statistic_is_never_negative_never_unbounded_and_its_run_begins_with_a_failure(
    failures: list[bool],
) -> None:
    statistic = SequentialStatistic(DEFAULT_DESIGN)
    for failed in failures:
        was_zero = statistic.value == 0
        began = statistic.observe(failed=failed)
        assert began == (was_zero and failed)
        assert 0 <= statistic.value <= DEFAULT_DESIGN.limit + DEFAULT_DESIGN.failure_weight
        assert (statistic.orders == 0) == (statistic.value == 0)


@pytest.mark.parametrize(("p0", "p1"), [(0.0, 0.9), (0.5, 0.5), (0.9, 0.1), (0.02, 1.0)])
def test_rates_that_cannot_be_told_apart_are_refused(p0: float, p1: float) -> None:
    with pytest.raises(ValueError, match="p0"):
        design_test(p0, p1, 1e6)


def test_rates_that_only_thousands_of_orders_could_tell_apart_are_refused() -> None:
    with pytest.raises(ValueError, match="too near"):
        design_test(0.00001, 0.00002, 1e9)
