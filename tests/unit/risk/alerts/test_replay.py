from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from sluice_server.domain.errors import InvalidInput
from sluice_server.domain.risk.alerts.replay import AlertState, Moment, Replay, replay
from sluice_server.domain.risk.alerts.rule import AlertRule, Baseline, Comparison, Severity, rule_from

START = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)


def hourly(values: list[float], volumes: list[float] | None = None) -> list[Moment]:
    return [Moment(START + i * HOUR, value, volumes[i] if volumes else None) for i, value in enumerate(values)]


def hours(found: Replay) -> list[tuple[float | None, float | None]]:
    def of(at: datetime | None) -> float | None:
        return None if at is None else (at - START) / HOUR

    return [(of(alert.fired), of(alert.resolved)) for alert in found.alerts]


def test_it_fires_above_the_threshold_and_resolves_back_at_it() -> None:
    found = replay(AlertRule(threshold=5), hourly([4, 6, 7, 5, 8]))
    assert hours(found) == [(1, 3), (4, None)]
    assert found.alerts[0].worst == 7
    assert found.alerts[1].state is AlertState.FIRING


def test_below_is_the_mirror_image() -> None:
    assert hours(replay(AlertRule(comparison=Comparison.BELOW, threshold=5), hourly([6, 4, 5, 6]))) == [(1, 2)]


def test_it_fires_only_after_the_condition_held_for_long_enough() -> None:
    rule = AlertRule(threshold=5, for_duration=2 * HOUR)
    found = replay(rule, hourly([6, 6, 4, 6, 6, 6, 6, 4]))
    assert hours(found) == [(5, 7)]
    assert found.nearly == 1
    assert (found.alerts[0].start - START) / HOUR == 3


def test_within_the_hysteresis_it_keeps_firing_and_does_not_fire_anew() -> None:
    values = [6.0, 4.5, 6, 4.5, 3.9, 4.5, 6]
    assert hours(replay(AlertRule(threshold=5, hysteresis=1), hourly(values))) == [(0, 4), (6, None)]
    assert len(replay(AlertRule(threshold=5), hourly(values)).alerts) == 3


def test_values_on_too_little_volume_neither_raise_nor_resolve() -> None:
    rule = AlertRule(threshold=5, minimum_volume=10)
    found = replay(rule, hourly([9, 9, 1, 1], [5, 20, 5, 20]))
    assert hours(found) == [(1, 3)]
    assert found.without_volume == 2


def test_a_missing_value_says_nothing() -> None:
    found = replay(AlertRule(threshold=5), hourly([6, math.nan, 6, 4]))
    assert hours(found) == [(0, 3)]


def test_a_season_is_usual_and_what_leaves_it_is_not() -> None:
    day = [10.0 if hour == 12 else 1.0 for hour in range(24)]
    values = day * 10
    values[9 * 24 + 3] = 9.0
    rule = AlertRule(baseline=Baseline(5, timedelta(days=1), 7))
    found = replay(rule, hourly(values))
    assert hours(found) == [(9 * 24 + 3, 9 * 24 + 4)]
    assert found.without_limit == 3 * 24


def test_moments_are_taken_in_the_order_of_time() -> None:
    series = hourly([4, 6, 4])
    assert replay(AlertRule(threshold=5), series[::-1]) == replay(AlertRule(threshold=5), series)


def test_a_rule_is_read_with_its_durations() -> None:
    rule = rule_from({"threshold": 0.8, "comparison": "below", "for": "1d12h", "severity": "critical", "owner": "risk"})
    assert rule == AlertRule(
        comparison=Comparison.BELOW,
        threshold=0.8,
        for_duration=timedelta(hours=36),
        severity=Severity.CRITICAL,
        owner="risk",
    )


def test_every_wrong_field_of_a_rule_is_named() -> None:
    with pytest.raises(InvalidInput) as refused:
        rule_from({"treshold": 1, "comparison": "over", "for_duration": 3, "hysteresis": -1, "season": "1d"})
    assert {violation.field for violation in refused.value.violations} == {
        "treshold", "threshold", "comparison", "for_duration", "hysteresis", "season",
    }  # fmt: skip
