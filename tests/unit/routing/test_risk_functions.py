"""rating() and score() in factors."""

from __future__ import annotations

from collections.abc import Set
from dataclasses import replace

import pytest

from sluice_server.domain.errors import InvalidPlan
from sluice_server.domain.routing.plan import CompiledPlan, RuleNotComputable
from sluice_server.domain.routing.ports import NO_RISK_FACTS, RiskFacts, RiskNeed
from sluice_server.domain.routing.source.compile import check_plan, compile_plan
from tests.unit.routing.builders import APPLICATION, NOW, traffic

PLAN = """\
plan: rated
products: [{product_line: screen}]
factors:
  grade: {expression: 'FACTOR', default: DEFAULT}
rules:
  - name: bad
    match: {factors.grade: [D, E]}
    allocations: [{insurer: insurer-a, share: 10000, binding: {insurer_product_code: "A-{factors.grade}"}}]
  - name: rest
    allocations: [{insurer: insurer-b, share: 10000, binding: {insurer_product_code: "B-{factors.grade}"}}]
"""
RATING = 'rating("channel", application.channel.channel_id)'
SCORE = PLAN.replace("match: {factors.grade: [D, E]}", "match: {factors.grade: {above: 80}}")


class HandRisk:
    """Risk data by hand."""

    def __init__(self, facts: RiskFacts = NO_RISK_FACTS) -> None:
        self.facts = facts
        self.read = 0

    def snapshot(self) -> RiskFacts:
        self.read += 1
        return self.facts

    def kinds(self, function: str) -> frozenset[str]:
        return frozenset({"channel"})

    async def need(self, needs: Set[RiskNeed]) -> None:
        """It is all there."""


def rated(expression: str, default: str, facts: RiskFacts = NO_RISK_FACTS, plan: str = PLAN) -> CompiledPlan:
    source = plan.replace("FACTOR", expression.replace("'", "''")).replace("DEFAULT", default)
    return compile_plan(source, risk=HandRisk(facts))


def problems(expression: str, default: str = "C", plan: str = PLAN) -> list[str]:
    with pytest.raises(InvalidPlan) as refused:
        rated(expression, default, plan=plan)
    return [violation.description for violation in refused.value.violations]


E = RiskFacts(4, {("channel", "online"): "E"}, {("channel", "online"): 97.5})


async def test_a_rating_decides_and_is_recorded() -> None:
    decision = await rated(RATING, "C", E).decide(APPLICATION, traffic(), now=NOW)
    assert (decision.rule, decision.insurer_id, dict(decision.factors)) == ("bad", "insurer-a", {"grade": "E"})
    assert decision.binding is not None
    assert decision.binding.insurer_product_code == "A-E"


async def test_what_is_not_rated_takes_the_default() -> None:
    for facts in (NO_RISK_FACTS, RiskFacts(4, {("channel", "other"): "E", ("store", "online"): "E"}, {})):
        decision = await rated(RATING, "C", facts).decide(APPLICATION, traffic(), now=NOW)
        assert (decision.rule, dict(decision.factors)) == ("rest", {"grade": "C"})


async def test_a_score_is_a_number() -> None:
    plan = rated('score("channel", application.channel.channel_id)', "50", E, SCORE)
    decision = await plan.decide(APPLICATION, traffic(), now=NOW)
    assert (decision.rule, dict(decision.factors)) == ("bad", {"grade": 97.5})


@pytest.mark.parametrize(
    "expression",
    [
        'rating("channel", application.channel.channel_id) == "B" ? "D" : "A"',
        'rating("channel", application.channel.channel_id) != "E" ? "D" : "A"',
        '"D" + rating("channel", application.channel.channel_id)',
        'score("channel", application.channel.channel_id) > 10.0 ? "D" : "A"',
    ],
)
async def test_nothing_is_computed_with_a_rating_that_is_not_there(expression: str) -> None:
    decision = await rated(expression, "C").decide(APPLICATION, traffic(), now=NOW)
    assert dict(decision.factors) == {"grade": "C"}


