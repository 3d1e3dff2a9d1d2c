"""Which policies are refused."""

from __future__ import annotations

import math
from dataclasses import fields, replace
from typing import Any

import pytest

from sluice_server.domain.breaker.model import BreakerPolicy
from sluice_server.domain.breaker.policy import policy_violations

OUT_OF_RANGE: dict[str, list[Any]] = {
    "window_seconds": [0.0, -1.0, 86_401.0, math.nan, math.inf],
    "backlog_grace_seconds": [-0.1, math.nan, 1800.0],
    "backlog_count": [0, -1],
    "backlog_ratio": [0.0, -0.1, 1.1, math.nan],
    "rate_window_seconds": [0.0, -60.0, 3_601.0],
    "minimum_volume": [0, -5],
    "failure_rate": [0.0, -0.5, 1.5],
    "slow_seconds": [0.0, -1.0],
    "slow_rate": [0.0, 2.0],
    "normal_failure_rate": [0.0, -0.02, 0.6],
    "highest_normal_failure_rate": [0.0, -0.1, 0.5, math.nan],
    "outage_failure_rate": [1.0, 0.03, -1.0, math.nan],
    "mean_orders_between_false_cuts": [0.0, -1.0, 1e13, math.inf],
    "hold_seconds": [-1.0, math.nan],
    "ramp_steps_basis_points": [(), (0,), (-5,), (5000, 2500), (1000, 1000), (10_001,), tuple(range(1, 22))],
    "ramp_dwell_seconds": [-1.0],
    "ramp_minimum_outcomes": [0, -1],
    "ramp_failure_rate": [0.0, 0.6, -1.0],
    "retry_first_cohort": [0, -2],
    "retry_per_second": [0.0, -1.0, math.nan],
    "maximum_cut_basis_points": [0, -1, 10_001],
}


def test_the_defaults_are_valid() -> None:
    assert list(policy_violations(BreakerPolicy())) == []


def test_every_threshold_is_checked() -> None:
    assert OUT_OF_RANGE.keys() | {"keep_last_insurer"} == {field.name for field in fields(BreakerPolicy)}


@pytest.mark.parametrize(("name", "value"), [(name, value) for name in OUT_OF_RANGE for value in OUT_OF_RANGE[name]])
def test_a_value_out_of_range_is_refused_by_its_name(name: str, value: Any) -> None:
    assert name in [field for field, _ in policy_violations(replace(BreakerPolicy(), **{name: value}))]


def test_all_violations_are_named_at_once() -> None:
    wrong: dict[str, Any] = {name: values[0] for name, values in OUT_OF_RANGE.items()}
    assert {field for field, _ in policy_violations(replace(BreakerPolicy(), **wrong))} == OUT_OF_RANGE.keys()
