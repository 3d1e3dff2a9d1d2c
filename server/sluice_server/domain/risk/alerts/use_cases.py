"""The use cases of warnings, built over one store and the sources of series."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sluice_server.domain.context import Clock
from sluice_server.domain.risk.alerts.acknowledge import AcknowledgeAlert
from sluice_server.domain.risk.alerts.evaluate import EvaluateAlertRules
from sluice_server.domain.risk.alerts.read import ListAlertRules, ListAlerts, WatchAlerts
from sluice_server.domain.risk.alerts.save import SaveAlertRule
from sluice_server.domain.risk.alerts.series import SeriesSource
from sluice_server.domain.unit_of_work import Store


@dataclass(frozen=True, slots=True)
class AlertUseCases:
    """What the RiskQuery service calls for warnings, and what the worker calls."""

    list_alert_rules: ListAlertRules
    save_alert_rule: SaveAlertRule
    list_alerts: ListAlerts
    acknowledge_alert: AcknowledgeAlert
    watch_alerts: WatchAlerts
    evaluate: EvaluateAlertRules


def build_alert_use_cases(store: Store, sources: Sequence[SeriesSource], clock: Clock) -> AlertUseCases:
    """``sources``: asked in this order whose metric a rule watches."""
    return AlertUseCases(
        ListAlertRules(store),
        SaveAlertRule(store, sources, clock),
        ListAlerts(store),
        AcknowledgeAlert(store, clock),
        WatchAlerts(store, clock),
        EvaluateAlertRules(store, sources, clock),
    )