async def test_one_factor_s_missing_rating_is_not_the_next_one_s() -> None:
    more = """\
  other: {expression: 'rating("channel", "known")', default: C}
  plain: application.term_months
rules:
"""
    source = PLAN.replace("FACTOR", RATING).replace("DEFAULT", "C").replace("rules:\n", more)
    plan = compile_plan(source, risk=HandRisk(RiskFacts(4, {("channel", "known"): "A"}, {})))
    assert dict((await plan.decide(APPLICATION, traffic(), now=NOW)).factors) == {
        "grade": "C",
        "other": "A",
        "plain": 24,
    }


async def test_a_rating_is_not_asked_for_where_the_expression_does_not_need_it() -> None:
    plan = rated(f'application.channel.tier == "gold" ? "A" : {RATING}', "E")
    assert dict((await plan.decide(APPLICATION, traffic(), now=NOW)).factors) == {"grade": "A"}
    silver = replace(APPLICATION, channel=replace(APPLICATION.channel, tier="silver"))
    assert dict((await plan.decide(silver, traffic(), now=NOW)).factors) == {"grade": "E"}


async def test_a_decision_reads_one_data_version() -> None:
    risk = HandRisk(E)
    source = PLAN.replace("FACTOR", RATING).replace("DEFAULT", "C")
    await compile_plan(source, risk=risk).decide(APPLICATION, traffic(), now=NOW)
    assert risk.read == 1
    untouched = HandRisk(E)
    await compile_plan(source.replace(RATING, "application.product_line"), risk=untouched).decide(
        APPLICATION, traffic(), now=NOW
    )
    assert untouched.read == 0


def test_what_a_plan_reads_is_known_beforehand() -> None:
    plan = rated(f'{RATING} == "A" && score( \'device_model\' , application.device.model_id) < 3.0 ? "A" : "B"', "C")
    assert plan.risk_needs == {("rating", "channel"), ("score", "device_model")}
    assert rated("application.product_line", "C").risk_needs == frozenset()


async def test_a_record_stands_in_for_the_risk_data() -> None:
    plan = rated(RATING, "C", E)
    assert plan.read(APPLICATION, NOW, recorded={"grade": "B"}).factors == {"grade": "B"}


def test_a_factor_that_reads_the_risk_data_needs_a_default() -> None:
    with pytest.raises(InvalidPlan, match="has no default"):
        compile_plan(PLAN.replace("{expression: 'FACTOR', default: DEFAULT}", f"'{RATING}'"))


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("rating(application.product_line, application.channel.channel_id)", 'write rating("KIND", ID)'),
        ('rating("chan" + "nel", application.channel.channel_id)', 'write rating("KIND", ID)'),
        ('"channel".rating(application.channel.channel_id)', 'write rating("KIND", ID)'),
        ('rating("channel")', 'write rating("KIND", ID)'),
        ('rating("channel", application.term_months)', "found nothing for this kind and id (two texts)"),
        ('rating("channel", "a", "b")', "found nothing for this kind and id (two texts)"),
        ('ratting("channel", application.channel.channel_id)', "unknown function 'ratting'; did you mean 'rating'?"),
    ],
)
def test_wrong_calls_are_found_in_validation(expression: str, said: str) -> None:
    assert any(said in problem for problem in problems(expression)), problems(expression)


def test_conditions_read_factors_and_not_the_risk_data() -> None:
    source = (
        PLAN.replace("FACTOR", RATING)
        .replace("DEFAULT", "C")
        .replace("- name: rest", f"- name: rest\n    when: {RATING} == 'A'")
    )
    _, findings = check_plan(source)
    assert [f.message for f in findings if f.path == "rules[1].when"] == [
        "rating() is for factors, whose values a decision records; read factors.NAME here"
    ]


def test_a_text_that_mentions_a_call_is_no_call() -> None:
    assert rated('"rating(x)" + application.product_line', "C").risk_needs == frozenset()


async def test_a_plan_without_risk_data_still_says_what_is_missing_elsewhere() -> None:
    plan = compile_plan(PLAN.replace("{expression: 'FACTOR', default: DEFAULT}", "application.attributes.none"))
    with pytest.raises(RuleNotComputable, match="no key none"):
        await plan.decide(APPLICATION, traffic(), now=NOW)
