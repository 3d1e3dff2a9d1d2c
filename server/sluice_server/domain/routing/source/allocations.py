"""Gives a rule's allocations their meaning: insurers, shares, and the bindings with their templates compiled."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sluice_server.domain.routing.source.document import AllocationText, BindingText, RuleText
from sluice_server.domain.routing.source.findings import Findings
from sluice_server.domain.routing.source.templates import Template, TemplateInvalid, compile_template
from sluice_server.domain.suggestion import suggestion

WHOLE = 10_000
"""Basis points of all."""


@dataclass(frozen=True, slots=True)
class ResolvedBinding:
    """A binding whose templates are compiled."""

    insurer_product_code: Template
    insurer_plan_code: Template
    endpoint: str
    parameters: Mapping[str, Template]


@dataclass(frozen=True, slots=True)
class ResolvedAllocations:
    """Who gets which share of a rule's orders, and how. All three are in the rule's order."""

    insurers: tuple[str, ...]
    shares: tuple[int, ...]
    bindings: tuple[ResolvedBinding, ...]


class AllocationResolver:
    """Resolves the allocations of one plan's rules.

    Rules that say the same get the same objects: most of 50,000 rules do, and what they share is then in the
    processor's cache when any of them decides.
    """

    def __init__(
        self, declared: Mapping[str, BindingText] | None, factor_names: Sequence[str], findings: Findings
    ) -> None:
        """``declared``: the plan's ``insurers``, None when it does not declare them."""
        self._declared = declared
        self._factor_names = factor_names
        self._findings = findings
        self._faultless: dict[object, ResolvedAllocations] = {}
        """By content. What has a fault is resolved again, to report it at each place where it is."""
        self._bindings: dict[object, ResolvedBinding] = {}
        self._templates: dict[str, Template | str] = {}

    def resolve(self, rule: RuleText, path: str) -> ResolvedAllocations:
        """``path``: the rule's. Reports what is wrong."""
        content = tuple(
            (a.insurer, a.share, None if a.binding is None else a.binding.content()) for a in rule.allocations
        )
        known = self._faultless.get(content)
        if known is not None:
            return known
        errors_before = self._findings.error_count
        self._insurers(rule.allocations, path)
        self._sum(rule, path)
        resolved = ResolvedAllocations(
            insurers=tuple(a.insurer for a in rule.allocations),
            shares=tuple(a.share for a in rule.allocations),
            bindings=tuple(
                self._allocation_binding(allocation, f"{path}.allocations[{place}]")
                for place, allocation in enumerate(rule.allocations)
            ),
        )
        if self._findings.error_count == errors_before:
            self._faultless[content] = resolved
        return resolved

    def binding(self, text: BindingText, path: str, at: int = 0) -> ResolvedBinding:
        """``at``: the line for what has none of its own; 0: the binding's."""

        def template(source: str, name: str) -> Template:
            return self._template(source, text.lines.get(name) or at or text.line, f"{path}.{name}")

        resolved = ResolvedBinding(
            insurer_product_code=template(text.insurer_product_code, "insurer_product_code"),
            insurer_plan_code=template(text.insurer_plan_code, "insurer_plan_code"),
            endpoint=text.endpoint,
            parameters={key: template(value, f"parameters.{key}") for key, value in text.parameters.items()},
        )
        return self._bindings.setdefault(text.content(), resolved)

    def _insurers(self, allocations: Sequence[AllocationText], path: str) -> None:
        first: dict[str, int] = {}
        for place, allocation in enumerate(allocations):
            here = f"{path}.allocations[{place}].insurer"
            insurer = allocation.insurer
            if insurer in first:
                self._findings.error(
                    allocation.line, here, f"{insurer!r} has a share already, in line {first[insurer]}"
                )
            first.setdefault(insurer, allocation.line)
            if self._declared is not None and insurer and insurer not in self._declared:
                hint = suggestion(insurer, list(self._declared))
                self._findings.error(allocation.line, here, f"unknown insurer {insurer[:80]!r}{hint}")

    def _sum(self, rule: RuleText, path: str) -> None:
        total = sum(allocation.share for allocation in rule.allocations)
        if rule.allocations and all(a.share for a in rule.allocations) and total != WHOLE:
            self._findings.error(
                rule.line_of("allocations"),
                f"{path}.allocations",
                f"the shares sum to {total} basis points, not to {WHOLE}; "
                f"{'add' if total < WHOLE else 'take away'} {abs(WHOLE - total)}",
            )

    def _allocation_binding(self, allocation: AllocationText, path: str) -> ResolvedBinding:
        default = (self._declared or {}).get(allocation.insurer, BindingText(allocation.line))
        text = allocation.binding.over(default) if allocation.binding else default
        if not text.insurer_product_code:
            self._findings.error(
                allocation.line,
                f"{path}.binding.insurer_product_code",
                "missing; the insurer needs its own product code",
            )
        return self.binding(text, f"{path}.binding", at=allocation.line)

    def _template(self, source: str, line: int, path: str) -> Template:
        known = self._templates.get(source)
        if known is None:
            try:
                known = compile_template(source, self._factor_names)
            except TemplateInvalid as problem:
                known = str(problem)
            self._templates[source] = known
        if isinstance(known, str):
            self._findings.error(line, path, known)
            return Template(())
        return known
