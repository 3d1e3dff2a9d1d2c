"""Ratings with the mix taken out, customer segments and the evidence of anomalies, through a real server."""

from __future__ import annotations

import pytest

from sluice.client import errors
from sluice.risk.v1 import anomalies_pb2, ratings_pb2
from tests.e2e.test_risk_query import serving
from tests.integration.risk.published import publish
from tests.unit.risk.test_late_claims import channel_rows, development_rows, mix_rows
from tests.unit.risk.test_use_cases import evidence_row, portfolio


async def test_ratings_show_late_claims_and_what_is_left_without_the_mix(sqlite_url: str) -> None:
    mix = mix_rows()
    tables = {"channel_month": channel_rows(mix), "channel_mix": mix, "claim_development": development_rows()}
    await publish(sqlite_url, tables)
    async with serving(sqlite_url) as client:
        answer = await client.risk.ListRatings(ratings_pb2.ListRatingsRequest(entity="channel"))
        found = {rating.entity_id: rating for rating in answer.ratings}
        bad, cheap, alone = found["CH0"], found["CH5"], found["CH8"]
        assert bad.mix_grade == ratings_pb2.RATING_GRADE_E
        assert cheap.grade == ratings_pb2.RATING_GRADE_A
        assert cheap.mix_grade in {ratings_pb2.RATING_GRADE_B, ratings_pb2.RATING_GRADE_C}
        assert bad.mix_adjusted_interval.lower < bad.mix_adjusted < bad.mix_adjusted_interval.upper
        # The month of the rows is old enough for all of its claims to be known.
        assert bad.reported_share == 1.0
        assert "nested with product_code=p9" in alone.warnings[-1]

        segments = await client.risk.ListRatings(ratings_pb2.ListRatingsRequest(entity="customer_segment"))
        assert [rating.entity_id for rating in segments.ratings] == ["T1/north/phone"]
        score = await client.risk.GetRiskScore(
            ratings_pb2.GetRiskScoreRequest(entity="customer_segment", entity_id="T1/north/phone")
        )
        assert 0 <= score.score <= 100
        with pytest.raises(errors.NotFound):
            await client.risk.GetRiskScore(
                ratings_pb2.GetRiskScoreRequest(entity="customer_segment", entity_id="T9/north/phone")
            )


async def test_repair_shops_are_rated_by_cost_and_not_by_frequency(sqlite_url: str) -> None:
    await publish(sqlite_url, portfolio())
    async with serving(sqlite_url) as client:
        answer = await client.risk.ListRatings(ratings_pb2.ListRatingsRequest(entity="repair_shop"))
        assert answer.total_size == 20
        worst = answer.ratings[0]
        assert worst.entity_id == "R19"
        assert worst.mix_adjusted == pytest.approx(519 / 510, rel=1e-6)
        assert worst.mix_grade != ratings_pb2.RATING_GRADE_UNSPECIFIED
        with pytest.raises(errors.InvalidArgument):
            await client.risk.ListRatings(
                ratings_pb2.ListRatingsRequest(entity="repair_shop", basis=ratings_pb2.RATING_BASIS_CLAIM_FREQUENCY)
            )


async def test_an_anomaly_names_the_claims_to_look_at(sqlite_url: str) -> None:
    told = [evidence_row("repair_shop", "R19", "REPEAT", rank, claim_id) for rank, claim_id in ((1, "K7"), (2, "K3"))]
    await publish(sqlite_url, {**portfolio(), "claim_evidence": told})
    async with serving(sqlite_url) as client:
        answer = await client.risk.ListAnomalies(anomalies_pb2.ListAnomaliesRequest())
    found = {anomaly.entity_id: {one.name: one for one in anomaly.indicators} for anomaly in answer.anomalies}
    frequency = found["S39"]["claim_frequency"]
    [place] = frequency.places
    assert set(place.dimensions) == {"month"}
    assert place.observed == frequency.observed
    assert place.expected == pytest.approx(frequency.expected)
    repeats = found["R19"]["repeat_claims"]
    assert dict(repeats.places[0].dimensions)["part"] == "screen"
    assert [claim.claim_id for claim in repeats.claims_to_open] == ["K7", "K3"]
    first = repeats.claims_to_open[0]
    assert (first.policy_id, first.fault_code, first.days_since_previous_claim) == ("P-K7", "DROP", 9)
    assert first.incurred.amount_minor == 89_999
    assert first.expected.amount_minor == 30_000
    assert first.incurred.currency_code == first.expected.currency_code != ""
    assert not found["S39"]["early_claims"].claims_to_open
