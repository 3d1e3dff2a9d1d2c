"""What two versions of a plan say differently, rule by rule."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum

from sluice_server.domain.located_yaml import TooManyErrors
from sluice_server.domain.routing.source.collector import COLLECTOR_HELD_OFF
from sluice_server.domain.routing.source.document import (
    AllocationText,
    Between,
    BindingText,
    Condition,
    OneOf,
    PlanDocument,
    RuleText,
    StartsWith,
)
from sluice_server.domain.routing.source.findings import Findings, errors, invalid_plan
from sluice_server.domain.routing.source.limits import DEFAULT_LIMITS, PlanLimits
from sluice_server.domain.routing.source.parse import parse_plan


class ChangeKind(StrEnum):
    """What became of a part."""

    ADDED = "ADDED"
    REMOVED = "REMOVED"
    CHANGED = "CHANGED"
    MOVED = "MOVED"
    """A rule that stands elsewhere among the rules that both versions have; the first that matches decides."""


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One thing within a part that both versions have."""

    path: str
    """Within the part: ``match.product_line``, ``allocations.insurer-a.share``, ``place``."""
    before: str
    """Empty: it was not there."""
    after: str
    """Empty: it is no longer there."""


@dataclass(frozen=True, slots=True)
class PartChange:
    """A part of the plan that differs."""

    part: str
    """``rule``, ``factor``, ``product``, ``insurer`` or ``plan``."""
    name: str
    """Of the rule, the factor …; of the field for ``plan``."""
    kind: ChangeKind
    fields: tuple[FieldChange, ...] = ()
    """Empty when it was moved; everything it has when it was added or removed."""


def compare_plans(before: PlanDocument, after: PlanDocument) -> tuple[PartChange, ...]:
    """Every difference that can change a decision or that a reader sees; lines, comments and YAML's style do not count.

    Rules, factors and insurers are the same part when they have the same name, products when they have the same fields.
    What the plan leaves out counts as its default: a rule with ``split: STICKY`` equals one without.
    """
    found = [
        *_parts("plan", _head(before), _head(after)),
        *_parts("insurer", _insurers(before), _insurers(after)),
        *_parts("product", _products(before), _products(after)),
        *_parts("factor", _factors(before), _factors(after)),
    ]
    rules = {change.name: change for change in _parts("rule", _rules(before), _rules(after))}
    moves = _moves([rule.name for rule in before.rules], [rule.name for rule in after.rules])
    # In the order of the newer version, then those that are gone.
    for name in dict.fromkeys([*(r.name for r in after.rules), *(r.name for r in before.rules)]):
        change, move = rules.get(name), moves.get(name)
        if change is not None and move is not None:
            found.append(PartChange("rule", name, change.kind, (*change.fields, move)))
        elif change is not None:
            found.append(change)
        elif move is not None:
            found.append(PartChange("rule", name, ChangeKind.MOVED, (move,)))
    return tuple(found)


def document_of(source: str, limits: PlanLimits = DEFAULT_LIMITS) -> PlanDocument:
    """A plan's text, to be compared. Raises InvalidPlan when its structure is wrong; what it means is not checked."""
    findings = Findings(limits.max_findings)
    document: PlanDocument | None = None
    # When there are too many errors, the findings say that the rest was not read.
    with COLLECTOR_HELD_OFF, suppress(TooManyErrors):
        document = parse_plan(source, findings, limits)
    if document is None or findings.has_errors:
        raise invalid_plan(errors(findings.sorted()))
    return document


_Fields = Mapping[str, str]
"""What a part says, by path."""


def _parts(part: str, before: Mapping[str, _Fields], after: Mapping[str, _Fields]) -> list[PartChange]:
    found: list[PartChange] = []
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name), after.get(name)
        fields = tuple(_fields(old or {}, new or {}))
        if old is None:
            found.append(PartChange(part, name, ChangeKind.ADDED, fields))
        elif new is None:
            found.append(PartChange(part, name, ChangeKind.REMOVED, fields))
        elif fields:
            found.append(PartChange(part, name, ChangeKind.CHANGED, fields))
    return found


def _fields(before: _Fields, after: _Fields) -> Iterable[FieldChange]:
    for path in dict.fromkeys([*before, *after]):
        old, new = before.get(path, ""), after.get(path, "")
        if old != new:
            yield FieldChange(path, old, new)


def _head(plan: PlanDocument) -> dict[str, _Fields]:
    return {"plan": {"name": plan.name}, "description": {"text": plan.description}}


