"""Cumulative and period over period metrics, held against sums computed anew for every row."""

from __future__ import annotations

import asyncio
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice_server.domain.errors import InvalidQuery
from sluice_server.domain.risk.intervals import Interval, poisson_rate
from sluice_server.domain.risk.paging import Page
from sluice_server.domain.risk.semantic.answer_query import AnswerQuery, AnswerRow, QueryAnswer, QueryParams
from sluice_server.domain.risk.semantic.model_yaml import shipped_model
from sluice_server.domain.risk.semantic.over_time import changed_interval
from sluice_server.domain.risk.semantic.question import Filter, MetricFilter, Question
from sluice_server.domain.risk.semantic.semantic_model import Change, DimensionType, IntervalMethod, Span
from sluice_server.domain.risk.variation import AmountVariation
from tests.unit.risk.fake_reader import CONTEXT, FakeRiskReader
from tests.unit.risk.portfolio import channel_row

MODEL = shipped_model()
MONTHS = [date(2024 + m // 12, m % 12 + 1, 1) for m in range(30)]


def answered(rows: list[dict[str, Any]], *metrics: str, size: int = 1000, **question: Any) -> QueryAnswer:
    reader = FakeRiskReader({"channel_month": rows})
    asked = QueryParams(Question(metrics, **question), Page(size))
    return asyncio.run(AnswerQuery(MODEL, reader, AmountVariation(reader))(asked, CONTEXT))


def refused(*metrics: str, **question: Any) -> str:
    with pytest.raises(InvalidQuery) as error:
        answered([channel_row("CH0")], *metrics, **question)
    return "; ".join(violation.description for violation in error.value.violations)


def month(row: AnswerRow) -> date:
    return date.fromisoformat(row.dimensions["month"])


@st.composite
def histories(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Two channels over thirty months, with gaps; amounts and exposures are exact in binary."""
    return [
        channel_row(
            channel,
            start,
            claims=draw(st.integers(0, 9)),
            incurred_minor=draw(st.integers(0, 10**6)),
            earned_premium_minor=draw(st.integers(0, 10**6)),
            exposure_years=draw(st.integers(0, 80)) / 8,
        )
        for channel in ("CH0", "CH1")
        for start in MONTHS
        if draw(st.integers(0, 3))
    ]


def total(rows: list[dict[str, Any]], channel: str, column: str, first: date, last: date) -> Any:
    return sum(row[column] for row in rows if row["channel_id"] == channel and first <= row["month"] <= last)


@settings(deadline=None, max_examples=30)
@given(histories())
def test_windows_and_totals_to_date_are_what_their_months_add_up_to(rows: list[dict[str, Any]]) -> None:
    metrics = ("loss_ratio_12m", "earned_premium_ytd", "claims_to_date", "claims")
    answer = answered(rows, *metrics, dimensions=("channel", "month"))
    first = min((row["month"] for row in rows), default=MONTHS[0])
    for row in answer.rows:
        channel, at = row.dimensions["channel"], month(row)
        begin = Span(11, DimensionType.MONTH).before(at)
        premium = total(rows, channel, "earned_premium_minor", begin, at)
        incurred = total(rows, channel, "incurred_minor", begin, at)
        rolled = row.metrics["loss_ratio_12m"]
        if begin < first:
            assert rolled.value is None
        else:
            assert (rolled.numerator, rolled.denominator) == (incurred, premium)
            assert rolled.value == (incurred / premium if premium else None)
            assert rolled.exposure == total(rows, channel, "exposure_years", begin, at)
        to_date = row.metrics["earned_premium_ytd"]
        assert to_date.value == total(rows, channel, "earned_premium_minor", at.replace(month=1), at)
        assert to_date.amount is not None
        assert row.metrics["claims_to_date"].value == total(rows, channel, "claims", MONTHS[0], at)
        assert row.metrics["claims"].value == total(rows, channel, "claims", at, at)


@settings(deadline=None, max_examples=30)
@given(histories())
def test_a_period_is_compared_with_the_same_one_a_year_before(rows: list[dict[str, Any]]) -> None:
    answer = answered(rows, "claim_frequency_yoy", "exposure_added_mom", dimensions=("month", "channel"))
    first = min((row["month"] for row in rows), default=MONTHS[0])
    for row in answer.rows:
        channel, at = row.dimensions["channel"], month(row)
        frequency = {}
        for start in (at, at.replace(year=at.year - 1)):
            years = total(rows, channel, "exposure_years", start, start)
            frequency[start] = total(rows, channel, "claims", start, start) / years if years else None
        now, before = frequency.values()
        found = row.metrics["claim_frequency_yoy"]
        known = at.replace(year=at.year - 1) >= first
        assert found.value == (now / before - 1 if known and now is not None and before else None)
        assert found.numerator == now
        previous = Span(1, DimensionType.MONTH).before(at)
        added = row.metrics["exposure_added_mom"].value
        years = [total(rows, channel, "exposure_years", start, start) for start in (at, previous)]
        assert added == (years[0] - years[1] if previous >= first else None)


def test_filters_on_time_choose_rows_and_do_not_shorten_windows() -> None:
    rows = [channel_row("CH0", start, claims=i) for i, start in enumerate(MONTHS)]
    recent: dict[str, Any] = {"dimensions": ("month",), "filters": (Filter("month", at_least="2026-05"),)}
    answer = answered(rows, "claims_to_date", "claims", totals=True, **recent)
    assert [row.metrics["claims_to_date"].value for row in answer.rows] == [sum(range(29)), sum(range(30))]
    assert answer.totals is not None
    assert answer.totals.metrics["claims"].value == 28 + 29
    assert "claims_to_date" not in answer.totals.metrics
    year = answered(rows, "claims_to_date", dimensions=("month",), filters=(Filter("year", ("2024",)),))
    assert year.total_size == 12


def test_rows_are_sorted_kept_and_cut_by_what_runs_along_time() -> None:
    rows = [
        channel_row(f"CH{c}", start, claims=(c + 1) * (1 + (start.year == 2025)), exposure_years=100.0)
        for c in range(4)
        for start in MONTHS[:24]
    ]
    asked: dict[str, Any] = {"dimensions": ("channel", "month"), "filters": (Filter("month", ("2025-03",)),)}
    answer = answered(rows, "claims_to_date", order_by=("-claims_to_date",), top=3, size=2, **asked)
    assert [row.dimensions["channel"] for row in answer.rows] == ["CH3", "CH2"]
    assert (answer.total_size, bool(answer.next_page_token)) == (3, True)
    having = (MetricFilter("claim_frequency_yoy", at_least=0.5, below=1.5),)
    kept = answered(rows, "claim_frequency_yoy", having=having, **asked)
    assert [row.metrics["claim_frequency_yoy"].value for row in kept.rows] == [pytest.approx(1.0)] * 4
    assert (
        answered(rows, "claim_frequency_yoy", having=(MetricFilter("claim_frequency_yoy", below=0.5),), **asked).rows
        == ()
    )


def test_windows_of_months_also_run_along_quarters_and_years() -> None:
    rows = [channel_row("CH0", start, claims=1, exposure_years=10.0) for start in MONTHS[:24]]
    by_quarter = answered(rows, "claim_frequency_12m", dimensions=("quarter",))
    assert [row.metrics["claim_frequency_12m"].numerator for row in by_quarter.rows] == [None] * 3 + [12.0] * 5
    by_year = answered(rows, "claim_frequency_12m", "claim_frequency_yoy", dimensions=("year",))
    assert [row.metrics["claim_frequency_12m"].numerator for row in by_year.rows] == [12.0, 12.0]
    assert by_year.rows[1].metrics["claim_frequency_yoy"].value == 0


def test_what_cannot_run_along_time_is_refused_with_the_reason() -> None:
    assert "exactly one of day, month, quarter, year" in refused("loss_ratio_12m")
    assert "month and year" in refused("loss_ratio_12m", dimensions=("month", "year"))
    assert "a filter on month is too fine" in refused(
        "loss_ratio_12m", dimensions=("quarter",), filters=(Filter("month", ("2024-01",)),)
    )
    assert "no whole quarters" in refused("exposure_added_mom", dimensions=("quarter",))
    assert "no whole months" in refused("orders_wow", dimensions=("month",))


def test_the_interval_of_a_change_holds_the_truth_as_often_as_it_says() -> None:
    import numpy as np

    random = np.random.default_rng(3)
    truth, held = 1.3, 0
    for _ in range(2000):
        before, now = random.poisson(40), random.poisson(40 * truth)
        limits = [poisson_rate(count, 1.0, 0.95) for count in (now, before)]
        assert limits[0] is not None
        assert limits[1] is not None
        found = changed_interval(now, limits[0], before, limits[1], Change.RELATIVE)
        assert found is not None
        assert found.upper is not None
        held += found.lower <= truth - 1 <= found.upper
    assert 0.94 < held / 2000 < 0.985


def test_the_interval_of_a_difference_is_open_where_one_is() -> None:
    closed = Interval(1.0, 3.0, 0.95, IntervalMethod.EXACT_POISSON)
    opened = Interval(1.0, None, 0.95, IntervalMethod.EXACT_POISSON)
    found = changed_interval(2.0, closed, 2.0, closed, Change.DIFFERENCE)
    assert found is not None
    assert found.upper is not None
    assert found.lower == pytest.approx(-(2**0.5))
    assert found.upper == pytest.approx(2**0.5)
    above = changed_interval(2.0, opened, 2.0, closed, Change.DIFFERENCE)
    assert above is not None
    assert above.upper is None
    assert changed_interval(2.0, closed, 2.0, opened, Change.DIFFERENCE) is None
