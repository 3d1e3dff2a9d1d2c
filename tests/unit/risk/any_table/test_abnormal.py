from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from sluice_server.domain.errors import InvalidInput
from sluice_server.domain.risk.any_table.abnormal import Rows, area_under_curve, find_abnormal
from sluice_server.domain.risk.models.columns import TextColumn
from tests.unit.risk.any_table.claims_table import ABNORMAL, claims, ordinary

EXPECTED_REASON = {
    "cost": "cost_against_peers",
    "repeat": "repeat_subjects",
    "equal": "equal_amounts",
    "burst": "burst",
    "part": "concentration_part",
}


def test_planted_shops_are_found_for_what_they_do_and_nobody_else() -> None:
    flagged = {one.entity: one for one in find_abnormal(claims(ABNORMAL)) if one.flagged}
    assert set(flagged) == {f"s{shop:03}" for shop in ABNORMAL}
    for shop, kind in ABNORMAL.items():
        evidence = {reason.indicator: reason.p_value for reason in flagged[f"s{shop:03}"].reasons}
        assert evidence[EXPECTED_REASON[kind]] < 1e-3
        if kind != "cost":  # What costs more is also large.
            assert flagged[f"s{shop:03}"].reasons[0].indicator == EXPECTED_REASON[kind]


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
    p_with, p_without = (
        {reason.indicator: reason.p_value for reason in one.reasons}["cost_against_peers"]
        for one in (with_peers, without)
    )
    assert p_without < 0.001 < 0.01 < p_with


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


@pytest.mark.parametrize(
    ("tail", "options"),
    [
        ("lognormal", {}),
        ("lognormal", {"giant": True}),
        ("lognormal", {"season": True}),
        ("pareto", {}),
        ("pareto", {"few": True}),
        ("spread", {}),
    ],
)
def test_what_is_found_where_nothing_is_planted_stays_at_the_stated_rate(tail: str, options: dict[str, bool]) -> None:
    # Where nothing is planted every finding is false: in at most the stated share of the tables there may be one.
    runs, rate = 25, 0.05
    with_findings = sum(
        any(one.flagged for one in find_abnormal(ordinary(seed, tail, **options), rate)) for seed in range(runs)
    )
    # 5 of 25 are more than chance makes of 0.05 in 99 of 100 tries.
    assert with_findings <= 4


def test_an_epoch_in_seconds_is_screened_as_time_of_unknown_unit() -> None:
    rows = claims({55: "burst"})
    assert rows.day is not None
    seconds = replace(rows, day=rows.day * 86_400 + 1.7e9, dated=False)
    found = [one for one in find_abnormal(seconds) if one.flagged]
    assert [(one.entity, one.reasons[0].indicator) for one in found] == [("s055", "burst")]


def test_a_shop_alone_in_its_town_is_compared_with_the_other_towns() -> None:
    rows = claims({3: "cost"})
    assert rows.peers is not None
    town = TextColumn(rows.entity.levels, rows.entity.codes)
    alone = replace(rows, peers={"part": rows.peers["part"], "town": town})
    assert [one.entity for one in find_abnormal(alone) if one.flagged] == ["s003"]


def test_a_giant_that_is_ordinary_hides_nobody_and_is_not_flagged() -> None:
    rows = claims({40: "equal"})
    giant = ordinary(3, "lognormal", giant=True)
    assert max(np.bincount(giant.entity.codes)) > 0.4 * len(giant.amount)
    assert "s000" not in {one.entity for one in find_abnormal(giant) if one.flagged}
    assert [one.entity for one in find_abnormal(rows) if one.flagged] == ["s040"]


def test_a_million_rows_have_no_square_of_entities_in_them() -> None:
    """Work and memory grow with rows: an entity with as many rows as the others together, and as many subjects."""
    random = np.random.default_rng(2)
    rows = 60_000
    table = Rows(
        TextColumn(tuple(f"e{i}" for i in range(20_000)), random.integers(0, 20_000, rows)),
        random.lognormal(5, 1, rows).round(2),
        random.integers(0, 700, rows).astype(np.float64),
        {"part": TextColumn(tuple(f"p{i}" for i in range(40)), random.integers(0, 40, rows))},
        random.integers(0, 50_000, rows),
    )
    assert sum(one.flagged for one in find_abnormal(table, 0.05)) == 0
