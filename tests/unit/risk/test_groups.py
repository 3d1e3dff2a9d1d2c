"""The search for risk groups over rating cells, without a store."""

from __future__ import annotations

from typing import Any

import numpy as np

from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.groups.cells import DIMENSIONS, GroupCells, discovery_half, permuted
from sluice_server.domain.risk.groups.find import MOST_EFFECT, Judged, search_and_judge, sentence
from sluice_server.domain.risk.groups.group import Candidate, Condition, GroupSearch, JudgedGroup, Side, Source
from sluice_server.domain.risk.groups.proposals import checked, parsed
from sluice_server.domain.risk.models.columns import TextColumn
from tests.support.alarms import NOON
from tests.unit.risk.groups_portfolio import PLANTED_HIGH, PLANTED_LOW, rating_cells

COLUMNS = {"product": "product_code"}
STAMP = DataStamp(1, NOON, NOON)


def cells_of(rows: list[dict[str, Any]]) -> GroupCells:
    columns = {name: TextColumn.of([str(row[COLUMNS.get(name, name)]) for row in rows]) for name in DIMENSIONS}
    exposure = np.array([row["exposure_years"] for row in rows])
    return GroupCells(columns, exposure, np.array([float(row["claims"]) for row in rows]), STAMP)


def judged(seed: int, **planted: float) -> Judged:
    cells = cells_of(rating_cells(seed, **planted))
    search = GroupSearch(seed=seed)
    return search_and_judge(cells, discovery_half(cells, seed), (), search, with_model=False)


def test_without_a_planted_group_nothing_is_accepted_at_the_stated_rate() -> None:
    """40 portfolios without groups, at a false discovery rate of 0.01: at that rate one would be expected to accept
    anything in 0.4 of them; in more than 3 it would with a chance of 1 in 1,000. Nor do the controls."""
    runs = [judged(seed, high=1.0, low=1.0, years=10.0) for seed in range(40)]
    assert sum(any(one.accepted for one in run.groups) for run in runs) <= 3
    assert sum(run.permuted_accepted > 0 for run in runs) <= 3
    assert sum(run.permuted_proposed for run in runs) > 40, "else the control controls nothing"


def test_both_planted_groups_are_found_at_every_seed_and_the_controls_accept_nothing() -> None:
    for seed in range(8):
        run = judged(seed)
        accepted = [{one.dimension: one.value for one in group.conditions} for group in run.groups if group.accepted]
        assert PLANTED_HIGH in accepted, seed
        assert PLANTED_LOW in accepted, seed
        assert run.permuted_accepted == 0, seed


def test_the_permuted_claims_are_as_many_and_follow_the_exposure() -> None:
    cells = cells_of(rating_cells())
    dealt = permuted(cells.claims, cells.exposure, 1)
    assert dealt.sum() == cells.claims.sum()
    assert np.corrcoef(dealt, cells.exposure)[0, 1] > 0.5
    assert (permuted(cells.claims, cells.exposure, 1) == dealt).all()


def test_the_same_rows_in_other_words_are_proposed_once_in_the_fewest() -> None:
    rows = rating_cells()
    for row in rows:
        row["claims"] *= 2 if row["product_line"] == "WARRANTY" else 1
    cells = cells_of(rows)
    run = search_and_judge(cells, discovery_half(cells, 1), (), GroupSearch(), with_model=False)
    names = [{one.dimension: one.value for one in group.conditions} for group in run.groups]
    assert sum(name in ({"product": "P3"}, {"product_line": "WARRANTY"}) for name in names) == 1
    assert {"product": "P3", "product_line": "WARRANTY"} not in names


def test_no_policy_is_in_both_halves() -> None:
    cells = cells_of(rating_cells())
    half = discovery_half(cells, 1)
    factors = list(zip(*(column.codes for column in cells.dimensions.values()), strict=True))
    of_factors: dict[Any, set[bool]] = {}
    for factor, side in zip(factors, half.tolist(), strict=True):
        of_factors.setdefault(factor, set()).add(side)
    assert all(len(sides) == 1 for sides in of_factors.values())
    assert (discovery_half(cells, 2) != half).any()


def test_an_answer_is_taken_strictly_and_every_refusal_is_counted() -> None:
    cells = cells_of(rating_cells())
    half = discovery_half(cells, 1)
    good = {"conditions": [{"dimension": "brand", "value": "B1"}], "side": "higher", "claims": 1_000_000}
    answers: list[object] = [
        good,
        good,
        "brand B1",
        {"conditions": "brand", "side": "higher"},
        {"conditions": [], "side": "higher"},
        {"conditions": [{"dimension": "brand", "value": 7}], "side": "higher"},
        {"conditions": [{"dimension": ["brand"], "value": "B1"}], "side": "higher"},
        {"conditions": [{"dimension": "brand", "value": "B1"}, {"dimension": "brand", "value": "B2"}], "side": "lower"},
    ]
    taken, refused = checked(answers, cells, cells.claims, half, GroupSearch())
    assert [(one.conditions, one.source, one.side) for one in taken] == [
        ((Condition("brand", "B1"),), Source.LLM, Side.HIGHER)
    ]
    assert 0.5 < taken[0].effect < 1.5, "its own figures, not the model's"
    assert refused == {"duplicate": 1, "malformed": 4, "unknown_dimension": 1, "dimension_twice": 1}
    brands: list[object] = [
        {"conditions": [{"dimension": "brand", "value": brand}], "side": "lower"} for brand in ("B1", "B2", "B3")
    ]
    taken, refused = checked(brands, cells, cells.claims, half, GroupSearch(proposals=2))
    assert (len(taken), refused) == (2, {"beyond_budget": 1})
    assert parsed("[1]") == "the answer has no list of groups"


def test_a_sentence_has_the_numbers_of_the_hold_out_half() -> None:
    run = judged(3)
    best = next(one for one in run.groups if one.accepted)
    told = sentence(best)
    for part in (f"{best.effect:.2f} times", f"{best.outcomes:,.0f} claims", f"q {best.q_value:.2g}"):
        assert part in told.en
    assert f"{best.effect:.2f} 倍" in told.zh
    refused = next(one for one in run.groups if not one.accepted)
    assert "not confirmed" in sentence(refused).en


def test_a_group_that_holds_every_claim_has_a_finite_effect() -> None:
    rows = rating_cells()
    for row in rows:
        if row["category"] != "TV":
            row["claims"] = 0
    cells = cells_of(rows)
    run = search_and_judge(cells, discovery_half(cells, 1), (), GroupSearch(), with_model=False)
    best: JudgedGroup = max(run.groups, key=lambda one: one.effect)
    assert best.effect == MOST_EFFECT
    assert best.effect_interval.upper is None


def test_what_both_propose_is_judged_once_as_the_models() -> None:
    cells = cells_of(rating_cells())
    half = discovery_half(cells, 1)
    alone = search_and_judge(cells, half, (), GroupSearch(), with_model=True)
    first = alone.groups[0]
    candidate = Candidate(first.conditions, first.side, 1.0, 1.0, Source.LLM)
    both = search_and_judge(cells, half, (candidate,), GroupSearch(), with_model=True)
    assert len(both.groups) == len(alone.groups)
    [same] = [one for one in both.groups if one.conditions == first.conditions]
    assert (same.source, same.also_by_search, same.p_value) == (Source.LLM, True, first.p_value)
