"""The index finds what reading the rules from top to bottom finds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from sluice_server.domain.errors import NoRuleMatches
from sluice_server.domain.routing.explain import RuleTrace, trace
from sluice_server.domain.routing.index import MAXIMUM_KEYS, RuleIndex, Value, holds, signature
from sluice_server.domain.routing.model import Application
from sluice_server.domain.routing.plan import CompiledPlan
from sluice_server.domain.routing.source.compile import compile_plan
from sluice_server.domain.routing.source.document import Between, Condition, OneOf, StartsWith
from sluice_server.domain.routing.source.findings import Findings
from sluice_server.domain.routing.source.limits import PlanLimits
from sluice_server.domain.routing.source.parse import parse_plan
from sluice_server.domain.routing.source.reach import implies
from sluice_server.domain.routing.source.resolve import ResolvedRule, resolve_plan
from tests.unit.routing.builders import APPLICATION, NOW, application, traffic

TIERS = ["gold", "silver", "bronze"]
CATEGORIES = ["phone", "tablet", "tv"]

one_of = st.one_of
tier = one_of(st.sampled_from(TIERS), st.lists(st.sampled_from(TIERS), min_size=1, max_size=3, unique=True))
category = one_of(
    st.sampled_from(CATEGORIES), st.lists(st.sampled_from(CATEGORIES), min_size=1, max_size=2, unique=True)
)
months = one_of(
    st.integers(1, 6),
    st.fixed_dictionaries({"at_least": st.integers(1, 3), "at_most": st.integers(4, 6)}),
    st.fixed_dictionaries({"above": st.integers(1, 5)}),
)
model = one_of(st.sampled_from(["m-1", "m-2"]), st.sampled_from([{"prefix": "m-"}, {"prefix": ["m-1", "x"]}]))
match = st.fixed_dictionaries(
    {},
    optional={
        "channel.tier": tier,
        "device.category": category,
        "term_months": months,
        "device.model_id": model,
        "factors.long": st.booleans(),
    },
)
when = st.sampled_from(["", "application.term_months % 2 == 0", 'application.channel.tier == "gold" && factors.long'])
rules = st.lists(st.tuples(match, when), min_size=1, max_size=8)
applications = st.builds(
    lambda tier, category, months, model: application(
        channel=replace(APPLICATION.channel, tier=tier),
        device=replace(APPLICATION.device, category=category, model_id=model),
        term_months=months,
    ),
    st.sampled_from([*TIERS, ""]),
    st.sampled_from(CATEGORIES),
    st.integers(1, 6),
    st.sampled_from(["m-1", "m-2", "x-1"]),
)


def plan_of(given_rules: list[tuple[dict[str, Any], str]]) -> CompiledPlan:
    """A plan of these rules, its unreachable ones taken out (they are errors)."""
    lines = [
        "plan: generated",
        "products: [{product_line: screen}]",
        "factors: {long: application.term_months > 3}",
        "rules:",
    ]
    for number, (conditions, condition) in enumerate(given_rules):
        lines += [
            f"  - name: rule-{number}",
            f"    match: {conditions!r}".replace("True", "true").replace("False", "false"),
        ]
        lines += [f"    when: '{condition}'"] if condition else []
        lines += ["    allocations: [{insurer: insurer-a, share: 10000, binding: {insurer_product_code: A}}]"]
    findings = Findings(100)
    document = parse_plan("\n".join(lines), findings, PlanLimits())
    assert document is not None
    resolved = resolve_plan(document, findings, PlanLimits())
    assert not findings.has_errors, findings.sorted()
    return CompiledPlan(resolved, 1)


def top_down(plan: CompiledPlan, of: Application) -> str | None:
    traces: list[RuleTrace] = []
    trace(plan, of, plan.read(of, NOW), traces)
    return next((t.rule for t in traces if t.matched), None)


@given(given_rules=rules, of=applications)
@settings(max_examples=300)
def test_the_index_finds_the_rule_that_a_reader_finds(
    given_rules: list[tuple[dict[str, Any], str]], of: Application
) -> None:
    plan = plan_of(given_rules)
    try:
        found: str | None = plan.match(of, plan.read(of, NOW)).rule.text.name
    except NoRuleMatches:
        found = None
    assert found == top_down(plan, of)


conditions = st.one_of(
    st.lists(st.integers(0, 6), min_size=1, max_size=4, unique=True).map(lambda v: OneOf(tuple(v), 1)),
    st.builds(Between, st.just(1), *(st.none() | st.integers(0, 6) for _ in range(4))),
)
texts = st.text("ab", max_size=4)
text_conditions = st.one_of(
    st.lists(texts, min_size=1, max_size=4).map(lambda v: OneOf(tuple(v), 1)),
    st.lists(st.text("ab", min_size=1, max_size=3), min_size=1, max_size=3).map(lambda v: StartsWith(tuple(v), 1)),
)


@given(earlier=conditions, later=conditions, value=st.integers(-1, 7))
def test_what_is_implied_for_numbers_holds(earlier: Condition, later: Condition, value: int) -> None:
    assert not (implies(later, earlier) and holds(later, value)) or holds(earlier, value)


@given(earlier=text_conditions, later=text_conditions, value=texts)
def test_what_is_implied_for_texts_holds(earlier: Condition, later: Condition, value: str) -> None:
    assert not (implies(later, earlier) and holds(later, value)) or holds(earlier, value)


def test_long_lists_are_tested_instead_of_multiplied() -> None:
    long, short = OneOf(tuple(range(400)), 1), OneOf((1, 2, 3), 1)
    assert signature({"a": long, "b": short}) == ("b",)
    assert signature({"a": OneOf(tuple(range(300)), 1), "b": short}) == ("a", "b")
    assert 400 * 3 > MAXIMUM_KEYS > 300 * 3


async def test_a_rule_with_lists_that_multiply_too_far_still_matches() -> None:
    values = ", ".join(f"m-{n}" for n in range(400))
    codes = ", ".join(f"s-{n}" for n in range(4))
    plan = compile_plan(
        "plan: wide\nproducts: [{product_line: screen}]\nrules:\n"
        f"  - name: wide\n    match: {{device.model_id: [{values}], channel.store_id: [{codes}]}}\n"
        "    allocations: [{insurer: insurer-a, share: 10000, binding: {insurer_product_code: A}}]\n"
    )
    inside = application(
        device=replace(APPLICATION.device, model_id="m-399"), channel=replace(APPLICATION.channel, store_id="s-3")
    )
    assert (await plan.decide(inside, traffic(), now=NOW)).rule == "wide"
    assert top_down(plan, APPLICATION) is None


class CountedValues(Sequence[Value]):
    """An application's values, with how often they were read."""

    def __init__(self, *values: Value) -> None:
        self._values = values
        self.reads = 0

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, place: Any) -> Any:
        self.reads += 1
        return self._values[place]


