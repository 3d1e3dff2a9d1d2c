"""From a plan's text to the plan that decides: read, checked, compiled."""

from __future__ import annotations

import hashlib
from contextlib import suppress

from sluice_server.domain.located_yaml import TooManyErrors
from sluice_server.domain.routing.index import lookup_entries
from sluice_server.domain.routing.plan import CompiledPlan
from sluice_server.domain.routing.ports import RiskFactsSource, StoredPlan
from sluice_server.domain.routing.source.collector import COLLECTOR_HELD_OFF
from sluice_server.domain.routing.source.findings import Finding, Findings, errors, invalid_plan
from sluice_server.domain.routing.source.limits import DEFAULT_LIMITS, PlanLimits
from sluice_server.domain.routing.source.parse import parse_plan
from sluice_server.domain.routing.source.reach import check_reach
from sluice_server.domain.routing.source.resolve import ResolvedPlan, resolve_plan


def check_plan(
    source: str, limits: PlanLimits = DEFAULT_LIMITS, *, reach: bool = True
) -> tuple[ResolvedPlan | None, tuple[Finding, ...]]:
    """Reads and checks a plan's text: the resolved plan (None when there is an error) and every finding, by line.

    ``reach``: also whether every rule can be reached and every product is served.
    """
    findings = Findings(limits.max_findings)
    with COLLECTOR_HELD_OFF:
        resolved = _checked(source, findings, limits, reach=reach)
    return (None if findings.has_errors else resolved), findings.sorted()


def _checked(source: str, findings: Findings, limits: PlanLimits, *, reach: bool) -> ResolvedPlan | None:
    resolved: ResolvedPlan | None = None
    # When there are too many errors, the findings say that the rest was not checked.
    with suppress(TooManyErrors):
        document = parse_plan(source, findings, limits)
        if document is not None:
            resolved = resolve_plan(document, findings, limits)
        # Reachability speaks about what the rules mean; with errors in them it would only confuse.
        if resolved is not None and not findings.has_errors and _fits_in_memory(resolved, findings, limits) and reach:
            check_reach(resolved, findings)
    return resolved


def _fits_in_memory(plan: ResolvedPlan, findings: Findings, limits: PlanLimits) -> bool:
    """Whether the index stays within its limit: a small text can list values that multiply to gigabytes."""
    entries = 0
    for rule in plan.rules:
        entries += lookup_entries(rule.conditions)
        if entries > limits.max_lookup_entries:
            findings.error(
                rule.text.line,
                f"rules[{rule.place}].match",
                f"with this rule the listed values multiply to more than {limits.max_lookup_entries} combinations "
                "(plan_max_lookup_entries); use prefixes, ranges or a factor instead of long lists",
            )
            return False
    return True


def compile_plan(
    plan: StoredPlan | str,
    *,
    version: int = 0,
    limits: PlanLimits = DEFAULT_LIMITS,
    risk: RiskFactsSource | None = None,
) -> CompiledPlan:
    """A stored version, or a text (of ``version``), ready to decide. Raises InvalidPlan with all errors."""
    source = plan if isinstance(plan, str) else plan.source
    # What is stored has been checked. A later release that finds more unreachable rules must still serve it.
    resolved, findings = check_plan(source, limits, reach=isinstance(plan, str))
    if resolved is None:
        raise invalid_plan(errors(findings))
    with COLLECTOR_HELD_OFF:
        return CompiledPlan(resolved, version if isinstance(plan, str) else plan.version, risk)


def content_hash(source: str) -> str:
    """SHA-256 of the text, hexadecimal."""
    return hashlib.sha256(source.encode()).hexdigest()
