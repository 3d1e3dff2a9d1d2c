"""Late claims: the chain ladder on months finds the delays that were simulated, and new channels do not look good."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.ratings.grades import Rating, RatingBasis, RatingGrade
from sluice_server.domain.risk.ratings.late_claims import develop, newest_month
from sluice_server.domain.risk.result_rows import month_number
from sluice_server.domain.risk.semantic.model_yaml import shipped_model
from sluice_server.domain.risk.use_cases import build_risk_use_cases
from tests.unit.risk.fake_reader import WATERMARK, FakeRiskReader
from tests.unit.risk.portfolio import channel_row

LAST = newest_month(WATERMARK)
TRUE_SHARES = np.array([0.5, 0.8, 0.95, 1.0])


def month(age: int) -> date:
    year, number = divmod(LAST - age, 12)
    return date(year, number + 1, 1)


def development_rows(claims: int = 1_000) -> list[dict[str, Any]]:
    """Claims of 24 months by delay, as far as they are known."""
    parts = np.diff([0.0, *TRUE_SHARES])
    return [
        {
            "channel_id": "CH0", "product_line": "screen", "month": month(age), "delay_months": delay,
            "claims": round(claims * part), "denied": 0, "incurred_minor": 0, "incurred_squared": 0.0,
        }
        for age in range(24)
        for delay, part in enumerate(parts)
        if delay <= age
    ]  # fmt: skip


async def rated(
    tables: dict[str, list[dict[str, Any]]], basis: RatingBasis, entity: str = "channel"
) -> dict[str, Rating]:
    use_cases = build_risk_use_cases(shipped_model(), FakeRiskReader(tables))
    return {one.entity_id: one for one in (await use_cases.list_ratings.all(entity, basis, None)).ratings}


def test_the_shares_that_were_simulated_are_found() -> None:
    random = np.random.default_rng(1)
    months, delays, claims = [], [], []
    for age in range(24):
        for delay, part in enumerate(np.diff([0.0, *TRUE_SHARES])):
            if delay <= age:
                months.append(LAST - age)
                delays.append(delay)
                claims.append(random.poisson(2_000 * part))
    found = develop(np.array(months), np.array(delays), np.array(claims, dtype=float), LAST)
    assert found.shares == pytest.approx(TRUE_SHARES, abs=0.01)
    assert found.factors[0] == pytest.approx(2.0, rel=0.03)
    assert found.reported_share(np.array([LAST + 1, LAST, LAST - 1, LAST - 30])) == pytest.approx(
        [0.5, 0.5, 0.8, 1.0], abs=0.01
    )


def test_without_late_claims_nothing_is_developed() -> None:
    months = np.arange(LAST - 12, LAST + 1)
    found = develop(months, np.zeros(13, dtype=np.int64), np.full(13, 50.0), LAST)
    assert found.shares == (1.0,)
    assert develop(months[:0], months[:0], np.zeros(0), LAST).shares == (1.0,)


def test_the_newest_month_is_that_of_the_last_moment_before_the_watermark() -> None:
    assert newest_month(WATERMARK) == month_number(date(2026, 10, 1))


def of_month(channel: str, age: int) -> dict[str, Any]:
    """A month of 80 claims, as far as they are known."""
    claims = round(80 * TRUE_SHARES[min(age, 3)])
    return channel_row(
        channel, month(age), exposure_years=400.0, claims=claims, earned_premium_minor=4_000_000,
        incurred_minor=claims * 30_000,
    )  # fmt: skip


@pytest.mark.parametrize("basis", list(RatingBasis))
async def test_a_new_channel_does_not_look_good(basis: RatingBasis) -> None:
    # All have the same true frequency; the new one has two months behind it, of which half the claims are known.
    old = [of_month(f"CH{i}", age) for i in range(8) for age in range(23)]
    new = [of_month("NEW", age) for age in range(2)]
    tables = {"channel_month": [*old, *new]}
    plain = (await rated(tables, basis))["NEW"]
    assert plain.reported_share == 1.0
    assert plain.probability_worse < 0.25
    developed = (await rated({**tables, "claim_development": development_rows()}, basis))["NEW"]
    assert developed.reported_share == pytest.approx(0.65, abs=0.01)
    assert 0.3 < developed.probability_worse < 0.7
    assert developed.raw == plain.raw
    assert developed.adjusted == pytest.approx(developed.portfolio, rel=0.05)
    assert developed.grade is RatingGrade.C


def mix_rows() -> list[dict[str, Any]]:
    """CH0 to CH3 sell mostly the dear product, CH4 to CH7 mostly the cheap one; CH0 is bad; CH8 alone sells p9."""
    rows = []
    for i in range(9):
        products = {"p9": (500.0, 0.2)} if i == 8 else {
            "p1": (450.0 if i < 4 else 50.0, 0.4), "p2": (50.0 if i < 4 else 450.0, 0.1)
        }  # fmt: skip
        for product, (years, frequency) in products.items():
            claims = round(years * frequency * (2 if i == 0 else 1))
            rows.append(
                {
                    "channel_id": f"CH{i}", "product_code": product, "product_line": "screen", "category": "phone",
                    "region": "north", "tier": "T1", "exposure_years": years, "claims": claims,
                    "earned_premium_minor": round(years * 10_000), "incurred_minor": claims * 20_000,
                }
            )  # fmt: skip
    return rows


def channel_rows(mix: list[dict[str, Any]]) -> list[dict[str, Any]]:
    sums = ("exposure_years", "claims", "earned_premium_minor", "incurred_minor")
    return [
        channel_row(channel, **{name: sum(row[name] for row in mix if row["channel_id"] == channel) for name in sums})
        for channel in sorted({row["channel_id"] for row in mix})
    ]


@pytest.mark.parametrize("basis", list(RatingBasis))
async def test_ratings_show_what_is_left_when_the_mix_is_taken_out(basis: RatingBasis) -> None:
    mix = mix_rows()
    found = await rated({"channel_month": channel_rows(mix), "channel_mix": mix}, basis)
    fair, bad, cheap, alone = found["CH1"], found["CH0"], found["CH5"], found["CH8"]
    assert fair.mix is not None
    assert bad.mix is not None
    assert cheap.mix is not None
    assert (fair.grade, cheap.grade) == (RatingGrade.D, RatingGrade.A)
    assert fair.mix.grade in {RatingGrade.B, RatingGrade.C}
    assert cheap.mix.grade in {RatingGrade.B, RatingGrade.C}
    assert bad.mix.grade is RatingGrade.E
    assert bad.mix.figure == pytest.approx(2 * (fair.mix.figure or 0), rel=0.1)
    assert "once its mix is taken out" in fair.warnings[-1]
    assert "nested with product_code=p9" in alone.warnings[-1]


async def test_without_the_mix_table_ratings_stand_alone() -> None:
    found = await rated({"channel_month": channel_rows(mix_rows())}, RatingBasis.LOSS_RATIO)
    assert all(one.mix is None for one in found.values())


async def test_customer_segments_are_rated_and_scored() -> None:
    mix = [{**row, "tier": f"T{i % 3}", "region": "south" if i % 2 else "north"} for i, row in enumerate(mix_rows())]
    tables = {"channel_month": channel_rows(mix), "channel_mix": mix}
    found = await rated(tables, RatingBasis.CLAIM_FREQUENCY, "customer_segment")
    assert set(found) == {f"T{i}/{region}/phone" for i in range(3) for region in ("north", "south")}
    assert sum(one.exposure_years for one in found.values()) == pytest.approx(4500.0)
    use_cases = build_risk_use_cases(shipped_model(), FakeRiskReader(tables))
    scores = await use_cases.get_risk_score.all("customer_segment", DataStamp(1, WATERMARK, WATERMARK))
    assert set(scores) == set(found)
    assert max(scores.values()) > 90
