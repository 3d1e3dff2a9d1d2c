"""Whether a plan fits the server that is to serve it: its insurers, their adapters, its ratings."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sluice_server.domain.routing.ports import AdapterFacts, RiskFactsSource
from sluice_server.domain.routing.source.document import AllocationText, BindingText, PlanDocument
from sluice_server.domain.routing.source.findings import Finding, Severity
from sluice_server.domain.routing.source.resolve import ResolvedPlan
from sluice_server.domain.suggestion import suggestion
from sluice_server.domain.unit_of_work import UnitOfWork

SHOWN = 20
"""So many insurers or bindings are named in a refusal."""
MOST_WARNINGS = 100


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a plan's words are held against, outside the plan."""

    risk: RiskFactsSource | None = None
    """Which kinds are rated here; None: that is not checked."""
    adapters: AdapterFacts | None = None
    """Which endpoints there are, and what bindings must say; None: that is not checked."""

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
        """Warnings: insurers that this server does not have, and bindings that their adapters cannot work with. The
        insurers and the adapters' file may change before the plan is activated, which refuses without them. Each is
        named once, where it is first used."""
        unknown = await _unknown_insurers(uow, document)
        found: list[Finding] = []
        for use in _uses(document):
            insurer = use.allocation.insurer
            if insurer in unknown:
                unknown.discard(insurer)
                message = f"this server has no insurer {insurer!r}; CreateInsurer before ActivatePlan"
                found.append(Finding(Severity.WARNING, use.allocation.line, f"{use.path}.insurer", message))
            found += (
                Finding(Severity.WARNING, line, f"{use.path}.binding.{name}", f"{message}; ActivatePlan refuses")
                for name, line, message in self._unsuitable(use)
            )
            if len(found) >= MOST_WARNINGS:
                break
        return tuple(found[:MOST_WARNINGS])

    async def hindrances(self, uow: UnitOfWork, document: PlanDocument) -> tuple[str, tuple[str, ...]]:
        """Why the plan must not decide here, to be read after "version N", and the insurers that this is about; empty
        when it may."""
        unknown = sorted(await _unknown_insurers(uow, document))
        if unknown:
            shown = ", ".join(unknown[:SHOWN])
            return f"names insurers that do not exist: {shown}; CreateInsurer them first", tuple(unknown)
        # Such submissions would all fail, and the breaker would cut the insurer for it.
        unsuitable = {
            message: use.allocation.insurer for use in _uses(document) for _, _, message in self._unsuitable(use)
        }
        if unsuitable:
            shown = "; ".join(sorted(unsuitable)[:SHOWN])
            return (
                f"cannot be served: {shown}; correct the plan, or the adapters' file and restart",
                tuple(sorted(set(unsuitable.values()))),
            )
        return "", ()

    def _unsuitable(self, use: _Use) -> Iterable[tuple[str, int, str]]:
        """Fields of the binding in force that the insurer's adapter cannot work with, the line, and why."""
        adapters, insurer, binding = self.adapters, use.allocation.insurer, use.binding
        if adapters is None:
            return
        endpoints = adapters.endpoints(insurer)
        if binding.endpoint and endpoints is not None and binding.endpoint not in endpoints:
            hint = suggestion(binding.endpoint, sorted(endpoints)) if endpoints else ""
            message = f"the adapter of {insurer!r} has no endpoint {binding.endpoint!r}{hint}"
            yield "endpoint", binding.lines.get("endpoint", use.allocation.line), message
        for name in sorted(adapters.needed_of_bindings(insurer) - _said(binding)):
            yield name, use.allocation.line, f"{name} is missing; the adapter of {insurer!r} sends it always"


@dataclass(frozen=True, slots=True)
class _Use:
    """A binding in force, where it is used first."""

    path: str
    allocation: AllocationText
    binding: BindingText


def _uses(document: PlanDocument) -> Iterable[_Use]:
    seen: set[object] = set()
    for place, rule in enumerate(document.rules):
        for number, allocation in enumerate(rule.allocations):
            own = allocation.binding
            content = (allocation.insurer, None if own is None else own.content())
            if content not in seen:
                seen.add(content)
                declared = (document.insurers or {}).get(allocation.insurer) or BindingText(allocation.line)
                yield _Use(
                    f"rules[{place}].allocations[{number}]", allocation, declared if own is None else own.over(declared)
                )


def _said(binding: BindingText) -> set[str]:
    """What a binding says, by path."""
    plain = ("insurer_product_code", "insurer_plan_code", "endpoint")
    return {name for name in plain if getattr(binding, name)} | {f"parameters.{key}" for key in binding.parameters}


async def _unknown_insurers(uow: UnitOfWork, document: PlanDocument) -> set[str]:
    known = {insurer.insurer_id for insurer in await uow.insurers.list()}
    return set(document.insurer_ids() - known)
