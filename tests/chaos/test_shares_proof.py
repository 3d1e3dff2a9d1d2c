"""The proof of shares and capacities must be able to fail."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import pytest

from sluice.insurer.v1 import insurer_pb2
from sluice.routing.v1 import decision_pb2
from tests.support.shares import share_faults

MIDNIGHT = 1_767_225_600
"""2026-01-01T00:00:00Z"""


def page(
    given: Sequence[str], weights: Sequence[int] = (5_000, 3_000, 2_000), rule: str = "exact"
) -> list[decision_pb2.Decision]:
    """Decisions that name these insurers (of a, b, c) one after the other."""
    counts: Counter[str] = Counter()
    decisions = []
    for position, insurer_id in enumerate(given, start=1):
        decision = decision_pb2.Decision(insurer_id=insurer_id, plan_version=1, rule=rule, ledger_position=position)
        decision.decide_time.FromSeconds(MIDNIGHT + position // 2)
        for name, weight in zip("abc", weights, strict=True):
            decision.candidates.add(insurer_id=name, weight_basis_points=weight, ledger_orders=counts[name])
        counts[insurer_id] += 1
        decisions.append(decision)
    return decisions


def test_a_page_that_is_kept_is_no_fault() -> None:
    fair = page("abacabacba")
    assert share_faults(reversed(fair), {}) == []
    two_pages = [*fair, *page("bcbbc", weights=(0, 3_000, 2_000))]
    assert share_faults(two_pages, {}) == []
    assert share_faults(page("aaaa", rule="repaying"), {}, ["repaying"]) == [], "who was missing is given more"


def test_a_position_that_is_missing_or_given_twice_is_found() -> None:
    fair = page("abacabacba")
    (missing,) = share_faults(fair[:4] + fair[5:], {})
    assert "position 5 is missing" in missing
    (first_missing,) = share_faults(fair[1:], {})
    assert "position 1 is missing" in first_missing
    (twice,) = share_faults([*fair, fair[3]], {})
    assert "4 was given twice" in twice


def test_a_decision_that_did_not_see_the_one_before_is_found() -> None:
    stale = page("abacabacba")
    stale[6].candidates[0].ledger_orders -= 1
    (found,) = share_faults(stale, {})
    assert "position 7 has found" in found
    (found,) = share_faults(page("abacabacba", rule="repaying")[:3] + stale[6:7], {}, ["exact"])
    assert "position 1 is missing" in found


@pytest.mark.parametrize(("given", "who"), [("aa", "a"), ("abb", "b"), ("acc", "c")])
def test_an_insurer_that_is_a_whole_order_off_its_share_is_found(given: str, who: str) -> None:
    (found,) = share_faults(page(given), {})
    assert f": {who} has" in found


def test_an_insurer_that_was_given_more_than_it_takes_is_found() -> None:
    fair = page("abacabacba")
    roomy = {"a": insurer_pb2.Capacity(orders_per_second=2, orders_per_day=5)}
    assert share_faults(fair, roomy) == []
    assert share_faults(fair, {"a": insurer_pb2.Capacity(orders_per_day=4)}) == ["a: 5 orders in a day, 4 are agreed"]
    crowded = page("abacabacba")
    for decision in crowded:
        decision.decide_time.FromSeconds(MIDNIGHT)
    assert share_faults(crowded, {"b": insurer_pb2.Capacity(orders_per_second=2)}) == [
        "b: 3 orders in a second, 2 are agreed"
    ]
    crowded[0].decide_time.FromSeconds(MIDNIGHT - 1)
    assert share_faults(crowded, {"a": insurer_pb2.Capacity(orders_per_day=4)}) == [], "each day for itself"
