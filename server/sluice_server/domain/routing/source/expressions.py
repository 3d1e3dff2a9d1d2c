"""CEL: factors and ``when`` conditions.

An expression sees ``application`` (the fields of ``fields.FIELDS``, and ``attributes``), ``now`` (a timestamp) and, in
``when``, ``factors``. It is compiled once for each plan. ``matches`` is not offered: it compiles its pattern at every
evaluation, up to 11 ms; ``startsWith`` and the ``prefix`` of ``match`` do what codes need.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Any

import cel

from sluice_server.domain.money import Money
from sluice_server.domain.routing.model import Application, Channel, Device
from sluice_server.domain.routing.ports import RiskNeed
from sluice_server.domain.routing.risk_functions import RISK_FUNCTIONS, ExampleLookup, RiskLookup, read_needs
from sluice_server.domain.routing.source.expression_texts import type_name, why, without_values
from sluice_server.domain.routing.source.fields import FIELDS, FactorValue, Getter
from sluice_server.domain.routing.source.flat_names import FLAT_NAME, flat_name, flattened
from sluice_server.domain.routing.source.limits import PlanLimits
from sluice_server.domain.suggestion import suggestion

FUNCTIONS = frozenset(
    {
        *("size", "contains", "startsWith", "endsWith", "int", "uint", "double", "string", "type", "dyn"),
        *("timestamp", "duration", "getFullYear", "getMonth", "getDate", "getDayOfMonth", "getDayOfWeek"),
        *("getDayOfYear", "getHours", "getMinutes", "getSeconds", "getMilliseconds"),
    }
)
"""What may be called, besides operators and the macros has, all, exists, exists_one, map, filter."""

_STRING = re.compile(
    r"[rR]?(?:'''.*?'''|\"\"\".*?\"\"\")"
    r"|[rR]\"[^\"]*\"|[rR]'[^']*'"
    r"|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'",
    re.DOTALL,
)
_PATH = re.compile(r"(?<![\w.])(application|factors)((?:\s*\.\s*[A-Za-z_]\w*)*)(\s*\[)?")
_MACRO = re.compile(r"\.\s*(?:all|exists|exists_one|map|filter)\s*\(\s*([A-Za-z_]\w*)\s*,")
_NAMED = re.compile(r"[A-Za-z]\w*")


NOTHING_FOUND = "rating or score found nothing for this kind and id (two texts)"


class ExpressionFailed(Exception):
    """An expression could not be computed for an application; the text says why, without the application's values."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression and what it reads."""

    source: str
    program: cel.Program
    paths: frozenset[str]
    """Fields of the application that it may read, as in ``fields.FIELDS``, or ``attributes``."""
    factors: frozenset[str]
    """Factors that it names."""
    flat: frozenset[str]
    """``application.…`` and ``factors.…`` that it reads as variables of their own (flat_names.py)."""
    nested: frozenset[str]
    """Of ``paths`` those that it reads within the variable ``application``."""
    nested_factors: bool
    """Whether it reads the variable ``factors``."""
    needs: frozenset[RiskNeed] = frozenset()
    """What it reads from the risk data."""

    def evaluate(self, context: cel.Context, risk: RiskLookup | None = None) -> object:
        """``risk``: what the context was built with. Raises ExpressionFailed, also when the risk data has nothing of
        what it asked for."""
        if risk is not None:
            risk.nothing_found = False
        try:
            value: object = self.program.execute(context)
        except Exception as error:
            if risk is not None and risk.nothing_found:
                raise ExpressionFailed(NOTHING_FOUND) from error
            raise ExpressionFailed(without_values(error, self.source)) from error
        if risk is not None and risk.nothing_found:
            raise ExpressionFailed(NOTHING_FOUND)
        return value


def factor_value(value: object) -> FactorValue:
    """What an expression gave, as a factor's value. Raises ExpressionFailed for anything but a scalar."""
    if isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise ExpressionFailed(f"gives {type_name(value)}; a factor is a text, a finite number or true/false")


