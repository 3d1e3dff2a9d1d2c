"""What the methods of the risk room find of what was planted, and what they "find" where there is nothing.

    python -m tests.bench.risk_bench [--data DIR]

Shops, stores and device models come from the portfolio of ``sluice-flink generate``, by seed. ``--data`` holds
freMTPL2, beside the checkout in ``../shared/data`` where it is not given: then the published table is reproduced too.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from sluice_flink.generate.planted import DRIFT_FACTOR, SURGE_FACTOR, SURGE_MONTHS
from sluice_flink.generate.portfolio import generate_portfolio
from sluice_server.domain.risk.anomalies.list_anomalies import DEFAULT_FALSE_DISCOVERY_RATE
from sluice_server.domain.risk.anomalies.screening import screen_shops, screen_stores
from sluice_server.domain.risk.any_table.abnormal import AbnormalEntity, area_under_curve, find_abnormal
from sluice_server.domain.risk.any_table.groups import find_groups
from sluice_server.domain.risk.groups.group import GroupSearch
from sluice_server.domain.risk.models.columns import Floats, TextColumn
from sluice_server.domain.risk.ratings.grades import RatingBasis, RatingGrade, rate
from sluice_server.domain.risk.ratings.late_claims import develop
from tests.bench import charts, drifting, fremtpl2, queries
from tests.bench.planted import Found, claim_columns, device_experience, fault_sums, judge, shop_sums, store_sums
from tests.bench.planted_changes import ChangesFound, changes_found
from tests.bench.report import Row, report
from tests.unit.risk.any_table.claims_table import claims

SEEDS = range(20)
KINDS = ("cost", "repeat", "equal", "burst", "part")
SHOPS, ABNORMAL_SHOPS = 120, 10
BANDS = 3
GROUP_ROWS = 12_000


DATA = Path(__file__).parents[3] / "shared" / "data"
PORTFOLIO_SEEDS = range(1, 21)
POLICIES = 200_000


def main() -> None:
    """Measures and reports."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--data", type=Path, default=DATA, help="the folder of freMTPL2")
    data = options.parse_args().data
    groups_found, groups_false, permuted = group_runs()
    groups = [
        Row("planted/groups-found", round(groups_found, 4), "share", f"1 planted for each of {len(SEEDS)} seeds"),
        Row("planted/groups-false", groups_false, "groups", "accepted, with no condition of the planted one"),
        Row("groups/permuted-accepted", permuted, "groups", f"{len(SEEDS)} runs over shuffled outcomes", goal="0"),
    ]
    report("risk", [*portfolio_rows(), *any_table_rows(), *drift_rows(), late_claims_row(), *groups], part=True)
    report("risk", [*charts.measure(), *queries.measure()], part=True)
    try:
        folder = fremtpl2.folder_of(data)
    except FileNotFoundError as missing:
        print(f"freMTPL2 is not measured: {missing}")
        return
    fremtpl2.measure(folder)


def portfolio_rows() -> list[Row]:
    """What the server's screening and ratings find in generated portfolios."""
    stores, shops = [], []
    covered = models = worse = false_worse = much_worse = 0
    changes: list[ChangesFound] = []
    for seed in PORTFOLIO_SEEDS:
        portfolio = generate_portfolio(POLICIES, seed)
        claims = claim_columns(portfolio)
        sums, variation = store_sums(portfolio, claims)
        stores.append(
            judge(screen_stores(sums, variation), list(portfolio.stores.abnormal), DEFAULT_FALSE_DISCOVERY_RATE)
        )
        parts, variation = shop_sums(claims)
        shops.append(
            judge(
                screen_shops(parts, variation, fault_sums(portfolio)),
                list(portfolio.shops.abnormal),
                DEFAULT_FALSE_DISCOVERY_RATE,
            )
        )
        changes.append(changes_found(portfolio))
        truth = device_experience(portfolio, claims)
        ratings = rate(truth.experiences, RatingBasis.CLAIM_FREQUENCY, 0.0)
        for one in ratings:
            figure = truth.frequency[int(one.entity_id)]
            upper = one.adjusted_interval.upper or np.inf
            covered += bool(one.adjusted_interval.lower <= figure <= upper)
            models += 1
            is_worse = figure > one.portfolio
            graded = one.grade in {RatingGrade.D, RatingGrade.E}
            worse += graded
            false_worse += graded and not is_worse
            much_worse += one.grade is RatingGrade.E
    return [
        *found_rows("shops", shops),
        *found_rows("stores", stores),
        *change_rows(changes),
        Row(
            "planted/beyond-size-auc",
            round(float(np.mean([one.within for one in shops + stores])), 4),
            "AUC within size bands",
            f"sorted by amount {np.mean([one.by_amount for one in shops + stores]):.3f}",
            float(np.mean([one.within for one in shops + stores]) / np.mean([one.by_amount for one in shops + stores])),
        ),
        Row(
            "planted/top-by-score",
            sum(one.top_by_score for one in shops + stores),
            "planted among the first",
            f"{sum(one.top_by_amount for one in shops + stores)} sorted by amount",
        ),
        Row("planted/devices-covered", round(covered / models, 4), "share", f"{models} true frequencies", goal="0.95"),
        Row("planted/devices-worse", worse, "device models", f"graded D or E, {much_worse} of them E"),
        Row("planted/devices-false", false_worse, "device models", "of those, truly better", goal="at most a tenth"),
    ]


