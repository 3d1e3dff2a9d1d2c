"""Metrics that run along time through a real server, on both databases."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator

import pytest
from google.protobuf import json_format

from sluice.client import AsyncSluice, errors
from sluice.risk.v1 import data_pb2, query_pb2, semantic_model_pb2
from tests.integration.risk.published import publish
from tests.support.risk_server import risk_room
from tests.unit.risk.charts.pictures import MONTHS
from tests.unit.risk.portfolio import channel_row


@pytest.fixture
async def client(store_url: str) -> AsyncIterator[AsyncSluice]:
    """The claims of a channel grow by one each month."""
    rows = [channel_row(f"CH{c}", month, claims=i + c) for c in range(2) for i, month in enumerate(MONTHS)]
    await publish(store_url, {"channel_month": rows})
    with tempfile.TemporaryDirectory() as folder:
        async with risk_room(f"sqlite+aiosqlite:///{folder}/sluice.db", store_url) as room, room.client() as client:
            yield client


def typed(text: str) -> query_pb2.QueryRequest:
    return json_format.Parse(text, query_pb2.QueryRequest())


async def test_the_model_says_what_runs_along_time(client: AsyncSluice) -> None:
    described = await client.risk.DescribeModel(semantic_model_pb2.DescribeModelRequest())
    metrics = {metric.name: metric for metric in described.metrics}
    rolled, changed = metrics["loss_ratio_12m"], metrics["claim_frequency_yoy"]
    assert (rolled.kind, rolled.base, rolled.span) == (3, "loss_ratio", "12 months")
    assert rolled.interval_method == data_pb2.INTERVAL_METHOD_COMPOUND_POISSON
    assert (changed.kind, changed.base, changed.span) == (4, "claim_frequency", "1 year before")
    assert changed.interval_method == data_pb2.INTERVAL_METHOD_RECOVERED_VARIANCE
    assert metrics["earned_premium_ytd"].span == "year to date"
    assert metrics["claims_to_date"].span == "all periods"
    assert not changed.additive
    assert "claim_frequency" in changed.not_additive_reason


async def test_a_question_along_time_is_answered_and_paged(client: AsyncSluice) -> None:
    text = """{"metrics": ["claims", "claims_to_date", "claim_frequency_yoy"], "dimensions": ["channel", "month"],
        "filters": [{"dimension": "month", "last": 2}], "order_by": ["-claims_to_date"],
        "page_size": 3, "totals": true}"""
    first = await client.risk.Query(typed(text))
    assert first.total_size == 4
    top = first.rows[0]
    assert dict(top.dimensions) == {"channel": "CH1", "month": "2026-10-01"}
    assert top.metrics["claims_to_date"].value == sum(i + 1 for i in range(34))
    change = top.metrics["claim_frequency_yoy"]
    assert change.value == pytest.approx(34 / 22 - 1)
    assert change.interval.lower < change.value < change.interval.upper
    assert (change.numerator, change.denominator, change.exposure) == (3.4, 2.2, 10.0)
    assert first.totals.metrics["claims"].value == 32 + 33 + 33 + 34
    assert "claims_to_date" not in first.totals.metrics
    rest = typed(text)
    rest.page_token = first.next_page_token
    assert [row.dimensions["channel"] for row in (await client.risk.Query(rest)).rows] == ["CH0"]


async def test_what_cannot_run_along_time_names_its_field(client: AsyncSluice) -> None:
    with pytest.raises(errors.InvalidArgument) as refused:
        await client.risk.Query(typed('{"metrics": ["claims_to_date"], "dimensions": ["channel"]}'))
    assert refused.value.reason == "INVALID_QUERY"
    assert [violation.field for violation in refused.value.violations] == ["dimensions"]
    both = '{"metrics": ["claims"], "filters": [{"dimension": "month", "last": 2, "at_least": "2026-01"}]}'
    with pytest.raises(errors.InvalidArgument) as refused:
        await client.risk.Query(typed(both))
    assert [violation.field for violation in refused.value.violations] == ["filters[0].last"]
    for wrong in ('"month", "last": -1', '"channel", "last": 3'):
        with pytest.raises(errors.InvalidArgument) as refused:
            await client.risk.Query(typed(f'{{"metrics": ["claims"], "filters": [{{"dimension": {wrong}}}]}}'))
        assert [violation.field for violation in refused.value.violations] == ["filters[0].last"]
