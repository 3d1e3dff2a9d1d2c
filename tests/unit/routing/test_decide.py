"""Decisions: the right rule, the right insurers, and all that is needed to re-derive them."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta

import pytest

from sluice_server.domain.errors import NoRuleMatches
from sluice_server.domain.money import Money
from sluice_server.domain.routing.model import Binding, Candidate, Disposition
from sluice_server.domain.routing.plan import CompiledPlan, RuleNotComputable
from sluice_server.domain.routing.ports import Admission, TrafficSnapshot
from sluice_server.domain.routing.source.compile import compile_plan
from sluice_server.domain.routing.split import score
from tests.unit.routing.builders import APPLICATION, NOW, PLAN, TWO, application, traffic


@pytest.fixture
def plan() -> CompiledPlan:
    return compile_plan(PLAN, version=12)


def two(on_exhausted: str) -> CompiledPlan:
    return compile_plan(TWO.replace("ON_EXHAUSTED", on_exhausted), version=3)


async def test_a_decision_records_what_it_rests_on(plan: CompiledPlan) -> None:
    decision = await plan.decide(APPLICATION, traffic({"insurer-b": 0}), now=NOW)
    assert decision.decision_id.startswith("dec-")
    assert replace(decision, decision_id="") == replace(
        decision,
        decision_id="",
        application_id="app-1",
        number=1,
        disposition=Disposition.ROUTED,
        insurer_id="insurer-a",
        binding=Binding("A-screen-24m", "", "", {"model": "aurora-12", "band": "high"}),
        plan_name="small",
        plan_version=12,
        rule="gold-phones",
        factors={"band": "high"},
        split_key="cust-1",
        ledger_position=None,
        candidates=(Candidate("insurer-a", 7000, 7000), Candidate("insurer-b", 3000, 0, "CUT")),
        traffic_version=7,
        decided_at=NOW,
    )


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({}, "gold-phones"),
        ({"channel": replace(APPLICATION.channel, tier="silver")}, "rest"),
        ({"device": replace(APPLICATION.device, category="tv")}, "rest"),
        (
            {"device": replace(APPLICATION.device, price=replace(APPLICATION.device.price, amount_minor=499_999))},
            "rest",
        ),
        ({"product_code": "tv-36m", "product_line": "warranty"}, "rest"),
    ],
)
async def test_the_first_rule_that_matches_decides(plan: CompiledPlan, changes: dict[str, object], rule: str) -> None:
    assert (await plan.decide(application(**changes), traffic(), now=NOW)).rule == rule


async def test_a_product_that_the_plan_does_not_name_is_refused(plan: CompiledPlan) -> None:
    with pytest.raises(NoRuleMatches, match="does not serve product 'tv-24m'"):
        await plan.decide(application(product_code="tv-24m", product_line="warranty"), traffic(), now=NOW)


async def test_no_matching_rule_is_refused() -> None:
    plan = compile_plan(PLAN.replace("    on_exhausted: REJECT", "    match: {device.category: phone}"))
    with pytest.raises(NoRuleMatches, match="no rule of plan 'small'"):
        await plan.decide(application(device=replace(APPLICATION.device, category="tv")), traffic(), now=NOW)


async def test_a_product_line_s_own_breaker_excludes_for_that_line_alone(plan: CompiledPlan) -> None:
    snapshot = TrafficSnapshot(9, {("insurer-a", "screen"): Admission(0, "CUT OPEN")})
    decision = await plan.decide(APPLICATION, snapshot, now=NOW)
    assert decision.insurer_id == "insurer-b"
    assert decision.candidates[0] == Candidate("insurer-a", 7000, 0, "CUT OPEN")
    other = TrafficSnapshot(9, {("insurer-a", "warranty"): Admission(0, "CUT OPEN")})
    assert (await plan.decide(APPLICATION, other, now=NOW)).candidates[0].excluded_because == ""


async def test_a_ramping_insurer_takes_part_with_what_it_is_admitted(plan: CompiledPlan) -> None:
    decision = await plan.decide(APPLICATION, traffic({"insurer-a": 1000}), now=NOW)
    assert decision.candidates[0] == Candidate("insurer-a", 7000, 700)


async def test_an_insurer_that_failed_for_the_application_is_left_out(plan: CompiledPlan) -> None:
    decision = await plan.decide(APPLICATION, traffic(), number=2, failed=frozenset({"insurer-a"}), now=NOW)
    assert (decision.number, decision.insurer_id) == (2, "insurer-b")
    assert decision.candidates[0] == Candidate("insurer-a", 7000, 0, "FAILED_BEFORE")


@pytest.mark.parametrize(
    ("on_exhausted", "admitted", "failed", "disposition", "insurer"),
    [
        ("PARK", {"insurer-a": 0, "insurer-b": 0}, set(), Disposition.PARKED, ""),
        ("REJECT", {"insurer-a": 0, "insurer-b": 0}, set(), Disposition.REJECTED, ""),
        ("KEEP_LAST", {"insurer-a": 0, "insurer-b": 0}, set(), Disposition.KEPT_LAST, "insurer-a"),
        ("KEEP_LAST", {"insurer-b": 0}, {"insurer-a"}, Disposition.KEPT_LAST, "insurer-b"),
        ("KEEP_LAST", {}, {"insurer-a", "insurer-b"}, Disposition.PARKED, ""),
        ("REJECT", {"insurer-b": 0}, {"insurer-a"}, Disposition.REJECTED, ""),
        ("REJECT", {}, {"insurer-a"}, Disposition.ROUTED, "insurer-b"),
    ],
)
async def test_when_no_insurer_is_left_the_rule_says_what_happens(
    on_exhausted: str, admitted: dict[str, int], failed: set[str], disposition: Disposition, insurer: str
) -> None:
    decision = await two(on_exhausted).decide(APPLICATION, traffic(admitted), failed=frozenset(failed), now=NOW)
    assert (decision.disposition, decision.insurer_id) == (disposition, insurer)
    assert (decision.binding is None) == (insurer == "")
    assert len(decision.candidates) == 2


async def test_the_same_key_goes_to_the_same_insurer_and_the_shares_hold() -> None:
    plan = two("PARK")
    counts: Counter[str] = Counter()
    for n in range(3000):
        first = application(application_id=f"a-{n}", customer_ref=f"customer-{n}")
        again = application(application_id=f"b-{n}", customer_ref=f"customer-{n}", term_months=12)
        insurer = (await plan.decide(first, traffic(), now=NOW)).insurer_id
        assert (await plan.decide(again, traffic(), now=NOW)).insurer_id == insurer
        counts[insurer] += 1
    assert 1700 < counts["insurer-a"] < 1900


async def test_an_absent_sticky_key_falls_back_to_the_application_id() -> None:
    plan = compile_plan(TWO.replace("on_exhausted: ON_EXHAUSTED", "sticky_key: attributes.household"))
    decision = await plan.decide(APPLICATION, traffic(), now=NOW)
    assert decision.split_key == "app-1"
    known = application(attributes={"household": "h-9"})
    assert (await plan.decide(known, traffic(), now=NOW)).split_key == "h-9"


FACTOR = TWO.replace("rules:", "factors: {grade: 'int(application.attributes.grade)'}\nrules:").replace(
    "on_exhausted: ON_EXHAUSTED", "match: {factors.grade: {at_least: 3}}"
)


async def test_a_factor_that_cannot_be_computed_refuses_instead_of_skipping_rules() -> None:
    plan = compile_plan(FACTOR)
    with pytest.raises(RuleNotComputable, match=r"factor 'grade' .* no key grade"):
        await plan.decide(APPLICATION, traffic(), now=NOW)
    decision = await plan.decide(application(attributes={"grade": "4"}), traffic(), now=NOW)
    assert decision.factors == {"grade": 4}


async def test_a_factor_s_default_stands_in_when_it_cannot_be_computed() -> None:
    plan = compile_plan(
        FACTOR.replace(
            "'int(application.attributes.grade)'", "{expression: 'int(application.attributes.grade)', default: 9}"
        )
    )
    assert (await plan.decide(APPLICATION, traffic(), now=NOW)).factors == {"grade": 9}


async def test_a_condition_that_cannot_be_computed_refuses() -> None:
    plan = compile_plan(TWO.replace("on_exhausted: ON_EXHAUSTED", 'when: application.attributes.zone == "1"'))
    with pytest.raises(RuleNotComputable, match="the condition of rule 'only'"):
        await plan.decide(APPLICATION, traffic(), now=NOW)


async def test_a_device_s_age_is_counted_in_whole_days() -> None:
    plan = compile_plan(TWO.replace("on_exhausted: ON_EXHAUSTED", "match: {device.age_days: {at_most: 22}}"))
    with pytest.raises(NoRuleMatches):
        await plan.decide(APPLICATION, traffic(), now=NOW)
    plan = compile_plan(TWO.replace("on_exhausted: ON_EXHAUSTED", "match: {device.age_days: 23}"))
    assert (await plan.decide(APPLICATION, traffic(), now=NOW)).rule == "only"


async def test_templates_fill_in_fields_factors_and_braces() -> None:
    code = (
        "{{x}}-{application.term_months}-{application.attributes.none}-{factors.new}-{application.premium.amount_minor}"
    )
    plan = compile_plan(
        TWO.replace("rules:", "factors: {new: application.device.age_days < 30}\nrules:")
        .replace("on_exhausted: ON_EXHAUSTED", "on_exhausted: PARK")
        .replace("insurer_product_code: A", f'insurer_product_code: "{code}"')
    )
    decision = await plan.decide(APPLICATION, traffic({"insurer-b": 0}), now=NOW)
    assert decision.binding is not None
    assert decision.binding.insurer_product_code == "{x}-24--true-12900"


@pytest.mark.parametrize(
    "expression",
    [
        "int(application.attributes.grade)",
        "duration(application.attributes.grade)",
        "timestamp(application.attributes.grade)",
        '{"a": 1}[application.attributes.grade]',
        "application.attributes[application.attributes.grade]",
        "application.attributes.grade.startsWith(application.term_months)",
        "application.attributes.grade + application.term_months",
        "application.premium.amount_minor * application.premium.amount_minor * application.premium.amount_minor",
        "[1][application.premium.amount_minor]",
    ],
)
async def test_what_cannot_be_computed_is_said_without_the_application_s_values(expression: str) -> None:
    plan = compile_plan(
        TWO.replace("rules:", f"factors: {{f: {expression!r}}}\nrules:").replace("ON_EXHAUSTED", "PARK")
    )
    secret = application(
        attributes={"grade": "Zhang-138"}, premium=replace(APPLICATION.premium, amount_minor=987654321987)
    )
    with pytest.raises(RuleNotComputable) as refused:
        await plan.decide(secret, traffic(), now=NOW)
    assert "factor 'f'" in refused.value.message
    assert not [part for part in ("Zhang", "138", "987654") if part in refused.value.message]


@pytest.mark.parametrize("admitted", [{}, {"insurer-a": 0}, {"insurer-b": 2500}, {"insurer-a": 100, "insurer-b": 0}])
async def test_a_decision_is_re_derived_from_nothing_but_what_it_records(admitted: dict[str, int]) -> None:
    plan = two("PARK")
    for n in range(200):
        decision = await plan.decide(application(customer_ref=f"customer-{n}"), traffic(admitted), now=NOW)
        taking_part = [c for c in decision.candidates if c.weight_basis_points]
        scores = {c.insurer_id: score(c.insurer_id, c.weight_basis_points, decision.split_key) for c in taking_part}
        assert decision.insurer_id == max(scores, key=scores.__getitem__)
        assert {c.insurer_id for c in decision.candidates if c.excluded_because} == {
            insurer for insurer, points in admitted.items() if points == 0
        }


async def test_factors_follow_what_they_read_and_are_computed_once_for_it(plan: CompiledPlan) -> None:
    dear, cheap = Money(700_000, "CNY"), Money(100, "CNY")
    decided = [
        await plan.decide(application(device=replace(APPLICATION.device, price=price)), traffic(), now=NOW)
        for price in (dear, cheap, dear, cheap)
    ]
    assert [decision.factors["band"] for decision in decided] == ["high", "low", "high", "low"]
    assert decided[0].factors is decided[2].factors


async def test_a_factor_that_reads_the_time_is_computed_each_time() -> None:
    source = PLAN.replace("factors:\n", "factors:\n  hour: string(now.getHours())\n", 1)
    plan = compile_plan(source, version=1)
    hours = [
        (await plan.decide(application(), traffic(), now=NOW + timedelta(hours=each))).factors["hour"]
        for each in range(3)
    ]
    assert hours == ["8", "9", "10"]


@pytest.mark.parametrize(
    ("products", "decides"),
    [
        ("[{code: screen-24m}, {code: tv-36m}]", True),
        ("[{code: screen-24m, category: tablet}, {code: tv-36m}]", False),
        ("[{code: tv-36m}, {product_line: warranty}]", False),
    ],
)
async def test_a_rule_by_product_code_decides_only_for_what_the_plan_serves(products: str, decides: bool) -> None:
    source = f"""\
plan: codes
products: {products}
rules:
  - name: one
    match: {{product_code: [screen-24m, tv-36m]}}
    allocations: [{{insurer: insurer-a, share: 10000, binding: {{insurer_product_code: A}}}}]
  - name: all
    allocations: [{{insurer: insurer-b, share: 10000, binding: {{insurer_product_code: B}}}}]
"""
    plan = compile_plan(source)
    if decides:
        assert (await plan.decide(APPLICATION, traffic(), now=NOW)).rule == "one"
    else:
        with pytest.raises(NoRuleMatches, match="does not serve product 'screen-24m'"):
            await plan.decide(APPLICATION, traffic(), now=NOW)
