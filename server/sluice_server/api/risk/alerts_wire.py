"""From RiskQuery's requests about warnings to parameters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TypeVar

from google.protobuf.duration_pb2 import Duration

from sluice.risk.v1 import alerts_pb2, dashboards_pb2
from sluice_server.api.risk.wire import MAX_FILTERS, MAX_TEXT, Checks, filter_of
from sluice_server.domain.risk.alerts.acknowledge import Acknowledgement
from sluice_server.domain.risk.alerts.metric_rule import Evidence, MetricRule
from sluice_server.domain.risk.alerts.ports import AlertFilter
from sluice_server.domain.risk.alerts.read import ListAlertRulesParams, ListAlertsParams
from sluice_server.domain.risk.alerts.replay import AlertState
from sluice_server.domain.risk.alerts.rule import AlertRule, Baseline, Comparison, Severity
from sluice_server.domain.risk.alerts.save import FIELDS, SaveAlertRuleParams

COMPARISONS = {
    Comparison.ABOVE: alerts_pb2.COMPARISON_ABOVE,
    Comparison.BELOW: alerts_pb2.COMPARISON_BELOW,
}
EVIDENCE = {Evidence.VALUE: alerts_pb2.EVIDENCE_VALUE, Evidence.INTERVAL: alerts_pb2.EVIDENCE_INTERVAL}
SEVERITIES = {
    Severity.INFO: dashboards_pb2.SEVERITY_INFO,
    Severity.WARNING: dashboards_pb2.SEVERITY_WARNING,
    Severity.CRITICAL: dashboards_pb2.SEVERITY_CRITICAL,
}
ALERT_STATES = {
    AlertState.PENDING: alerts_pb2.ALERT_STATE_PENDING,
    AlertState.FIRING: alerts_pb2.ALERT_STATE_FIRING,
    AlertState.RESOLVED: alerts_pb2.ALERT_STATE_RESOLVED,
}
_SEVERITY_OF = {int(number): severity for severity, number in SEVERITIES.items()}
_STATE_OF = {int(number): state for state, number in ALERT_STATES.items()}
_LONGEST_SECONDS = 100 * 366 * 86_400
MAX_REASON = 2_000
T = TypeVar("T")


def list_alert_rules_params(request: alerts_pb2.ListAlertRulesRequest) -> ListAlertRulesParams:
    checks = Checks()
    metric = checks.text("metric", request.metric)
    page = checks.page(request.page_size, request.page_token, 50)
    checks.done()
    return ListAlertRulesParams(metric, page)


def save_alert_rule_params(request: alerts_pb2.SaveAlertRuleRequest) -> SaveAlertRuleParams:
    """What is wrong is told together with what is wrong in words of the model, so it is not raised here."""
    checks = Checks()
    given = request.alert_rule
    prefixed = Checks("alert_rule.")
    rule = _rule(given, prefixed)
    mask = frozenset(request.update_mask.paths)
    for path in sorted(mask - FIELDS):
        checks.wrong("update_mask", f"{path[:MAX_TEXT]!r} is not one of {', '.join(sorted(FIELDS))}")
    reason = _reason(checks, request.reason)
    request_id = checks.text("request_id", request.request_id)
    etag = prefixed.text("etag", given.etag)
    return SaveAlertRuleParams(
        rule, reason, etag, mask, request_id, request.validate_only, (*prefixed.found, *checks.found)
    )


def _rule(given: alerts_pb2.AlertRule, checks: Checks) -> MetricRule:
    if len(given.filters) > MAX_FILTERS:
        checks.wrong("filters", f"at most {MAX_FILTERS} are allowed, not {len(given.filters):,}")
    baseline = None
    if given.HasField("baseline_deviations") or given.HasField("season") or given.history:
        baseline = Baseline(
            checks.number("baseline_deviations", given.baseline_deviations),
            _duration("season", given.season, checks) if given.HasField("season") else None,
            given.history or 8,
        )
    condition = AlertRule(
        title=checks.text("title", given.title),
        comparison=_one("comparison", given.comparison, COMPARISONS, Comparison.ABOVE, checks),
        threshold=checks.number("threshold", given.threshold) if given.HasField("threshold") else None,
        baseline=baseline,
        hysteresis=checks.number("hysteresis", given.hysteresis),
        minimum_volume=checks.number("minimum_exposure", given.minimum_exposure),
        for_duration=_duration("for_duration", given.for_duration, checks) or timedelta(0),
        severity=_one("severity", given.severity, SEVERITIES, Severity.WARNING, checks),
        owner=checks.text("owner", given.owner),
    )
    return MetricRule(
        alert_rule_id=checks.text("alert_rule_id", given.alert_rule_id),
        metric=checks.text("metric", given.metric),
        condition=condition,
        dimensions=checks.texts("dimensions", given.dimensions, 20),
        filters=tuple(filter_of(item, f"filters[{i}]", checks) for i, item in enumerate(given.filters[:MAX_FILTERS])),
        evidence=_one("evidence", given.evidence, EVIDENCE, Evidence.VALUE, checks),
        time_dimension=checks.text("time_dimension", given.time_dimension),
        enabled=given.enabled,
    )


def list_alerts_params(request: alerts_pb2.ListAlertsRequest) -> ListAlertsParams:
    checks = Checks()
    for i, number in enumerate(request.states):
        if number not in _STATE_OF:
            checks.wrong(f"states[{i}]", f"must be one of {', '.join(ALERT_STATES)}")
    states = tuple(dict.fromkeys(_STATE_OF[number] for number in request.states if number in _STATE_OF))
    severities = _at_least(request.minimum_severity, checks)
    rule_id = checks.text("alert_rule_id", request.alert_rule_id)
    page = checks.page(request.page_size, request.page_token, 50)
    checks.done()
    return ListAlertsParams(AlertFilter(states, rule_id, severities), page)


def acknowledgement(request: alerts_pb2.AcknowledgeAlertRequest) -> Acknowledgement:
    checks = Checks()
    alert_id = checks.text("alert_id", request.alert_id, required=True)
    etag = checks.text("etag", request.etag)
    reason = _reason(checks, request.reason)
    request_id = checks.text("request_id", request.request_id)
    checks.done()
    return Acknowledgement(alert_id, reason, etag, request_id)


def watch_alerts_filter(request: alerts_pb2.WatchAlertsRequest) -> AlertFilter:
    checks = Checks()
    severities = _at_least(request.minimum_severity, checks)
    rule_id = checks.text("alert_rule_id", request.alert_rule_id)
    checks.done()
    return AlertFilter((), rule_id, severities)


def _at_least(number: int, checks: Checks) -> tuple[Severity, ...]:
    if number == 0:
        return ()
    if number not in _SEVERITY_OF:
        checks.wrong("minimum_severity", f"must be one of {', '.join(SEVERITIES)}")
        return ()
    return tuple(severity for value, severity in _SEVERITY_OF.items() if value >= number)


def _one(field: str, number: int, known: Mapping[T, int], default: T, checks: Checks) -> T:
    if number == 0:
        return default
    for value, own in known.items():
        if own == number:
            return value
    checks.wrong(field, f"must be one of {', '.join(str(value) for value in known)}")
    return default


def _duration(field: str, given: Duration, checks: Checks) -> timedelta | None:
    if abs(given.seconds) > _LONGEST_SECONDS or abs(given.nanos) >= 1_000_000_000:
        checks.wrong(field, "must be a duration of at most 100 years")
        return None
    return timedelta(seconds=given.seconds, microseconds=given.nanos // 1_000)


def _reason(checks: Checks, reason: str) -> str:
    if not reason.strip():
        checks.wrong("reason", "is required: it is kept in the audit trail")
    elif len(reason) > MAX_REASON:
        checks.wrong("reason", f"must have at most {MAX_REASON:,} characters")
    return reason
