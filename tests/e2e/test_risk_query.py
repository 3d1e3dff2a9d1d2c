"""RiskQuery through a real server with all interceptors, over a store that the Flink loader has filled."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from google.protobuf import json_format

from sluice.client import AsyncSluice, errors
from sluice.risk.v1 import (
    anomalies_pb2,
    data_pb2,
    query_pb2,
    ratings_pb2,
    risk_query_pb2,
    semantic_model_pb2,
)
from tests.integration.risk.published import WATERMARK, publish
from tests.support.risk_server import risk_room
from tests.unit.risk.portfolio import MONTHS, channel_row
from tests.unit.risk.test_use_cases import portfolio

RISK_QUERY = risk_query_pb2.DESCRIPTOR.services_by_name["RiskQuery"]


@asynccontextmanager
async def serving(store_url: str) -> AsyncIterator[AsyncSluice]:
    """A server of the risk room alone, and a client of it."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            risk_room(f"sqlite+aiosqlite:///{folder}/sluice.db", store_url) as room,
            room.client() as client,
        ):
            yield client


@pytest.fixture
async def empty(store_url: str) -> AsyncIterator[AsyncSluice]:
    """Before the first publication."""
    async with serving(store_url) as client:
        yield client


@pytest.fixture
async def client(store_url: str) -> AsyncIterator[AsyncSluice]:
    """With one published version."""
    await publish(store_url, portfolio())
    async with serving(store_url) as client:
        yield client


def typed(text: str) -> query_pb2.QueryRequest:
    """A query as a person types it."""
    return json_format.Parse(text, query_pb2.QueryRequest())


async def test_a_query_typed_as_json_is_answered_with_stamp_exposure_and_interval(client: AsyncSluice) -> None:
    text = '{"metrics": ["loss_ratio"], "dimensions": ["channel"], "order_by": ["-loss_ratio"], "page_size": 2}'
    answer = await client.risk.Query(typed(text))
    assert [row.dimensions["channel"] for row in answer.rows] == ["CH3", "CH2"]
    worst = answer.rows[0].metrics["loss_ratio"]
    assert worst.value == pytest.approx(140 * 30_000 / 10_000_000)
    assert (worst.numerator, worst.denominator, worst.exposure) == (4_200_000, 10_000_000, 1000.0)
    assert worst.interval.lower < worst.value < worst.interval.upper
    assert worst.interval.method == data_pb2.INTERVAL_METHOD_COMPOUND_POISSON
    assert answer.data.data_version == 1
    assert answer.data.watermark.ToDatetime(WATERMARK.tzinfo) == WATERMARK
    assert [column.name for column in answer.columns] == ["channel", "loss_ratio"]
    assert (answer.columns[1].label_zh, answer.columns[1].exposure_unit) == ("赔付率", "years")
    assert answer.total_size == 4
    text = text.replace("}", f', "page_token": "{answer.next_page_token}"}}')
    rest = await client.risk.Query(typed(text))
    assert [row.dimensions["channel"] for row in rest.rows] == ["CH1", "CH0"]
    assert rest.next_page_token == ""


async def test_totals_and_amounts_are_exact(client: AsyncSluice) -> None:
    answer = await client.risk.Query(typed('{"metrics": ["incurred"], "dimensions": ["channel"], "totals": true}'))
    assert answer.totals.metrics["incurred"].amount.amount_minor == 443 * 30_000
    assert answer.totals.metrics["incurred"].amount.currency_code == "CNY"
    assert sum(row.metrics["incurred"].amount.amount_minor for row in answer.rows) == 443 * 30_000


async def test_a_fan_out_is_refused_with_its_reason(client: AsyncSluice) -> None:
    with pytest.raises(errors.InvalidArgument) as refused:
        await client.risk.Query(typed('{"metrics": ["loss_ratio"], "dimensions": ["repair_shop"]}'))
    assert refused.value.reason == "INVALID_QUERY"
    assert [violation.field for violation in refused.value.violations] == ["dimensions"]
    assert "more than once" in refused.value.violations[0].description


async def test_every_wrong_field_of_a_query_is_named_at_once(client: AsyncSluice) -> None:
    request = query_pb2.QueryRequest(
        metrics=["los_ratio", ""],
        dimensions=["channel", "channel"],
        filters=[
            query_pb2.Filter(dimension="month", any_of=["soon"]),
            query_pb2.Filter(),
            query_pb2.Filter(dimension="channel", below="x" * 300),
        ],
        having=[query_pb2.MetricFilter(metric="claims", at_least=float("nan"))],
        order_by=["-severity"],
        top=-1,
        page_size=1001,
        data_version=-1,
        interval_level=1.5,
    )
    with pytest.raises(errors.InvalidArgument) as refused:
        await client.risk.Query(request)
    assert {violation.field for violation in refused.value.violations} == {
        "metrics[0]", "metrics[1]", "dimensions[1]", "filters[0].any_of[0]", "filters[1].dimension",
        "filters[2].below", "having[0].metric", "having[0].at_least", "order_by[0]", "top", "page_size", "data_version",
        "interval_level",
    }  # fmt: skip


