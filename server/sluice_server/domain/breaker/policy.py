"""Which policies make sense. The ranges are wide: they keep out what cannot work, not what is unusual."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from sluice_server.domain.breaker.model import BreakerPolicy

LONGEST_WINDOW_SECONDS = 86_400.0
LONGEST_RATE_WINDOW_SECONDS = 3_600.0
"""Bounds the memory of a scope: one bucket a second."""
MOST_RAMP_STEPS = 20

_SECONDS: dict[str, tuple[float, float]] = {
    "window_seconds": (1.0, LONGEST_WINDOW_SECONDS),
    "backlog_grace_seconds": (0.0, LONGEST_WINDOW_SECONDS),
    "rate_window_seconds": (1.0, LONGEST_RATE_WINDOW_SECONDS),
    "slow_seconds": (0.001, 3_600.0),
    "hold_seconds": (0.0, 7 * 86_400.0),
    "ramp_dwell_seconds": (0.0, 7 * 86_400.0),
}
_COUNTS: dict[str, tuple[int, int]] = {
    "backlog_count": (1, 1_000_000),
    "minimum_volume": (1, 1_000_000),
    "ramp_minimum_outcomes": (1, 1_000_000),
    "retry_first_cohort": (1, 10_000),
    "maximum_cut_basis_points": (1, 10_000),
}
_PARTS = ("backlog_ratio", "failure_rate", "slow_rate", "ramp_failure_rate")
"""Above 0, at most 1."""
_NUMBERS: dict[str, tuple[float, float]] = {
    # The narrower ends keep the sequential test's chain small (sequential.MOST_STATES).
    "normal_failure_rate": (0.001, 0.4),
    "highest_normal_failure_rate": (0.001, 0.4),
    "outage_failure_rate": (0.05, 0.999),
    "mean_orders_between_false_cuts": (1e2, 1e12),
    "retry_per_second": (0.01, 1_000.0),
}
LEAST_CONTRAST = 2.0
"""p1 is at least this many times p0: nearer rates take thousands of orders to tell apart."""


def policy_violations(policy: BreakerPolicy) -> Iterator[tuple[str, str]]:
    """Every field of the policy that is out of range or contradicts another, with what is wrong with it."""
    for name, (least, most) in {**_SECONDS, **_NUMBERS}.items():
        value = float(getattr(policy, name))
        if not math.isfinite(value) or not least <= value <= most:
            unit = " seconds" if name in _SECONDS else ""
            yield name, f"must be from {least:g} to {most:g}{unit}, not {value:g}"
    for name, (lowest, highest) in _COUNTS.items():
        count = getattr(policy, name)
        if not lowest <= count <= highest:
            yield name, f"must be from {lowest} to {highest}, not {count}"
    for name in _PARTS:
        part = float(getattr(policy, name))
        if not (math.isfinite(part) and 0 < part <= 1):
            yield name, f"must be above 0 and at most 1, not {part:g}"
    yield from _contradictions(policy)
    yield from _ramp_violations(policy.ramp_steps_basis_points)


def _contradictions(policy: BreakerPolicy) -> Iterator[tuple[str, str]]:
    p0, p1 = policy.normal_failure_rate, policy.outage_failure_rate
    if not p1 >= LEAST_CONTRAST * p0:
        yield "outage_failure_rate", f"must be at least {LEAST_CONTRAST:g} times normal_failure_rate ({p0:g})"
    if policy.backlog_grace_seconds >= policy.window_seconds:
        yield "backlog_grace_seconds", f"must be shorter than the window ({policy.window_seconds:g} seconds)"
    if policy.ramp_failure_rate > policy.failure_rate:
        yield "ramp_failure_rate", f"must not be above failure_rate ({policy.failure_rate:g})"


def _ramp_violations(steps: tuple[int, ...]) -> Iterator[tuple[str, str]]:
    name = "ramp_steps_basis_points"
    if not 1 <= len(steps) <= MOST_RAMP_STEPS:
        yield name, f"must have 1 to {MOST_RAMP_STEPS} steps, not {len(steps)}"
    elif any(not 1 <= step <= 10_000 for step in steps):
        yield name, "every step must be from 1 to 10000"
    elif any(later <= earlier for earlier, later in pairwise(steps)):
        yield name, "every step must be above the one before"