def indexed(count: int) -> RuleIndex:
    """``count`` rules of three shapes: by product, by product and tier, by anything."""
    shapes: list[dict[str, Condition]] = [
        {"product_code": OneOf((f"p-{n}",), 1)}
        if n % 2
        else {"product_code": OneOf((f"p-{n}",), 1), "channel.tier": OneOf(("gold", "silver"), 1)}
        for n in range(count - 1)
    ]
    rule = resolved_rule()
    return RuleIndex(
        [replace(rule, place=place, conditions=conditions) for place, conditions in enumerate([*shapes, {}])],
        {"product_code": 0, "channel.tier": 1},
    )


def resolved_rule() -> ResolvedRule:
    return plan_of([({}, "")]).rules[0].rule


def test_what_a_lookup_reads_and_finds_does_not_grow_with_the_number_of_rules() -> None:
    seen = set()
    for count in (10, 1_000, 20_000):
        index = indexed(count)
        for product in ("p-2", "p-3", "unknown"):
            values = CountedValues(product, "gold")
            found = index.candidates(values)
            assert found[-1] == count - 1, "the fallback is always found, last"
            seen.add((product, values.reads, len(found)))
    assert seen == {("p-2", 3, 2), ("p-3", 3, 2), ("unknown", 3, 1)}