def found_rows(kind: str, runs: list[Found]) -> list[Row]:
    """Share found of what was planted, and how many others were flagged."""
    planted, ordinary = sum(one.planted for one in runs), sum(one.ordinary for one in runs)
    return [
        Row(
            f"planted/{kind}-found",
            round(sum(one.found for one in runs) / planted, 4),
            "share",
            f"{planted} planted over {len(runs)} seeds",
        ),
        Row(f"planted/{kind}-false", sum(one.false for one in runs), kind, f"{ordinary} ordinary ones beside them"),
    ]


def change_rows(runs: list[ChangesFound]) -> list[Row]:
    """What alert rules find of a category's surge and of a device model that got worse."""
    categories, models = (sum(one.series[i] for one in runs) for i in (0, 1))
    return [
        Row(
            "planted/surge-found",
            round(sum(one.surge for one in runs) / len(runs), 4),
            "share",
            f"a category's claims × {SURGE_FACTOR} for {SURGE_MONTHS} months, {len(runs)} seeds",
        ),
        Row("planted/surge-false", sum(one.surge_false for one in runs), "alerts", f"{categories} series of 3 years"),
        Row(
            "planted/model-drift-found",
            round(sum(one.drift for one in runs) / len(runs), 4),
            "share",
            f"a device model's claims × {DRIFT_FACTOR}, {len(runs)} seeds",
        ),
        Row("planted/model-drift-false", sum(one.drift_false for one in runs), "alerts", f"{models} series of 3 years"),
    ]


def any_table_rows() -> list[Row]:
    """The same question to ``sluice risk anomalies``, which has the single claims."""
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
    return [
        Row("any-table/shops-found", round(found / planted, 4), "share", f"{planted} planted over {len(SEEDS)} seeds"),
        Row(
            "any-table/shops-false",
            false,
            "shops",
            f"{len(SEEDS) * (SHOPS - ABNORMAL_SHOPS)} ordinary ones beside them",
        ),
        Row("any-table/ordinary-false", ordinary, "shops", f"{len(SEEDS) * SHOPS} where nothing was planted"),
        Row(
            "any-table/beyond-size-auc",
            round(float(np.nanmean(within)), 4),
            "AUC within size bands",
            f"sorted by amount {np.nanmean(by_amount):.3f}",
            float(np.nanmean(within) / np.nanmean(by_amount)),
        ),
    ]


def drift_rows() -> list[Row]:
    """A model on data of which one category's claims have risen, and on data like those that it was fitted on."""
    found, false = drifting.runs(SEEDS)
    return [
        Row("planted/drift-found", round(found / len(SEEDS), 4), "share", f"phones' claims × 1.5, {len(SEEDS)} seeds"),
        Row("planted/drift-false", false, "runs", f"{len(SEEDS)} without drift"),
    ]


def late_claims_row() -> Row:
    """Claims of a portfolio's last months, developed, against those that there will be."""
    errors = []
    for seed in SEEDS:
        random = np.random.default_rng(seed)
        delay = np.where(random.random(60_000) < 0.125, random.gamma(2, 25, 60_000), random.exponential(3, 60_000))
        day = random.uniform(0, 720, 60_000)
        month, reported = (day // 30).astype(np.int64), ((day + delay) // 30).astype(np.int64)
        known = reported < 24
        found = develop(month[known], (reported - month)[known], np.ones(int(known.sum())), 23)
        recent = month >= 21
        developed = (1 / found.reported_share(month[known & recent])).sum()
        errors.append(developed / recent.sum() - 1)
    plain = np.mean(np.abs(errors))
    return Row("planted/late-claims-error", round(float(plain), 4), "share", "of the last quarter's claims, developed")


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
