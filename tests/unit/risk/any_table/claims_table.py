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
