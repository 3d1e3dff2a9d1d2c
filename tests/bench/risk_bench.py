"""What the methods of the risk room find of what was planted, and what they "find" where there is nothing.

    python -m tests.bench.risk_bench

The pricing model is measured by ``python -m tests.bench.fremtpl2 --data DIR``; both write ``build/bench/risk.json``.
"""

from __future__ import annotations

import numpy as np

from sluice_server.domain.risk.any_table.abnormal import AbnormalEntity, area_under_curve, find_abnormal
from sluice_server.domain.risk.any_table.groups import find_groups
from sluice_server.domain.risk.groups.group import GroupSearch
from sluice_server.domain.risk.models.columns import Floats, TextColumn
from tests.bench.report import Row, report
from tests.unit.risk.any_table.claims_table import claims

SEEDS = range(20)
KINDS = ("cost", "repeat", "equal", "burst", "part")
SHOPS, ABNORMAL_SHOPS = 120, 10
BANDS = 3
GROUP_ROWS = 12_000


def main() -> None:
    """Measures and reports."""
    found = false = planted = 0
    within, by_amount = [], []
    for seed in SEEDS:
        random = np.random.default_rng(1_000 + seed)
        abnormal = {
            int(shop): KINDS[i % 5] for i, shop in enumerate(random.choice(SHOPS, ABNORMAL_SHOPS, replace=False))
        }
        entities = find_abnormal(claims(abnormal, seed, SHOPS))
        flagged = {int(one.entity[1:]) for one in entities if one.flagged}
        found += len(flagged & set(abnormal))
        false += len(flagged - set(abnormal))
        planted += len(abnormal)
        one, other = within_size_bands(entities, set(abnormal))
        within.append(one)
        by_amount.append(other)
    ordinary = sum(entity.flagged for seed in SEEDS for entity in find_abnormal(claims({}, 500 + seed, SHOPS)))
    groups_found, groups_false, permuted = group_runs()
    report(
        "risk",
        [
            Row(
                "planted/shops-found", round(found / planted, 4), "share", f"{planted} planted over {len(SEEDS)} seeds"
            ),
            Row(
                "planted/shops-false",
                false,
                "shops",
                f"{len(SEEDS) * (SHOPS - ABNORMAL_SHOPS)} ordinary ones beside them",
            ),
            Row("ordinary/shops-false", ordinary, "shops", f"{len(SEEDS) * SHOPS} where nothing was planted"),
            Row(
                "planted/beyond-size-auc",
                round(float(np.nanmean(within)), 4),
                "AUC within size bands",
                f"sorted by amount {np.nanmean(by_amount):.3f}",
                float(np.nanmean(within) / np.nanmean(by_amount)),
            ),
            Row("planted/groups-found", round(groups_found, 4), "share", f"1 planted for each of {len(SEEDS)} seeds"),
            Row("planted/groups-false", groups_false, "groups", "accepted, with no condition of the planted one"),
            Row("groups/permuted-accepted", permuted, "groups", f"{len(SEEDS)} runs over shuffled outcomes", goal="0"),
        ],
        part=True,
    )


def within_size_bands(entities: list[AbnormalEntity], abnormal: set[int]) -> tuple[float, float]:
    """Mean area under the curve of the score, and of the amount, among entities of like volume."""
    order = sorted(entities, key=lambda one: one.volume)
    scores, amounts = [], []
    for band in np.array_split(np.arange(len(order)), BANDS):
        members = [order[i] for i in band]
        bad = np.array([float(int(one.entity[1:]) in abnormal) for one in members])
        scores.append(area_under_curve(np.array([one.score for one in members]), bad))
        amounts.append(area_under_curve(np.array([one.observed for one in members]), bad))
    return float(np.nanmean(scores)), float(np.nanmean(amounts))


def group_runs() -> tuple[float, int, int]:
    """Share of runs that found the planted group, false groups over all runs, and what the controls accepted."""
    hits = wrong = permuted = 0
    for seed in SEEDS:
        columns, outcome, exposure = planted_group(seed)
        findings = find_groups(columns, outcome, exposure, GroupSearch(seed=seed))
        accepted = [{one.value for one in group.conditions} for group in findings.groups if group.accepted]
        hits += {"brand2", "region3"} in accepted
        wrong += sum(not group & {"brand2", "region3"} for group in accepted)
        permuted += findings.permuted_accepted
    return hits / len(SEEDS), wrong, permuted


def planted_group(seed: int) -> tuple[dict[str, TextColumn], Floats, Floats]:
    """One brand in one region has twice the claims."""
    random = np.random.default_rng(seed)
    columns = {
        name: TextColumn(tuple(f"{name}{i}" for i in range(levels)), random.integers(0, levels, GROUP_ROWS))
        for name, levels in (("brand", 5), ("region", 6), ("noise", 8))
    }
    exposure = random.uniform(0.2, 1, GROUP_ROWS)
    inside = (columns["brand"].codes == 2) & (columns["region"].codes == 3)
    return columns, random.poisson(exposure * 0.2 * np.where(inside, 2.0, 1.0)).astype(np.float64), exposure


if __name__ == "__main__":
    main()
