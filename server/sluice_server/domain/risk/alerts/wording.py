"""What an alert says to people and to the alarm platform. Every number in it is filled in here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sluice_server.domain.breaker.ports import Alarm
from sluice_server.domain.risk.alerts.alert import Alert
from sluice_server.domain.risk.alerts.judge import Finding
from sluice_server.domain.risk.alerts.metric_rule import MetricRule
from sluice_server.domain.risk.alerts.replay import AlertState
from sluice_server.domain.risk.alerts.rule import Comparison, Severity
from sluice_server.domain.risk.alerts.series import Evaluation
from sluice_server.domain.risk.semantic.semantic_model import Label

ALARM_NAME = "RiskAlert"
SEVERITIES = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "critical"}


def summary(rule: MetricRule, evaluation: Evaluation, finding: Finding) -> Label:
    """One sentence: what is beyond which limit, since when, on how much."""
    alert, value = finding.alert, finding.value
    about = ", ".join(f"{name} {text}" for name, text in finding.dimensions.items())
    above = rule.condition.comparison is Comparison.ABOVE
    interval_en = interval_zh = ""
    if value.interval is not None:
        low, high = (
            f"{value.interval.lower:.4g}",
            "∞" if value.interval.upper is None else f"{value.interval.upper:.4g}",
        )
        interval_en = f", {value.interval.level:.0%} interval {low} to {high}"
        interval_zh = f"，{value.interval.level:.0%} 区间 {low} 至 {high}"
    number, limit = f"{value.value or 0.0:.4g}", f"{alert.limit:.4g}"
    unit = "" if evaluation.unit in {"ratio", "share", "change"} else f" {evaluation.unit}"
    exposure = f"{value.exposure:,.4g} {evaluation.exposure_unit}"
    since = f"{alert.start:%Y-%m-%d}" if _is_midnight(alert.start) else f"{alert.start:%Y-%m-%d %H:%M} UTC"
    title = f"{rule.condition.title}: " if rule.condition.title else ""
    side_zh, side_en = ("高于", "above") if above else ("低于", "below")
    about_zh, about_en = (f"{about}，", f" of {about}") if about else ("", "")
    return Label(
        zh=f"{title}{about_zh}{evaluation.label.zh} {number}{unit}（基于 {exposure}{interval_zh}），"
        f"{side_zh}界限 {limit}，始于 {since}",
        en=f"{title}{evaluation.label.en}{about_en} is {number}{unit} (on {exposure}{interval_en}), "
        f"{side_en} the limit {limit}, since {since}",
    )


def alarm(alert: Alert, now: datetime) -> Alarm:
    """What the alarm platform is told of an alert that fires or has resolved."""
    annotations: dict[str, str] = {
        "state": alert.state.value,
        "alert_id": alert.alert_id,
        "summary_zh": alert.summary.zh,
        "since": alert.start_at.isoformat(),
    }
    if alert.value is not None and alert.value.value is not None:
        annotations |= {"value": f"{alert.value.value:.6g}", "exposure": f"{alert.value.exposure:.6g}"}
    if alert.limit is not None:
        annotations["limit"] = f"{alert.limit:.6g}"
    if alert.stamp is not None and alert.stamp.data_version:
        annotations["data_version"] = str(alert.stamp.data_version)
    over = alert.state is AlertState.RESOLVED
    return Alarm(
        key=f"risk/{alert.alert_rule_id}/{alert.group}",
        name=ALARM_NAME,
        severity=SEVERITIES[alert.severity],
        summary=f"Resolved: {alert.summary.en}" if over else alert.summary.en,
        labels=_labels(alert),
        annotations=annotations,
        # Not the time of the data, which may be months ago: the platform counts from when it could know.
        starts_at=alert.created_at,
        resolved_at=now if over else None,
    )


def _labels(alert: Alert) -> Mapping[str, str]:
    named = {"alert_rule": alert.alert_rule_id, "metric": alert.metric, "owner": alert.owner}
    return {**alert.dimensions, **{name: text for name, text in named.items() if text}}


def _is_midnight(at: datetime) -> bool:
    return (at.hour, at.minute, at.second) == (0, 0, 0)
