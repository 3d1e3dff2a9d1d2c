"""From a plan's text to its document: structure, types and lengths. What the words mean is checked in ``resolve``."""

from __future__ import annotations

import re

from sluice_server.domain.located_yaml import Section, Tree, read_tree, text_of
from sluice_server.domain.routing.source.conditions import ConditionParser
from sluice_server.domain.routing.source.document import (
    AllocationText,
    BindingText,
    Deficit,
    FactorText,
    OnExhausted,
    PlanDocument,
    ProductText,
    RuleText,
    Split,
)
from sluice_server.domain.routing.source.fields import FactorValue
from sluice_server.domain.routing.source.findings import Findings
from sluice_server.domain.routing.source.limits import TEXT_LIMIT, PlanLimits

INSURER_ID = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")
FACTOR_NAME = re.compile(r"[a-z_][a-z0-9_]{0,63}")
DEFAULT_STICKY_KEY = "customer_ref"


def parse_plan(source: str, findings: Findings, limits: PlanLimits) -> PlanDocument | None:
    """The document, as far as it can be read; None when it is no YAML mapping. What is wrong is in ``findings``."""
    size = len(source.encode("utf-8", "surrogatepass"))
    if size > limits.max_source_bytes:
        findings.error(0, "", f"{size} bytes; at most {limits.max_source_bytes} are accepted (plan_max_source_bytes)")
        return None
    tree = read_tree(source, findings, expected="a plan is a mapping with plan, products and rules")
    return None if tree is None else _Parser(findings, limits).plan(tree)


