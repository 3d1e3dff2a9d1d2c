"""Ratings: small entities are shrunk, large ones speak for themselves, chance makes no grades."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice_server.domain.risk.ratings.grades import Experience, RatingBasis, RatingGrade, rate
from sluice_server.domain.risk.ratings.shrinkage import fit_prior, quasi_counts

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


@settings(deadline=None, max_examples=40)
@given(experiences, st.sampled_from(list(RatingBasis)))
def test_no_shrunk_figure_lies_outside_of_the_raw_ones(entities: list[Experience], basis: RatingBasis) -> None:
    ratings = rate(entities, basis, 1.0)
    if basis is FREQUENCY and ratings:
        expected = np.array([e.exposure_years for e in entities])
        observed = np.array([e.claims for e in entities], dtype=float)
        means = fit_prior(observed, expected * observed.sum() / expected.sum()).means * ratings[0].portfolio
        for rating in ratings:
            assert rating.raw is not None
            assert min(rating.raw, *means) * (1 - 1e-9) <= rating.adjusted <= max(rating.raw, *means) * (1 + 1e-9)
    for rating in ratings:
        assert 0 <= rating.credibility <= 1
        interval = rating.adjusted_interval
        assert interval.upper is not None
        assert interval.lower <= rating.adjusted <= interval.upper or rating.adjusted == pytest.approx(interval.upper)


@pytest.mark.parametrize(
    ("entities", "spread", "years"), [(40, 0.3, 40), (8, 0.3, 40), (40, 0.3, 8), (8, 0.05, 40), (40, 0.6, 400)]
)
def test_the_intervals_cover_the_truth_at_the_stated_rate(entities: int, spread: float, years: float) -> None:
    covered, runs = 0, 30
    for seed in range(runs):
        random = np.random.default_rng(seed)
        risks = random.gamma(1 / spread**2, spread**2, entities)
        exposures = random.lognormal(np.log(years), 1, entities)
        claims = random.poisson(0.2 * risks * exposures)
        table = [experience(f"c{i}", float(exposures[i]), int(claims[i])) for i in range(entities)]
        for rating in rate(table, FREQUENCY, 1.0):
            interval = rating.adjusted_interval
            assert interval.upper is not None
            covered += interval.lower <= 0.2 * risks[int(rating.entity_id[1:])] <= interval.upper
    # 95 % are stated; what is estimated of the entities' variation makes it a little less at times, never far less.
    assert covered / (runs * entities) >= 0.92


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
    found = fit_prior(observed, expected)
    assert found.weights @ found.shapes == pytest.approx(8.0, rel=0.1)
    alike = fit_prior(rng.poisson(expected).astype(float), expected)
    assert alike.weights @ alike.shapes > 1000


def test_quasi_counts_have_equal_mean_and_variance() -> None:
    rng = np.random.default_rng(7)
    totals = np.array([rng.gamma(0.5, 200.0, n).sum() for n in rng.poisson(40, 20_000)])
    counts = quasi_counts(totals, 100.0, 2.0)
    assert counts.var() == pytest.approx(counts.mean(), rel=0.05)