def compile_expression(
    source: str, *, factors: Iterable[str] | None, limits: PlanLimits
) -> tuple[Expression | None, list[str]]:
    """The compiled expression, or what is wrong with it. ``factors``: those it may read, None in a factor itself."""
    if len(source) > limits.max_expression_length:
        limit = limits.max_expression_length
        return None, [f"{len(source)} characters; at most {limit} are accepted (plan_max_expression_length)"]
    try:
        program = cel.compile(source)
        references = program.references()
    except Exception as error:  # noqa: BLE001 - whatever the library's parser raises is about the text
        return None, [f"not CEL: {why(error)}"]
    text = _STRING.sub('""', source)
    problems: list[str] = []
    macros = _MACRO.findall(text)
    if len(macros) > limits.max_comprehensions:
        problems.append(
            f"{len(macros)} of all, exists, exists_one, map, filter; at most {limits.max_comprehensions} is accepted "
            "(plan_max_comprehensions)"
        )
    masked = _STRING.sub(lambda literal: " " * len(literal.group()), source)
    needs, need_problems = read_needs(source, masked, allowed=factors is None)
    problems += need_problems
    for function in references["functions"]:
        if _NAMED.fullmatch(function) and function not in FUNCTIONS | RISK_FUNCTIONS:
            because = " (its patterns are compiled at every call; use startsWith)" if function == "matches" else ""
            offered = sorted(FUNCTIONS | RISK_FUNCTIONS if factors is None else FUNCTIONS)
            problems.append(f"unknown function {function!r}{because or suggestion(function, offered)}")
    known = {"application", "now", *macros} | ({"factors"} if factors is not None else set())
    for variable in references["variables"]:
        if variable not in known:
            names = sorted(known - set(macros))
            problems.append(f"unknown name {variable!r}; known are {', '.join(names)}{_meant(variable, factors)}")
    paths, named, path_problems = _paths(text, frozenset(factors or ()))
    problems += path_problems
    if problems:
        return None, problems
    return replace(_expression(source, program, paths, named, macros), needs=needs), []


def _expression(
    source: str, program: cel.Program, paths: frozenset[str], factors: frozenset[str], macros: Sequence[str]
) -> Expression:
    """With as many fields as possible as variables of their own."""
    names = {f"application.{path}" for path in paths if path in FIELDS} | {f"factors.{name}" for name in factors}
    masked = _STRING.sub(lambda literal: " " * len(literal.group()), source)
    text, flat = flattened(source, masked, names)
    if not flat or any(macro in {"application", "factors"} or "__" in macro for macro in macros):
        return Expression(source, program, paths, factors, frozenset(), paths, bool(factors))
    rest, named, _ = _paths(FLAT_NAME.sub("0", _STRING.sub('""', text)), factors)
    return Expression(source, cel.compile(text), paths, factors, flat, rest, bool(named))


def _meant(variable: str, factors: Iterable[str] | None) -> str:
    if f"{variable}" in FIELDS or any(path.startswith(variable + ".") for path in FIELDS):
        return f"; did you mean application.{variable}?"
    return f"; did you mean factors.{variable}?" if variable in (factors or ()) else ""


def _paths(text: str, factors: frozenset[str]) -> tuple[frozenset[str], frozenset[str], list[str]]:
    """Which fields and factors are read, found in the text without its string literals."""
    paths: set[str] = set()
    named: set[str] = set()
    problems: list[str] = []
    for root, rest, bracket in _PATH.findall(text):
        names = [name.strip() for name in rest.split(".")[1:]]
        if root == "factors":
            if not names:
                named |= factors
            elif names[0] in factors:
                named.add(names[0])
            else:
                problems.append(f"unknown factor {names[0]!r}{suggestion(names[0], sorted(factors))}")
            continue
        problem = _collect(names, bool(bracket), paths)
        if problem:
            problems.append(problem)
    return frozenset(paths), frozenset(named), problems


def _collect(names: list[str], bracket: bool, paths: set[str]) -> str:
    """Adds the fields under ``application.NAMES`` to ``paths``; what is wrong with them, or nothing."""
    path = ""
    for name in names:
        path = f"{path}.{name}" if path else name
        if path in FIELDS or path == "attributes":
            paths.add(path)
            return ""
        below = [known for known in FIELDS if known.startswith(path + ".")]
        if not below:
            return f"unknown field application.{path}{suggestion(path, [*FIELDS, 'attributes'])}"
    # The whole application, or a part of it, is used as a value.
    paths |= {known for known in FIELDS if not path or known.startswith(path + ".")}
    if not path:
        paths.add("attributes")
    return ""


