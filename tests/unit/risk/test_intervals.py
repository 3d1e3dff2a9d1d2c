"""Intervals against values computed by hand and against their definitions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from sluice_server.domain.risk.intervals import (
    Interval,
    binomial_share,
    compound_poisson,
    gamma_mean,
    poisson_rate,
    squared_variation,
)
from sluice_server.domain.risk.ports import AmountCells


def limits(interval: Interval | None) -> list[float]:
    """Both ends of an interval that has both."""
    assert interval is not None
    assert interval.upper is not None
    return [interval.lower, interval.upper]


def test_no_claim_leaves_the_rule_of_three() -> None:
    # P(N = 0) = exp(-λ) = 0.025 at λ = ln 40 = 3.689.
    assert limits(poisson_rate(0, 2.0, 0.95)) == pytest.approx([0.0, math.log(40) / 2])


def test_ten_claims_have_the_tabulated_poisson_limits() -> None:
    # Garwood's table: 10 events, 95 %: 4.795 to 18.390.
    assert limits(poisson_rate(10, 1.0, 0.95)) == pytest.approx([4.7954, 18.3904], abs=1e-4)


def test_share_limits_are_those_of_clopper_and_pearson() -> None:
    # 1 of 10, 95 %: 0.00253 to 0.44502. 0 of 10: the upper limit is 1 - 0.025^(1/10).
    assert limits(binomial_share(1, 10, 0.95)) == pytest.approx([0.0025286, 0.4450161], abs=1e-6)
    assert limits(binomial_share(0, 10, 0.95)) == pytest.approx([0.0, 1 - 0.025**0.1])
    assert limits(binomial_share(10, 10, 0.95)) == pytest.approx([0.025**0.1, 1.0])


@given(st.integers(1, 500), st.floats(0.1, 1e6), st.sampled_from([0.8, 0.95, 0.99]))
def test_each_poisson_limit_cuts_off_its_tail(count: int, exposure: float, level: float) -> None:
    lower, upper = limits(poisson_rate(count, exposure, level))
    tail = (1 - level) / 2
    assert stats.poisson.sf(count - 1, lower * exposure) == pytest.approx(tail, rel=1e-6)
    assert stats.poisson.cdf(count, upper * exposure) == pytest.approx(tail, rel=1e-6)


def test_equal_amounts_reduce_the_compound_interval_to_the_poisson_one() -> None:
    plain = limits(poisson_rate(7, 3.0, 0.9))
    assert limits(compound_poisson(7 * 250.0, 3.0, 7, 0.0, 0.9)) == pytest.approx([250 * end for end in plain])


@given(st.integers(1, 1000), st.floats(0.0, 4.0), st.floats(0.0, 4.0))
def test_more_variation_of_amounts_widens_the_interval(count: int, first: float, second: float) -> None:
    low, high = sorted((first, second))
    narrow, wide = (limits(compound_poisson(100.0, 10.0, count, cv2, 0.95)) for cv2 in (low, high))
    assert wide[0] <= narrow[0] * (1 + 1e-9)
    assert wide[1] >= narrow[1] * (1 - 1e-9)


def test_the_mean_of_one_exponential_amount_has_known_limits() -> None:
    # X / mean is exponential: its quantiles are -ln 0.975 and -ln 0.025.
    expected = [100 / -math.log(0.025), 100 / -math.log(0.975)]
    assert limits(gamma_mean(100.0, 1, 1.0, 0.95)) == pytest.approx(expected)


def test_intervals_cover_as_often_as_they_say() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for count in rng.poisson(12, 2000):
        lower, upper = limits(compound_poisson(float(rng.gamma(1.0, 100.0, count).sum()), 1.0, int(count), 1.0, 0.9))
        covered += lower <= 1200 <= upper
    assert 0.88 <= covered / 2000 <= 0.97


@pytest.mark.parametrize("exposure", [0.0, -1.0])
def test_without_exposure_there_is_no_interval(exposure: float) -> None:
    assert poisson_rate(3, exposure, 0.95) is None
    assert compound_poisson(10.0, exposure, 3, 1.0, 0.95) is None
    assert binomial_share(0, 0, 0.95) is None
    assert binomial_share(3, 2, 0.95) is None
    assert gamma_mean(10.0, 0, 1.0, 0.95) is None


def test_the_variation_of_single_amounts_is_found_from_cells() -> None:
    rng = np.random.default_rng(2)
    counts = rng.integers(1, 20, 5000)
    amounts = np.array([rng.gamma(1 / 0.6, 0.6 * 100, n).sum() for n in counts])
    ratios = amounts / (counts * amounts.sum() / counts.sum())
    cells = AmountCells(5000, int(counts.sum()), float((counts * ratios).sum()), float((counts * ratios**2).sum()))
    assert squared_variation(cells) == pytest.approx(0.6, rel=0.05)
    assert squared_variation(AmountCells(3, 9, 9.0, 12.0)) == 1.0