def _insurers(plan: PlanDocument) -> dict[str, _Fields]:
    return {insurer: dict(_binding(binding)) for insurer, binding in (plan.insurers or {}).items()}


def _products(plan: PlanDocument) -> dict[str, _Fields]:
    return {", ".join(f"{path} {value}" for path, value in p.fields().items()): {} for p in plan.products}


def _factors(plan: PlanDocument) -> dict[str, _Fields]:
    return {
        factor.name: {"expression": factor.expression}
        | ({} if factor.default is None else {"default": _value(factor.default)})
        for factor in plan.factors
    }


def _rules(plan: PlanDocument) -> dict[str, _Fields]:
    # What an allocation takes over from the plan's insurers belongs to the rule: it is what an order gets.
    defaults = plan.insurers or {}
    return {rule.name: dict(_rule(rule, defaults)) for rule in plan.rules}


def _rule(rule: RuleText, defaults: Mapping[str, BindingText]) -> Iterable[tuple[str, str]]:
    for path, condition in rule.match.items():
        yield f"match.{path}", condition_text(condition)
    if rule.when:
        yield "when", rule.when
    yield "split", rule.split.value
    yield "deficit", rule.deficit.value
    yield "sticky_key", rule.sticky_key.removeprefix("application.")
    yield "on_exhausted", rule.on_exhausted.value
    for allocation in rule.allocations:
        yield from _allocation(allocation, defaults.get(allocation.insurer))


def _allocation(allocation: AllocationText, default: BindingText | None) -> Iterable[tuple[str, str]]:
    here = f"allocations.{allocation.insurer}"
    yield f"{here}.share", str(allocation.share)
    binding = allocation.binding or BindingText(allocation.line)
    for path, value in _binding(binding if default is None else binding.over(default)):
        yield f"{here}.{path}", value


def _binding(binding: BindingText) -> Iterable[tuple[str, str]]:
    for name in ("insurer_product_code", "insurer_plan_code", "endpoint"):
        value = getattr(binding, name)
        if value:
            yield f"binding.{name}", value
    for key, value in binding.parameters.items():
        yield f"binding.parameters.{key}", value


def condition_text(condition: Condition) -> str:
    """A condition as a plan may write it, values in a stable order."""
    match condition:
        case OneOf(values=(only,)):
            return _value(only)
        case OneOf():
            return f"[{', '.join(sorted({_value(v) for v in condition.values}))}]"
        case StartsWith():
            return f"{{prefix: [{', '.join(sorted(set(condition.prefixes)))}]}}"
        case Between():
            bounds = {name: getattr(condition, name) for name in ("at_least", "above", "at_most", "below")}
            return f"{{{', '.join(f'{name}: {bound}' for name, bound in bounds.items() if bound is not None)}}}"


def _value(value: str | int | float | bool) -> str:
    """A text that looks like something else in quotes: ``"12"`` is not ``12``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return value if value and not _looks_like_another(value) else f'"{value}"'
    return str(value)


def _looks_like_another(text: str) -> bool:
    if text.lower() in ("true", "false", "null", "~"):
        return True
    try:
        float(text)
    except ValueError:
        return False
    return True


def _moves(before: Sequence[str], after: Sequence[str]) -> dict[str, FieldChange]:
    """The rules that have to be moved to get from one order to the other, as few as can be: those outside a longest
    common subsequence. Rules that only one version has move nobody."""
    both = set(before) & set(after)
    old = [name for name in dict.fromkeys(before) if name in both]
    new = [name for name in dict.fromkeys(after) if name in both]
    place = {name: i for i, name in enumerate(new)}
    stay = _longest_increasing([place[name] for name in old])
    moved = [name for name in old if place[name] not in stay]
    was, now = ({name: i for i, name in enumerate(order)} for order in (before, after))
    return {name: FieldChange("place", str(was[name] + 1), str(now[name] + 1)) for name in moved}


def _longest_increasing(values: Sequence[int]) -> set[int]:
    """The members of one longest increasing subsequence of different numbers (patience sorting, O(n log n))."""
    tops: list[int] = []
    previous: dict[int, int | None] = {}
    for value in values:
        pile = bisect_left(tops, value)
        previous[value] = tops[pile - 1] if pile else None
        tops[pile : pile + 1] = [value]
    found: set[int] = set()
    last = tops[-1] if tops else None
    while last is not None:
        found.add(last)
        last = previous[last]
    return found
