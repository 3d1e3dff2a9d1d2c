"""The sequential test: is this stream of outcomes normal, or an outage?

Page's cumulative sum of log likelihood ratios for Bernoulli observations (E. S. Page, "Continuous inspection schemes",
Biometrika 41, 1954; for the Bernoulli case M. R. Reynolds and Z. G. Stoumbos, "A CUSUM chart for monitoring a
proportion when inspecting continuously", Journal of Quality Technology 31, 1999). With p0 the normal and p1 the outage
failure rate,

    S(0) = 0,  S(n) = max(0, S(n-1) + w(x(n))),  w(failure) = ln(p1/p0),  w(success) = ln((1-p1)/(1-p0)),

and the alarm at S(n) >= h. The weights are rounded to whole units of a fine grid, so that S walks on the integers and
is a Markov chain with few states; its run lengths are then exact for the test that really runs (D. Brook and
D. A. Evans, "An approach to the probability distribution of CUSUM run length", Biometrika 59, 1972). The mean run
length L(s) from state s at failure rate p solves

    L(s) = 1 + p L(s + a) + (1 - p) L(max(0, s - b)),   L(s) = 0 for s >= h,

a and -b being the rounded weights. The limit h is the smallest whose L(0) at p0 reaches the false-alarm budget: the
mean number of orders between two false cuts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.linalg import solve_banded

UNITS_OF_LARGER_WEIGHT = 16
"""The larger of both weights is at least this many units of the grid: rounding changes their ratio by at most 3 %."""
MOST_STATES = 2_000
"""Rates so near to each other, or so small, that the chain would have more states are refused."""


@dataclass(frozen=True, slots=True)
class SequentialDesign:
    """A test with its exact properties. Weights and limit are in units of ``unit`` (natural logarithm)."""

    normal_failure_rate: float
    outage_failure_rate: float
    unit: float
    failure_weight: int
    """Added for a failure."""
    success_weight: int
    """Subtracted for a success."""
    limit: int
    """The alarm is at this value of the statistic."""

    @property
    def failures_in_a_row(self) -> int:
        """How many failures without a success between them trip, from a clean start."""
        return -(-self.limit // self.failure_weight)

    def mean_orders_to_alarm(self, failure_rate: float) -> float:
        """Mean run length in orders from a clean start, exact, at any true failure rate: at p0 the mean number of
        orders between false cuts, at p1 the mean delay of the detection."""
        return _mean_run_length(self.failure_weight, self.success_weight, self.limit, failure_rate)


class SequentialStatistic:
    """The running sum for one scope. Constant memory."""

    __slots__ = ("design", "orders", "value")

    def __init__(self, design: SequentialDesign) -> None:
        self.design = design
        self.value = 0
        self.orders = 0
        """Length of the run since the sum was last zero; its first order is a failure."""

    def observe(self, *, failed: bool, count: int = 1) -> bool:
        """Adds so many like outcomes. True when they begin a run (the sum leaves zero)."""
        begins = failed and self.value == 0
        step = self.design.failure_weight if failed else -self.design.success_weight
        # Bounded above as well: that an insurer works again shows after some successes, however long it failed.
        ceiling = self.design.limit + self.design.failure_weight
        self.value = min(ceiling, max(0, self.value + count * step))
        self.orders = self.orders + count if self.value > 0 else 0
        return begins

    def orders_short_of_limit(self) -> int:
        """How many failures in a row it still takes without a trip."""
        return max(0, self.design.limit - 1 - self.value) // self.design.failure_weight

    def orders_short_of_zero(self) -> int:
        """How many successes in a row leave the run unended."""
        return max(0, self.value - 1) // self.design.success_weight

    @property
    def tripped(self) -> bool:
        return self.value >= self.design.limit

    def clear(self) -> None:
        self.value = 0
        self.orders = 0


@lru_cache(maxsize=1024)
def design_test(
    normal_failure_rate: float, outage_failure_rate: float, mean_orders_between_false_cuts: float
) -> SequentialDesign:
    """The test for p0, p1 and the false-alarm budget in orders. Raises ValueError unless 0 < p0 < p1 < 1,
    and for rates that only thousands of orders could tell apart.

    The first call for a triple costs some milliseconds, later ones nothing.
    """
    p0, p1, budget = normal_failure_rate, outage_failure_rate, mean_orders_between_false_cuts
    if not 0 < p0 < p1 < 1:
        raise ValueError(f"0 < p0 < p1 < 1 must hold, not p0={p0}, p1={p1}")
    up, down = math.log(p1 / p0), math.log((1 - p0) / (1 - p1))
    smaller, larger = min(up, down), max(up, down)
    # A whole number of units in the smaller weight, so that its rounding costs nothing.
    unit = smaller / math.ceil(UNITS_OF_LARGER_WEIGHT * smaller / larger)
    failure_weight, success_weight = round(up / unit), round(down / unit)
    # In small strides: run lengths grow exponentially with the limit, and soon beyond what doubles can resolve.
    low, high, stride = 0, 0, max(1, int(min(up, 2.0) / unit))
    while high == 0 or _mean_run_length(failure_weight, success_weight, high, p0) < budget:
        low, high = high, high + stride
        if max(high, failure_weight) > MOST_STATES:
            raise ValueError(f"p0={p0} and p1={p1} are too near to each other for a budget of {budget:g} orders")
    while high - low > 1:
        middle = (low + high) // 2
        if _mean_run_length(failure_weight, success_weight, middle, p0) < budget:
            low = middle
        else:
            high = middle
    return SequentialDesign(p0, p1, unit, failure_weight, success_weight, high)


def _mean_run_length(up: int, down: int, limit: int, p: float) -> float:
    """L(0) of the module's equation: a banded linear system over the states 0 … limit-1."""
    if p <= 0:
        return math.inf
    if p >= 1:
        return float(-(-limit // up))
    above, below = min(up, limit - 1), min(down, limit - 1)
    band = np.zeros((above + below + 1, limit))
    band[above, :] = 1.0
    if up < limit:
        band[0, up:] = -p
    if below == down:
        band[above + down, : limit - down] -= 1 - p
    # States below ``down`` fall to 0: entries of column 0, which lie inside the band.
    for state in range(min(down, limit)):
        band[above + state, 0] -= 1 - p
    solution = solve_banded((below, above), band, np.ones(limit))
    return float(solution[0])
