"""Rules that nothing reaches and products that no rule reaches are found, in bounded work."""

from __future__ import annotations

import pytest

from sluice_server.domain.routing.source import reach
from sluice_server.domain.routing.source.compile import check_plan
from sluice_server.domain.routing.source.findings import Severity
from tests.unit.routing.findings import found


def plan_of(*rules: str, products: str = "[{product_line: screen}]") -> str:
    allocation = "allocations: [{insurer: insurer-a, share: 10000, binding: {insurer_product_code: A}}]"
    listed = "".join(f"  - {{name: r{i}, {rule + ', ' if rule else ''}{allocation}}}\n" for i, rule in enumerate(rules))
    return f"plan: p\nproducts: {products}\nrules:\n{listed}"


SHADOWED = [
    ("", ""),
    ("", "match: {product_line: screen}"),
    ("match: {channel.tier: [gold, silver]}", "match: {channel.tier: gold}"),
    ("match: {channel.tier: gold}", "match: {channel.tier: gold, term_months: 12}"),
    ("match: {term_months: {at_least: 12}}", "match: {term_months: [12, 24]}"),
    ("match: {term_months: {at_least: 12}}", "match: {term_months: {above: 12, at_most: 24}}"),
    ("match: {term_months: {above: 12}}", "match: {term_months: {at_least: 13}}"),
    ("match: {device.model_id: {prefix: aurora}}", "match: {device.model_id: {prefix: [aurora-1, aurora-2]}}"),
    ("match: {device.model_id: {prefix: aurora}}", "match: {device.model_id: aurora-12}"),
    ("when: application.term_months > 12", "when: application.term_months > 12, match: {channel.tier: gold}"),
]


@pytest.mark.parametrize(("earlier", "later"), SHADOWED)
def test_a_rule_that_an_earlier_one_covers_is_an_error(earlier: str, later: str) -> None:
    errors = found(plan_of(earlier, later))
    assert [(e.line, e.path) for e in errors] == [(5, "rules[1]")]
    assert "can never be reached" in errors[0].message
    assert "'r0' in line 4" in errors[0].message


NOT_SHADOWED = [
    ("match: {channel.tier: gold}", "match: {channel.tier: [gold, silver]}"),
    ("match: {channel.tier: gold, term_months: 12}", "match: {channel.tier: gold}"),
    ("match: {term_months: {above: 12}}", "match: {term_months: {at_least: 12}}"),
    ("match: {device.model_id: {prefix: aurora-1}}", "match: {device.model_id: {prefix: aurora}}"),
    ("when: application.term_months > 12", "match: {channel.tier: gold}"),
    ("match: {term_months: {at_least: 12, at_most: 24}}", "match: {term_months: {at_least: 24}}"),
]


@pytest.mark.parametrize(("earlier", "later"), NOT_SHADOWED)
def test_a_rule_that_can_still_match_is_no_error(earlier: str, later: str) -> None:
    assert found(plan_of(earlier, later)) == []


def test_a_rule_that_several_earlier_ones_cover_together_is_an_error() -> None:
    source = plan_of(
        "match: {channel.tier: gold}", "match: {channel.tier: silver}", "match: {channel.tier: [gold, silver]}"
    )
    assert [e.path for e in found(source)] == ["rules[2]"]


def test_a_product_without_a_rule_is_an_error() -> None:
    errors = found(
        plan_of("match: {product_line: screen}", products="[{product_line: screen}, {code: tv-1}, {product_line: x}]")
    )
    assert [(e.line, e.path) for e in errors] == [(2, "products[2]")]
    assert "no rule for product_line 'x'" in errors[0].message


def test_a_product_without_a_fallback_is_a_warning() -> None:
    warnings = found(plan_of("match: {product_line: screen, channel.tier: gold}"), Severity.WARNING)
    assert [(w.line, w.path) for w in warnings] == [(2, "products[0]")]
    assert "no fallback" in warnings[0].message


def test_a_rule_for_no_product_of_the_plan_is_an_error() -> None:
    errors = found(plan_of("match: {product_line: screen}", "match: {product_line: warranty}"))
    assert [(e.line, e.path) for e in errors] == [(5, "rules[1].match")]


def test_values_that_multiply_to_gigabytes_are_refused_before_they_are_multiplied() -> None:
    values = ", ".join(f"v{n}" for n in range(31))
    rules = [f"match: {{attributes.a: [{values}], attributes.b: [{values}], attributes.c: c{n}}}" for n in range(600)]
    errors = found(plan_of(*rules))
    assert [e.path for e in errors] == ["rules[520].match"]
    assert "max_lookup_entries" in errors[0].message


@pytest.mark.parametrize(
    "rule",
    ["when: application.term_months != {n}", "match: {{attributes.a{n}: x}}", "match: {{term_months: {{above: {n}}}}}"],
    ids=["as many conditions", "as many sets of fields", "as many ranges"],
)
def test_the_search_for_shadows_ends_also_when_no_two_rules_are_alike(
    rule: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reach, "_MAXIMUM_COMPARISONS", 1_000)
    source = plan_of(*(rule.format(n=200 - n) for n in range(100)))
    plan, findings = check_plan(source)
    warned = [f.message for f in findings if "for shadows" in f.message]
    # Rules of different conditions are never compared with each other; the others are, until it is enough.
    assert (plan is not None, len(warned)) == (True, 0 if rule.startswith("when") else 1)
