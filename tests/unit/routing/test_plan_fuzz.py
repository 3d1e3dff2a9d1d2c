"""Whatever is sent as a plan: findings with a place, never a traceback."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from sluice_server.domain.errors import InvalidPlan
from sluice_server.domain.routing.plan import RuleNotComputable
from sluice_server.domain.routing.source.compile import check_plan, compile_plan
from sluice_server.domain.routing.source.findings import errors
from tests.unit.routing.builders import APPLICATION, NOW, PLAN, traffic

CEL_WORDS = (
    "application device price amount_minor attributes x factors band now has size map all exists timestamp duration "
    "int string type true false null 1 2.5 1u 9223372036854775807 in"
)
CEL_SIGNS = ". ( ) [ ] { } \" ' + - * / % && || ! == < ? : ,"
CEL_PIECES = st.sampled_from([*CEL_WORDS.split(), *CEL_SIGNS.split()])
expressions = st.lists(CEL_PIECES, max_size=14).map(" ".join)
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=12), expressions)
trees = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(max_size=8) | st.sampled_from(["name", "share", "prefix"]), inner, max_size=4)
    ),
    max_leaves=12,
)


def assert_located(source: str) -> None:
    resolved, findings = check_plan(source)
    lines = source.count("\n") + source.count("\r") + 2
    for finding in findings:
        assert 0 <= finding.line <= lines, finding
        assert finding.message
    assert (resolved is None) == bool(errors(findings))
    if resolved is None:
        with pytest.raises(InvalidPlan) as raised:
            compile_plan(source)
        assert raised.value.violations
        assert all(violation.field.startswith("source") for violation in raised.value.violations)


@given(st.text(max_size=200))
@example("plan: x\nrules: [" + "{" * 50)
def test_any_text(source: str) -> None:
    assert_located(source)


@given(st.binary(max_size=200))
def test_any_bytes_that_happen_to_be_text(source: bytes) -> None:
    assert_located(source.decode("latin-1"))


@given(seed=st.integers(0, 2**32), edits=st.integers(1, 6), piece=st.text(max_size=6) | expressions)
@settings(max_examples=300)
def test_a_damaged_plan(seed: int, edits: int, piece: str) -> None:
    draw = random.Random(seed)
    source = PLAN
    for _ in range(edits):
        start = draw.randrange(len(source) + 1)
        source = source[:start] + piece + source[start + draw.randrange(8) :]
    assert_located(source)


@given(data=st.data())
@settings(max_examples=300)
def test_a_plan_with_any_value_at_any_place(data: st.DataObject) -> None:
    plan = YAML(typ="safe", pure=True).load(PLAN)
    place: Any = plan
    while True:
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        place = inner
    place[key] = data.draw(trees)
    assert_located(json.dumps(plan, ensure_ascii=data.draw(st.booleans())))


@given(factor=expressions, when=expressions)
@settings(max_examples=400)
async def test_any_expression_is_refused_or_decides(factor: str, when: str) -> None:
    source = PLAN.replace(
        '\'application.device.price.amount_minor >= 500000 ? "high" : "low"\'', json.dumps(factor or "1")
    )
    source = source.replace('application.channel.tier == "gold"', json.dumps(when or "true")).replace(
        "factors.band: high", "term_months: 24"
    )
    assert_located(source)
    resolved, _ = check_plan(source)
    if resolved is None:
        return
    try:
        decision = await compile_plan(source).decide(APPLICATION, traffic(), now=NOW)
    except RuleNotComputable:
        return
    assert decision.rule in ("gold-phones", "rest")
