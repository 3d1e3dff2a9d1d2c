"""The tables, by room. Only the store knows them; everybody else sees the domain's dataclasses."""

from __future__ import annotations

from sluice_server.store.tables._schema import metadata
from sluice_server.store.tables.alarms import DELIVERED, UNDELIVERED, alarm_outbox
from sluice_server.store.tables.alerts import LASTING, alert_rules, risk_alerts
from sluice_server.store.tables.audit import audit_chain, audit_events
from sluice_server.store.tables.breaker import breakers, incident_events, incidents, insurers, learned_rates
from sluice_server.store.tables.dashboards import dashboard_versions, dashboards
from sluice_server.store.tables.orders import (
    ABNORMAL,
    AWAITED,
    BACKLOG,
    DUE,
    FINISHED,
    IN_INCIDENT,
    decisions,
    order_counts,
    orders,
    policy_reconciliations,
    submissions,
)
from sluice_server.store.tables.risk import (
    IN_USE,
    price_proposals,
    risk_model_lock,
    risk_model_validations,
    risk_models,
)
from sluice_server.store.tables.risk_groups import risk_group_runs, risk_groups
from sluice_server.store.tables.routing import insurer_use, plan_activation, plans, share_ledgers

__all__ = [
    "ABNORMAL",
    "AWAITED",
    "BACKLOG",
    "DELIVERED",
    "DUE",
    "FINISHED",
    "IN_INCIDENT",
    "IN_USE",
    "LASTING",
    "UNDELIVERED",
    "alarm_outbox",
    "alert_rules",
    "audit_chain",
    "audit_events",
    "breakers",
    "dashboard_versions",
    "dashboards",
    "decisions",
    "incident_events",
    "incidents",
    "insurer_use",
    "insurers",
    "learned_rates",
    "metadata",
    "order_counts",
    "orders",
    "plan_activation",
    "plans",
    "policy_reconciliations",
    "price_proposals",
    "risk_alerts",
    "risk_group_runs",
    "risk_groups",
    "risk_model_lock",
    "risk_model_validations",
    "risk_models",
    "share_ledgers",
    "submissions",
]
