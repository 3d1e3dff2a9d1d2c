"""False discovery rate and combined p-values against their definitions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from sluice_server.domain.risk.multiple_testing import combined_p, q_values


def test_q_values_are_those_computed_by_hand() -> None:
    # p m / rank: 0.04, 0.04, 0.0533…, 0.5; the second is no greater than the third.
    found = q_values(np.array([0.5, 0.01, 0.04, 0.02]))
    assert found == pytest.approx([0.5, 0.04, 0.16 / 3, 0.04])


@given(arrays(np.float64, st.integers(1, 60), elements=st.floats(0, 1)))
def test_q_values_agree_with_scipy(p: npt.NDArray[np.float64]) -> None:
    assert q_values(p) == pytest.approx(stats.false_discovery_control(p, method="bh"))


def test_one_test_alone_keeps_its_p_value() -> None:
    p = np.array([[0.03], [1e-9], [1e-40], [0.7]])
    assert combined_p(p) == pytest.approx(p[:, 0], rel=1e-6)


def test_a_test_that_could_not_be_done_does_not_count() -> None:
    found = combined_p(np.array([[0.01, np.nan], [np.nan, np.nan]]))
    assert found == pytest.approx([0.01, 1.0])


def test_one_strong_test_among_ordinary_ones_stays_strong() -> None:
    assert combined_p(np.array([[1e-8, 0.5, 1.0]]))[0] < 1e-7


def test_independent_and_equal_tests_keep_the_error_rate() -> None:
    rng = np.random.default_rng(8)
    independent = rng.random((20_000, 3))
    equal = np.repeat(rng.random((20_000, 1)), 3, axis=1)
    for p in (independent, equal):
        assert np.mean(combined_p(p) < 0.01) == pytest.approx(0.01, abs=0.0025)
