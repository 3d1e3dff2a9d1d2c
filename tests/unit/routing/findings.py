"""What a plan's check finds."""

from __future__ import annotations

from sluice_server.domain.routing.source.compile import check_plan
from sluice_server.domain.routing.source.findings import Finding, Severity
from sluice_server.domain.routing.source.limits import PlanLimits


def found(source: str, severity: Severity = Severity.ERROR, limits: PlanLimits | None = None) -> list[Finding]:
    _, findings = check_plan(source, limits or PlanLimits())
    return [finding for finding in findings if finding.severity is severity]
