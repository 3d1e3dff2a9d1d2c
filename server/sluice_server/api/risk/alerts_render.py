"""From warnings to RiskQuery's answers."""

from __future__ import annotations

from datetime import datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from sluice.risk.v1 import alerts_pb2
from sluice_server.api.risk.alerts_wire import ALERT_STATES, COMPARISONS, EVIDENCE, SEVERITIES
from sluice_server.api.risk.render import metric_value, query_filters, stamp, timestamp
from sluice_server.domain.risk.alerts.alert import Alert
from sluice_server.domain.risk.alerts.metric_rule import StoredRule
from sluice_server.domain.risk.alerts.read import AlertChange, AlertPage, AlertRulePage
from sluice_server.domain.risk.alerts.save import RuleReplay, SavedRule


def alert_rule_page(found: AlertRulePage) -> alerts_pb2.ListAlertRulesResponse:
    return alerts_pb2.ListAlertRulesResponse(
        alert_rules=[alert_rule(one) for one in found.rules], next_page_token=found.next_page_token
    )


def alert_rule(stored: StoredRule) -> alerts_pb2.AlertRule:
    rule, condition = stored.rule, stored.rule.condition
    _, _, number = stored.evaluated.partition("data-version/")
    rendered = alerts_pb2.AlertRule(
        alert_rule_id=rule.alert_rule_id,
        title=condition.title,
        metric=rule.metric,
        dimensions=rule.dimensions,
        filters=query_filters(rule.filters),
        comparison=COMPARISONS[condition.comparison],
        hysteresis=condition.hysteresis,
        minimum_exposure=condition.minimum_volume,
        evidence=EVIDENCE[rule.evidence],
        severity=SEVERITIES[condition.severity],
        owner=condition.owner,
        enabled=rule.enabled,
        version=stored.version,
        etag=stored.etag,
        update_time=timestamp(stored.updated_at),
        time_dimension=rule.time_dimension,
        updated_by=stored.updated_by,
        problem=stored.problem,
        evaluated_data_version=int(number) if number else 0,
    )
    if condition.for_duration:
        rendered.for_duration.CopyFrom(_duration(condition.for_duration))
    if condition.threshold is not None:
        rendered.threshold = condition.threshold
    if condition.baseline is not None:
        rendered.baseline_deviations = condition.baseline.deviations
        rendered.history = condition.baseline.history
        if condition.baseline.season is not None:
            rendered.season.CopyFrom(_duration(condition.baseline.season))
    return rendered


def saved_rule(found: SavedRule) -> alerts_pb2.SaveAlertRuleResponse:
    return alerts_pb2.SaveAlertRuleResponse(
        alert_rule=alert_rule(found.stored),
        replay=[alert(one) for one in found.replay.alerts] if found.replay else [],
        replay_summary=None if found.replay is None else _replay_summary(found.replay),
    )


def _replay_summary(replay: RuleReplay) -> alerts_pb2.AlertReplaySummary:
    found = replay.judgement
    return alerts_pb2.AlertReplaySummary(
        series=found.series,
        moments=found.moments,
        fired=found.fired,
        firing=found.firing,
        nearly=found.nearly,
        without_volume=found.without_volume,
        without_limit=found.without_limit,
        first_time=_moment(found.first_at),
        last_time=_moment(found.last_at),
        data=stamp(replay.stamp),
    )


def alert_page(found: AlertPage) -> alerts_pb2.ListAlertsResponse:
    return alerts_pb2.ListAlertsResponse(
        alerts=[alert(one) for one in found.alerts], next_page_token=found.next_page_token
    )


def alert_change(change: AlertChange) -> alerts_pb2.WatchAlertsResponse:
    return alerts_pb2.WatchAlertsResponse(alert=alert(change.alert), initial=change.initial)


def alert(found: Alert) -> alerts_pb2.Alert:
    return alerts_pb2.Alert(
        alert_id=found.alert_id,
        alert_rule_id=found.alert_rule_id,
        dimensions=found.dimensions,
        state=ALERT_STATES[found.state],
        severity=SEVERITIES[found.severity],
        value=None if found.value is None else metric_value(found.value),
        limit=found.limit or 0.0,
        owner=found.owner,
        start_time=timestamp(found.start_at),
        fire_time=_moment(found.fired_at),
        resolve_time=_moment(found.resolved_at),
        acknowledged_by=found.acknowledged_by,
        acknowledge_time=_moment(found.acknowledged_at),
        acknowledge_note=found.acknowledge_note,
        etag=found.etag if found.version else "",
        data=None if found.stamp is None else stamp(found.stamp),
        metric=found.metric,
        worst=found.worst or 0.0,
        moments=found.moments,
        summary_en=found.summary.en,
        summary_zh=found.summary.zh,
        create_time=timestamp(found.created_at),
        update_time=timestamp(found.updated_at),
    )


def _moment(at: datetime | None) -> Timestamp | None:
    return None if at is None else timestamp(at)


def _duration(value: timedelta) -> Duration:
    written = Duration()
    written.FromTimedelta(value)
    return written
