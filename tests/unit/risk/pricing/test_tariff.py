from __future__ import annotations

import math

import numpy as np
import pytest

from sluice_server.domain.errors import InvalidInput
from sluice_server.domain.risk.pricing.tariff import PORTFOLIO_MEAN, price, relativity
from tests.unit.risk.pricing.fitted import content, fitted, policies


def test_a_quote_is_what_the_two_models_predict() -> None:
    table, _ = policies()
    model, tariff = fitted(), content().tariff
    assert model.severity is not None
    expected = model.frequency.predict(table.factors) * model.severity.predict(table)
    by_values = {tuple(sorted(cell.values.items())): cell for cell in content().portfolio}
    for i in range(25):
        one = table.take(np.array([i]))
        values = {
            "device_model": one.factors["device_model"].levels[one.factors["device_model"].codes[0]],  # type: ignore[union-attr]
            "channel_id": one.factors["channel_id"].levels[one.factors["channel_id"].codes[0]],  # type: ignore[union-attr]
            "age": f"{one.factors['age'].values[0]:g}",  # type: ignore[union-attr]
        }
        assert price(tariff, values).expected_claims_minor == pytest.approx(expected[i])
        assert tuple(sorted(values.items())) in by_values


def test_the_steps_multiply_to_the_premium() -> None:
    priced = price(content().tariff, {"device_model": "m3", "age": "2"}, loading=0.25, cover_days=730)
    assert math.prod(step.relativity for step in priced.steps) == pytest.approx(priced.premium_minor)
    assert [step.factor for step in priced.steps] == ["base", "device_model", "channel_id", "age", "cover", "loading"]
    assert priced.premium_minor == pytest.approx(priced.expected_claims_minor * 1.25)
    assert priced.expected_claims_interval.lower < priced.expected_claims_minor
    assert priced.expected_claims_minor < (priced.expected_claims_interval.upper or 0)


def test_a_factor_that_is_not_given_costs_the_portfolios_mean() -> None:
    factor = next(one for one in content().tariff.factors if one.name == "device_model")
    mean = relativity(factor, None)
    assert mean.level == PORTFOLIO_MEAN
    weights = [level.exposure_years for level in factor.levels]
    by_hand = np.average([level.relativity for level in factor.levels], weights=weights)
    # The tariff's mean is over all policies, the levels' exposure over the learning ones.
    assert mean.relativity == pytest.approx(by_hand, rel=0.02)


def test_a_level_that_was_never_seen_costs_the_base() -> None:
    factor = next(one for one in content().tariff.factors if one.name == "device_model")
    assert relativity(factor, "m99") == factor.levels[0]


def test_unknown_factors_and_words_for_numbers_are_named_together() -> None:
    with pytest.raises(InvalidInput) as refused:
        price(content().tariff, {"colour": "red", "age": "old", "device_model": "m1"})
    assert [violation.field for violation in refused.value.violations] == ["factors.colour", "factors.age"]
