"""A rule held against its series: by `replay`, the same for a replay and for the live evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sluice_server.domain.risk.alerts.metric_rule import MetricRule
from sluice_server.domain.risk.alerts.replay import AlertState, RaisedAlert, replay
from sluice_server.domain.risk.alerts.series import Evaluation, Series
from sluice_server.domain.risk.semantic.metric_values import MetricValue


@dataclass(frozen=True, slots=True)
class Finding:
    """An alert of one series, with the value that raised it."""

    dimensions: Mapping[str, str]
    alert: RaisedAlert
    value: MetricValue


@dataclass(frozen=True, slots=True)
class Judgement:
    """All that a rule raises over its series."""

    findings: tuple[Finding, ...]
    """Of all series, in the order of their start."""
    series: int
    moments: int
    fired: int
    nearly: int
    without_volume: int
    without_limit: int
    first_at: datetime | None
    last_at: datetime | None

    @property
    def lasting(self) -> tuple[Finding, ...]:
        """Those that are pending or firing at the end: what is the case now."""
        return tuple(one for one in self.findings if one.alert.state is not AlertState.RESOLVED)

    @property
    def firing(self) -> int:
        return sum(one.alert.state is AlertState.FIRING for one in self.findings)


def judge(rule: MetricRule, evaluation: Evaluation) -> Judgement:
    """Pure; takes some microseconds a value."""
    findings: list[Finding] = []
    moments = nearly = thin = unknown = fired = 0
    for series in evaluation.series:
        found = replay(rule.condition, [point.moment for point in series.points])
        findings += _findings(series, found.alerts)
        moments += found.moments
        nearly += found.nearly
        thin += found.without_volume
        unknown += found.without_limit
        fired += found.fired
    times = [point.moment.at for series in evaluation.series for point in (series.points[0], series.points[-1])]
    return Judgement(
        tuple(sorted(findings, key=lambda one: one.alert.start)),
        len(evaluation.series),
        moments,
        fired,
        nearly,
        thin,
        unknown,
        min(times, default=None),
        max(times, default=None),
    )


def _findings(series: Series, alerts: Sequence[RaisedAlert]) -> list[Finding]:
    if not alerts:
        return []
    values = {point.moment.at: point.value for point in series.points}
    return [Finding(series.dimensions, one, values[one.fired or one.start]) for one in alerts]
