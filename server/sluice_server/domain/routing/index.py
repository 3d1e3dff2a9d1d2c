"""Finds the first matching rule without trying all of them.

Rules are grouped by their signature: the set of fields on which they have a value or an in-list. Within a group a
dictionary leads from the application's values of these fields to the rules that ask for them. A decision looks into
every group once, so its cost grows with the number of different signatures (a handful, written by people) and with the
number of rules that differ only in ranges, prefixes or ``when``, and not with the number of rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import product
from math import prod
from operator import itemgetter

from sluice_server.domain.routing.source.document import Between, Condition, OneOf, StartsWith
from sluice_server.domain.routing.source.fields import FactorValue
from sluice_server.domain.routing.source.resolve import ResolvedRule

Value = FactorValue | None
MAXIMUM_KEYS = 1_000
"""A rule whose in-lists multiply to more combinations keeps the longest lists out of its signature."""


def holds(condition: Condition, value: Value) -> bool:
    """Whether a value satisfies a condition; an absent one (None) satisfies none."""
    if value is None:
        return False
    match condition:
        case OneOf():
            return value in condition.values
        case StartsWith():
            return isinstance(value, str) and value.startswith(condition.prefixes)
        case Between():
            return (
                isinstance(value, int | float)
                and (condition.at_least is None or value >= condition.at_least)
                and (condition.above is None or value > condition.above)
                and (condition.at_most is None or value <= condition.at_most)
                and (condition.below is None or value < condition.below)
            )


def signature(conditions: Mapping[str, Condition]) -> tuple[str, ...]:
    """The fields by which a rule is looked up, sorted."""
    listed = sorted(
        ((len(c.values), path) for path, c in conditions.items() if isinstance(c, OneOf)),
    )
    while listed and prod(size for size, _ in listed) > MAXIMUM_KEYS:
        listed.pop()
    return tuple(sorted(path for _, path in listed))


def lookup_entries(conditions: Mapping[str, Condition]) -> int:
    """Under how many combinations of values a rule is looked up."""
    return prod(len(c.values) for path in signature(conditions) if isinstance(c := conditions[path], OneOf))


def keys(conditions: Mapping[str, Condition], fields: Sequence[str]) -> Iterable[tuple[FactorValue, ...]]:
    """Every combination of values under which the rule is looked up."""
    values = []
    for path in fields:
        condition = conditions[path]
        assert isinstance(condition, OneOf)
        values.append(tuple(dict.fromkeys(condition.values)))
    return product(*values)


class RuleIndex:
    """Looks up, for the values of an application, the rules that may match, in the plan's order."""

    def __init__(self, rules: Sequence[ResolvedRule], places: Mapping[str, int]) -> None:
        """``places``: where each field's value stands in the list of values that ``candidates`` gets."""
        groups: dict[tuple[str, ...], dict[tuple[FactorValue, ...], list[int]]] = {}
        closed: set[tuple[tuple[str, ...], tuple[FactorValue, ...]]] = set()
        for rule in rules:
            fields = signature(rule.conditions)
            certain = rule.when is None and len(fields) == len(rule.conditions)
            group = groups.setdefault(fields, {})
            for key in keys(rule.conditions, fields):
                if (fields, key) in closed:
                    continue
                group.setdefault(key, []).append(rule.place)
                if certain:
                    # It matches whenever it is looked up: no later rule under this key can be reached.
                    closed.add((fields, key))
        self._always: tuple[int, ...] = ()
        self._groups: list[tuple[Callable[[Sequence[Value]], object], dict[object, tuple[int, ...]]]] = []
        for fields, group in groups.items():
            if not fields:
                self._always = tuple(group[()])
            elif len(fields) == 1:
                single: dict[object, tuple[int, ...]] = {key[0]: tuple(found) for key, found in group.items()}
                self._groups.append((itemgetter(places[fields[0]]), single))
            else:
                several: dict[object, tuple[int, ...]] = {key: tuple(found) for key, found in group.items()}
                self._groups.append((itemgetter(*(places[f] for f in fields)), several))

    def candidates(self, values: Sequence[Value]) -> Sequence[int]:
        """Indexes of the rules whose signature fits, ascending. Their other conditions are still to be tested."""
        found: Sequence[int] = ()
        for get, group in self._groups:
            hit = group.get(get(values))
            if hit:
                found = (*found, *hit) if found else hit
        if self._always:
            found = (*found, *self._always) if found else self._always
        return sorted(found) if len(found) > 1 else found
