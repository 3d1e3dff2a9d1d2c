"""The difference of two plans, by rule."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice_server.domain.errors import InvalidPlan
from sluice_server.domain.routing.source.compare import ChangeKind, FieldChange, PartChange, compare_plans, document_of

BASE = """\
plan: base
insurers:
  insurer-a: {binding: {insurer_plan_code: STANDARD}}
  insurer-b:
products: [{product_line: screen}, {code: tv-36m}]
factors:
  band: 'application.device.price.amount_minor > 5 ? "high" : "low"'
rules:
  - name: first
    match: {product_line: screen, device.category: [tablet, phone]}
    when: application.channel.tier == "gold"
    allocations:
      - {insurer: insurer-a, share: 7000, binding: {insurer_product_code: A}}
      - {insurer: insurer-b, share: 3000, binding: {insurer_product_code: B, parameters: {model: M}}}
  - name: second
    match: {term_months: {at_least: 12, below: 36}}
    allocations: [{insurer: insurer-b, share: 10000, binding: {insurer_product_code: B}}]
  - name: rest
    allocations: [{insurer: insurer-b, share: 10000, binding: {insurer_product_code: B}}]
"""


def changes(old: str, new: str) -> list[PartChange]:
    assert old in BASE
    return list(compare_plans(document_of(BASE), document_of(BASE.replace(old, new))))


def changed(old: str, new: str, part: str, name: str, *fields: tuple[str, str, str]) -> None:
    expected = PartChange(part, name, ChangeKind.CHANGED, tuple(FieldChange(*field) for field in fields))
    assert changes(old, new) == [expected]


def test_style_comments_and_written_out_defaults_are_no_difference() -> None:
    rewritten = BASE.replace("[tablet, phone]", "[phone, tablet]").replace(
        "  - name: rest\n",
        "  - name: rest\n    split: STICKY\n    sticky_key: application.customer_ref\n    on_exhausted: PARK\n",
    )
    assert compare_plans(document_of(BASE), document_of("# as agreed\n" + rewritten)) == ()


def test_each_field_of_a_rule_is_told_with_both_values() -> None:
    changed("[tablet, phone]", "phone", "rule", "first", ("match.device.category", "[phone, tablet]", "phone"))
    changed(
        "{at_least: 12, below: 36}",
        "{at_least: 24, below: 36}",
        "rule",
        "second",
        ("match.term_months", "{at_least: 12, below: 36}", "{at_least: 24, below: 36}"),
    )
    changed(
        '    when: application.channel.tier == "gold"\n',
        "",
        "rule",
        "first",
        ("when", 'application.channel.tier == "gold"', ""),
    )
    changed(
        "share: 7000, binding: {insurer_product_code: A}}\n      - {insurer: insurer-b, share: 3000",
        "share: 6000, binding: {insurer_product_code: A}}\n      - {insurer: insurer-b, share: 4000",
        "rule",
        "first",
        ("allocations.insurer-a.share", "7000", "6000"),
        ("allocations.insurer-b.share", "3000", "4000"),
    )
    changed("{model: M}", "{model: N}", "rule", "first", ("allocations.insurer-b.binding.parameters.model", "M", "N"))
    changed(
        "  - name: rest\n",
        "  - name: rest\n    on_exhausted: REJECT\n",
        "rule",
        "rest",
        ("on_exhausted", "PARK", "REJECT"),
    )


def test_a_default_binding_changes_the_insurer_and_every_rule_that_takes_it_over() -> None:
    assert [(c.part, c.name, c.fields[0].path) for c in changes("STANDARD", "PLUS")] == [
        ("insurer", "insurer-a", "binding.insurer_plan_code"),
        ("rule", "first", "allocations.insurer-a.binding.insurer_plan_code"),
    ]


def test_factors_products_and_the_plan_s_own_words_are_compared() -> None:
    changed("amount_minor > 5 ?", "amount_minor > 6 ?", "factor", "band", (
        "expression",
        'application.device.price.amount_minor > 5 ? "high" : "low"',
        'application.device.price.amount_minor > 6 ? "high" : "low"',
    ))  # fmt: skip
    changed("plan: base", "plan: other", "plan", "plan", ("name", "base", "other"))
    assert [(c.part, c.name, c.kind) for c in changes("{code: tv-36m}", "{code: tv-24m}")] == [
        ("product", "product_code tv-36m", ChangeKind.REMOVED),
        ("product", "product_code tv-24m", ChangeKind.ADDED),
    ]


def test_a_renamed_rule_is_one_removed_and_one_added() -> None:
    found = changes("name: second", "name: renamed")
    assert [(c.name, c.kind) for c in found] == [("renamed", ChangeKind.ADDED), ("second", ChangeKind.REMOVED)]
    assert FieldChange("match.term_months", "", "{at_least: 12, below: 36}") in found[0].fields


def test_a_rule_that_is_moved_is_told_and_the_ones_it_passes_are_not() -> None:
    rules = {name: f"  - name: {name}\n{RULE}" for name in "abcd"}

    def plan(order: str) -> str:
        return "plan: p\nproducts: [{product_line: screen}]\nrules:\n" + "".join(rules[name] for name in order)

    def moves(before: str, after: str) -> list[tuple[str, ChangeKind, tuple[FieldChange, ...]]]:
        return [(c.name, c.kind, c.fields) for c in compare_plans(document_of(plan(before)), document_of(plan(after)))]

    assert moves("abcd", "dabc") == [("d", ChangeKind.MOVED, (FieldChange("place", "4", "1"),))]
    assert moves("abcd", "acbd") in (
        [("b", ChangeKind.MOVED, (FieldChange("place", "2", "3"),))],
        [("c", ChangeKind.MOVED, (FieldChange("place", "3", "2"),))],
    )
    assert [(name, kind) for name, kind, _ in moves("abcd", "acd")] == [("b", ChangeKind.REMOVED)]
    assert [(name, kind) for name, kind, _ in moves("acd", "abcd")] == [("b", ChangeKind.ADDED)]


RULE = "    allocations: [{insurer: insurer-b, share: 10000, binding: {insurer_product_code: B}}]\n"


@settings(deadline=None, max_examples=60)
@given(st.permutations(range(7)))
def test_whoever_moves_the_told_rules_gets_the_other_order(order: list[int]) -> None:
    def document(places: list[int]) -> str:
        rules = "".join(f"  - name: r{n}\n{RULE}" for n in places)
        return f"plan: p\nproducts: [{{product_line: screen}}]\nrules:\n{rules}"

    told = compare_plans(document_of(document(list(range(7)))), document_of(document(order)))
    left = [f"r{n}" for n in range(7) if f"r{n}" not in {c.name for c in told}]
    for change in sorted(told, key=lambda c: int(c.fields[0].after)):
        left.insert(int(change.fields[0].after) - 1, change.name)
    assert left == [f"r{n}" for n in order]


def test_a_text_that_looks_like_a_number_is_not_the_number() -> None:
    one, other = (
        BASE.replace("term_months: {at_least: 12, below: 36}", f"attributes.code: {v}") for v in ('"12"', "12")
    )
    assert compare_plans(document_of(one), document_of(other))[0].fields == (
        FieldChange("match.attributes.code", '"12"', "12"),
    )


def test_a_text_that_is_no_plan_is_refused() -> None:
    with pytest.raises(InvalidPlan, match="rules"):
        document_of("plan: x\nproducts: [{code: a}]\n")
