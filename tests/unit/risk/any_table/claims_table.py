"""Claims at shops of which some are abnormal in a known way."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from sluice_server.domain.risk.any_table.abnormal import Rows
from sluice_server.domain.risk.models.columns import TextColumn

ABNORMAL = {3: "cost", 17: "repeat", 40: "equal", 55: "burst", 77: "part", 99: "cost"}
PART_COST = np.array([100.0, 200.0, 300.0, 500.0])


def claims(abnormal: Mapping[int, str], seed: int = 8, shops: int = 120) -> Rows:
    """Shops of 5 to some hundred claims over a year, at least 60 where one is abnormal."""
    random = np.random.default_rng(seed)
    entity, parts, amounts, days, subjects = [], [], [], [], []
    for shop, size in enumerate(np.maximum(random.lognormal(4, 1, shops).astype(int), 5)):
        kind, n = abnormal.get(shop, ""), max(int(size), 60) if shop in abnormal else int(size)
        part = random.choice(4, n, p=[0.4, 0.3, 0.2, 0.1])
        if kind == "part":
            part = np.where(random.random(n) < 0.5, 3, part)
        amount = random.gamma(3, PART_COST[part] / 3) * np.exp(random.normal(0, 0.1)) * (1.7 if kind == "cost" else 1)
        if kind == "equal":
            amount = np.where(random.random(n) < 0.4, 333.0, amount)
        day = random.integers(0, 360, n)
        if kind == "burst":
            day = np.where(random.random(n) < 0.4, 200 + random.integers(0, 5, n), day)
        subject = random.integers(0, n * 20, n)
        if kind == "repeat":
            subject = np.where(random.random(n) < 0.4, random.integers(0, 5, n), subject)
        entity.append(np.full(n, shop))
        parts.append(part)
        amounts.append(amount)
        days.append(day)
        subjects.append(shop * 1_000_000 + subject)
    return Rows(
        entity=TextColumn(tuple(f"s{i:03}" for i in range(shops)), np.concatenate(entity)),
        amount=np.concatenate(amounts).round(2),
        day=np.concatenate(days).astype(np.float64),
        peers={"part": TextColumn(("p0", "p1", "p2", "p3"), np.concatenate(parts))},
        subject=np.concatenate(subjects),
    )


def ordinary(seed: int, tail: str, *, giant: bool = False, season: bool = False, few: bool = False) -> Rows:
    """Shops that differ by a tenth for reasons of their own, with amounts of a heavy ``tail``; subjects come back."""
    random = np.random.default_rng(seed)
    shops = 20 if few else 150
    size = np.maximum(random.lognormal(3.5, 1, shops).astype(int), 1)
    if giant:
        size[0] = size.sum()
    shop = np.repeat(np.arange(shops), size)
    rows = len(shop)
    part = random.choice(4, rows, p=[0.4, 0.3, 0.2, 0.1])
    if tail == "pareto":
        single = random.pareto(2.5, rows) + 1
    else:
        single = random.lognormal(0, 1.5 if tail == "spread" else 0.8, rows)
    own = np.exp(random.normal(0, 0.1, shops))[shop]
    day = random.beta(2, 4, rows) * 365 if season else random.uniform(0, 365, rows)
    return Rows(
        entity=TextColumn(tuple(f"s{i:03}" for i in range(shops)), shop),
        amount=np.round(PART_COST[part] * own * single, 2),
        day=np.floor(day),
        peers={"part": TextColumn(("p0", "p1", "p2", "p3"), part)},
        subject=shop * 1_000_000 + random.integers(0, 10 * size[shop]),
    )