class _Parser:
    def __init__(self, findings: Findings, limits: PlanLimits) -> None:
        self._findings = findings
        self._limits = limits
        self._conditions = ConditionParser(findings, limits)

    def plan(self, tree: Tree) -> PlanDocument:
        limits = self._limits
        section = Section(tree, "", self._findings, "a plan")
        name = section.text("plan", maximum=64, required=True)
        description = section.text(
            "description", maximum=limits.max_description_length, limit_name="plan_max_description_length"
        )
        insurers = self._insurers(section)
        products = tuple(
            self._product(item, f"products[{i}]")
            for i, item in enumerate(
                section.items("products", maximum=limits.max_products, limit_name="plan_max_products", required=True)
            )
        )
        factors = self._factors(section)
        rules = tuple(
            self._rule(item, f"rules[{i}]")
            for i, item in enumerate(
                section.items("rules", maximum=limits.max_rules, limit_name="plan_max_rules", required=True)
            )
        )
        section.done()
        return PlanDocument(name, description, insurers, products, factors, rules, section.lines())

    def _insurers(self, plan: Section) -> dict[str, BindingText] | None:
        tree = plan.get("insurers")
        if tree is None:
            return None
        section = Section(tree, "insurers", self._findings, "insurers")
        declared: dict[str, BindingText] = {}
        if len(section.entries) > self._limits.max_insurers:
            self._findings.error(
                section.line,
                "insurers",
                f"{len(section.entries)} insurers; at most {self._limits.max_insurers} are accepted "
                "(plan_max_insurers)",
            )
            return declared
        for insurer, entry in section.entries.items():
            section.get(insurer)
            path = section.at(insurer[:64])
            self._insurer_id(insurer, entry.line, path)
            declared[insurer] = BindingText(entry.line)
            if entry.value is None:
                continue
            inner = Section(entry, path, self._findings, "an insurer")
            binding = inner.get("binding")
            if binding is not None:
                declared[insurer] = self._binding(binding, f"{path}.binding")
            inner.done()
        return declared

    def _insurer_id(self, insurer: str, line: int, path: str) -> None:
        if not INSURER_ID.fullmatch(insurer):
            self._findings.error(
                line,
                path,
                f"{insurer[:80]!r} is no insurer id: 1 to 64 of a-z 0-9 . _ -, beginning with a letter or digit",
            )

    def _product(self, tree: Tree, path: str) -> ProductText:
        section = Section(tree, path, self._findings, "a product")
        product = ProductText(
            section.line,
            code=section.text("code", maximum=64),
            product_line=section.text("product_line", maximum=64),
            category=section.text("category", maximum=64),
        )
        section.done()
        if isinstance(tree.value, dict) and not {"code", "product_line", "category"} & tree.value.keys():
            self._findings.error(section.line, path, "names no product; give code, product_line or category")
        return product

    def _factors(self, plan: Section) -> tuple[FactorText, ...]:
        tree = plan.get("factors")
        if tree is None:
            return ()
        section = Section(tree, "factors", self._findings, "factors")
        if len(section.entries) > self._limits.max_factors:
            self._findings.error(
                section.line,
                "factors",
                f"{len(section.entries)} factors; at most {self._limits.max_factors} are accepted (plan_max_factors)",
            )
            return ()
        return tuple(self._factor(name, entry) for name, entry in section.entries.items())

    def _factor(self, name: str, tree: Tree) -> FactorText:
        path = f"factors.{name[:64]}"
        if not FACTOR_NAME.fullmatch(name):
            self._findings.error(tree.line, path, "a factor's name is 1 to 64 of a-z 0-9 _, no digit first")
        # The exact limit is checked where the expression is compiled.
        longest = 100 * self._limits.max_expression_length
        if isinstance(tree.value, str):
            return FactorText(name, tree.line, text_of(tree, path, longest, self._findings), None)
        section = Section(tree, path, self._findings, "a factor")
        expression = section.text("expression", maximum=longest, required=True)
        default: FactorValue | None = None
        entry = section.get("default")
        if entry is not None:
            value = entry.value
            if isinstance(value, list | dict) or value is None:
                self._findings.error(entry.line, section.at("default"), f"must be one value, this is {entry.kind()}")
            else:
                default = value
        section.get("description")
        section.done()
        return FactorText(name, section.line_of("expression"), expression, default)

    def _rule(self, tree: Tree, path: str) -> RuleText:
        limits = self._limits
        section = Section(tree, path, self._findings, "a rule")
        name = section.text("name", maximum=128, required=True)
        when = section.text("when", maximum=100 * limits.max_expression_length)
        rule = RuleText(
            line=section.line,
            name=name,
            match=self._conditions.match(section),
            when=when,
            when_line=section.line_of("when"),
            split=section.choice("split", Split, Split.STICKY),
            sticky_key=section.text(
                "sticky_key", maximum=limits.max_text_length, limit_name=TEXT_LIMIT, default=DEFAULT_STICKY_KEY
            ),
            on_exhausted=section.choice("on_exhausted", OnExhausted, OnExhausted.PARK),
            allocations=tuple(
                self._allocation(item, f"{path}.allocations[{i}]")
                for i, item in enumerate(
                    section.items(
                        "allocations", maximum=limits.max_allocations, limit_name="plan_max_allocations", required=True
                    )
                )
            ),
            lines=section.lines(),
            deficit=section.choice("deficit", Deficit, Deficit.FORGIVEN),
        )
        section.get("description")
        section.done()
        return rule

    def _allocation(self, tree: Tree, path: str) -> AllocationText:
        section = Section(tree, path, self._findings, "an allocation")
        insurer = section.text("insurer", maximum=256, required=True)
        if insurer:
            self._insurer_id(insurer, section.line_of("insurer"), section.at("insurer"))
        share = section.integer("share", minimum=1, maximum=10_000, required=True)
        binding = section.get("binding")
        allocation = AllocationText(
            section.line,
            insurer,
            share or 0,
            None if binding is None else self._binding(binding, section.at("binding")),
        )
        section.done()
        return allocation

    def _binding(self, tree: Tree, path: str) -> BindingText:
        maximum = self._limits.max_text_length
        section = Section(tree, path, self._findings, "a binding")
        lines = section.lines()
        parameters: dict[str, str] = {}
        entry = section.get("parameters")
        if entry is not None:
            inner = Section(entry, section.at("parameters"), self._findings, "parameters")
            if len(inner.entries) > self._limits.max_parameters:
                self._findings.error(
                    entry.line,
                    inner.path,
                    f"{len(inner.entries)} parameters; at most {self._limits.max_parameters} are accepted "
                    "(plan_max_parameters)",
                )
            for key, value in list(inner.entries.items())[: self._limits.max_parameters]:
                lines[f"parameters.{key}"] = value.line
                if len(key) > 64 or not key.isprintable() or not key:
                    self._findings.error(value.line, inner.path, "a parameter's name has 1 to 64 printable characters")
                else:
                    parameters[key] = text_of(value, inner.at(key), maximum, self._findings, TEXT_LIMIT)
        binding = BindingText(
            section.line,
            insurer_product_code=section.text("insurer_product_code", maximum=maximum, limit_name=TEXT_LIMIT),
            insurer_plan_code=section.text("insurer_plan_code", maximum=maximum, limit_name=TEXT_LIMIT),
            endpoint=section.text("endpoint", maximum=64),
            parameters=parameters,
            lines=lines,
        )
        section.done()
        return binding
