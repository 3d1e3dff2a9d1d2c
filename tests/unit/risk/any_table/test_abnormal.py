from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from sluice_server.domain.errors import InvalidInput
from sluice_server.domain.risk.any_table.abnormal import area_under_curve, find_abnormal
from tests.unit.risk.any_table.claims_table import ABNORMAL, claims

EXPECTED_REASON = {
    "cost": "cost_against_peers",
    "repeat": "repeat_subjects",
    "equal": "equal_amounts",
    "burst": "burst",
    "part": "concentration_part",
}


def test_planted_shops_are_found_for_what_they_do_and_nobody_else() -> None:
    flagged = {one.entity: one.reasons[0].indicator for one in find_abnormal(claims(ABNORMAL)) if one.flagged}
    assert flagged == {f"s{shop:03}": EXPECTED_REASON[kind] for shop, kind in ABNORMAL.items()}


def test_ordinary_shops_are_seldom_flagged_at_all() -> None:
    flagged = [sum(one.flagged for one in find_abnormal(claims({}, seed))) for seed in range(8)]
    assert sum(count > 0 for count in flagged) <= 1


def test_the_score_finds_more_than_sorting_by_amount() -> None:
    found = find_abnormal(claims(ABNORMAL))
    bad = np.array([float(int(one.entity[1:]) in ABNORMAL) for one in found])
    by_score = area_under_curve(np.array([one.score for one in found]), bad)
    by_amount = area_under_curve(np.array([one.observed for one in found]), bad)
    assert by_score > 0.99
    assert by_amount < 0.8


def test_a_shop_is_compared_with_its_own_parts() -> None:
    rows = claims({77: "part"})
    with_peers = {one.entity: one for one in find_abnormal(rows)}["s077"]
    without = {one.entity: one for one in find_abnormal(replace(rows, peers=None))}["s077"]
    # Half of its claims are of the dearest part: dear without, ordinary with the part known.
    assert without.observed / without.expected > with_peers.observed / with_peers.expected + 0.3
    assert "cost_against_peers" not in {reason.indicator for reason in with_peers.reasons}


def test_equal_amounts_that_everybody_has_are_a_price_list() -> None:
    rows = claims({})
    priced = replace(rows, amount=np.round(rows.amount, -2) + 100)
    assert not any(one.flagged for one in find_abnormal(priced))


def test_negative_amounts_and_a_lonely_entity_are_refused() -> None:
    rows = claims({}, shops=3)
    with pytest.raises(InvalidInput, match=r"amount: negative in \d+ rows; entity: only 3"):
        find_abnormal(replace(rows, amount=-rows.amount))


def test_area_under_the_curve_counts_ties_half() -> None:
    assert area_under_curve(np.array([1.0, 2.0, 3.0]), np.array([0.0, 0.0, 1.0])) == 1.0
    assert area_under_curve(np.array([1.0, 1.0]), np.array([0.0, 1.0])) == 0.5
    assert math.isnan(area_under_curve(np.array([1.0]), np.array([1.0])))
