from __future__ import annotations

import numpy as np
import pytest

from sluice_server.domain.errors import InvalidInput
from sluice_server.domain.risk.models.development import estimate_development, given_development
from sluice_server.domain.risk.models.deviance import gamma_deviance, poisson_deviance, poisson_deviances
from sluice_server.domain.risk.models.large_claims import cap_large_claims
from sluice_server.domain.risk.models.lift import double_lift, gini, lift
from sluice_server.domain.risk.models.stability import bootstrap_mean, population_stability


def test_poisson_deviance_is_the_formula() -> None:
    claims, expected = np.array([0.0, 1.0, 3.0]), np.array([0.5, 1.0, 1.5])
    by_hand = [2 * 0.5, 0.0, 2 * (3 * np.log(3 / 1.5) - 3 + 1.5)]
    assert poisson_deviances(claims, expected) == pytest.approx(by_hand)
    assert poisson_deviance(claims, expected) == pytest.approx(np.mean(by_hand))


def test_gamma_deviance_counts_each_claim() -> None:
    assert gamma_deviance(np.array([2.0]), np.array([1.0]), np.array([3.0])) == pytest.approx(2 * (1 - np.log(2)))


def test_gini_of_a_perfect_a_useless_and_a_reversed_order() -> None:
    claims, exposure = np.array([0.0, 0.0, 0.0, 1.0]), np.ones(4)
    assert gini(claims, exposure, np.array([1.0, 2.0, 3.0, 4.0])) == pytest.approx(0.75)
    assert gini(claims, exposure, np.ones(4)) == pytest.approx(0.0)
    assert gini(claims, exposure, np.array([4.0, 3.0, 2.0, 1.0])) == pytest.approx(-0.75)


def test_lift_bins_hold_a_tenth_of_the_exposure_each_and_everything_together() -> None:
    random = np.random.default_rng(1)
    predicted, exposure = random.uniform(0.1, 1, 5_000), random.uniform(0.5, 1.5, 5_000)
    claims = random.poisson(predicted * exposure).astype(np.float64)
    bins = lift(claims, exposure, predicted)
    assert len(bins) == 10
    assert sum(one.claims for one in bins) == claims.sum()
    for one in bins:
        assert one.exposure == pytest.approx(exposure.sum() / 10, rel=0.01)
        assert one.interval.lower < one.observed < (one.interval.upper or 0)
    assert [one.predicted for one in bins] == sorted(one.predicted for one in bins)


def test_double_lift_sides_with_the_model_that_knows() -> None:
    random = np.random.default_rng(2)
    truth = random.uniform(0.1, 1, 20_000)
    claims = random.poisson(truth).astype(np.float64)
    ends = double_lift(claims, np.ones(20_000), np.full(20_000, truth.mean()), truth)
    for one in (ends[0], ends[-1]):
        assert abs(one.observed - one.second) < abs(one.observed - one.first) / 5


def test_the_population_stability_limit_holds_without_drift_and_gives_way_with_it() -> None:
    random = np.random.default_rng(3)
    old = random.normal(0, 1, 4_000)
    ones = np.ones(4_000)
    drifts = [
        population_stability(old, ones, random.normal(0, 1, 1_000), ones[:1_000], seed=seed).drifted
        for seed in range(20)
    ]
    assert sum(drifts) <= 2
    moved = population_stability(old, ones, random.normal(0.3, 1, 1_000), ones[:1_000])
    assert moved.drifted
    assert moved.index < 0.25  # What a fixed limit of 0.25 would have let pass.


def test_rows_that_hang_together_make_a_figure_less_certain() -> None:
    random = np.random.default_rng(4)
    group = np.repeat(np.arange(200), 10)
    values = random.normal(0, 1, 200)[group]
    alone, together = bootstrap_mean(values), bootstrap_mean(values, group)
    assert (together.upper or 0) - together.lower > 2 * ((alone.upper or 0) - alone.lower)


def test_large_claims_are_cut_and_paid_for_by_the_loading() -> None:
    cut = cap_large_claims(np.array([100.0, 200.0, 5_000.0, 0.0]), np.array([1.0, 2.0, 1.0, 0.0]), 1_000)
    assert list(cut.capped) == [100, 200, 1_000, 0]
    assert cut.loading == pytest.approx(5_300 / 1_300)
    assert (cut.claims, cut.excess) == (1, 4_000)


def test_a_delay_table_gives_shares_and_factors() -> None:
    development = given_development([0, 10, 30], [0.2, 0.5, 1.0])
    assert development.reported_share(np.array([-1.0, 0.0, 5.0, 20.0, 99.0])) == pytest.approx(
        [0, 0.2, 0.35, 0.75, 1.0]
    )
    assert development.factor(10) == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("days", "shares", "message"),
    [
        ([], [], "a share for each"),
        ([5, 5], [0.5, 1], "must rise"),
        ([1, 2], [0.9, 0.5], "never fall"),
        ([1], [0.9], "end at 1"),
    ],
)
def test_a_delay_table_that_is_none_is_refused(days: list[float], shares: list[float], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        given_development(days, shares)


def test_delays_are_learned_as_they_are_although_late_claims_are_still_missing() -> None:
    random = np.random.default_rng(5)
    occurred, delay = random.uniform(0, 100, 40_000), random.exponential(20, 40_000)
    reported = occurred + delay <= 100
    observable = 100 - occurred[reported]
    development = estimate_development(np.ceil(delay[reported]), np.ceil(observable))
    share = development.reported_share(np.array([20.0, 40.0]))
    assert share == pytest.approx(1 - np.exp(-np.array([1.0, 2.0])), abs=0.03)
    # What the reported ones alone would say.
    assert (delay[reported] <= 20).mean() > share[0] + 0.05
