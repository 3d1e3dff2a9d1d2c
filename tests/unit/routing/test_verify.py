"""A stored decision computed again, and every falsified field of it found."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sluice_server.api.routing import recorded, render
from sluice_server.domain.errors import NoRuleMatches
from sluice_server.domain.routing.model import Application, Binding, Candidate, Decision, Disposition
from sluice_server.domain.routing.ports import RiskFacts
from sluice_server.domain.routing.source.compile import compile_plan
from sluice_server.domain.routing.verify import recorded_traffic, verify_decision
from tests.unit.routing.builders import APPLICATION, NOW, PLAN, TWO, application, traffic
from tests.unit.routing.test_risk_functions import PLAN as RATED
from tests.unit.routing.test_risk_functions import RATING, HandRisk

THREE = TWO.replace("share: 4000", "share: 3333").replace(
    "binding: {insurer_product_code: B}}\n",
    "binding: {insurer_product_code: B}}\n"
    "      - {insurer: insurer-c, share: 667, binding: {insurer_product_code: C}}\n",
)


async def decided(source: str = PLAN, of: Application = APPLICATION, **how: Any) -> Decision:
    return await compile_plan(source, version=3).decide(of, how.pop("traffic", traffic()), now=NOW, **how)


def differing(decision: Decision, source: str = PLAN, of: Application = APPLICATION) -> list[str]:
    return [d.field for d in verify_decision(decision, of, compile_plan(source, version=3)).differences]


async def test_a_decision_that_nobody_touched_is_identical() -> None:
    decision = await decided()
    verification = verify_decision(decision, APPLICATION, compile_plan(PLAN, version=3))
    assert verification.identical
    assert (verification.decision_id, verification.taken_over) == (decision.decision_id, ())


@settings(deadline=None, max_examples=150)
@given(
    key=st.text(max_size=12),
    admitted=st.dictionaries(st.sampled_from(["insurer-a", "insurer-b", "insurer-c"]), st.integers(0, 10_000)),
    failed=st.frozensets(st.sampled_from(["insurer-a", "insurer-b", "insurer-c", "insurer-z"])),
    exhausted=st.sampled_from(["PARK", "KEEP_LAST", "REJECT"]),
    number=st.integers(1, 5),
)
async def test_whatever_the_breakers_said_and_whoever_failed_the_decision_comes_out_again(
    key: str, admitted: dict[str, int], failed: frozenset[str], exhausted: str, number: int
) -> None:
    source = THREE.replace("ON_EXHAUSTED", exhausted)
    of = application(customer_ref=key)
    decision = await decided(source, of, traffic=traffic(admitted), failed=failed, number=number)
    assert differing(decision, source, of) == []
    # As a client reads it.
    assert differing(recorded.decision(render.decision_message(decision)), source, of) == []


@settings(deadline=None)
@given(share=st.integers(1, 10_000), admitted=st.integers(0, 10_000))
def test_recorded_weights_come_out_of_recorded_shares(share: int, admitted: int) -> None:
    weight = max(1, share * admitted // 10_000) if admitted else 0
    decision = replace(DECISION, candidates=(Candidate("insurer-a", share, weight, "" if weight else "CUT"),))
    points = recorded_traffic(decision).admission("insurer-a", "screen").admitted_basis_points
    assert (max(1, share * points // 10_000) if points else 0) == weight


DECISION = Decision(
    decision_id="dec-1",
    application_id="app-1",
    number=1,
    disposition=Disposition.ROUTED,
    insurer_id="insurer-a",
    binding=Binding("A"),
    plan_name="small",
    plan_version=3,
    rule="rest",
    factors={},
    split_key="cust-1",
    ledger_position=None,
    candidates=(),
    traffic_version=7,
    decided_at=NOW,
)


FALSIFIED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "insurer": ({"insurer_id": "insurer-z"}, ["insurer_id"]),
    "rule": ({"rule": "rest"}, ["rule"]),
    "factor": ({"factors": {"band": "low"}}, ["factors.band"]),
    "factor left out": ({"factors": {}}, ["factors.band"]),
    "factor added": ({"factors": {"band": "high", "x": True}}, ["factors.x"]),
    "key": ({"split_key": "cust-2"}, ["split_key"]),
    "disposition": ({"disposition": Disposition.KEPT_LAST}, ["disposition"]),
    "plan": ({"plan_name": "other", "plan_version": 9}, ["plan_name", "plan_version"]),
    "no binding": ({"binding": None}, ["binding"]),
}


@pytest.mark.parametrize("name", FALSIFIED)
async def test_a_falsified_field_is_named(name: str) -> None:
    change, fields = FALSIFIED[name]
    decision = await decided()
    assert decision.factors == {"band": "high"}
    assert differing(replace(decision, **change)) == fields


async def test_a_falsified_binding_is_named_to_the_parameter() -> None:
    decision = await decided(traffic=traffic({"insurer-b": 0}))
    assert decision.binding is not None
    falsified = replace(
        decision.binding, insurer_plan_code="X", parameters={**decision.binding.parameters, "model": "?"}
    )
    assert differing(replace(decision, binding=falsified)) == ["binding.insurer_plan_code", "binding.parameters.model"]


async def test_falsified_candidates_are_named() -> None:
    decision = await decided()
    first, second = decision.candidates
    assert (first.share_basis_points, second.share_basis_points) == (7000, 3000)

    def with_candidates(*candidates: Candidate) -> list[str]:
        return differing(replace(decision, candidates=candidates))

    assert "candidates[insurer-a].share_basis_points" in with_candidates(
        replace(first, share_basis_points=6000), second
    )
    assert "candidates[insurer-b]" in with_candidates(first)
    assert "candidates[insurer-z]" in with_candidates(first, second, Candidate("insurer-z", 1, 1))
    assert "candidates[insurer-a].weight_basis_points" in with_candidates(
        replace(first, weight_basis_points=9000), second
    )
    assert "candidates[insurer-b].excluded_because" in with_candidates(first, replace(second, excluded_because="CUT"))


async def test_a_weight_taken_away_from_the_chosen_one_shows_in_the_insurer() -> None:
    decision = await decided()
    chosen = next(c for c in decision.candidates if c.insurer_id == decision.insurer_id)
    candidates = tuple(
        replace(c, weight_basis_points=0, excluded_because="CUT") if c is chosen else c for c in decision.candidates
    )
    assert "insurer_id" in differing(replace(decision, candidates=candidates))


async def test_another_application_is_found_out() -> None:
    decision = await decided()
    assert "split_key" in differing(decision, of=application(customer_ref="cust-2"))
    assert differing(decision, of=application(product_line="travel")) == ["rule"]


async def test_a_decision_is_computed_as_of_its_moment() -> None:
    source = TWO.replace("on_exhausted: ON_EXHAUSTED", "match: {device.age_days: 23}")
    decision = await decided(source)
    assert differing(decision, source) == []
    assert differing(replace(decision, decided_at=NOW + timedelta(days=1)), source) == ["rule"]


async def test_what_was_read_from_the_risk_data_is_taken_from_the_record() -> None:
    source = RATED.replace("FACTOR", RATING).replace("DEFAULT", "C")
    rated = compile_plan(source, version=3, risk=HandRisk(RiskFacts(4, {("channel", "online"): "E"}, {})))
    decision = await rated.decide(APPLICATION, traffic({"insurer-b": 0}), now=NOW)
    # Computed without any risk data, and long after the data version was replaced.
    verification = verify_decision(decision, APPLICATION, compile_plan(source, version=3))
    assert (verification.identical, verification.taken_over) == (True, ("factors.grade",))
    assert differing(replace(decision, factors={"grade": "A"}), source)[0] == "rule"


async def test_a_record_without_a_rule_that_matches_says_why() -> None:
    with pytest.raises(NoRuleMatches):
        await decided(of=application(product_line="travel"))
    found = verify_decision(DECISION, application(product_line="travel"), compile_plan(PLAN, version=3))
    assert "does not serve product" in found.differences[0].recomputed
