"""A plan's text as it was written: the same structure, with line numbers, nothing resolved yet."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sluice_server.domain.routing.source.fields import FactorValue


class Split(StrEnum):
    """How a rule's orders are divided among its insurers."""

    STICKY = "STICKY"
    """By a hash of the sticky key: the same key always goes to the same insurer, shares hold in expectation."""
    EXACT = "EXACT"
    """By a ledger: after any number of orders nobody is more than one order off its share."""


class Deficit(StrEnum):
    """What becomes of the orders that an insurer of an EXACT split misses while it is cut, ramping or without room."""

    FORGIVEN = "FORGIVEN"
    """It takes up its share again, and no more."""
    REPAID = "REPAID"
    """It is given them on top of its share, until it is back at it."""


class OnExhausted(StrEnum):
    """What happens when no insurer of the rule is left."""

    PARK = "PARK"
    KEEP_LAST = "KEEP_LAST"
    REJECT = "REJECT"


@dataclass(frozen=True, slots=True)
class OneOf:
    """The value is one of these."""

    values: tuple[FactorValue, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Between:
    """The number is within these bounds; None: unbounded."""

    line: int
    at_least: int | float | None = None
    above: int | float | None = None
    at_most: int | float | None = None
    below: int | float | None = None


@dataclass(frozen=True, slots=True)
class StartsWith:
    """The text begins with one of these."""

    prefixes: tuple[str, ...]
    line: int


Condition = OneOf | Between | StartsWith


@dataclass(frozen=True, slots=True)
class ProductText:
    """Products that the plan serves: all of the given fields must agree."""

    line: int
    code: str = ""
    product_line: str = ""
    category: str = ""

    def fields(self) -> dict[str, str]:
        """The given ones by path."""
        given = {"product_code": self.code, "product_line": self.product_line, "device.category": self.category}
        return {path: value for path, value in given.items() if value}


@dataclass(frozen=True, slots=True)
class FactorText:
    """A value computed from the application."""

    name: str
    line: int
    expression: str
    default: FactorValue | None
    """Used when the expression cannot be computed; None: such an application is refused."""


@dataclass(frozen=True, slots=True)
class BindingText:
    """An insurer's own parameters; every text is a template."""

    line: int
    insurer_product_code: str = ""
    insurer_plan_code: str = ""
    endpoint: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    """Line by field (``insurer_plan_code``, ``parameters.model``)."""

    def over(self, defaults: BindingText) -> BindingText:
        """This binding, with what it leaves out taken from ``defaults``."""
        return BindingText(
            line=self.line,
            insurer_product_code=self.insurer_product_code or defaults.insurer_product_code,
            insurer_plan_code=self.insurer_plan_code or defaults.insurer_plan_code,
            endpoint=self.endpoint or defaults.endpoint,
            parameters={**defaults.parameters, **self.parameters},
            lines={**defaults.lines, **self.lines},
        )

    def content(self) -> tuple[str, str, str, tuple[tuple[str, str], ...]]:
        """What it says, without where; two with the same content bind alike."""
        parameters = tuple(self.parameters.items())
        return self.insurer_product_code, self.insurer_plan_code, self.endpoint, parameters


@dataclass(frozen=True, slots=True)
class AllocationText:
    """An insurer's share in a rule."""

    line: int
    insurer: str
    share: int
    binding: BindingText | None


@dataclass(frozen=True, slots=True)
class RuleText:
    """One rule."""

    line: int
    name: str
    match: Mapping[str, Condition]
    when: str
    when_line: int
    split: Split
    sticky_key: str
    on_exhausted: OnExhausted
    allocations: tuple[AllocationText, ...]
    lines: Mapping[str, int] = field(default_factory=dict)
    """Line by key of the rule."""
    deficit: Deficit = Deficit.FORGIVEN
    """Of an EXACT split."""

    def line_of(self, key: str) -> int:
        return self.lines.get(key, self.line)


@dataclass(frozen=True, slots=True)
class PlanDocument:
    """The whole plan."""

    name: str
    description: str
    insurers: Mapping[str, BindingText] | None
    """Default bindings by insurer; None when the plan does not declare its insurers."""
    products: tuple[ProductText, ...]
    factors: tuple[FactorText, ...]
    rules: tuple[RuleText, ...]
    lines: Mapping[str, int] = field(default_factory=dict)

    def insurer_ids(self) -> frozenset[str]:
        """Every insurer that may get an order."""
        return frozenset(a.insurer for rule in self.rules for a in rule.allocations)
