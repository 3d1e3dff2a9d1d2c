"""The JSON Schema of plans accepts what the parser accepts, and nothing else."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from sluice_server.domain.routing.source.document import OnExhausted, Split
from sluice_server.domain.routing.source.fields import FACTOR_PREFIX, FIELDS, kind_of
from sluice_server.domain.routing.source.findings import Findings
from sluice_server.domain.routing.source.limits import DEFAULT_LIMITS
from sluice_server.domain.routing.source.parse import parse_plan
from sluice_server.domain.routing.source.schema import plan_schema
from tests.unit.routing.builders import PLAN, TWO

ROOT = Path(__file__).parents[3]
SCHEMA = plan_schema()
VALIDATOR = jsonschema_rs.Draft7Validator(SCHEMA)

FULL = """\
plan: full
description: Everything that a plan can say.
insurers:
  insurer-a:
    binding: {insurer_plan_code: STANDARD, endpoint: fast, parameters: {model: "{application.device.model_id}"}}
  insurer-b:
products: [{code: screen-24m, product_line: screen, category: phone}, {product_line: warranty}]
factors:
  band: application.term_months
  grade: {expression: 'rating("channel", application.channel.channel_id)', default: C, description: of the channel}
rules:
  - name: first
    description: for readers
    match:
      product_line: screen
      device.category: [phone, tablet]
      product_code: {prefix: [screen-, cover-]}
      customer_ref: {prefix: c}
      term_months: {at_least: 12, below: 36.5}
      attributes.campaign: ""
      attributes.number: 7
      factors.band: true
    when: factors.band > 3
    split: STICKY
    sticky_key: application.customer_ref
    on_exhausted: KEEP_LAST
    allocations:
      - {insurer: insurer-a, share: 7000, binding: {insurer_product_code: A, insurer_plan_code: P}}
      - {insurer: insurer-b, share: 3000}
"""


def accepted(plan: Any) -> bool:
    """By the parser, and with fields that there are."""
    findings = Findings(DEFAULT_LIMITS.max_findings)
    document = parse_plan(json.dumps(plan, ensure_ascii=False), findings, DEFAULT_LIMITS)
    if document is None or findings.has_errors:
        return False
    paths = {path for rule in document.rules for path in rule.match}
    return all(path.startswith(FACTOR_PREFIX) or kind_of(path) is not None for path in paths)


def loaded(source: str) -> Any:
    return YAML(typ="safe", pure=True).load(source)


def test_the_published_schema_is_the_one_of_the_code() -> None:
    published = (ROOT / "docs" / "plan.schema.json").read_text(encoding="utf-8")
    assert published == json.dumps(SCHEMA, ensure_ascii=False, indent=2) + "\n", (
        "sluice plan schema > docs/plan.schema.json"
    )


def test_it_is_a_schema() -> None:
    assert jsonschema_rs.meta.is_valid(SCHEMA)


def test_every_key_and_choice_has_a_description_or_speaks_for_itself() -> None:
    def keys(schema: Any, path: str) -> list[str]:
        found = []
        if isinstance(schema, dict):
            for name, inner in schema.get("properties", {}).items():
                if "description" not in inner and inner != {"type": "null"}:
                    found.append(f"{path}.{name}")
            for name, inner in schema.items():
                found += keys(inner, f"{path}.{name}")
        elif isinstance(schema, list):
            for number, inner in enumerate(schema):
                found += keys(inner, f"{path}[{number}]")
        return found

    assert keys(SCHEMA, "") == []
    rule = SCHEMA["properties"]["rules"]["items"]["properties"]
    assert set(rule["match"]["properties"]) == set(FIELDS)
    assert set(rule["split"]["enum"]) == {*(s.value for s in Split), None}
    assert set(rule["on_exhausted"]["enum"]) == {*(o.value for o in OnExhausted), None}


@pytest.mark.parametrize(
    "source",
    [PLAN, TWO.replace("ON_EXHAUSTED", "PARK"), FULL, *(p.read_text() for p in sorted(ROOT.glob("docs/*plan*.yaml")))],
)
def test_valid_plans_are_valid(source: str) -> None:
    plan = loaded(source)
    assert accepted(plan)
    assert [str(error) for error in VALIDATOR.iter_errors(plan)] == []


@pytest.mark.parametrize(
    "file",
    [*sorted(ROOT.glob("docs/*plan*.yaml")), ROOT / "server/sluice_server/cli/demo/plan.yaml"],
    ids=lambda p: p.name,
)
def test_plans_that_name_their_schema_name_this_one(file: Path) -> None:
    first = file.read_text(encoding="utf-8").splitlines()[0]
    if first.startswith("# yaml-language-server: $schema="):
        assert (file.parent / first.partition("=")[2]).resolve() == ROOT / "docs" / "plan.schema.json"
    else:
        assert file.parent.name == "demo", "a documented plan names its schema"


# fmt: off
KEYS = [
    "plan", "description", "insurers", "products", "factors", "rules", "code", "product_line", "category",
    "expression", "default", "name", "match", "when", "split", "sticky_key", "on_exhausted", "allocations",
    "insurer", "share", "binding", "insurer_product_code", "endpoint", "parameters", "prefix", "at_least", "below",
    "term_months", "attributes.x", "factors.y", "attributes.", "Insurer-A", "insurer-c", "nothing",
]
# fmt: on
# Whole numbers as floats are left out (a schema takes 5000.0 for whole), and what YAML takes for no text at all.
characters = st.sampled_from("aZ9 ._-{}\"'é险\u3000\u00a0\n\t\x01\u200b")
words = st.text(characters, max_size=6) | st.sampled_from(["STICKY", "EXACT", "PARK", "REJECT", "insurer-a", *KEYS])
lengths = st.sampled_from([64, 65, 128, 129, 512, 513]).map(lambda n: "x" * n)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10_005),
    st.floats(-100, 100).filter(lambda x: x != int(x)),
    words,
    lengths,
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS) | words, inner, max_size=3),
    max_leaves=6,
)


def places(node: Any) -> list[tuple[Any, Any]]:
    """Every container with each of its keys."""
    inner = list(node.items()) if isinstance(node, dict) else list(enumerate(node)) if isinstance(node, list) else []
    return [(node, key) for key, _ in inner] + [found for _, value in inner for found in places(value)]


@settings(deadline=None, max_examples=400)
@given(data=st.data())
def test_a_plan_that_is_changed_anywhere_is_accepted_by_both_or_by_neither(data: st.DataObject) -> None:
    plan = copy.deepcopy(loaded(FULL))
    for _ in range(data.draw(st.integers(1, 2))):
        container, key = data.draw(st.sampled_from(places(plan)))
        change = data.draw(st.sampled_from(["replace", "remove", "add"]))
        if change == "replace":
            container[key] = data.draw(values)
        elif change == "remove":
            del container[key]
        elif isinstance(container, dict):
            container[data.draw(st.sampled_from(KEYS) | words)] = data.draw(values)
        else:
            container.append(data.draw(values))
        if not places(plan):
            break
    assert VALIDATOR.is_valid(plan) == accepted(plan), (plan, [str(e) for e in VALIDATOR.iter_errors(plan)][:3])
