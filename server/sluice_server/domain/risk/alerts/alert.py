"""An alert: a warning that lasts from the first value beyond the limit until it is resolved."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sluice_server.domain.errors import FailedPrecondition
from sluice_server.domain.risk.alerts.replay import AlertState
from sluice_server.domain.risk.alerts.rule import Severity
from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.semantic.metric_values import MetricValue
from sluice_server.domain.risk.semantic.semantic_model import Label

OPEN = frozenset({AlertState.PENDING, AlertState.FIRING})


@dataclass(frozen=True, slots=True)
class Alert:
    """``start_at``, ``fired_at`` and ``resolved_at`` are times of the data; the others are of the server's clock."""

    alert_id: str
    alert_rule_id: str
    metric: str
    """Empty for a warning that no rule on a metric raised."""
    dimensions: Mapping[str, str]
    state: AlertState
    severity: Severity
    owner: str
    summary: Label
    value: MetricValue | None
    limit: float | None
    worst: float | None
    moments: int
    start_at: datetime
    fired_at: datetime | None
    resolved_at: datetime | None
    stamp: DataStamp | None
    created_at: datetime
    updated_at: datetime
    acknowledged_by: str = ""
    acknowledged_at: datetime | None = None
    acknowledge_note: str = ""
    version: int = 0
    """Compared and set by every write; 0 before the first. Also the etag."""

    @property
    def is_open(self) -> bool:
        return self.state in OPEN

    @property
    def group(self) -> str:
        return group_of(self.dimensions)

    @property
    def etag(self) -> str:
        return str(self.version)


class AlertResolved(FailedPrecondition):
    reason = "ALERT_RESOLVED"


def group_of(dimensions: Mapping[str, str]) -> str:
    """Names a series of a rule: 16 hexadecimal digits, the same for the same values."""
    text = json.dumps(sorted(dimensions.items()), ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