class ContextBuilder:
    """Makes the variables that a plan's expressions read, and only those: converting values is what costs."""

    def __init__(self, expressions: Iterable[Expression]) -> None:
        expressions = list(expressions)
        flat = frozenset[str]().union(*(e.flat for e in expressions))
        nested = frozenset[str]().union(*(e.nested for e in expressions))
        self._flat: list[tuple[str, Getter]] = [
            (flat_name(path), FIELDS[path.removeprefix("application.")][1])
            for path in sorted(flat)
            if path.startswith("application.")
        ]
        self._flat_factors = [
            (flat_name(path), path.removeprefix("factors.")) for path in sorted(flat) if path.startswith("factors.")
        ]
        self._nested = any("application" in e.program.variables() for e in expressions)
        self._attributes = "attributes" in nested
        self._getters: list[tuple[tuple[str, ...], Getter]] = [
            (tuple(path.split(".")), FIELDS[path][1]) for path in sorted(nested) if path in FIELDS
        ]
        self._nested_factors = any(e.nested_factors for e in expressions)
        self._now = any("now" in e.program.variables() for e in expressions)
        self.needs = frozenset[RiskNeed]().union(*(e.needs for e in expressions))
        alone = not (self._nested or self._now or self._flat_factors or self._nested_factors or self.needs)
        self.inputs: tuple[Getter, ...] | None = tuple(get for _, get in self._flat) if alone else None
        """What is read of an application, where the expressions depend on nothing else; None where they do."""

    def build(
        self,
        application: Application,
        now: datetime,
        factors: Mapping[str, FactorValue] | None = None,
        risk: RiskLookup | None = None,
    ) -> cel.Context:
        """A context for one evaluation of the plan; not to be shared between threads. ``risk``: answers the needs."""
        variables: dict[str, object] = {name: get(application, now) for name, get in self._flat}
        if self._nested:
            variables["application"] = self._tree(application, now)
        if self._now:
            variables["now"] = now
        if factors is not None:
            for name, factor in self._flat_factors:
                if factor in factors:
                    variables[name] = factors[factor]
            if self._nested_factors:
                variables["factors"] = dict(factors)
        return cel.Context(variables=variables, functions=risk.functions() if self.needs and risk else None)

    def _tree(self, application: Application, now: datetime) -> dict[str, Any]:
        tree: dict[str, Any] = {}
        for parts, get in self._getters:
            node = tree
            for part in parts[:-1]:
                node = node.setdefault(part, {})
            node[parts[-1]] = get(application, now)
        if self._attributes:
            tree["attributes"] = dict(application.attributes)
        return tree


def check_types(expression: Expression, factors: Mapping[str, FactorValue], *, boolean: bool) -> str:
    """Computes the expression for two example applications; what is wrong with its types, or nothing.

    Failures that depend on the example's values (an absent attribute, a text that is no number) are no finding.
    """
    builder = ContextBuilder([expression])
    risk = ExampleLookup()
    for example in EXAMPLES:
        try:
            value = expression.evaluate(builder.build(example, EXAMPLE_NOW, factors, risk), risk)
            if boolean and not isinstance(value, bool):
                return f"gives {type_name(value)}; a condition gives true or false"
            if not boolean:
                factor_value(value)
        except ExpressionFailed as failure:
            cause = failure.__cause__
            if cause is None:
                return str(failure)
            if isinstance(cause, TypeError):
                # It was computed for an example: the library's own text can be shown.
                return why(cause)
    return ""


EXAMPLE_NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
EXAMPLES = tuple(
    Application(
        application_id="example",
        product_code="example",
        product_line="example",
        device=Device("example", "example", "example", "example", Money(100_000, "CNY"), purchased_on),
        channel=Channel("example", "example", "example"),
        customer_ref="example",
        premium=Money(1_000, "CNY"),
        term_months=12,
    )
    for purchased_on in (None, date(2025, 1, 1))
)
