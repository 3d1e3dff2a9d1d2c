"""The use case GetRiskScore: one scale from 0 to 100 for every kind of entity."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sluice_server.domain.context import CallContext
from sluice_server.domain.errors import RiskResourceNotFound
from sluice_server.domain.risk.anomalies.list_anomalies import DEFAULT_FALSE_DISCOVERY_RATE, ListAnomalies
from sluice_server.domain.risk.anomalies.screening import Screened
from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.experience import check_entity
from sluice_server.domain.risk.intervals import Interval
from sluice_server.domain.risk.ports import RiskReader
from sluice_server.domain.risk.ratings.grades import Rating, RatingBasis, RatingGrade
from sluice_server.domain.risk.ratings.list_ratings import ListRatings
from sluice_server.domain.risk.ratings.rated_experience import rated_kinds, scored_kinds
from sluice_server.domain.risk.semantic.semantic_model import SemanticModel


@dataclass(frozen=True, slots=True)
class GetRiskScoreParams:
    """Whose score is wanted. ``data_version`` None means the active one."""

    entity: str
    entity_id: str
    data_version: int | None = None


@dataclass(frozen=True, slots=True)
class RiskScore:
    """``score``: 100 times the probability of being worse than the peers; 50 means that nothing is known."""

    entity: str
    entity_id: str
    score: float
    relative_risk: float | None
    relative_risk_interval: Interval | None
    grade: RatingGrade
    abnormal: bool
    reasons: tuple[str, ...]
    exposure: float
    stamp: DataStamp


class GetRiskScore:
    """Scores from the ratings by loss ratio; where a kind is only screened, from the combined p-value."""

    def __init__(
        self, model: SemanticModel, reader: RiskReader, ratings: ListRatings, anomalies: ListAnomalies
    ) -> None:
        self._model = model
        self._reader = reader
        self._ratings = ratings
        self._anomalies = anomalies

    async def __call__(self, params: GetRiskScoreParams, context: CallContext) -> RiskScore:
        """Raises InvalidInput for an unknown kind, RiskResourceNotFound, DataVersionNotFound, Unavailable."""
        rated, screens = self._kind(params.entity)
        stamp = await self._reader.stamp(params.data_version)
        rating = screened = None
        if rated:
            all_of = await self._ratings.all(params.entity, RatingBasis.LOSS_RATIO, stamp.data_version)
            rating = next((r for r in all_of.ratings if r.entity_id == params.entity_id), None)
        if screens:
            found = await self._anomalies.all(params.entity, stamp)
            screened = next((s for s in found if s.entity_id == params.entity_id), None)
        if rating is None and screened is None:
            raise RiskResourceNotFound(
                f"no {params.entity} {params.entity_id!r} in data version {stamp.data_version}",
                entity=params.entity,
                entity_id=params.entity_id,
            )
        return _score(params, rating, screened, stamp)

    async def all(self, entity: str, stamp: DataStamp) -> Mapping[str, float]:
        """Every score of the kind, by id. Raises InvalidInput for an unknown kind, DataVersionNotFound, Unavailable."""
        rated, screens = self._kind(entity)
        scores: dict[str, float] = {}
        if screens:
            scores = {s.entity_id: _scale(None, s) for s in await self._anomalies.all(entity, stamp)}
        if rated:
            all_of = await self._ratings.all(entity, RatingBasis.LOSS_RATIO, stamp.data_version)
            scores |= {rating.entity_id: _scale(rating, None) for rating in all_of.ratings}
        return scores

    def _kind(self, entity: str) -> tuple[bool, bool]:
        """Whether a kind is rated, and whether it is screened."""
        check_entity(entity, scored_kinds(self._model))
        return entity in rated_kinds(self._model), entity in self._model.screened


def _scale(rating: Rating | None, screened: Screened | None) -> float:
    """100 times the probability of being worse than the peers."""
    return 100 * (rating.probability_worse if rating is not None else 1 - (screened.p_value if screened else 0.5))


def _score(params: GetRiskScoreParams, rating: Rating | None, screened: Screened | None, stamp: DataStamp) -> RiskScore:
    abnormal = screened is not None and screened.q_value <= DEFAULT_FALSE_DISCOVERY_RATE
    reasons = [i.reason.en for i in screened.indicators if i.p_value < 0.05] if screened is not None else []
    interval = None
    if rating is not None:
        reasons.append(f"loss ratio {rating.adjusted:.3f} (shrunk) against {rating.portfolio:.3f} of the portfolio")
        shrunk = rating.adjusted_interval
        upper = None if shrunk.upper is None else shrunk.upper / rating.portfolio
        interval = Interval(shrunk.lower / rating.portfolio, upper, shrunk.level, shrunk.method)
    exposure = rating.exposure_years if rating is not None else float(screened.claims if screened else 0)
    return RiskScore(
        entity=params.entity,
        entity_id=params.entity_id,
        score=_scale(rating, screened),
        relative_risk=rating.relative_risk if rating is not None else None,
        relative_risk_interval=interval,
        grade=rating.grade if rating is not None else RatingGrade.UNRATED,
        abnormal=abnormal,
        reasons=tuple(reasons),
        exposure=exposure,
        stamp=stamp,
    )