async def test_a_request_without_metrics_and_one_with_too_many_are_refused(client: AsyncSluice) -> None:
    for request, fields in (
        (query_pb2.QueryRequest(), {"metrics"}),
        (query_pb2.QueryRequest(metrics=["claims"] * 21, dimensions=["month"] * 7), {"metrics", "dimensions"}),
        (query_pb2.QueryRequest(metrics=["claims"], page_token="nonsense"), {"page_token"}),
    ):
        with pytest.raises(errors.InvalidArgument) as refused:
            await client.risk.Query(request)
        assert {violation.field for violation in refused.value.violations} == fields


async def test_before_the_first_publication_only_figures_are_missing(empty: AsyncSluice) -> None:
    described = await empty.risk.DescribeModel(semantic_model_pb2.DescribeModelRequest())
    assert not described.HasField("data")
    assert len((await empty.risk.ListDataVersions(data_pb2.ListDataVersionsRequest())).data_versions) == 0
    calls: list[Any] = [
        empty.risk.Query(query_pb2.QueryRequest(metrics=["claims"])),
        empty.risk.ListRatings(ratings_pb2.ListRatingsRequest()),
        empty.risk.ListAnomalies(anomalies_pb2.ListAnomaliesRequest()),
        empty.risk.GetRiskScore(ratings_pb2.GetRiskScoreRequest(entity="store", entity_id="S1")),
    ]
    for call in calls:
        with pytest.raises(errors.NotFound) as refused:
            await call
        assert refused.value.reason == "DATA_VERSION_NOT_FOUND"


async def test_the_model_is_described_in_both_languages_with_what_combines(client: AsyncSluice) -> None:
    described = await client.risk.DescribeModel(semantic_model_pb2.DescribeModelRequest(metrics=["loss_ratio"]))
    metric = next(metric for metric in described.metrics if metric.name == "loss_ratio")
    assert (metric.label.zh, metric.label.en) == ("赔付率", "Loss ratio")
    assert (metric.numerator, metric.denominator, metric.unit) == ("incurred", "earned_premium", "ratio")
    assert "device_model" in metric.dimensions
    assert "repair_shop" not in [dimension.name for dimension in described.dimensions]
    assert described.data.data_version == 1
    assert (described.currency_code, len(described.model_hash)) == ("CNY", 16)
    with pytest.raises(errors.InvalidArgument) as refused:
        await client.risk.DescribeModel(semantic_model_pb2.DescribeModelRequest(metrics=["x"], dimensions=["y"]))
    assert {violation.field for violation in refused.value.violations} == {"metrics[0]", "dimensions[0]"}


async def test_data_versions_are_paged_newest_first(client: AsyncSluice, store_url: str) -> None:
    await publish(store_url, {"channel_month": [channel_row("CH1")]})
    first = await client.risk.ListDataVersions(data_pb2.ListDataVersionsRequest(page_size=1))
    second = await client.risk.ListDataVersions(
        data_pb2.ListDataVersionsRequest(page_size=1, page_token=first.next_page_token)
    )
    newest, oldest = first.data_versions[0], second.data_versions[0]
    assert (newest.data_version, newest.active, newest.state) == (2, True, data_pb2.DATA_VERSION_STATE_PUBLISHED)
    assert (oldest.data_version, oldest.active, oldest.state) == (1, False, data_pb2.DATA_VERSION_STATE_SUPERSEDED)
    assert (newest.row_counts["channel_month"], newest.duration.ToMilliseconds()) == (1, 12_500)
    assert second.next_page_token == ""
    with pytest.raises(errors.InvalidArgument) as refused:
        await client.risk.ListDataVersions(
            data_pb2.ListDataVersionsRequest(page_size=-1, states=[data_pb2.DATA_VERSION_STATE_UNSPECIFIED])
        )
    assert {violation.field for violation in refused.value.violations} == {"page_size", "states[0]"}


async def test_ratings_show_raw_and_adjusted_side_by_side_the_worst_first(client: AsyncSluice) -> None:
    answer = await client.risk.ListRatings(ratings_pb2.ListRatingsRequest(entity="channel"))
    worst = answer.ratings[0]
    assert (worst.entity, worst.entity_id, answer.total_size) == ("channel", "CH3", 4)
    assert worst.portfolio < worst.adjusted < worst.raw
    assert worst.adjusted_interval.lower < worst.adjusted < worst.adjusted_interval.upper
    assert worst.grade != ratings_pb2.RATING_GRADE_UNSPECIFIED
    assert worst.basis == ratings_pb2.RATING_BASIS_LOSS_RATIO
    assert answer.data.data_version == 1
    unknown: Any = 9
    request = ratings_pb2.ListRatingsRequest(
        entity="planet", basis=unknown, grades=[unknown], entity_ids=[""], page_size=-1, data_version=-1,
        interval_level=2.0,
    )  # fmt: skip
    with pytest.raises(errors.InvalidArgument) as refused:
        await client.risk.ListRatings(request)
    assert {violation.field for violation in refused.value.violations} == {
        "entity", "basis", "grades[0]", "entity_ids[0]", "page_size", "data_version", "interval_level",
    }  # fmt: skip


