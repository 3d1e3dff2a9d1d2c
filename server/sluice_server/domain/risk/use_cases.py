"""The use cases of the risk room, built over one reader."""

from __future__ import annotations

from dataclasses import dataclass

from sluice_server.domain.risk.anomalies.list_anomalies import ListAnomalies
from sluice_server.domain.risk.list_data_versions import ListDataVersions
from sluice_server.domain.risk.ports import RiskReader
from sluice_server.domain.risk.ratings.get_risk_score import GetRiskScore
from sluice_server.domain.risk.ratings.list_ratings import ListRatings
from sluice_server.domain.risk.semantic.answer_query import AnswerQuery
from sluice_server.domain.risk.semantic.describe_model import DescribeModel
from sluice_server.domain.risk.semantic.semantic_model import SemanticModel
from sluice_server.domain.risk.variation import AmountVariation


@dataclass(frozen=True, slots=True)
class RiskUseCases:
    """What the RiskQuery service calls. They share their caches, which hold results by data version."""

    model: SemanticModel
    describe_model: DescribeModel
    answer_query: AnswerQuery
    list_data_versions: ListDataVersions
    list_ratings: ListRatings
    list_anomalies: ListAnomalies
    get_risk_score: GetRiskScore


def build_risk_use_cases(model: SemanticModel, reader: RiskReader) -> RiskUseCases:
    """The use cases over ``reader``, answering in words of ``model``."""
    variation = AmountVariation(reader)
    ratings = ListRatings(model, reader, variation)
    anomalies = ListAnomalies(model, reader, variation)
    return RiskUseCases(
        model=model,
        describe_model=DescribeModel(model, reader),
        answer_query=AnswerQuery(model, reader, variation),
        list_data_versions=ListDataVersions(reader),
        list_ratings=ratings,
        list_anomalies=anomalies,
        get_risk_score=GetRiskScore(model, reader, ratings, anomalies),
    )
