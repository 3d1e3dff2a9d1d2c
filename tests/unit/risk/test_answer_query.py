"""Questions answered over a store in memory: totals, paging, versions, intervals, caching."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice_server.domain.errors import DataVersionNotFound, InvalidPageToken
from sluice_server.domain.risk.paging import Page
from sluice_server.domain.risk.semantic.answer_query import AnswerQuery, AnswerRow, QueryAnswer, QueryParams
from sluice_server.domain.risk.semantic.model_yaml import shipped_model
from sluice_server.domain.risk.semantic.question import Filter, MetricFilter, Question
from sluice_server.domain.risk.semantic.semantic_model import IntervalMethod
from sluice_server.domain.risk.variation import AmountVariation
from tests.unit.risk.fake_reader import CONTEXT, FakeRiskReader
from tests.unit.risk.portfolio import MONTHS, by_channel, channel_months, channel_row

MODEL = shipped_model()
ADDITIVE = ("exposure_years", "earned_premium", "claims", "denied_claims", "incurred")


def over(reader: FakeRiskReader) -> AnswerQuery:
    return AnswerQuery(MODEL, reader, AmountVariation(reader))


def asked(*metrics: str, size: int = 100, token: str = "", version: int | None = None, **question: Any) -> QueryParams:
    return QueryParams(Question(metrics, **question), Page(size, token), version)


def column(answer: QueryAnswer, metric: str) -> list[float | None]:
    return [row.metrics[metric].value for row in answer.rows]


@given(channel_months(), st.sampled_from([("channel",), ("month",), ("channel", "quarter"), ("year",)]))
def test_totals_of_additive_metrics_are_the_sums_of_their_parts(
    rows: list[dict[str, Any]], dimensions: tuple[str, ...]
) -> None:
    params = asked(*ADDITIVE, dimensions=dimensions, totals=True, size=1000)
    answer = asyncio.run(over(FakeRiskReader({"channel_month": rows}))(params, CONTEXT))
    assert answer.totals is not None
    for metric in ADDITIVE:
        parts = [row.metrics[metric].value or 0.0 for row in answer.rows]
        assert answer.totals.metrics[metric].value == sum(parts)


@settings(deadline=None)
@given(channel_months(), st.integers(1, 7), st.sampled_from([(), ("-loss_ratio",), ("loss_ratio",), ("-claims",)]))
def test_pages_joined_are_the_whole_answer(rows: list[dict[str, Any]], size: int, order_by: tuple[str, ...]) -> None:
    async def pages() -> None:
        query = over(FakeRiskReader({"channel_month": rows}))
        question: dict[str, Any] = {"dimensions": ("channel", "month"), "order_by": order_by}
        whole = await query(asked("loss_ratio", "claims", size=1000, **question), CONTEXT)
        found: list[AnswerRow] = []
        token = ""
        while True:
            page = await query(asked("loss_ratio", "claims", size=size, token=token, **question), CONTEXT)
            found += page.rows
            assert page.total_size == len(whole.rows)
            token = page.next_page_token
            if not token:
                break
        assert tuple(found) == whole.rows

    asyncio.run(pages())


async def test_a_ratio_is_the_ratio_of_sums_with_its_parts_exposure_and_interval() -> None:
    rows = [
        channel_row("CH1", MONTHS[0], earned_premium_minor=100, incurred_minor=100, claims=1, exposure_years=1.0),
        channel_row("CH1", MONTHS[1], earned_premium_minor=900, incurred_minor=0, claims=0, exposure_years=9.0),
    ]
    answer = await over(FakeRiskReader({"channel_month": rows}))(asked("loss_ratio", "claim_frequency"), CONTEXT)
    ratio, frequency = (answer.rows[0].metrics[name] for name in ("loss_ratio", "claim_frequency"))
    assert (ratio.value, ratio.numerator, ratio.denominator, ratio.exposure) == (0.1, 100, 1000, 10.0)
    assert ratio.interval is not None
    assert ratio.interval.method is IntervalMethod.COMPOUND_POISSON
    assert frequency.interval is not None
    assert frequency.interval.upper == pytest.approx(5.5716 / 10, abs=1e-4)  # Garwood: 1 event, 95 %
    assert answer.exposure_unit == "years"


async def test_a_ratio_over_nothing_has_no_value_and_comes_last_in_any_order() -> None:
    rows = [
        channel_row("CH1", earned_premium_minor=0),
        channel_row("CH2", incurred_minor=10),
        channel_row("CH3", incurred_minor=20),
    ]
    query = over(FakeRiskReader({"channel_month": rows}))
    for order, expected in (("loss_ratio", ["CH2", "CH3", "CH1"]), ("-loss_ratio", ["CH3", "CH2", "CH1"])):
        answer = await query(asked("loss_ratio", dimensions=("channel",), order_by=(order,)), CONTEXT)
        assert [row.dimensions["channel"] for row in answer.rows] == expected
        assert column(answer, "loss_ratio")[-1] is None
        assert answer.rows[-1].metrics["loss_ratio"].interval is None


async def test_amounts_are_exact_money() -> None:
    rows = [channel_row("CH1", incurred_minor=2**53 + 1)]
    answer = await over(FakeRiskReader({"channel_month": rows}))(asked("incurred"), CONTEXT)
    amount = answer.rows[0].metrics["incurred"].amount
    assert amount is not None
    assert (amount.amount_minor, amount.currency_code) == (2**53 + 1, "CNY")


async def test_top_cuts_the_rows_and_their_number_but_not_the_totals() -> None:
    rows = [channel_row(f"CH{i}", claims=i) for i in range(1, 6)]
    query = over(FakeRiskReader({"channel_month": rows}))
    question: dict[str, Any] = {"dimensions": ("channel",), "order_by": ("-claims",), "top": 3, "totals": True}
    first = await query(asked("claims", size=2, **question), CONTEXT)
    second = await query(asked("claims", size=2, token=first.next_page_token, **question), CONTEXT)
    assert (column(first, "claims"), column(second, "claims")) == ([5, 4], [3])
    assert (first.total_size, second.total_size, second.next_page_token) == (3, 3, "")
    assert first.totals is not None
    assert first.totals.metrics["claims"].value == sum(by_channel(rows, "claims").values())


async def test_filters_and_having_restrict_the_rows() -> None:
    rows = [channel_row(c, m, claims=n) for c, m, n in (("A", MONTHS[0], 1), ("A", MONTHS[2], 5), ("B", MONTHS[2], 2))]
    query = over(FakeRiskReader({"channel_month": rows}))
    months = Filter("month", at_least="2026-01", below="2026-02")
    answer = await query(
        asked("claims", dimensions=("channel",), filters=(months,), having=(MetricFilter("claims", at_least=3),)),
        CONTEXT,
    )
    assert [(row.dimensions["channel"], row.metrics["claims"].value) for row in answer.rows] == [("A", 5)]


async def test_a_page_keeps_to_the_version_of_the_first_page() -> None:
    old, new = ([channel_row(f"CH{i}", claims=n) for i in range(4)] for n in (1, 7))
    reader = FakeRiskReader({"channel_month": old})
    query = over(reader)
    first = await query(asked("claims", dimensions=("channel",), size=2), CONTEXT)
    await reader.publish({"channel_month": new})
    second = await query(asked("claims", dimensions=("channel",), size=2, token=first.next_page_token), CONTEXT)
    fresh = await query(asked("claims", dimensions=("channel",), size=2), CONTEXT)
    assert (column(second, "claims"), second.stamp.data_version) == ([1, 1], 1)
    assert (column(fresh, "claims"), fresh.stamp.data_version) == ([7, 7], 2)


async def test_a_token_of_another_question_is_refused() -> None:
    query = over(FakeRiskReader({"channel_month": [channel_row(f"CH{i}") for i in range(4)]}))
    first = await query(asked("claims", dimensions=("channel",), size=2), CONTEXT)
    for params in (
        asked("incurred", dimensions=("channel",), size=2, token=first.next_page_token),
        asked("claims", dimensions=("channel",), size=2, token=first.next_page_token[:-2]),
        asked("claims", dimensions=("channel",), size=2, token="x"),
        asked("claims", dimensions=("channel",), size=2, token="é"),
    ):
        with pytest.raises(InvalidPageToken):
            await query(params, CONTEXT)


async def test_an_earlier_version_can_be_asked_and_an_unknown_one_is_refused() -> None:
    reader = FakeRiskReader(*({"channel_month": [channel_row("CH1", claims=n)]} for n in (1, 7)))
    query = over(reader)
    assert column(await query(asked("claims", version=1), CONTEXT), "claims") == [1]
    with pytest.raises(DataVersionNotFound):
        await query(asked("claims", version=3), CONTEXT)
    with pytest.raises(DataVersionNotFound):
        await over(FakeRiskReader())(asked("claims"), CONTEXT)


async def test_the_same_question_is_read_once_for_each_version() -> None:
    reader = FakeRiskReader({"channel_month": [channel_row("CH1")]})
    query = over(reader)
    for _ in range(3):
        await query(asked("claims"), CONTEXT)
    assert reader.selects == 1
    await reader.publish({"channel_month": []})
    answer = await query(asked("claims"), CONTEXT)
    assert (reader.selects, column(answer, "claims")) == (2, [0])


async def test_a_month_that_the_watermark_cuts_short_is_noted() -> None:
    query = over(FakeRiskReader({"channel_month": [channel_row("CH1", date(2026, 11, 1))]}))
    assert "2026-11-01" in (await query(asked("claims", dimensions=("month",)), CONTEXT)).notes[0]
    assert (await query(asked("claims"), CONTEXT)).notes == ()


async def test_a_watch_answers_at_once_and_after_every_publication() -> None:
    reader = FakeRiskReader({"channel_month": [channel_row("CH1", claims=1)]})
    answers = over(reader).watch(asked("claims"), CONTEXT)
    assert column(await anext(answers), "claims") == [1]
    waiting = asyncio.ensure_future(anext(answers))
    await reader.publish({"channel_month": [channel_row("CH1", claims=2)]})
    assert column(await waiting, "claims") == [2]
    await answers.aclose()
