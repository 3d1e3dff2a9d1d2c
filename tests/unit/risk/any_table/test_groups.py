from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from sluice_server.domain.errors import InvalidInput
from sluice_server.domain.risk.any_table.groups import GroupFindings, discovery_half, find_groups
from sluice_server.domain.risk.groups.group import GroupSearch, Side
from sluice_server.domain.risk.models.columns import Floats, TextColumn

ROWS = 12_000


def dimensions(seed: int = 4) -> dict[str, TextColumn]:
    random = np.random.default_rng(seed)
    return {
        name: TextColumn(tuple(f"{name}{i}" for i in range(levels)), random.integers(0, levels, ROWS))
        for name, levels in (("brand", 5), ("region", 6), ("noise", 8))
    }


def outcomes(columns: dict[str, TextColumn], effect: float, seed: int = 5) -> tuple[Floats, Floats]:
    random = np.random.default_rng(seed)
    exposure = random.uniform(0.2, 1, ROWS)
    inside = (columns["brand"].codes == 2) & (columns["region"].codes == 3)
    return random.poisson(exposure * 0.2 * np.where(inside, effect, 1.0)).astype(np.float64), exposure


def accepted(found: GroupFindings) -> list[set[str]]:
    return [{one.value for one in group.conditions} for group in found.groups if group.accepted]


@pytest.mark.parametrize(("effect", "side"), [(2.2, Side.HIGHER), (0.2, Side.LOWER)])
def test_a_planted_group_is_found_with_its_effect(effect: float, side: Side) -> None:
    columns = dimensions()
    found = find_groups(columns, *outcomes(columns, effect))
    assert accepted(found)[0] == {"brand2", "region3"}
    best = found.groups[0]
    assert best.side is side
    assert best.effect_interval.lower < effect < (best.effect_interval.upper or 0)
    assert found.permuted_accepted == 0


def test_without_a_group_nothing_is_accepted_nor_in_the_control() -> None:
    columns = dimensions()
    runs = [find_groups(columns, *outcomes(columns, 1.0, seed), GroupSearch(seed=seed)) for seed in range(12)]
    assert sum(len(accepted(found)) for found in runs) <= 1
    assert sum(found.permuted_accepted for found in runs) <= 1


def test_rows_of_nought_and_one_are_judged_by_fishers_exact_test() -> None:
    columns = dimensions()
    random = np.random.default_rng(6)
    inside = columns["brand"].codes == 1
    outcome = (random.random(ROWS) < np.where(inside, 0.3, 0.15)).astype(np.float64)
    search = GroupSearch(depth=1, seed=3)
    best = find_groups(columns, outcome, np.ones(ROWS), search).groups[0]
    held_out = ~discovery_half(ROWS, 3)
    table = [[(outcome[held_out & rows] == value).sum() for value in (1, 0)] for rows in (inside, ~inside)]
    assert best.p_value == pytest.approx(stats.fisher_exact(table, alternative="greater").pvalue)


def test_rows_of_one_subject_stay_in_one_half() -> None:
    columns = dimensions()
    subject = np.arange(ROWS) // 6
    # Whole subjects are bad by themselves, and their brand is theirs: six copies of one accident are no evidence.
    columns["brand"] = TextColumn(columns["brand"].levels, columns["brand"].codes[subject])
    bad = np.random.default_rng(1).random(ROWS // 6) < 0.02
    outcome = bad[subject].astype(np.float64)
    found = find_groups(columns, outcome, np.ones(ROWS), GroupSearch(depth=1), subject)
    own = {one.conditions[0].value: one for one in found.groups}
    half = discovery_half(ROWS, 1, subject)
    assert (half.reshape(-1, 6) == half[::6, None]).all()
    for one in own.values():
        rows = (
            np.array(columns[one.conditions[0].dimension].levels)[columns[one.conditions[0].dimension].codes]
            == one.conditions[0].value
        )
        assert one.exposure == (rows & ~half).sum()


def test_what_cannot_be_counted_is_refused_with_every_reason() -> None:
    with pytest.raises(InvalidInput, match=r"outcome: must be whole.*exposure: not above 0.*depth"):
        find_groups(dimensions(), np.full(ROWS, 0.5), np.zeros(ROWS), GroupSearch(depth=5))
