"""Rules that can never be reached, products without a rule, products without a fallback."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod

from sluice_server.domain.routing.index import MAXIMUM_KEYS, holds, keys
from sluice_server.domain.routing.source.document import Between, Condition, OneOf, ProductText, StartsWith
from sluice_server.domain.routing.source.fields import FactorValue
from sluice_server.domain.routing.source.findings import Findings
from sluice_server.domain.routing.source.resolve import ResolvedPlan, ResolvedRule

PRODUCT_FIELDS = ("product_code", "product_line", "device.category")
_MAXIMUM_COMPARISONS = 2_000_000


def check_reach(plan: ResolvedPlan, findings: Findings) -> None:
    """Adds what it finds: unreachable rules and unserved products as errors, missing fallbacks as warnings.

    Conservative: a rule is called unreachable only when it certainly is; it may be covered by several earlier rules in
    ways that are not seen here.
    """
    _check_shadows(plan.rules, findings)
    _check_products(plan.document.products, plan.rules, findings)


# --- shadowed rules --------------------------------------------------------------------------------------------------


# Rules of values and in-lists, by their ``when`` and their fields: which rule is the first under each combination.
_Groups = dict[str, dict[tuple[str, ...], dict[tuple[FactorValue, ...], int]]]


def _check_shadows(rules: Sequence[ResolvedRule], findings: Findings) -> None:
    simple: _Groups = {}
    others: list[ResolvedRule] = []
    budget = _Budget()
    for rule in rules:
        by = _covered_by_simple(rule, simple, budget)
        if by is None and budget.spend(len(others)):
            by = next(((earlier.place,) for earlier in others if covers(earlier, rule)), None)
        if budget.left < 0:
            findings.warning(rule.text.line, f"rules[{rule.place}]", "too many rules to check the rest for shadows")
            return
        if by is not None:
            _report(rule, by, rules, findings)
            continue
        fields = tuple(sorted(rule.conditions))
        listed = all(isinstance(c, OneOf) for c in rule.conditions.values())
        if listed and _combinations(rule, fields) <= MAXIMUM_KEYS:
            group = simple.setdefault(rule.text.when, {}).setdefault(fields, {})
            for key in keys(rule.conditions, fields):
                group.setdefault(key, rule.place)
        else:
            others.append(rule)


class _Budget:
    """So many comparisons, and no more: a plan must not hold up the server by its shape."""

    def __init__(self) -> None:
        self.left = _MAXIMUM_COMPARISONS

    def spend(self, comparisons: int) -> bool:
        """Whether they may be made."""
        self.left -= comparisons
        return self.left >= 0


def _covered_by_simple(rule: ResolvedRule, simple: _Groups, budget: _Budget) -> tuple[int, ...] | None:
    listed = {path for path, condition in rule.conditions.items() if isinstance(condition, OneOf)}
    for when in dict.fromkeys(("", rule.text.when)):
        groups = simple.get(when, {})
        if not budget.spend(len(groups)):
            return None
        for fields, group in groups.items():
            if not listed.issuperset(fields):
                continue
            combinations = _combinations(rule, fields)
            if combinations > MAXIMUM_KEYS or not budget.spend(combinations):
                continue
            found = [group.get(key) for key in keys(rule.conditions, fields)]
            if None not in found:
                return tuple(sorted({place for place in found if place is not None}))
    return None


def _combinations(rule: ResolvedRule, fields: Iterable[str]) -> int:
    return prod(len(c.values) for path in fields if isinstance(c := rule.conditions[path], OneOf))


def _report(rule: ResolvedRule, by: tuple[int, ...], rules: Sequence[ResolvedRule], findings: Findings) -> None:
    earlier = rules[by[0]].text
    more = f" and {len(by) - 1} more" if len(by) > 1 else ""
    findings.error(
        rule.text.line,
        f"rules[{rule.place}]",
        f"{rule.text.name!r} can never be reached: all that it matches is matched before by {earlier.name!r} "
        f"in line {earlier.line}{more}; move it up, or take it out",
    )


def covers(earlier: ResolvedRule, later: ResolvedRule) -> bool:
    """Whether everything that the later rule matches is matched by the earlier one (False also when not certain)."""
    if earlier.when is not None and earlier.text.when != later.text.when:
        return False
    return all(
        path in later.conditions and implies(later.conditions[path], wanted)
        for path, wanted in earlier.conditions.items()
    )


def implies(given: Condition, wanted: Condition) -> bool:
    """Whether every value that satisfies ``given`` satisfies ``wanted``."""
    match given, wanted:
        case OneOf(), _:
            return all(holds(wanted, value) for value in given.values)
        case StartsWith(), StartsWith():
            return all(prefix.startswith(wanted.prefixes) for prefix in given.prefixes)
        case Between(), Between():
            return _low_implied(given, wanted) and _high_implied(given, wanted)
        case _:
            return False


def _low_implied(given: Between, wanted: Between) -> bool:
    lows = _bounds((given.at_least, False), (given.above, True))
    if wanted.at_least is not None and not any(low >= wanted.at_least for low, _ in lows):
        return False
    return wanted.above is None or any(low > wanted.above or (strict and low == wanted.above) for low, strict in lows)


def _high_implied(given: Between, wanted: Between) -> bool:
    highs = _bounds((given.at_most, False), (given.below, True))
    if wanted.at_most is not None and not any(high <= wanted.at_most for high, _ in highs):
        return False
    if wanted.below is None:
        return True
    return any(high < wanted.below or (strict and high == wanted.below) for high, strict in highs)


def _bounds(*bounds: tuple[int | float | None, bool]) -> list[tuple[int | float, bool]]:
    """Those that are given, each with whether it excludes itself."""
    return [(bound, strict) for bound, strict in bounds if bound is not None]


# --- products --------------------------------------------------------------------------------------------------------


def _check_products(products: Sequence[ProductText], rules: Sequence[ResolvedRule], findings: Findings) -> None:
    by_code: dict[FactorValue, list[ResolvedRule]] = {}
    any_code: list[ResolvedRule] = []
    for rule in rules:
        condition = rule.conditions.get("product_code")
        if isinstance(condition, OneOf):
            for code in condition.values:
                by_code.setdefault(code, []).append(rule)
        else:
            any_code.append(rule)
    seen: dict[tuple[tuple[str, str], ...], int] = {}
    served: set[int] = set()
    comparisons = 0
    for place, selector in enumerate(products):
        path = f"products[{place}]"
        wanted = selector.fields()
        if not wanted:
            continue
        identity = tuple(sorted(wanted.items()))
        if identity in seen:
            findings.warning(selector.line, path, f"the same product is in line {seen[identity]}")
            continue
        seen[identity] = selector.line
        concerned = [*by_code.get(selector.code, []), *any_code] if selector.code else list(rules)
        comparisons += len(concerned)
        if comparisons > _MAXIMUM_COMPARISONS:
            findings.warning(selector.line, path, "too many products and rules to check the rest of the products")
            return
        serving = [rule for rule in concerned if _may_serve(rule, wanted)]
        served.update(rule.place for rule in serving)
        if not serving:
            findings.error(selector.line, path, f"no rule for {_shown(wanted)}; add one, or take the product out")
        elif not any(_serves_always(rule, wanted) for rule in serving):
            findings.warning(
                selector.line,
                path,
                f"no fallback: {_shown(wanted)} may match no rule; add a last rule without further conditions",
            )
    if not seen:
        return
    for rule in rules:
        if rule.place not in served:
            findings.error(
                rule.text.line,
                f"rules[{rule.place}].match",
                f"{rule.text.name!r} can never be reached: it is for none of the plan's products",
            )


def _may_serve(rule: ResolvedRule, product: Mapping[str, str]) -> bool:
    return all(path not in rule.conditions or holds(rule.conditions[path], value) for path, value in product.items())


def _serves_always(rule: ResolvedRule, product: Mapping[str, str]) -> bool:
    return rule.when is None and all(path in product for path in rule.conditions)


def _shown(product: Mapping[str, str]) -> str:
    return " and ".join(f"{path} {value!r}" for path, value in product.items())
