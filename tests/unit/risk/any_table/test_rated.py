from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from sluice_server.domain.errors import InvalidInput
from sluice_server.domain.risk.any_table.mix import adjust_for_mix
from sluice_server.domain.risk.any_table.rated import RatedEntity, RatingRows, rate_entities
from sluice_server.domain.risk.models.columns import TextColumn
from sluice_server.domain.risk.ratings.grades import RatingBasis, RatingGrade

PRODUCT = np.array([0.05, 0.2, 0.1, 0.3])


def rows(count: int = 20_000) -> RatingRows:
    """Twelve channels that mostly sell one product each; c02 is bad, c05 good, c11 alone sells p3."""
    random = np.random.default_rng(9)
    channel = random.integers(0, 12, count)
    product = np.where(random.random(count) < 0.7, channel % 3, random.integers(0, 3, count))
    product = np.where(channel == 11, 3, product)
    effect = np.ones(12)
    effect[2], effect[5] = 1.8, 0.5
    exposure = random.uniform(0.2, 1, count)
    claims = random.poisson(exposure * PRODUCT[product] * effect[channel]).astype(np.float64)
    return RatingRows(
        entity=TextColumn(tuple(f"c{i:02}" for i in range(12)), channel),
        exposure=exposure,
        claims=claims,
        amount=np.where(claims > 0, random.gamma(2 * np.maximum(claims, 1), 50), 0.0),
        mix={"product": TextColumn(("p0", "p1", "p2", "p3"), product)},
    )


def rated(table: RatingRows) -> dict[str, RatedEntity]:
    return {one.entity: one for one in rate_entities(table).entities}


def test_a_channel_of_risky_products_is_not_itself_bad() -> None:
    found = rated(rows())
    assert found["c02"].rating is RatingGrade.E
    assert found["c05"].rating is RatingGrade.A
    # c04 sells the product of 0.2, c06 that of 0.05: nothing is the matter with either.
    assert found["c04"].raw_rating in set("DE")
    assert found["c06"].raw_rating in set("AB")
    assert found["c04"].rating in set("BC")
    assert found["c06"].rating in set("CD")
    assert "before its mix is taken out" in found["c04"].warnings[-1]


def test_what_only_one_channel_sells_is_not_taken_out_and_said() -> None:
    nested = rated(rows())["c11"]
    assert nested.rating is nested.raw_rating
    assert "nested with product=p3" in nested.warnings[-1]


def test_without_a_mix_there_is_nothing_adjusted() -> None:
    found = rated(replace(rows(), mix=None))
    assert all(one.adjusted is None and one.estimate == one.raw_estimate for one in found.values())


def test_the_loss_ratio_is_rated_where_there_are_premiums() -> None:
    table = rows()
    assert table.mix is not None
    premium = table.exposure * PRODUCT[table.mix["product"].codes] * 150
    answer = rate_entities(replace(table, premium=premium))
    assert answer.basis is RatingBasis.LOSS_RATIO
    assert table.amount is not None
    assert answer.portfolio == pytest.approx(table.amount.sum() / premium.sum(), rel=1e-4)
    found = {one.entity: one.rating for one in answer.entities}
    assert (found["c02"], found["c05"]) == (RatingGrade.E, RatingGrade.A)
    assert found["c04"] is RatingGrade.C


def test_the_mix_is_fitted_beside_the_entities_and_keeps_the_level() -> None:
    table = rows(60_000)
    assert table.mix is not None
    adjusted = adjust_for_mix(table.entity, table.mix, table.claims, table.exposure)
    assert adjusted.base.sum() == pytest.approx(table.exposure.sum())
    product = table.mix["product"].codes
    worth = [(adjusted.base / table.exposure)[product == i].mean() for i in range(3)]
    assert np.array(worth) / worth[0] == pytest.approx([1, 4, 2], rel=0.15)
    assert dict(adjusted.nested) == {"c11": ("product=p3",)}


def test_a_negative_exposure_and_half_a_claim_are_refused_together() -> None:
    table = rows(100)
    with pytest.raises(InvalidInput, match=r"exposure: negative in \d+ rows; claims: must be whole"):
        rate_entities(replace(table, exposure=table.exposure - 0.5, claims=table.claims + 0.5))
