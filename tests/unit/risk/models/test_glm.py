from __future__ import annotations

import math

import numpy as np
import pytest

from sluice_server.domain.risk.models.columns import Column, ModelTable, NumberColumn, TextColumn
from sluice_server.domain.risk.models.factors import make_scale, parse_factor
from sluice_server.domain.risk.models.glm import Family, FittedGlm, Relativity, fit_glm
from tests.unit.risk.models.simulated import BASE, CHANNEL, MEAN_AMOUNT, MODEL, PER_YEAR_OF_AGE, portfolio


def frequency(table: ModelTable, *factors: str, grouped: bool = False) -> FittedGlm:
    definitions = [parse_factor(text) for text in factors]
    scales = [make_scale(d, table.factors[d.name], table.claims, table.exposure) for d in definitions]
    group = table.group if grouped else None
    return fit_glm(Family.POISSON, scales, table.factors, table.claims, table.exposure, group)


def by_level(glm: FittedGlm, factor: str) -> dict[str, Relativity]:
    return {one.level: one for one in glm.relativities() if one.factor == factor}


@pytest.mark.parametrize("grouped", [False, True])
def test_planted_relativities_are_recovered_within_four_standard_errors(grouped: bool) -> None:
    glm = frequency(portfolio(), "model", "channel", "age:number", grouped=grouped)
    for factor, truth in (("model", MODEL), ("channel", CHANNEL)):
        found = by_level(glm, factor)
        base = next(level for level, one in found.items() if one.standard_error == 0)
        for level, one in found.items():
            if level != base:
                error = math.log(one.relativity) - math.log(truth[level] / truth[base])
                assert abs(error) < 4 * one.standard_error
                assert 0.01 < one.standard_error < 0.1
                assert one.lower < one.relativity < one.upper
    ages = list(by_level(glm, "age").values())
    slope = math.log(ages[-1].relativity) / (float(ages[-1].level) - float(ages[0].level))
    assert slope == pytest.approx(PER_YEAR_OF_AGE, abs=0.03)


def test_one_factor_gives_the_plain_rates_and_their_known_error() -> None:
    claims = np.array([30.0, 50.0, 20.0])
    exposure = np.array([100.0, 100.0, 50.0])
    factors = {"f": TextColumn(("a", "b", "c"), np.array([0, 1, 2]))}
    glm = frequency(ModelTable(claims, exposure, factors), "f")
    assert glm.predict(factors) == pytest.approx(claims / exposure)
    assert by_level(glm, "f")["b"].relativity == pytest.approx(50 / 30)
    assert by_level(glm, "f")["b"].standard_error == pytest.approx(math.sqrt(1 / 30 + 1 / 50))


def test_rating_cells_give_what_single_rows_give() -> None:
    table = portfolio(3_000)
    doubled = table.take(np.repeat(np.arange(len(table)), 2))
    one, two = frequency(table, "model", "channel"), frequency(doubled, "model", "channel")
    assert one.cells == two.cells == 12
    assert one.coefficients == pytest.approx(two.coefficients)
    assert two.covariance == pytest.approx(one.covariance / 2, rel=0.01)


def test_rows_of_one_device_that_repeat_each_other_do_not_make_the_errors_smaller() -> None:
    table = portfolio(3_000)
    doubled = table.take(np.repeat(np.arange(len(table)), 2))
    one, two = frequency(table, "model", grouped=True), frequency(doubled, "model", grouped=True)
    assert two.covariance == pytest.approx(one.covariance, rel=1e-6)


def test_a_column_that_others_determine_is_named_and_left_out() -> None:
    glm = frequency(portfolio(3_000), "model", "brand")
    assert [(term.factor, term.level) for term in glm.aliased] == [("brand", "b1")] or [
        (term.factor, term.level) for term in glm.aliased
    ] == [("brand", "b0")]
    assert sum(one.aliased for one in glm.relativities()) == 1
    assert glm.predict(portfolio(3_000).factors) == pytest.approx(
        frequency(portfolio(3_000), "model").predict(portfolio(3_000).factors)
    )


def test_too_few_claims_of_a_level_are_joined_instead_of_fitted() -> None:
    codes = np.array([0] * 50 + [1] * 50 + [2] * 3)
    claims = np.array([1.0] * 20 + [0.0] * 30 + [1.0] * 10 + [0.0] * 43)
    factors = {"f": TextColumn(("a", "b", "rare"), codes)}
    glm = frequency(ModelTable(claims, np.ones(103), factors), "f")
    assert set(by_level(glm, "f")) == {"a", "b"}


def test_more_variance_than_a_poisson_has_widens_the_intervals() -> None:
    random = np.random.default_rng(1)
    codes = np.arange(400) % 40
    rate = np.array([1.0, 1.5])[codes % 2]
    factors: dict[str, Column] = {
        "f": TextColumn(("a", "b"), codes % 2),
        "cell": NumberColumn(codes.astype(np.float64)),
    }
    plain = ModelTable(random.poisson(rate * 20).astype(np.float64), np.full(400, 20.0), factors)
    wild = ModelTable(
        random.poisson(rate * 20 * random.gamma(2, 0.5, 40)[codes]).astype(np.float64), np.full(400, 20.0), factors
    )
    assert frequency(plain, "f", "cell:number").dispersion < 2
    assert frequency(wild, "f", "cell:number").dispersion > 10


def test_the_amount_of_a_claim_is_recovered() -> None:
    table = portfolio()
    assert table.amount is not None
    paid = table.take(table.claims > 0)
    assert paid.amount is not None
    scales = [make_scale(parse_factor("model"), paid.factors["model"], paid.claims, paid.claims)]
    glm = fit_glm(Family.GAMMA, scales, paid.factors, paid.amount, paid.claims)
    # Gamma with shape 2: a variance of half the squared mean for each claim.
    assert glm.dispersion == pytest.approx(0.5, abs=0.05)
    predicted = glm.predict({"model": TextColumn(tuple(MODEL), np.arange(4))})
    assert predicted == pytest.approx(list(MEAN_AMOUNT.values()), rel=0.1)


def test_without_any_difference_the_base_is_the_mean() -> None:
    table = portfolio(3_000)
    glm = frequency(ModelTable(table.claims, table.exposure, {"one": TextColumn(("x",), np.zeros(3_000, int))}), "one")
    assert math.exp(glm.intercept) == pytest.approx(table.claims.sum() / table.exposure.sum())
    assert math.exp(glm.intercept) > BASE
