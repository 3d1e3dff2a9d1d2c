"""A rule with everything looked up once that a decision needs of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass

from sluice_server.domain.routing.binder import Binder
from sluice_server.domain.routing.index import signature
from sluice_server.domain.routing.source.allocations import ResolvedBinding
from sluice_server.domain.routing.source.document import Condition, OneOf, Split
from sluice_server.domain.routing.source.resolve import ResolvedRule
from sluice_server.domain.routing.split import StickySplit


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """One rule with everything looked up once."""

    rule: ResolvedRule
    name: str
    residual: tuple[tuple[str, int, Condition], ...]
    """Conditions that the index does not decide: path, place of the value, condition."""
    certain: bool
    """The index decides it alone."""
    served: bool
    """It asks for product codes, and the plan serves each of them whatever else the application says."""
    sticky_place: int
    exact: bool
    """Its split is EXACT; otherwise it is STICKY."""
    split: StickySplit
    bindings: tuple[Binder, ...]
    """In the insurers' order. Not read through ``rule``: of 50,000 rules hardly one is in the processor's cache, and
    each object on the way has to be fetched."""
    shares_number: int
    """The same for all rules with the same insurers and shares."""


def compile_rules(
    rules: Iterable[ResolvedRule], places: Mapping[str, int], served_codes: Set[object]
) -> Iterable[CompiledRule]:
    """Rules with the same allocations share what is made of these, so that it is in the processor's cache when any of
    50,000 decides."""
    splits: dict[tuple[str, ...], StickySplit] = {}
    bindings: dict[int, tuple[Binder, ...]] = {}
    binders: dict[int, Binder] = {}
    numbers: dict[tuple[tuple[str, ...], tuple[int, ...]], int] = {}
    for rule in rules:
        split = splits.get(rule.insurers)
        if split is None:
            split = splits[rule.insurers] = StickySplit(rule.insurers)
        # By identity: they are the same object where they say the same (allocations.py).
        bound = bindings.get(id(rule.bindings))
        if bound is None:
            bound = bindings[id(rule.bindings)] = tuple(_binder(binding, binders) for binding in rule.bindings)
        codes = rule.conditions.get("product_code")
        looked_up = signature(rule.conditions)
        residual = tuple(
            (path, places[path], condition) for path, condition in rule.conditions.items() if path not in looked_up
        )
        yield CompiledRule(
            rule=rule,
            name=rule.text.name,
            residual=residual,
            certain=not residual and rule.when is None,
            served=isinstance(codes, OneOf) and all(code in served_codes for code in codes.values),
            exact=rule.text.split is Split.EXACT,
            shares_number=numbers.setdefault((rule.insurers, rule.shares), len(numbers)),
            sticky_place=places[rule.sticky_path],
            split=split,
            bindings=bound,
        )


def _binder(binding: ResolvedBinding, known: dict[int, Binder]) -> Binder:
    """One for all allocations that say the same."""
    binder = known.get(id(binding))
    if binder is None:
        binder = known[id(binding)] = Binder(binding)
    return binder
