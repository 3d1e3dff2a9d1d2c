"""Repair shops rated by what their claims cost: as it is, and beside the same parts at all shops."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from sluice_server.domain.errors import InvalidInput
from sluice_server.domain.risk.paging import Page
from sluice_server.domain.risk.ratings.grades import Rating, RatingBasis, RatingGrade
from sluice_server.domain.risk.ratings.list_ratings import ListRatingsParams
from sluice_server.domain.risk.semantic.model_yaml import shipped_model
from sluice_server.domain.risk.use_cases import build_risk_use_cases
from tests.unit.risk.fake_reader import CONTEXT, FakeRiskReader

COST = {"board": 90_000, "screen": 30_000}


def rows(dear: str = "", boards: frozenset[str] = frozenset(), shops: int = 24, seed: int = 3) -> list[dict[str, Any]]:
    """Shops with five claims a month, mostly screens but for ``boards``; ``dear`` takes 1.6 times the usual."""
    random = np.random.default_rng(seed)
    found = []
    for shop in (f"R{i:02d}" for i in range(shops)):
        for month in range(1, 13):
            for part, cost in COST.items():
                claims = 4 if (part == "board") == (shop in boards) else 1
                amounts = random.gamma(6, cost / 6, claims) * (1.6 if shop == dear else 1.0)
                found.append(
                    {
                        "repair_shop_id": shop, "part_code": part, "month": date(2025, month, 1), "claims": claims + 1,
                        "denied": 1, "incurred_minor": round(float(amounts.sum())),
                        "expected_incurred_minor": claims * cost, "repeat_claims": 0, "claims_within_30_days": 0,
                    }
                )  # fmt: skip
    return found


async def rated(table: list[dict[str, Any]]) -> dict[str, Rating]:
    risk = build_risk_use_cases(shipped_model(), FakeRiskReader({"repair_shop_month": table}))
    page = await risk.list_ratings(ListRatingsParams("repair_shop", RatingBasis.LOSS_RATIO, Page(100)), CONTEXT)
    return {rating.entity_id: rating for rating in page.ratings}


async def test_a_dear_shop_is_graded_down_and_one_with_dear_parts_only_as_long_as_they_count() -> None:
    found = await rated(rows("R05", frozenset({"R07", "R08"})))
    dear, boards = found["R05"], found["R07"]
    assert dear.mix is not None
    assert dear.mix.grade is RatingGrade.E
    assert dear.mix.figure == pytest.approx(1.6, rel=0.15)
    assert boards.grade is RatingGrade.E
    assert boards.mix is not None
    assert boards.mix.grade in {RatingGrade.B, RatingGrade.C, RatingGrade.D}
    assert boards.raw is not None
    assert boards.raw > 1.5
    assert f"{boards.mix.grade} once its mix is taken out" in boards.warnings
    assert dear.claims == 12 * 5, "denied claims cost nothing and are not counted"


async def test_intervals_hold_what_a_shop_truly_costs_as_often_as_they_say() -> None:
    inside = total = 0
    for seed in range(12):
        for rating in (await rated(rows(seed=seed))).values():
            assert rating.mix is not None
            upper = rating.mix.adjusted_interval.upper
            inside += upper is not None and rating.mix.adjusted_interval.lower <= 1.0 <= upper
            total += 1
    assert inside / total > 0.93


async def test_ordinary_shops_are_not_called_bad() -> None:
    grades = [rating.mix.grade for rating in (await rated(rows(seed=8))).values() if rating.mix is not None]
    assert len(grades) == 24
    assert RatingGrade.E not in grades
    assert grades.count(RatingGrade.D) <= 2


async def test_shops_that_have_only_denied_claims_are_not_rated() -> None:
    table = rows()
    table.append({**table[0], "repair_shop_id": "none", "claims": 2, "denied": 2, "incurred_minor": 0,
                  "expected_incurred_minor": 0})  # fmt: skip
    assert (await rated(table))["none"].grade is RatingGrade.UNRATED


async def test_a_repair_shop_has_no_claim_frequency() -> None:
    risk = build_risk_use_cases(shipped_model(), FakeRiskReader({"repair_shop_month": rows()}))
    with pytest.raises(InvalidInput, match="policy-years"):
        await risk.list_ratings(ListRatingsParams("repair_shop", RatingBasis.CLAIM_FREQUENCY, Page(5)), CONTEXT)
