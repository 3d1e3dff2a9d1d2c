"""Gives the words of a plan's document their meaning: fields, factors, expressions, templates, insurers, shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sluice_server.domain.routing.risk_functions import ExampleLookup
from sluice_server.domain.routing.source.allocations import AllocationResolver, ResolvedBinding
from sluice_server.domain.routing.source.document import (
    Between,
    Condition,
    FactorText,
    OneOf,
    PlanDocument,
    RuleText,
    Split,
    StartsWith,
)
from sluice_server.domain.routing.source.expressions import (
    EXAMPLE_NOW,
    EXAMPLES,
    ContextBuilder,
    Expression,
    ExpressionFailed,
    check_types,
    compile_expression,
    factor_value,
)
from sluice_server.domain.routing.source.fields import FACTOR_PREFIX, FIELDS, FactorValue, FieldKind, kind_of
from sluice_server.domain.routing.source.findings import Findings
from sluice_server.domain.routing.source.limits import PlanLimits
from sluice_server.domain.suggestion import suggestion


@dataclass(frozen=True, slots=True)
class ResolvedFactor:
    """A factor that can be computed."""

    name: str
    expression: Expression
    default: FactorValue | None


@dataclass(frozen=True, slots=True)
class ResolvedRule:
    """A rule that can be matched and split."""

    text: RuleText
    place: int
    """Index in the plan."""
    conditions: Mapping[str, Condition]
    """By field path or ``factors.NAME``."""
    when: Expression | None
    sticky_path: str
    insurers: tuple[str, ...]
    shares: tuple[int, ...]
    bindings: tuple[ResolvedBinding, ...]
    """These three are the same objects in every rule whose allocations say the same."""


@dataclass(frozen=True, slots=True)
class ResolvedPlan:
    """A plan without errors in its words (complete only when there are no error findings)."""

    document: PlanDocument
    factors: tuple[ResolvedFactor, ...]
    rules: tuple[ResolvedRule, ...]


def resolve_plan(document: PlanDocument, findings: Findings, limits: PlanLimits) -> ResolvedPlan:
    """Resolves what can be resolved; what cannot is in ``findings``."""
    return _Resolver(document, findings, limits).plan()


class _Resolver:
    def __init__(self, document: PlanDocument, findings: Findings, limits: PlanLimits) -> None:
        self._document = document
        self._findings = findings
        self._limits = limits
        self._factor_names = [f.name for f in document.factors]
        self._examples: dict[str, FactorValue] = {}
        self._expressions: dict[str, tuple[Expression | None, list[str]]] = {}
        self._allocations = AllocationResolver(document.insurers, self._factor_names, findings)

    def plan(self) -> ResolvedPlan:
        factors = [self._factor(f) for f in self._document.factors]
        rules = tuple(self._rule(rule, place) for place, rule in enumerate(self._document.rules))
        self._names()
        self._declared_insurers()
        return ResolvedPlan(self._document, tuple(f for f in factors if f is not None), rules)

    def _names(self) -> None:
        first: dict[str, int] = {}
        for place, rule in enumerate(self._document.rules):
            if rule.name and rule.name in first:
                self._findings.error(
                    rule.line_of("name"),
                    f"rules[{place}].name",
                    f"{rule.name!r} is also the name of the rule in line {first[rule.name]}",
                )
            first.setdefault(rule.name, rule.line_of("name"))

    def _declared_insurers(self) -> None:
        used = self._document.insurer_ids()
        for insurer, entry in (self._document.insurers or {}).items():
            if insurer not in used:
                self._findings.warning(entry.line, f"insurers.{insurer}", "no rule gives it a share")
            self._allocations.binding(entry, f"insurers.{insurer}.binding")

    def _factor(self, factor: FactorText) -> ResolvedFactor | None:
        path = f"factors.{factor.name}"
        if not factor.expression:
            return None
        expression, problems = compile_expression(factor.expression, factors=None, limits=self._limits)
        for problem in problems:
            self._findings.error(factor.line, path, problem)
        if expression is None:
            return None
        problem = check_types(expression, {}, boolean=False)
        if problem:
            self._findings.error(factor.line, path, problem)
        if "attributes" in expression.paths and factor.default is None:
            self._findings.warning(
                factor.line,
                path,
                "reads attributes and has no default: an application for which it cannot be computed is refused",
            )
        if expression.needs and factor.default is None:
            self._findings.error(
                factor.line,
                path,
                "reads the risk data and has no default; write {expression: …, default: …} for what is not rated",
            )
        self._remember_example(factor, expression)
        example = self._examples.get(factor.name)
        if (
            factor.default is not None
            and example is not None
            and _kind_of_value(factor.default) is not _kind_of_value(example)
        ):
            self._findings.error(
                factor.line,
                f"{path}.default",
                f"is a {_KIND_NAMES[_kind_of_value(factor.default)]}, the expression gives a "
                f"{_KIND_NAMES[_kind_of_value(example)]}; conditions could not tell what to expect",
            )
        return ResolvedFactor(factor.name, expression, factor.default)

    def _remember_example(self, factor: FactorText, expression: Expression) -> None:
        """What the factor is like, to check the conditions that use it."""
        builder, risk = ContextBuilder([expression]), ExampleLookup()
        for example in EXAMPLES:
            try:
                context = builder.build(example, EXAMPLE_NOW, risk=risk)
                self._examples[factor.name] = factor_value(expression.evaluate(context, risk))
            except ExpressionFailed:
                continue
        if factor.default is not None:
            self._examples.setdefault(factor.name, factor.default)

    def _rule(self, rule: RuleText, place: int) -> ResolvedRule:
        path = f"rules[{place}]"
        for field_path, condition in rule.match.items():
            self._condition(field_path, condition, f"{path}.match.{field_path}")
        if rule.split is Split.STICKY and "deficit" in rule.lines:
            self._findings.error(
                rule.line_of("deficit"), f"{path}.deficit", "is for split EXACT; STICKY counts no orders"
            )
        if rule.split is Split.EXACT and "sticky_key" in rule.lines:
            self._findings.warning(rule.line_of("sticky_key"), f"{path}.sticky_key", "is not used by split EXACT")
        self._sticky_key(rule, path)
        allocations = self._allocations.resolve(rule, path)
        return ResolvedRule(
            text=rule,
            place=place,
            conditions=rule.match,
            when=self._when(rule, f"{path}.when"),
            sticky_path=rule.sticky_key.removeprefix("application."),
            insurers=allocations.insurers,
            shares=allocations.shares,
            bindings=allocations.bindings,
        )

    def _when(self, rule: RuleText, path: str) -> Expression | None:
        if not rule.when:
            return None
        if rule.when not in self._expressions:
            expression, problems = compile_expression(rule.when, factors=self._factor_names, limits=self._limits)
            if expression is not None and expression.factors <= self._examples.keys():
                problem = check_types(expression, self._examples, boolean=True)
                problems = [problem] if problem else []
            self._expressions[rule.when] = (expression, problems)
        expression, problems = self._expressions[rule.when]
        for problem in problems:
            self._findings.error(rule.when_line, path, problem)
        return expression

    def _condition(self, field_path: str, condition: Condition, path: str) -> None:
        kind = self._kind(field_path, condition.line, path)
        if kind is None:
            return
        match condition:
            case OneOf():
                wrong = [v for v in condition.values if not _fits(v, kind)]
                if wrong:
                    self._findings.error(
                        condition.line,
                        path,
                        f"{wrong[0]!r} can never match; the field holds a {_KIND_NAMES[kind]}{_quote(wrong[0], kind)}",
                    )
            case StartsWith():
                if kind not in (str, object):
                    self._findings.error(condition.line, path, f"prefix is for texts; this is a {_KIND_NAMES[kind]}")
            case Between():
                if kind not in (int, object):
                    self._findings.error(condition.line, path, f"bounds are for numbers; this is a {_KIND_NAMES[kind]}")
                elif _is_empty(condition):
                    self._findings.error(condition.line, path, "no number is within these bounds")

    def _kind(self, field_path: str, line: int, path: str) -> type | None:
        """str, int (any number), bool; ``object`` when a factor's type is not known; None when there is no field."""
        if field_path.startswith(FACTOR_PREFIX):
            name = field_path[len(FACTOR_PREFIX) :]
            if name not in self._factor_names:
                self._findings.error(line, path, f"unknown factor {name[:64]!r}{suggestion(name, self._factor_names)}")
                return None
            example = self._examples.get(name)
            if example is None:
                return object
            return _kind_of_value(example)
        kind = kind_of(field_path)
        if kind is None:
            known = [*FIELDS, *(FACTOR_PREFIX + name for name in self._factor_names)]
            hint = suggestion(field_path.removeprefix("application."), known)
            self._findings.error(line, path, f"unknown field {field_path[:128]!r}{hint}")
            return None
        return str if kind is FieldKind.TEXT else int

    def _sticky_key(self, rule: RuleText, path: str) -> None:
        self._kind(rule.sticky_key.removeprefix("application."), rule.line_of("sticky_key"), f"{path}.sticky_key")


_KIND_NAMES = {str: "text", int: "number", bool: "true/false", object: "value"}


def _kind_of_value(value: FactorValue) -> type:
    """str, int (any number) or bool."""
    return bool if isinstance(value, bool) else str if isinstance(value, str) else int


def _fits(value: FactorValue, kind: type) -> bool:
    if kind is object:
        return True
    if kind is int:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, kind)


def _quote(value: FactorValue, kind: type) -> str:
    return "; write it in quotes" if kind is str and not isinstance(value, str) else ""


def _is_empty(bounds: Between) -> bool:
    low = max((b for b in (bounds.at_least, bounds.above) if b is not None), default=None)
    high = min((b for b in (bounds.at_most, bounds.below) if b is not None), default=None)
    if low is None or high is None:
        return False
    strict = low == bounds.above or high == bounds.below
    return low > high or (low == high and strict)
