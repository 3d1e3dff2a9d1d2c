"""The generated portfolio: repeatable, well-formed, with abnormal stores and shops that can be told from the others."""

from __future__ import annotations

import csv
import datetime as dt
import json
from pathlib import Path

import numpy as np
import pytest

from sluice_flink.generate import Portfolio, generate_portfolio, write_portfolio
from sluice_flink.generate.catalogue import CATEGORIES
from sluice_flink.sql_files import source_tables


@pytest.fixture(scope="module")
def portfolio() -> Portfolio:
    return generate_portfolio(60_000, seed=3)


def read(folder: Path, table: str) -> list[dict[str, str]]:
    rows: list[dict[str, str]] = []
    for path in sorted((folder / table).glob("*.csv")):
        with path.open(newline="") as file:
            rows.extend(csv.DictReader(file))
    return rows


def test_the_same_seed_gives_the_same_files_and_another_seed_others(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_portfolio(generate_portfolio(500, seed), tmp_path / name)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*.*"))
    content = {name: [(tmp_path / name / file).read_bytes() for file in files] for name in "abc"}
    assert content["a"] == content["b"]
    assert content["a"] != content["c"]


def test_the_files_have_the_declared_columns_and_references_that_lead_somewhere(tmp_path: Path) -> None:
    write_portfolio(generate_portfolio(3000, seed=5), tmp_path)
    rows = {name: read(tmp_path, name) for name in source_tables() if name not in ("orders", "submissions")}
    for name, table in rows.items():
        assert tuple(table[0]) == source_tables()[name].column_names
    keys = {name: {row[source_tables()[name].column_names[0]] for row in table} for name, table in rows.items()}
    assert all(len(keys[name]) == len(table) for name, table in rows.items())
    for policy in rows["policies"]:
        assert policy["device_id"] in keys["devices"]
        assert policy["store_id"] in keys["channels"]
        assert 0 <= int(policy["refund_minor"]) <= int(policy["premium_minor"])
        assert policy["start_date"] < policy["end_date"]
    assert {claim["policy_id"] for claim in rows["claims"]} <= keys["policies"]
    assert {claim["repair_shop_id"] for claim in rows["claims"]} - {""} <= keys["repair_shops"]
    for optional in ("application_id", "cancelled_on"):
        assert {bool(policy[optional]) for policy in rows["policies"]} == {True, False}


def test_there_are_many_categories_models_and_sizes(portfolio: Portfolio) -> None:
    sold = portfolio.devices.model[portfolio.policies.device]
    assert len(CATEGORIES) >= 20
    assert set(portfolio.models.category[sold]) == set(range(len(CATEGORIES)))
    assert len(np.unique(sold)) > 300
    by_store = np.bincount(portfolio.policies.store)
    assert by_store.max() > 20 * np.quantile(by_store, 0.1)


def test_cover_meets_leap_days_and_claims_are_reported_late(portfolio: Portfolio) -> None:
    leap = (dt.date(2024, 2, 29) - dt.date(1970, 1, 1)).days
    policies, claims = portfolio.policies, portfolio.claims
    assert ((policies.start <= leap) & (policies.end > leap)).any()
    delay = claims.reported_second // 86400 - claims.occurred
    assert delay.min() >= 0
    assert (delay > 30).mean() > 0.03
    assert (claims.reported_second < (portfolio.as_of - dt.date(1970, 1, 1)).days * 86400).all()


def test_planted_stores_claim_more_often_and_sooner(portfolio: Portfolio) -> None:
    policies, claims, abnormal = portfolio.policies, portfolio.claims, portfolio.stores.abnormal
    frequency = np.bincount(policies.store[claims.policy], minlength=len(abnormal)) / np.bincount(policies.store)
    assert np.median(frequency[abnormal]) > 2 * np.median(frequency[~abnormal])
    early = claims.occurred - policies.start[claims.policy] <= 30
    planted = abnormal[policies.store[claims.policy]]
    assert early[planted].mean() > 2 * early[~planted].mean()


def test_planted_shops_cost_more_for_the_same_part_and_see_claims_again(portfolio: Portfolio) -> None:
    claims, abnormal = portfolio.claims, portfolio.shops.abnormal
    repaired = claims.shop >= 0
    part, shop, cost = claims.part[repaired], claims.shop[repaired], claims.incurred[repaired]
    mean_of_part = np.bincount(part, weights=cost) / np.maximum(np.bincount(part), 1)
    relative = cost / mean_of_part[part]
    assert relative[abnormal[shop]].mean() > 1.2 * relative[~abnormal[shop]].mean()
    pairs = claims.policy[repaired] * len(abnormal) + shop
    _, inverse, count = np.unique(pairs, return_inverse=True, return_counts=True)
    again = count[inverse] > 1
    assert again[abnormal[shop]].mean() > 2 * again[~abnormal[shop]].mean()


def test_a_surge_and_a_drift_bring_claims_where_and_when_they_are_said_to(portfolio: Portfolio) -> None:
    claims, planted = portfolio.claims, portfolio.planted
    model = portfolio.devices.model[portfolio.policies.device[claims.policy]]
    epoch = dt.date(1970, 1, 1)
    # Repeats of the added claims come some weeks later.
    since, until = ((day - epoch).days for day in (planted.surge.since, planted.surge.until))
    surged = portfolio.models.category[model] == planted.surge.category
    drifted = model == planted.drift.model
    assert claims.added.any()
    assert (surged | drifted)[claims.added].all()
    on = claims.occurred[claims.added & surged]
    assert (on >= since).all()
    assert (on < until + 45).all()
    assert (claims.occurred[claims.added & drifted] >= (planted.drift.since - epoch).days).all()
    during = surged & (claims.occurred >= since) & (claims.occurred < until)
    usual = (during & ~claims.added).sum()
    assert 1.3 < during.sum() / usual < 2.5


def test_planted_ones_are_named_beside_the_tables_only(tmp_path: Path) -> None:
    portfolio = generate_portfolio(2000, seed=9)
    write_portfolio(portfolio, tmp_path)
    planted = json.loads((tmp_path / "planted.json").read_text())
    stores = [row["store_id"] for row in read(tmp_path, "channels")]
    shops = [row["repair_shop_id"] for row in read(tmp_path, "repair_shops")]
    assert planted["stores"] == [stores[index] for index in np.flatnonzero(portfolio.stores.abnormal)]
    assert planted["repair_shops"] == [shops[index] for index in np.flatnonzero(portfolio.shops.abnormal)]
    assert len(planted["stores"]) >= 2
    [surge], [drift] = planted["surges"], planted["drifts"]
    assert surge["category"] == CATEGORIES[portfolio.planted.surge.category].name
    assert dt.date(2025, 11, 1) <= dt.date.fromisoformat(surge["since"]) < dt.date.fromisoformat(surge["until"])
    assert drift["device_model_id"] == f"M{portfolio.planted.drift.model:04d}"
    assert drift["since"] == portfolio.planted.drift.since.isoformat()


def test_premium_and_claims_are_in_proportion(portfolio: Portfolio) -> None:
    """A loss ratio from which the later figures look like an insurer's, not like noise."""
    policies, claims = portfolio.policies, portfolio.claims
    elapsed = np.minimum(policies.end, (portfolio.as_of - dt.date(1970, 1, 1)).days) - policies.start
    earned = (policies.premium - policies.refund) * np.clip(elapsed / (policies.end - policies.start), 0, 1)
    assert 0.3 < claims.incurred.sum() / earned.sum() < 1.0
