"""Dataclasses as JSON: what has no column of its own, by field name.

A field that is added to a dataclass later takes its default when an older row is read.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter

from sluice_server.domain.breaker.model import BreakerPolicy, Incident
from sluice_server.domain.breaker.ports import Alarm, Capacity
from sluice_server.domain.risk.alerts.alert import Alert as RiskAlert
from sluice_server.domain.risk.alerts.metric_rule import MetricRule
from sluice_server.domain.risk.charts.definition import Dashboard
from sluice_server.domain.risk.groups.ports import GroupRun, RiskGroup
from sluice_server.domain.risk.pricing.model_version import ModelContent, ModelValidation, PriceProposal
from sluice_server.domain.routing.capacity import InsurerUse
from sluice_server.domain.routing.model import Application, Decision

T = TypeVar("T")


class Content(Generic[T]):
    """How a dataclass is split between columns and one JSON value, and put together again."""

    def __init__(self, kind: type[T], *, columns: Collection[str] = ()) -> None:
        self._adapter = TypeAdapter(kind)
        names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # kind is a dataclass
        if unknown := set(columns) - set(names):
            raise TypeError(f"{kind.__name__} has no fields {sorted(unknown)}")
        self._names = tuple(name for name in names if name not in columns)
        self._values: Callable[[T], tuple[Any, ...]] = attrgetter(*self._names)

    def encode(self, value: T) -> dict[str, Any]:
        """The fields without a column; nested dataclasses stay what they are (``types.json_text`` writes them)."""
        return dict(zip(self._names, self._values(value), strict=True))

    def decode(self, content: Mapping[str, Any], **columns: Any) -> T:
        """The dataclass again, with its declared types all the way down."""
        return self._adapter.validate_python({**content, **columns})


APPLICATION = Content(Application, columns=("application_id", "product_code", "product_line"))
DECISION = Content(
    Decision,
    columns=("decision_id", "application_id", "number", "disposition", "insurer_id", "plan_version", "decided_at"),
)
POLICY = Content(BreakerPolicy)
CAPACITY = Content(Capacity)
INSURER_USE = Content(InsurerUse)
INCIDENT = Content(Incident, columns=("incident_id", "scope", "opened_at", "closed_at", "events", "version"))
ALARM = Content(Alarm, columns=("key", "resolved_at"))
MODEL = Content(ModelContent, columns=("target", "portfolio"))
VALIDATION = Content(ModelValidation, columns=("number", "created_at"))
PROPOSAL = Content(PriceProposal, columns=("proposal_id", "model_version", "proposed_by", "created_at", "request_id"))
METRIC_RULE = Content(MetricRule, columns=("alert_rule_id", "metric", "enabled"))
RISK_ALERT = Content(
    RiskAlert, columns=("alert_id", "alert_rule_id", "state", "severity", "version", "created_at", "updated_at")
)
DASHBOARD = Content(Dashboard, columns=("dashboard_id", "version", "owner", "updated_at", "shipped"))
GROUP_RUN = Content(GroupRun)
RISK_GROUP = Content(RiskGroup, columns=("risk_group_id",))
