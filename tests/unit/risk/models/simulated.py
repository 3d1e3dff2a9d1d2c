"""A portfolio whose relativities are known."""

from __future__ import annotations

import numpy as np

from sluice_server.domain.risk.models.columns import ModelTable, NumberColumn, TextColumn

MODEL = {"m0": 1.0, "m1": 1.5, "m2": 0.6, "m3": 2.0}
CHANNEL = {"c0": 1.0, "c1": 1.3, "c2": 0.8}
MEAN_AMOUNT = {"m0": 100.0, "m1": 150.0, "m2": 80.0, "m3": 200.0}
BASE = 0.3
PER_YEAR_OF_AGE = 0.1


def portfolio(rows: int = 12_000, seed: int = 5) -> ModelTable:
    """Rows of devices (about three each) over two years; frequency BASE × MODEL × CHANNEL × exp(0.1 age)."""
    random = np.random.default_rng(seed)
    device = random.integers(0, rows // 3, rows)
    model, channel = device % 4, random.integers(0, 3, rows)
    age, exposure = random.uniform(0, 5, rows), random.uniform(0.2, 1, rows)
    rate = BASE * np.array(list(MODEL.values()))[model] * np.array(list(CHANNEL.values()))[channel]
    claims = random.poisson(rate * np.exp(PER_YEAR_OF_AGE * age) * exposure).astype(np.float64)
    mean = np.array(list(MEAN_AMOUNT.values()))[model]
    amount = np.where(claims > 0, random.gamma(2 * np.maximum(claims, 1), mean / 2), 0.0)
    return ModelTable(
        claims=claims,
        exposure=exposure,
        factors={
            "model": TextColumn(tuple(MODEL), model),
            "channel": TextColumn(tuple(CHANNEL), channel),
            "age": NumberColumn(age),
            "brand": TextColumn(("b0", "b1"), model // 2),
        },
        amount=amount,
        group=device,
        time=random.uniform(0, 24, rows),
    )