async def test_anomalies_come_with_their_evidence(client: AsyncSluice) -> None:
    answer = await client.risk.ListAnomalies(anomalies_pb2.ListAnomaliesRequest())
    assert {(a.entity, a.entity_id) for a in answer.anomalies} == {("store", "S39"), ("repair_shop", "R19")}
    assert (dict(answer.screened), dict(answer.flagged)) == (
        {"store": 40, "repair_shop": 20},
        {"store": 1, "repair_shop": 1},
    )
    store = next(anomaly for anomaly in answer.anomalies if anomaly.entity == "store")
    evidence = store.indicators[0]
    assert (store.flagged, store.channel_id, evidence.name) == (True, "CH3", "claim_frequency")
    assert (evidence.observed, evidence.unit) == (40, "claims")
    assert evidence.ratio > 3
    assert "40 claims" in evidence.reason_en
    assert "40 件" in evidence.reason_zh
    assert store.q_value >= store.p_value
    request = anomalies_pb2.ListAnomaliesRequest(entity="channel", false_discovery_rate=0.9, page_size=5000)
    with pytest.raises(errors.InvalidArgument) as refused:
        await client.risk.ListAnomalies(request)
    assert {v.field for v in refused.value.violations} == {"entity", "false_discovery_rate", "page_size"}


async def test_scores_are_given_and_unknown_entities_refused(client: AsyncSluice) -> None:
    score = await client.risk.GetRiskScore(ratings_pb2.GetRiskScoreRequest(entity="store", entity_id="S39"))
    assert score.abnormal
    assert score.score > 95
    assert score.relative_risk > 1
    assert score.data.data_version == 1
    with pytest.raises(errors.NotFound) as unknown:
        await client.risk.GetRiskScore(ratings_pb2.GetRiskScoreRequest(entity="store", entity_id="S99"))
    assert unknown.value.reason == "RISK_RESOURCE_NOT_FOUND"
    with pytest.raises(errors.InvalidArgument) as refused:
        await client.risk.GetRiskScore(ratings_pb2.GetRiskScoreRequest(entity="planet"))
    assert {violation.field for violation in refused.value.violations} == {"entity", "entity_id"}


async def test_a_watch_sends_a_fresh_answer_after_a_publication(client: AsyncSluice, store_url: str) -> None:
    request = query_pb2.WatchQueryRequest(query=query_pb2.QueryRequest(metrics=["claims"]))
    answers: Any = aiter(client.risk.WatchQuery(request))
    first = await anext(answers)
    await publish(store_url, {"channel_month": [channel_row("CH1", MONTHS[0], claims=7)]})
    second = await anext(answers)
    assert (first.sequence, second.sequence) == (1, 2)
    assert (first.answer.rows[0].metrics["claims"].value, second.answer.rows[0].metrics["claims"].value) == (443, 7)
    assert (first.answer.data.data_version, second.answer.data.data_version) == (1, 2)


async def test_a_watch_with_a_page_is_refused(client: AsyncSluice) -> None:
    query = query_pb2.QueryRequest(metrics=["claims"], page_token="x", data_version=3, page_size=-1)
    with pytest.raises(errors.InvalidArgument) as refused:
        await anext(aiter(client.risk.WatchQuery(query_pb2.WatchQueryRequest(query=query))))
    assert {violation.field for violation in refused.value.violations} == {
        "query.page_token", "query.data_version", "query.page_size",
    }  # fmt: skip


TESTED = {
    "RenderChart",
    "ListDashboards",
    "SaveDashboard",
    "DeleteDashboard",
    "DescribeModel",
    "Query",
    "WatchQuery",
    "ListDataVersions",
    "ListRatings",
    "ListAnomalies",
    "GetRiskScore",
    # By test_pricing.py.
    "ListModelVersions",
    "GetModelValidation",
    "QuotePremium",
    "ProposePrice",
    "ActivateModel",
    # By test_risk_groups.py.
    "ListRiskGroups",
    # By test_risk_alerts.py.
    "ListAlertRules",
    "SaveAlertRule",
    "ListAlerts",
    "AcknowledgeAlert",
    "WatchAlerts",
}


def test_every_call_of_the_contract_is_tested() -> None:
    assert {method.name for method in RISK_QUERY.methods} == TESTED
