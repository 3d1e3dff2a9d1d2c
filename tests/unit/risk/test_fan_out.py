"""Planted many-to-many joins: one policy is repaired by several shops, one shop repairs many policies."""

from __future__ import annotations

from itertools import combinations

import pytest

from sluice_server.domain.errors import InvalidQuery
from sluice_server.domain.risk.semantic.model_yaml import load_model, shipped_model
from sluice_server.domain.risk.semantic.planner import plan_query
from sluice_server.domain.risk.semantic.question import Filter, Question

MODEL = shipped_model()
POLICIES = {"P1": 100, "P2": 100}
"""Premium by policy."""
REPAIRS = [("P1", "R1", 30), ("P1", "R2", 20), ("P1", "R1", 10), ("P2", "R1", 40)]
"""Policy, shop, amount."""

TWO_BRIDGES = """
version: 1
currency: CNY
facts:
  sales: {counts: {zh: 销售, en: sales}, fan_out: {zh: 多, en: one person buys many things}}
  visits: {counts: {zh: 访问, en: visits}, fan_out: {zh: 多, en: one person comes many times}}
entities:
  person: {label: {zh: 人, en: Person}, description: {zh: 人, en: Person}}
dimensions:
  person: {entity: person, label: {zh: 人, en: Person}, description: {zh: 人, en: Person}}
  month: {type: month, label: {zh: 月, en: Month}, description: {zh: 月, en: Month}}
tables:
  sales:
    fact: sales
    time: {column: month, grain: month}
    keys: {person: person_id}
    measures: {sold: sold}
    exposure: sold
  visits:
    fact: visits
    time: {column: month, grain: month}
    keys: {person: person_id}
    measures: {visits: visits}
    exposure: visits
metrics:
  sold: {kind: simple, unit: items, label: {zh: 销, en: Sold}, description: {zh: 销, en: Sold}}
  visits: {kind: simple, unit: visits, label: {zh: 访, en: Visits}, description: {zh: 访, en: Visits}}
"""


def test_the_join_that_is_refused_would_count_premium_more_than_once() -> None:
    joined = [(policy, shop, POLICIES[policy]) for policy, shop, _ in REPAIRS]
    by_shop = {shop: sum(premium for _, of, premium in joined if of == shop) for shop in ("R1", "R2")}
    assert sum(by_shop.values()) == 400, "twice the premium that there is"
    assert sum(POLICIES.values()) == 200
    for metric in ("earned_premium", "loss_ratio", "exposure_years", "claim_frequency"):
        with pytest.raises(InvalidQuery, match="more than once"):
            plan_query(MODEL, Question((metric,), ("repair_shop",)))
        with pytest.raises(InvalidQuery, match="more than once"):
            plan_query(MODEL, Question((metric,), ("month",), (Filter("repair_shop", ("R1",)),)))


def test_no_two_facts_are_ever_answered_together() -> None:
    facts = {m.name: {t.fact for t in MODEL.tables_with_metric(m)} for m in MODEL.metrics.values()}
    apart = [(a, b) for a, b in combinations(facts, 2) if not facts[a] & facts[b]]
    assert len(apart) > 100
    for a, b in apart:
        with pytest.raises(InvalidQuery, match="Joining them would count rows more than once") as refused:
            plan_query(MODEL, Question((a, b), ("month",)))
        assert [violation.field for violation in refused.value.violations] == ["metrics"]


def test_facts_that_share_every_key_are_refused_all_the_same() -> None:
    """Sales and visits of a person are many-to-many although both tables are kept by person and month."""
    model = load_model(TWO_BRIDGES)
    assert plan_query(model, Question(("sold",), ("person",))).table.name == "sales"
    with pytest.raises(InvalidQuery) as refused:
        plan_query(model, Question(("sold", "visits"), ("person",)))
    text = refused.value.violations[0].description
    assert "one person buys many things" in text
    assert "one person comes many times" in text
