"""Every fault of a plan is found, with the line and the path where it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from sluice_server.domain.errors import InvalidPlan
from sluice_server.domain.routing.source.compile import check_plan, compile_plan
from sluice_server.domain.routing.source.findings import Finding, Severity
from sluice_server.domain.routing.source.limits import PlanLimits
from tests.unit.routing.builders import PLAN
from tests.unit.routing.findings import found

ROOT = Path(__file__).parents[3]

RULE = "  - name: r\n    allocations: [{insurer: insurer-a, share: 10000, binding: {insurer_product_code: A}}]\n"


def changed(old: str, new: str) -> str:
    assert old in PLAN
    return PLAN.replace(old, new, 1)


@pytest.mark.parametrize("file", ["docs/example-plan.yaml", "server/sluice_server/cli/demo/plan.yaml"])
def test_shipped_plans_have_no_findings(file: str) -> None:
    plan, findings = check_plan((ROOT / file).read_text())
    assert plan is not None
    assert findings == ()


CASES: list[tuple[str, str, str, int, str, str]] = [
    # name, old text, new text, line, path, part of the message
    ("unknown key", "plan: small", "plan: small\nregion: north", 2, "region", "unknown key 'region'"),
    ("misspelt key", "on_exhausted: REJECT", "on_exausted: REJECT", 24, "rules[1].on_exausted", "'on_exhausted'?"),
    ("missing name", "plan: small\n", "", 1, "plan", "missing"),
    ("wrong type", "share: 7000", "share: seven", 16, "rules[0].allocations[0].share", "must be a whole number"),
    ("boolean share", "share: 7000", "share: true", 16, "rules[0].allocations[0].share", "this is true/false"),
    (
        "shares",
        "share: 7000",
        "share: 6000",
        14,
        "rules[0].allocations",
        "sum to 9000 basis points, not to 10000; add 1000",
    ),
    ("negative share", "share: 7000", "share: -1", 16, "rules[0].allocations[0].share", "must be 1 to 10000"),
    (
        "duplicate insurer",
        "insurer: insurer-b",
        "insurer: insurer-a",
        20,
        "rules[0].allocations[1].insurer",
        "has a share already, in line 15",
    ),
    (
        "insurer id",
        "insurer: insurer-b",
        "insurer: Insurer B",
        20,
        "rules[0].allocations[1].insurer",
        "is no insurer id",
    ),
    (
        "missing binding",
        "        binding: {insurer_product_code: B-2}\n",
        "",
        26,
        "rules[1].allocations[0].binding.insurer_product_code",
        "missing",
    ),
    (
        "missing product code",
        "{insurer_product_code: B-2}",
        "{endpoint: x}",
        26,
        "rules[1].allocations[0].binding.insurer_product_code",
        "missing",
    ),
    (
        "number as code",
        "insurer_product_code: B-2",
        "insurer_product_code: 42",
        28,
        "rules[1].allocations[0].binding.insurer_product_code",
        "write it in quotes",
    ),
    (
        "template field",
        "{application.product_code}",
        "{application.product}",
        18,
        "rules[0].allocations[0].binding.insurer_product_code",
        "unknown field 'application.product'",
    ),
    (
        "template factor",
        "{factors.band}",
        "{factors.bend}",
        19,
        "rules[0].allocations[0].binding.parameters.band",
        "did you mean 'band'?",
    ),
    (
        "template brace",
        "insurer_product_code: B-2",
        "insurer_product_code: 'B-{'",
        28,
        "rules[1].allocations[0].binding.insurer_product_code",
        "a single '{'",
    ),
    (
        "match field",
        "device.category: [phone",
        "device.kategory: [phone",
        11,
        "rules[0].match.device.kategory",
        "did you mean 'device.category'?",
    ),
    (
        "match factor",
        "factors.band: high",
        "factors.bend: high",
        12,
        "rules[0].match.factors.bend",
        "did you mean 'band'?",
    ),
    ("match type", "factors.band: high", "factors.band: 3", 12, "rules[0].match.factors.band", "can never match"),
    (
        "bounds on text",
        "product_line: screen\n      device",
        "product_line: {at_least: 3}\n      device",
        10,
        "rules[0].match.product_line",
        "bounds are for numbers",
    ),
    (
        "empty bounds",
        "factors.band: high",
        "term_months: {above: 12, at_most: 12}",
        12,
        "rules[0].match.term_months",
        "no number is within",
    ),
    (
        "prefix on number",
        "factors.band: high",
        "term_months: {prefix: '1'}",
        12,
        "rules[0].match.term_months",
        "prefix is for texts",
    ),
    ("empty list", "[phone, tablet]", "[]", 11, "rules[0].match.device.category", "an empty list matches nothing"),
    ("CEL syntax", '== "gold"', "==", 13, "rules[0].when", "not CEL"),
    (
        "CEL field",
        "application.channel.tier",
        "application.channel.level",
        13,
        "rules[0].when",
        "unknown field application.channel.level",
    ),
    ("CEL name", "application.channel.tier", "channel.tier", 13, "rules[0].when", "did you mean application.channel?"),
    (
        "CEL function",
        'application.channel.tier == "gold"',
        "grade(application.channel.tier) == 1",
        13,
        "rules[0].when",
        "unknown function 'grade'",
    ),
    (
        "CEL regular expression",
        'application.channel.tier == "gold"',
        'application.channel.tier.matches("g")',
        13,
        "rules[0].when",
        "use startsWith",
    ),
    (
        "CEL types",
        'application.channel.tier == "gold"',
        "application.channel.tier > 3",
        13,
        "rules[0].when",
        "No such overload",
    ),
    (
        "CEL result",
        'application.channel.tier == "gold"',
        "application.channel.tier",
        13,
        "rules[0].when",
        "gives a text; a condition gives true or false",
    ),
    ("factor syntax", '? "high" : "low"', '? "high"', 6, "factors.band", "not CEL"),
    ("factor result", '? "high" : "low"', "? [1] : [2]", 6, "factors.band", "gives a list"),
    (
        "factor reads factors",
        'application.device.price.amount_minor >= 500000 ? "high" : "low"',
        "factors.band",
        6,
        "factors.band",
        "unknown name 'factors'",
    ),
    ("split", "on_exhausted: REJECT", "split: FAIR", 24, "rules[1].split", "must be one of STICKY, EXACT"),
    (
        "deficit",
        "on_exhausted: REJECT",
        "split: EXACT\n    deficit: LATER",
        25,
        "rules[1].deficit",
        "one of FORGIVEN, REPAID",
    ),
    ("sticky deficit", "on_exhausted: REJECT", "deficit: REPAID", 24, "rules[1].deficit", "is for split EXACT"),
    (
        "sticky key",
        "on_exhausted: REJECT",
        "sticky_key: customer",
        24,
        "rules[1].sticky_key",
        "did you mean 'customer_ref'?",
    ),
    ("duplicate rule", "name: rest", "name: gold-phones", 23, "rules[1].name", "also the name of the rule in line 8"),
    ("empty product", "- code: tv-36m", "- {}", 4, "products[1]", "names no product"),
    ("no rules", PLAN[PLAN.index("rules:") :], "rules: []\n", 7, "rules", "at least one is needed"),
    ("alias", "plan: small", "plan: &x small\ndescription: *x", 2, "description", "an alias (*name) is not accepted"),
    ("duplicate key", "plan: small", "plan: small\nplan: large", 2, "plan", "is there twice, first in line 1"),
    ("tag", "plan: small", "plan: !!python/name:os.system ''", 1, "plan", "tag"),
    ("huge number", "share: 7000", f"share: {'9' * 40}", 16, "rules[0].allocations[0].share", "at most 18 digits"),
    ("set tag", "[phone, tablet]", "!!set {phone, tablet}", 11, "rules[0].match.device.category", "tag"),
    ("null rule", "  - name: rest", "  -\n  - name: rest", 23, "rules[1]", "a rule must be a mapping, this is nothing"),
]


@pytest.mark.parametrize(("old", "new", "line", "path", "message"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_a_fault_is_found_where_it_is(old: str, new: str, line: int, path: str, message: str) -> None:
    errors = found(changed(old, new))
    assert (line, path) in [(e.line, e.path) for e in errors], errors
    assert any(message in e.message for e in errors if e.path == path), errors


@pytest.mark.parametrize(
    ("source", "line", "message"),
    [
        ("", 0, "empty"),
        ("[1, 2]", 1, "a plan is a mapping"),
        ("plan: [", 1, "not YAML"),
        ("a: b: c", 1, "not YAML"),
        ("a\n\tb: 1", 2, "not YAML"),
        ("\x07", 0, "not YAML"),
        ("[" * 2_000_000, 1, "nested too deeply"),
        ("- " * 2_000_000, 1, "nested too deeply"),
        ("a:\n  ? [x]\n  : 1", 2, "a key must be text"),
        ("a: 1\n---\nb: 1", 2, "not YAML"),
    ],
)
def test_what_is_no_plan_at_all_is_one_located_error(source: str, line: int, message: str) -> None:
    errors = found(source)
    assert [(e.line, message in e.message) for e in errors] == [(line, True)], errors


def test_every_fault_is_reported_at_once_by_line() -> None:
    source = PLAN.replace("share: 7000", "share: 6000").replace("{application.product_code}", "{x}")
    source = source.replace("on_exhausted: REJECT", "deficit: REPAID")
    with pytest.raises(InvalidPlan) as raised:
        compile_plan(source)
    fields = [violation.field for violation in raised.value.violations]
    assert fields == [
        "source.rules[0].allocations",
        "source.rules[0].allocations[0].binding.insurer_product_code",
        "source.rules[1].deficit",
    ]
    assert raised.value.violations[0].description.startswith("line 14: ")


def test_declared_insurers_catch_a_misspelt_one() -> None:
    source = changed("products:", "insurers: {insurer-a: , insurer-b: , insurer-x: }\nproducts:")
    source = source.replace("insurer: insurer-b", "insurer: insurer-bb", 1)
    errors, warnings = found(source), found(source, Severity.WARNING)
    assert [(e.path, "did you mean 'insurer-b'?" in e.message) for e in errors] == [
        ("rules[0].allocations[1].insurer", True)
    ]
    assert [(w.line, w.path) for w in warnings] == [(2, "insurers.insurer-x")]


def test_a_binding_takes_what_it_leaves_out_from_the_insurer() -> None:
    source = changed(
        "products:",
        "insurers:\n  insurer-a:\n  insurer-b: {binding: {insurer_product_code: BB, parameters: {k: v}}}\nproducts:",
    ).replace("binding: {insurer_product_code: B-2}", "binding: {endpoint: slow}")
    binding = compile_plan(source).rules[1].bindings[0].literal
    assert binding is not None
    assert (binding.insurer_product_code, binding.endpoint, binding.parameters) == ("BB", "slow", {"k": "v"})


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        (PlanLimits(max_source_bytes=100), "plan_max_source_bytes"),
        (PlanLimits(max_rules=1), "plan_max_rules"),
        (PlanLimits(max_products=1), "plan_max_products"),
        (PlanLimits(max_factors=0), "plan_max_factors"),
        (PlanLimits(max_allocations=1), "plan_max_allocations"),
        (PlanLimits(max_conditions=2), "plan_max_conditions"),
        (PlanLimits(max_listed_values=1), "plan_max_listed_values"),
        (PlanLimits(max_lookup_entries=2), "plan_max_lookup_entries"),
        (PlanLimits(max_parameters=1), "plan_max_parameters"),
        (PlanLimits(max_expression_length=10), "plan_max_expression_length"),
        (PlanLimits(max_text_length=9), "plan_max_text_length"),
        (PlanLimits(max_insurers=1), "plan_max_insurers"),
        (PlanLimits(max_description_length=3), "plan_max_description_length"),
    ],
)
def test_a_limit_is_named_in_the_error(limits: PlanLimits, name: str) -> None:
    source = f"description: long\ninsurers: {{insurer-a: , insurer-b: }}\n{PLAN}"
    assert any(f"({name})" in e.message for e in found(source, limits=limits))


def test_comprehensions_are_limited() -> None:
    nested = "application.attributes.all(k, application.attributes.exists(m, m == k))"
    assert any(
        "plan_max_comprehensions" in e.message for e in found(changed('application.channel.tier == "gold"', nested))
    )


def test_after_so_many_errors_the_rest_is_not_checked_and_that_is_said() -> None:
    source = PLAN + "".join(f"k{i}: 1\n" for i in range(50))
    errors = found(source, limits=PlanLimits(max_findings=10))
    assert [e.line for e in errors[:10]] == list(range(29, 39))
    assert errors[10:] == [
        Finding(Severity.ERROR, 0, "", "too many errors; the rest was not checked (plan_max_findings is 10)")
    ]


def test_further_warnings_are_counted_and_forbid_nothing() -> None:
    source = PLAN + "insurers: {insurer-a: , insurer-b: , " + ", ".join(f"x{i}: " for i in range(12)) + "}\n"
    plan, findings = check_plan(source, PlanLimits(max_findings=10))
    assert plan is not None
    assert len(findings) == 11
    assert findings[-1].message == "2 more warnings (plan_max_findings is 10)"


def test_a_warning_survives_its_text() -> None:
    for path in ("rules[2].when", "rules[2].match.attributes.a key", ""):
        finding = Finding(Severity.WARNING, 12, path, "odd: very\nodd")
        assert Finding.warning_from_text(finding.text()) == finding


def test_a_factor_that_may_fail_is_a_warning_unless_it_has_a_default() -> None:
    reads = '"application.attributes.grade"'
    source = changed("factors:", f"factors:\n  grade: {reads}")
    assert [(w.line, w.path) for w in found(source, Severity.WARNING)] == [(6, "factors.grade")]
    source = changed("factors:", f"factors:\n  grade: {{expression: {reads}, default: none}}")
    assert found(source, Severity.WARNING) == []


def test_a_default_of_another_type_than_the_expression_gives_is_an_error() -> None:
    source = changed("factors:", "factors:\n  long: {expression: application.term_months, default: none}")
    assert [(e.line, e.path, e.message.split(";")[0]) for e in found(source)] == [
        (6, "factors.long.default", "is a text, the expression gives a number")
    ]
