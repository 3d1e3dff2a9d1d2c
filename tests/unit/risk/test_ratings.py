"""Ratings: small entities are shrunk, large ones speak for themselves, chance makes no grades."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice_server.domain.risk.ratings import Experience, RatingBasis, RatingGrade, rate
from sluice_server.domain.risk.shrinkage import fit_prior, quasi_counts

Floats = npt.NDArray[np.float64]
FREQUENCY = RatingBasis.CLAIM_FREQUENCY


def experience(name: str, exposure: float, claims: int, incurred: int = 0, premium: int = 1) -> Experience:
    return Experience(name, exposure, claims, incurred, premium)


def drawn(seed: int, risks: Floats, exposures: Floats) -> list[Experience]:
    claims = np.random.default_rng(seed).poisson(0.1 * risks * exposures)
    return [experience(f"c{i:02d}", float(exposures[i]), int(claims[i])) for i in range(len(risks))]


experiences = st.lists(
    st.tuples(st.floats(0.25, 5000), st.integers(0, 300), st.integers(0, 10**8), st.integers(1, 10**8)),
    min_size=2,
    max_size=30,
).map(lambda rows: [experience(f"c{i}", e, n, s if n else 0, p) for i, (e, n, s, p) in enumerate(rows)])


@settings(deadline=None, max_examples=60)
@given(experiences, st.sampled_from(list(RatingBasis)))
def test_the_shrunk_figure_lies_between_the_raw_one_and_the_portfolio(
    entities: list[Experience], basis: RatingBasis
) -> None:
    for rating in rate(entities, basis, 1.0):
        assert rating.raw is not None
        low, high = sorted((rating.raw, rating.portfolio))
        assert low * (1 - 1e-9) <= rating.adjusted <= high * (1 + 1e-9)
        assert 0 <= rating.credibility <= 1
        interval = rating.adjusted_interval
        assert interval.upper is not None
        assert interval.lower <= interval.upper


@settings(deadline=None, max_examples=40)
@given(experiences)
def test_the_order_of_the_entities_does_not_matter(entities: list[Experience]) -> None:
    forwards, backwards = rate(entities, FREQUENCY, 1.0), rate(entities[::-1], FREQUENCY, 1.0)
    assert [r.entity_id for r in forwards] == [r.entity_id for r in backwards]
    assert [r.adjusted for r in forwards] == pytest.approx([r.adjusted for r in backwards], rel=1e-6)


def test_one_bad_month_of_a_small_channel_is_no_bad_grade() -> None:
    ordinary = drawn(1, np.ones(30), np.full(30, 2000.0))
    small = experience("small", 5.0, 2)
    found = next(r for r in rate([*ordinary, small], FREQUENCY, 1.0) if r.entity_id == "small")
    assert found.raw == pytest.approx(0.4)
    assert found.adjusted < 0.15
    assert found.grade is RatingGrade.C


def test_clearly_different_channels_get_the_outer_grades_and_the_worst_comes_first() -> None:
    risks = np.ones(40)
    risks[0], risks[1] = 2.0, 0.5
    ratings = rate(drawn(3, risks, np.full(40, 3000.0)), FREQUENCY, 1.0)
    grades = {rating.entity_id: rating.grade for rating in ratings}
    assert (grades["c00"], grades["c01"]) == (RatingGrade.E, RatingGrade.A)
    assert ratings[0].entity_id == "c00"


def test_permuted_labels_get_almost_no_outer_grades() -> None:
    outer = 0
    for seed in range(20):
        ratings = rate(drawn(seed, np.ones(40), np.full(40, 500.0)), FREQUENCY, 1.0)
        outer += sum(rating.grade in (RatingGrade.A, RatingGrade.E) for rating in ratings)
    assert outer <= 4, "of 800 entities that are all alike"


def test_an_unrelated_entity_moves_the_others_only_by_the_shrinkage() -> None:
    entities = drawn(4, np.linspace(0.7, 1.4, 40), np.full(40, 2000.0))
    before = {r.entity_id: r.adjusted for r in rate(entities, FREQUENCY, 1.0)}
    after = {r.entity_id: r.adjusted for r in rate([*entities, experience("new", 10.0, 1)], FREQUENCY, 1.0)}
    assert {name: after[name] for name in before} == pytest.approx(before, rel=0.01)


def test_an_entity_without_exposure_is_not_graded() -> None:
    ratings = rate([*drawn(5, np.ones(5), np.full(5, 100.0)), experience("empty", 0.0, 0)], FREQUENCY, 1.0)
    empty = next(rating for rating in ratings if rating.entity_id == "empty")
    assert (empty.grade, empty.raw, empty.raw_interval) == (RatingGrade.UNRATED, None, None)


def test_nothing_to_rate_gives_no_ratings() -> None:
    assert rate([], FREQUENCY, 1.0) == []
    assert rate([experience("a", 10.0, 0)], FREQUENCY, 1.0) == []


def test_the_prior_finds_how_much_entities_differ() -> None:
    rng = np.random.default_rng(6)
    expected = np.full(4000, 50.0)
    observed = rng.poisson(expected * rng.gamma(8.0, 1 / 8.0, 4000)).astype(float)
    assert fit_prior(observed, expected).shape == pytest.approx(8.0, rel=0.1)
    alike = rng.poisson(expected).astype(float)
    assert fit_prior(alike, expected).shape > 1000


def test_quasi_counts_have_equal_mean_and_variance() -> None:
    rng = np.random.default_rng(7)
    totals = np.array([rng.gamma(0.5, 200.0, n).sum() for n in rng.poisson(40, 20_000)])
    counts = quasi_counts(totals, 100.0, 2.0)
    assert counts.var() == pytest.approx(counts.mean(), rel=0.05)
