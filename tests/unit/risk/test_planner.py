"""Which table answers a question, and what is refused with which reason."""

from __future__ import annotations

from datetime import date

import pytest

from sluice_server.domain.errors import InvalidInput, InvalidQuery, Violation
from sluice_server.domain.risk.semantic.model_yaml import shipped_model
from sluice_server.domain.risk.semantic.planner import plan_query
from sluice_server.domain.risk.semantic.question import Filter, MetricFilter, Question

MODEL = shipped_model()


def refusals(question: Question) -> dict[str, str]:
    with pytest.raises(InvalidQuery) as refused:
        plan_query(MODEL, question)
    return {violation.field: violation.description for violation in refused.value.violations}


@pytest.mark.parametrize(
    ("metrics", "dimensions", "table"),
    [
        (("loss_ratio",), (), "channel_month"),
        (("loss_ratio", "claim_frequency"), ("channel", "month"), "channel_month"),
        (("loss_ratio",), ("brand", "quarter"), "device_model_month"),
        (("severity",), ("product_line", "insurer"), "product_month"),
        (("early_claim_share",), ("channel",), "store_month"),
        (("loss_ratio",), ("store", "channel"), "store_month"),
        (("shop_cost_ratio", "shop_repeat_share"), ("repair_shop", "part"), "repair_shop_month"),
        (("failure_rate",), ("insurer", "day"), "insurer_product_day"),
        (("failure_rate",), ("month",), "insurer_product_day"),
    ],
)
def test_the_table_that_has_everything_answers(
    metrics: tuple[str, ...], dimensions: tuple[str, ...], table: str
) -> None:
    assert plan_query(MODEL, Question(metrics, dimensions)).table.name == table


def test_a_filtered_dimension_also_decides_the_table() -> None:
    plan = plan_query(MODEL, Question(("loss_ratio",), filters=(Filter("brand", ("Aldera",)),)))
    assert plan.table.name == "device_model_month"


def test_a_ratio_brings_its_numerator_denominator_count_and_the_exposure() -> None:
    plan = plan_query(MODEL, Question(("loss_ratio",), ("channel",)))
    assert {item.name for item in plan.query.sums} == {"incurred", "earned_premium", "claims", "exposure_years"}


def test_the_order_ends_with_all_dimensions() -> None:
    plan = plan_query(MODEL, Question(("claims",), ("store", "month"), order_by=("-claims", "month")))
    assert [(getattr(o.by, "dimension", None) or o.by, o.descending) for o in plan.query.order_by][1:] == [
        ("month", False),
        ("store", False),
    ]


def test_policies_by_repair_shop_are_refused_as_fan_out() -> None:
    text = refusals(Question(("loss_ratio",), ("repair_shop",)))["dimensions"]
    assert "more than once" in text
    assert "several repair shops" in text
    assert "shop_cost_ratio" in text


def test_metrics_of_two_facts_are_refused_as_fan_out() -> None:
    text = refusals(Question(("loss_ratio", "shop_claims")))["metrics"]
    assert "more than once" in text


def test_orders_by_channel_are_refused_with_what_is_possible() -> None:
    assert "channel" in refusals(Question(("orders",), ("channel",)))["dimensions"]


def test_dimensions_of_two_tables_are_refused_with_what_is_possible_at_once() -> None:
    text = refusals(Question(("loss_ratio",), ("channel", "device_model")))["dimensions"]
    assert "more than once" in text
    assert "channel or device_model" in text


def test_a_finer_time_than_the_table_has_is_refused() -> None:
    assert "kept by month" in refusals(Question(("loss_ratio",), ("day",)))["dimensions"]


def test_metrics_that_no_single_table_has_are_refused() -> None:
    found = refusals(Question(("early_claims",), ("device_model",)))
    assert "possible: channel, store" in found["dimensions"]


def test_policies_may_not_be_added_up_over_months() -> None:
    for dimensions in ((), ("channel",), ("quarter",)):
        assert "exposure_years" in refusals(Question(("policies",), dimensions))["metrics"]
    plan_query(MODEL, Question(("policies",), ("month",)))
    plan_query(MODEL, Question(("policies",), filters=(Filter("month", ("2026-01",)),)))


def test_policies_by_month_have_no_total() -> None:
    by_month = plan_query(MODEL, Question(("policies", "claims"), ("month",)))
    of_one_month = plan_query(MODEL, Question(("policies",), filters=(Filter("month", ("2026-01",)),)))
    assert by_month.summable == {"claims"}
    assert of_one_month.summable == {"policies"}


def test_every_wrong_name_is_reported_with_a_near_one() -> None:
    found = refusals(
        Question(
            ("los_ratio", "claims", "claims"),
            ("chanel",),
            filters=(Filter("planet", ("x",)),),
            order_by=("-severity",),
            having=(MetricFilter("severity", at_least=1), MetricFilter("claims")),
        )
    )
    assert "'loss_ratio'" in found["metrics[0]"]
    assert "twice" in found["metrics[2]"]
    assert "'channel'" in found["dimensions[0]"]
    assert set(found) == {
        "metrics[0]", "metrics[2]", "dimensions[0]", "filters[0].dimension", "order_by[0]", "having[0].metric",
        "having[1]",
    }  # fmt: skip


def test_what_was_already_wrong_is_reported_together_with_the_rest() -> None:
    known = [Violation("page_size", "must be 0 to 1,000")]
    with pytest.raises(InvalidQuery) as both:
        plan_query(MODEL, Question(("nothing",)), known)
    assert {v.field for v in both.value.violations} == {"page_size", "metrics[0]"}
    with pytest.raises(InvalidInput) as alone:
        plan_query(MODEL, Question(("claims",)), known)
    assert not isinstance(alone.value, InvalidQuery)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Filter("month", ("2026-03", "2026-04-01")), (date(2026, 3, 1), date(2026, 4, 1))),
        (Filter("quarter", ("2026-04",)), (date(2026, 4, 1),)),
        (Filter("year", ("2026",)), (date(2026, 1, 1),)),
        (Filter("channel", ("CH01",)), ("CH01",)),
    ],
)
def test_filter_values_take_the_type_of_the_dimension(given: Filter, expected: tuple[object, ...]) -> None:
    plan = plan_query(MODEL, Question(("claims",), filters=(given,)))
    assert plan.query.conditions[0].any_of == expected


@pytest.mark.parametrize(
    ("given", "field"),
    [
        (Filter("month", ("2026-13",)), "filters[0].any_of[0]"),
        (Filter("month", ("2026-03-15",)), "filters[0].any_of[0]"),
        (Filter("month", ("٢٠٢٦-03",)), "filters[0].any_of[0]"),
        (Filter("quarter", at_least="2026-02"), "filters[0].at_least"),
        (Filter("year", none_of=("next",)), "filters[0].none_of[0]"),
        (Filter("month", at_least="2026-03", below="2026-03"), "filters[0].below"),
        (Filter("channel"), "filters[0]"),
    ],
)
def test_a_filter_that_means_nothing_is_refused_at_its_place(given: Filter, field: str) -> None:
    assert set(refusals(Question(("claims",), filters=(given,)))) == {field}
