"""From RiskQuery's requests to parameters. Every violation of a request is collected before it is refused."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from sluice.risk.v1 import anomalies_pb2, data_pb2, query_pb2, ratings_pb2, semantic_model_pb2
from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.anomalies.list_anomalies import DEFAULT_FALSE_DISCOVERY_RATE, ListAnomaliesParams
from sluice_server.domain.risk.data_version import DataVersionState
from sluice_server.domain.risk.list_data_versions import ListDataVersionsParams
from sluice_server.domain.risk.paging import Page
from sluice_server.domain.risk.ratings.get_risk_score import GetRiskScoreParams
from sluice_server.domain.risk.ratings.grades import RatingBasis, RatingGrade
from sluice_server.domain.risk.ratings.list_ratings import ListRatingsParams
from sluice_server.domain.risk.ratings.rated_experience import listed_kinds, scored_kinds
from sluice_server.domain.risk.semantic.answer_query import QueryParams
from sluice_server.domain.risk.semantic.describe_model import DescribeModelParams
from sluice_server.domain.risk.semantic.question import Filter, MetricFilter, Question
from sluice_server.domain.risk.semantic.semantic_model import SemanticModel

MAX_PAGE_SIZE = 1000
MAX_METRICS = 20
MAX_DIMENSIONS = 6
MAX_FILTERS = 20
MAX_VALUES = 1000
MAX_TEXT = 200
MAX_TOP = 10_000
DEFAULT_LEVEL = 0.95

GRADES = {
    RatingGrade.A: ratings_pb2.RATING_GRADE_A,
    RatingGrade.B: ratings_pb2.RATING_GRADE_B,
    RatingGrade.C: ratings_pb2.RATING_GRADE_C,
    RatingGrade.D: ratings_pb2.RATING_GRADE_D,
    RatingGrade.E: ratings_pb2.RATING_GRADE_E,
    RatingGrade.UNRATED: ratings_pb2.RATING_GRADE_UNSPECIFIED,
}
BASES = {
    RatingBasis.CLAIM_FREQUENCY: ratings_pb2.RATING_BASIS_CLAIM_FREQUENCY,
    RatingBasis.LOSS_RATIO: ratings_pb2.RATING_BASIS_LOSS_RATIO,
}
STATES = {
    DataVersionState.PUBLISHED: data_pb2.DATA_VERSION_STATE_PUBLISHED,
    DataVersionState.SUPERSEDED: data_pb2.DATA_VERSION_STATE_SUPERSEDED,
    DataVersionState.FAILED: data_pb2.DATA_VERSION_STATE_FAILED,
}


class Checks:
    """Reads fields of one request, notes what is wrong, and refuses once at the end."""

    def __init__(self, prefix: str = "") -> None:
        self._prefix = prefix
        self._wrong: list[Violation] = []

    def wrong(self, field: str, description: str) -> None:
        self._wrong.append(Violation(self._prefix + field, description))

    @property
    def found(self) -> tuple[Violation, ...]:
        return tuple(self._wrong)

    def done(self) -> None:
        """Raises InvalidInput with everything that was wrong."""
        if self._wrong:
            raise InvalidInput(self._wrong)

    def page(self, size: int, token: str, default: int) -> Page:
        if not 0 <= size <= MAX_PAGE_SIZE:
            self.wrong("page_size", f"must be 0 to {MAX_PAGE_SIZE:,}")
        if len(token) > 1000:
            self.wrong("page_token", "not a token that this server gave out")
        return Page(size or default, token)

    def data_version(self, value: int) -> int | None:
        if value < 0:
            self.wrong("data_version", "must not be negative; 0 means the active one")
        return value or None

    def level(self, value: float) -> float:
        if value and not 0.5 <= value <= 0.999:
            self.wrong("interval_level", "must be 0.5 to 0.999; 0 means 0.95")
        return value or DEFAULT_LEVEL

    def texts(self, field: str, values: Sequence[str], most: int) -> tuple[str, ...]:
        if len(values) > most:
            self.wrong(field, f"at most {most:,} are allowed, not {len(values):,}")
            return ()
        for i, value in enumerate(values):
            if not value or len(value) > MAX_TEXT:
                self.wrong(f"{field}[{i}]", f"must have 1 to {MAX_TEXT} characters")
        return tuple(values)

    def text(self, field: str, value: str, *, required: bool = False) -> str:
        if len(value) > MAX_TEXT:
            self.wrong(field, f"must have at most {MAX_TEXT} characters")
        if required and not value:
            self.wrong(field, "is required")
        return value

    def one_of(self, field: str, value: str, known: Iterable[str]) -> str:
        if value not in known:
            self.wrong(field, f"{value[:MAX_TEXT]!r} is not one of {', '.join(known)}" if value else "is required")
        return value

    def count(self, field: str, value: int, most: int) -> int:
        if not 0 <= value <= most:
            self.wrong(field, f"must be 0 to {most:,}")
        return value

    def number(self, field: str, value: float) -> float:
        if not math.isfinite(value):
            self.wrong(field, "must be a finite number")
        return value


def describe_model_params(
    request: semantic_model_pb2.DescribeModelRequest, model: SemanticModel
) -> DescribeModelParams:
    checks = Checks()
    for field, names, known in (
        ("metrics", request.metrics, model.metrics),
        ("dimensions", request.dimensions, model.dimensions),
    ):
        if len(names) > len(known):
            checks.wrong(field, f"there are only {len(known)}")
        for i, name in enumerate(names[: len(known)]):
            checks.one_of(f"{field}[{i}]", name, known)
    checks.done()
    return DescribeModelParams(tuple(request.metrics), tuple(request.dimensions))


def query_params(request: query_pb2.QueryRequest) -> QueryParams:
    return parsed_query(request, Checks())


def watch_query_params(request: query_pb2.WatchQueryRequest) -> QueryParams:
    checks = Checks("query.")
    if request.query.page_token:
        checks.wrong("page_token", "must be empty: a watch always sends the first page")
    if request.query.data_version:
        checks.wrong("data_version", "must be 0: a watch always reads the active version")
    return parsed_query(request.query, checks)


def parsed_query(request: query_pb2.QueryRequest, checks: Checks) -> QueryParams:
    if not 0 <= request.top <= MAX_TOP:
        checks.wrong("top", f"must be 0 to {MAX_TOP:,}")
    if len(request.filters) > MAX_FILTERS:
        checks.wrong("filters", f"at most {MAX_FILTERS} are allowed, not {len(request.filters):,}")
    if len(request.having) > MAX_FILTERS:
        checks.wrong("having", f"at most {MAX_FILTERS} are allowed, not {len(request.having):,}")
    question = Question(
        metrics=checks.texts("metrics", request.metrics, MAX_METRICS),
        dimensions=checks.texts("dimensions", request.dimensions, MAX_DIMENSIONS),
        filters=tuple(filter_of(item, f"filters[{i}]", checks) for i, item in enumerate(request.filters[:MAX_FILTERS])),
        having=tuple(_having(item, f"having[{i}]", checks) for i, item in enumerate(request.having[:MAX_FILTERS])),
        order_by=checks.texts("order_by", request.order_by, MAX_METRICS + MAX_DIMENSIONS),
        top=request.top,
        totals=request.totals,
    )
    return QueryParams(
        question=question,
        page=checks.page(request.page_size, request.page_token, 100),
        data_version=checks.data_version(request.data_version),
        interval_level=checks.level(request.interval_level),
        violations=checks.found,
    )


def filter_of(item: query_pb2.Filter, field: str, checks: Checks) -> Filter:
    return Filter(
        dimension=checks.text(f"{field}.dimension", item.dimension, required=True),
        any_of=checks.texts(f"{field}.any_of", item.any_of, MAX_VALUES),
        none_of=checks.texts(f"{field}.none_of", item.none_of, MAX_VALUES),
        at_least=checks.text(f"{field}.at_least", item.at_least),
        below=checks.text(f"{field}.below", item.below),
        last=checks.count(f"{field}.last", item.last, MAX_TOP),
    )


def _having(item: query_pb2.MetricFilter, field: str, checks: Checks) -> MetricFilter:
    return MetricFilter(
        metric=checks.text(f"{field}.metric", item.metric, required=True),
        at_least=checks.number(f"{field}.at_least", item.at_least) if item.HasField("at_least") else None,
        below=checks.number(f"{field}.below", item.below) if item.HasField("below") else None,
    )


def list_data_versions_params(request: data_pb2.ListDataVersionsRequest) -> ListDataVersionsParams:
    checks = Checks()
    by_number = {int(number): state for state, number in STATES.items()}
    for i, number in enumerate(request.states):
        if number not in by_number:
            checks.wrong(f"states[{i}]", f"must be one of {', '.join(STATES)}")
    page = checks.page(request.page_size, request.page_token, 50)
    checks.done()
    return ListDataVersionsParams(tuple(by_number[number] for number in request.states), page)


def list_ratings_params(request: ratings_pb2.ListRatingsRequest, model: SemanticModel) -> ListRatingsParams:
    checks = Checks()
    bases = {ratings_pb2.RATING_BASIS_UNSPECIFIED: RatingBasis.LOSS_RATIO} | {n: basis for basis, n in BASES.items()}
    if request.basis not in bases:
        checks.wrong("basis", f"must be one of {', '.join(BASES)}")
    grades = {int(number): grade for grade, number in GRADES.items()}
    for i, number in enumerate(request.grades):
        if number not in grades:
            checks.wrong(f"grades[{i}]", "must be one of A, B, C, D, E")
    params = ListRatingsParams(
        entity=checks.one_of("entity", request.entity or "channel", listed_kinds(model)),
        basis=bases.get(request.basis, RatingBasis.LOSS_RATIO),
        page=checks.page(request.page_size, request.page_token, 50),
        grades=tuple(grades[number] for number in request.grades if number in grades),
        entity_ids=checks.texts("entity_ids", request.entity_ids, MAX_VALUES),
        data_version=checks.data_version(request.data_version),
        interval_level=checks.level(request.interval_level),
    )
    checks.done()
    return params


def list_anomalies_params(request: anomalies_pb2.ListAnomaliesRequest, model: SemanticModel) -> ListAnomaliesParams:
    checks = Checks()
    if not 0 <= request.false_discovery_rate <= 0.5:
        checks.wrong("false_discovery_rate", "must be above 0 and at most 0.5; 0 means 0.01")
    params = ListAnomaliesParams(
        entity=checks.one_of("entity", request.entity, model.screened) if request.entity else "",
        page=checks.page(request.page_size, request.page_token, 50),
        false_discovery_rate=request.false_discovery_rate or DEFAULT_FALSE_DISCOVERY_RATE,
        include_unflagged=request.include_unflagged,
        entity_ids=checks.texts("entity_ids", request.entity_ids, MAX_VALUES),
        data_version=checks.data_version(request.data_version),
    )
    checks.done()
    return params


def get_risk_score_params(request: ratings_pb2.GetRiskScoreRequest, model: SemanticModel) -> GetRiskScoreParams:
    checks = Checks()
    params = GetRiskScoreParams(
        entity=checks.one_of("entity", request.entity, scored_kinds(model)),
        entity_id=checks.text("entity_id", request.entity_id, required=True),
        data_version=checks.data_version(request.data_version),
    )
    checks.done()
    return params
