"""The series that rules watch, from the semantic model over a store in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest

from sluice_server.domain.risk.alerts import series as series_module
from sluice_server.domain.risk.alerts.judge import judge
from sluice_server.domain.risk.alerts.metric_rule import Evidence, MetricRule, RuleCheck
from sluice_server.domain.risk.alerts.replay import AlertState
from sluice_server.domain.risk.alerts.rule import AlertRule, Baseline, Comparison
from sluice_server.domain.risk.alerts.save import merged
from sluice_server.domain.risk.alerts.series import Evaluation, ModelSeries, TooManyValues
from sluice_server.domain.risk.semantic.answer_query import AnswerQuery
from sluice_server.domain.risk.semantic.model_yaml import shipped_model
from sluice_server.domain.risk.semantic.question import Filter
from sluice_server.domain.risk.use_cases import build_risk_use_cases
from tests.unit.risk.fake_reader import FakeRiskReader
from tests.unit.risk.portfolio import channel_row

RULE = MetricRule("a-rule", "claims", AlertRule(threshold=5), ("channel",))


def month(year: int, number: int) -> date:
    return date(year, number, 1)


def source(rows: list[dict[str, Any]]) -> ModelSeries:
    reader = FakeRiskReader({"channel_month": rows})
    model = shipped_model()
    answer: AnswerQuery = build_risk_use_cases(model, reader).answer_query
    return ModelSeries(model, reader, answer)


async def read(rule: MetricRule, rows: list[dict[str, Any]]) -> Evaluation:
    found = source(rows)
    assert found.check(rule) == []
    return await found.read(rule)


async def test_a_sum_leaves_the_cut_period_out_and_counts_a_missing_one_as_nothing() -> None:
    rows = [
        channel_row("CH1", month(2026, 1), claims=3),
        channel_row("CH1", month(2026, 3), claims=4),
        channel_row("CH2", month(2026, 3), claims=1),
        channel_row("CH1", month(2026, 11), claims=9),  # begins at the watermark
    ]
    found = await read(RULE, rows)
    by_channel = {one.dimensions["channel"]: one.points for one in found.series}
    assert [(point.moment.at.date(), point.moment.value) for point in by_channel["CH1"]] == [
        (month(2026, 1), 3), (month(2026, 2), 0), (month(2026, 3), 4),
    ]  # fmt: skip
    assert [point.moment.value for point in by_channel["CH2"]] == [1]
    assert (found.unit, found.exposure_unit, found.key) == (
        "claims",
        "years",
        f"data-version/{found.stamp.data_version}",
    )


async def test_a_ratio_keeps_the_cut_period_and_has_no_value_without_exposure() -> None:
    rows = [
        channel_row("CH1", month(2026, 11)),
        channel_row("CH1", month(2026, 1), earned_premium_minor=0, exposure_years=0.0, claims=0, incurred_minor=0),
    ]
    found = await read(replace(RULE, metric="loss_ratio"), rows)
    values = [point.moment.value for point in found.series[0].points]
    assert values[0] != values[0], "not a number"
    assert values[1] == 0.6
    assert judge(RULE, found).without_volume == 1


async def test_with_evidence_interval_the_nearer_end_is_held_against_the_limit() -> None:
    few = [channel_row("CH1", month(2026, 1), exposure_years=10.0, claims=4)]
    many = [channel_row("CH1", month(2026, 1), exposure_years=1000.0, claims=400)]
    rule = replace(RULE, metric="claim_frequency", condition=AlertRule(threshold=0.3), evidence=Evidence.INTERVAL)
    assert judge(rule, await read(rule, few)).fired == 0
    found = judge(rule, await read(rule, many))
    assert found.fired == 1
    assert found.findings[0].value.value == 0.4
    below = replace(rule, condition=AlertRule(comparison=Comparison.BELOW, threshold=0.5))
    assert judge(below, await read(below, few)).fired == 0
    assert judge(below, await read(below, many)).fired == 1


async def test_metrics_that_run_along_time_can_be_watched_against_their_season() -> None:
    rows = [
        channel_row(
            "CH1", month(2021 + i // 12, i % 12 + 1), claims=(30 if i % 12 == 6 else 3) + (40 if i == 57 else 0)
        )
        for i in range(60)
    ]
    seasonal = AlertRule(baseline=Baseline(4, timedelta(days=365), 3))
    rule = replace(RULE, metric="claim_frequency", condition=seasonal)
    found = judge(rule, await read(rule, rows))
    assert [(one.alert.start.date(), one.alert.state) for one in found.findings] == [
        (month(2025, 10), AlertState.RESOLVED)
    ]
    assert found.without_limit == 36
    yearly = replace(RULE, metric="claim_frequency_yoy", condition=AlertRule(threshold=5.0))
    assert [one.alert.start.date() for one in judge(yearly, await read(yearly, rows)).findings] == [month(2025, 10)]


async def test_filters_and_a_coarser_time_dimension_are_obeyed() -> None:
    rows = [channel_row(channel, month(2025, n), claims=n) for channel in ("CH1", "CH2") for n in (1, 2, 3, 4)]
    rule = replace(RULE, filters=(Filter("channel", any_of=("CH2",)),), time_dimension="quarter")
    found = await read(rule, rows)
    assert [one.dimensions for one in found.series] == [{"channel": "CH2"}]
    assert [point.moment.value for point in found.series[0].points] == [6, 4]


async def test_a_rule_over_too_many_values_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_module, "MOST_VALUES", 3)
    with pytest.raises(TooManyValues, match="watches 4 values"):
        await read(RULE, [channel_row(f"CH{i}", month(2026, 1)) for i in range(4)])


def test_a_mask_changes_its_fields_alone() -> None:
    stored = replace(RULE, condition=AlertRule(title="t", baseline=Baseline(3, timedelta(days=365), 4), owner="me"))
    given = MetricRule(
        "a-rule", "x", AlertRule(threshold=1, baseline=Baseline(5.0), severity=stored.condition.severity)
    )
    changed = merged(stored, given, {"baseline_deviations"})
    assert changed.condition == replace(stored.condition, baseline=Baseline(5.0, timedelta(days=365), 4))
    to_threshold = merged(stored, replace(given, condition=AlertRule(threshold=2)), {"threshold"})
    assert (to_threshold.condition.threshold, to_threshold.condition.baseline) == (2, None)
    assert (to_threshold.condition.owner, to_threshold.metric) == ("me", "claims")
    back = merged(to_threshold, given, {"baseline_deviations", "season", "history"})
    assert (back.condition.threshold, back.condition.baseline) == (None, Baseline(5.0))
    assert merged(stored, given, set()) == given


def test_a_rule_without_a_limit_is_refused_with_its_other_faults() -> None:
    check = RuleCheck()
    check.rule(MetricRule("-a", "", AlertRule(for_duration=timedelta(seconds=-1))))
    assert [one.field for one in check.found] == [
        "alert_rule.alert_rule_id", "alert_rule.metric", "alert_rule.threshold", "alert_rule.for_duration",
    ]  # fmt: skip


def test_what_the_model_refuses_is_told_in_words_of_the_rule() -> None:
    wrong = source([]).check(replace(RULE, dimensions=("repair_shop",), filters=(Filter("month", any_of=("soon",)),)))
    assert {one.field for one in wrong} == {"alert_rule.filters[0].any_of[0]"}
    [without] = source([]).check(replace(RULE, evidence=Evidence.INTERVAL))
    assert (without.field, "no interval" in without.description) == ("alert_rule.evidence", True)
