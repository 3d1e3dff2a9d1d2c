"""From ratings and scores to RiskQuery's messages."""

from __future__ import annotations

from sluice.risk.v1 import ratings_pb2
from sluice_server.api.risk.render import interval, stamp
from sluice_server.api.risk.wire import BASES, GRADES
from sluice_server.domain.risk.ratings.get_risk_score import RiskScore
from sluice_server.domain.risk.ratings.grades import Rating
from sluice_server.domain.risk.ratings.list_ratings import RatingPage


def rating_page(found: RatingPage) -> ratings_pb2.ListRatingsResponse:
    return ratings_pb2.ListRatingsResponse(
        ratings=[_rating(found.entity, rating) for rating in found.ratings],
        total_size=found.total_size,
        next_page_token=found.next_page_token,
        data=stamp(found.stamp),
    )


def _rating(entity: str, rating: Rating) -> ratings_pb2.Rating:
    return ratings_pb2.Rating(
        entity=entity,
        entity_id=rating.entity_id,
        grade=GRADES[rating.grade],
        basis=BASES[rating.basis],
        raw=rating.raw,
        raw_interval=interval(rating.raw_interval),
        adjusted=rating.adjusted,
        adjusted_interval=interval(rating.adjusted_interval),
        credibility=rating.credibility,
        portfolio=rating.portfolio,
        probability_better=rating.probability_better,
        probability_worse=rating.probability_worse,
        probability_much_worse=rating.probability_much_worse,
        exposure_years=rating.exposure_years,
        claims=rating.claims,
        expected_claims=rating.expected_claims,
        warnings=rating.warnings,
        reported_share=rating.reported_share,
        mix_adjusted=rating.mix.figure if rating.mix else None,
        mix_adjusted_interval=interval(rating.mix.interval) if rating.mix else None,
        mix_grade=GRADES[rating.mix.grade] if rating.mix else None,
    )


def risk_score(found: RiskScore) -> ratings_pb2.RiskScore:
    return ratings_pb2.RiskScore(
        entity=found.entity,
        entity_id=found.entity_id,
        score=found.score,
        relative_risk=found.relative_risk,
        relative_risk_interval=interval(found.relative_risk_interval),
        grade=GRADES[found.grade],
        abnormal=found.abnormal,
        reasons=found.reasons,
        exposure=found.exposure,
        data=stamp(found.stamp),
    )
