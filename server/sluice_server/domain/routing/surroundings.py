"""Whether a plan fits the server that is to serve it: its insurers, their adapters, its ratings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sluice_server.domain.routing.document import AllocationText, PlanDocument
from sluice_server.domain.routing.fields import suggestion
from sluice_server.domain.routing.findings import Finding, Severity
from sluice_server.domain.routing.ports import EndpointSource, RiskFactsSource
from sluice_server.domain.routing.resolve import ResolvedPlan
from sluice_server.domain.unit_of_work import UnitOfWork

SHOWN = 20
"""So many insurers or endpoints are named in a refusal."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a plan's words are held against, outside the plan."""

    risk: RiskFactsSource | None = None
    """Which kinds are rated here; None: that is not checked."""
    adapters: EndpointSource | None = None
    """Which endpoints there are; None: that is not checked."""

    def unknown_kinds(self, plan: ResolvedPlan) -> tuple[Finding, ...]:
        """Errors: with another word for the kind, everything would silently take the default."""
        risk = self.risk
        if risk is None:
            return ()
        lines = {factor.name: factor.line for factor in plan.document.factors}
        return tuple(
            Finding(
                Severity.ERROR,
                lines[factor.name],
                f"factors.{factor.name}",
                f"this server has no {function} of a {kind!r}{suggestion(kind, sorted(risk.kinds(function)))}",
            )
            for factor in plan.factors
            for function, kind in sorted(factor.expression.needs)
            if kind not in risk.kinds(function)
        )

    async def not_yet_there(self, uow: UnitOfWork, document: PlanDocument) -> tuple[Finding, ...]:
        """Warnings: insurers and endpoints that this server does not have. They may come before the plan is activated,
        which refuses without them. Each is named once, where it is first used."""
        unknown = await _unknown_insurers(uow, document)
        found: list[Finding] = []
        told: set[tuple[str, str]] = set()
        for place, rule in enumerate(document.rules):
            for number, allocation in enumerate(rule.allocations):
                insurer, path = allocation.insurer, f"rules[{place}].allocations[{number}]"
                if insurer in unknown and (insurer, "") not in told:
                    told.add((insurer, ""))
                    message = f"this server has no insurer {insurer!r}; CreateInsurer before ActivatePlan"
                    found.append(Finding(Severity.WARNING, allocation.line, f"{path}.insurer", message))
                endpoint, line = _endpoint(document, allocation)
                if (insurer, endpoint) in told or not self._lacks(insurer, endpoint):
                    continue
                told.add((insurer, endpoint))
                message = f"{self._no_endpoint(insurer, endpoint)}; ActivatePlan refuses until it has"
                found.append(Finding(Severity.WARNING, line, f"{path}.binding.endpoint", message))
        return tuple(found)

    async def hindrances(self, uow: UnitOfWork, document: PlanDocument) -> tuple[str, tuple[str, ...]]:
        """Why the plan must not decide here, to be read after "version N", and the insurers that this is about; empty
        when it may."""
        unknown = sorted(await _unknown_insurers(uow, document))
        if unknown:
            shown = ", ".join(unknown[:SHOWN])
            return f"names insurers that do not exist: {shown}; CreateInsurer them first", tuple(unknown)
        # Submissions to an endpoint that is not there would all fail, and the breaker would cut the insurer.
        lacking = sorted(pair for pair in _endpoints(document) if self._lacks(*pair))
        if lacking:
            shown = "; ".join(self._no_endpoint(*pair) for pair in lacking[:SHOWN])
            return f"cannot be served: {shown}; add it to the adapters' file and restart", tuple(insurer for insurer, _ in lacking)
        return "", ()

    def _lacks(self, insurer_id: str, endpoint: str) -> bool:
        known = self.adapters.endpoints(insurer_id) if self.adapters is not None and endpoint else None
        return known is not None and endpoint not in known

    def _no_endpoint(self, insurer_id: str, endpoint: str) -> str:
        known = sorted((self.adapters.endpoints(insurer_id) if self.adapters is not None else None) or ())
        hint = suggestion(endpoint, known) if known else ""
        return f"the adapter of {insurer_id!r} has no endpoint {endpoint!r}{hint}"


async def _unknown_insurers(uow: UnitOfWork, document: PlanDocument) -> set[str]:
    known = {insurer.insurer_id for insurer in await uow.insurers.list()}
    return set(document.insurer_ids() - known)


def _endpoint(document: PlanDocument, allocation: AllocationText) -> tuple[str, int]:
    """The endpoint that is in force for an allocation, and the line that says so."""
    declared = (document.insurers or {}).get(allocation.insurer)
    for text in (allocation.binding, declared):
        if text is not None and text.endpoint:
            return text.endpoint, text.lines.get("endpoint", allocation.line)
    return "", allocation.line


def _endpoints(document: PlanDocument) -> Iterable[tuple[str, str]]:
    return {(a.insurer, _endpoint(document, a)[0]) for rule in document.rules for a in rule.allocations}
