"""Rating cells of a made portfolio, as the Flink job publishes them."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np

CATEGORY = {"phone": 0.3, "tablet": 0.2, "watch": 0.1}
REGION = {"north": 1.0, "south": 1.4}
PREMIUM_OF_A_YEAR = 9_000
AMOUNT = 30_000


def published_cells(
    seed: int = 1, *, until: int = 2026, drift: float = 1.0, scale: float = 1.0
) -> dict[str, list[dict[str, Any]]]:
    """``drift``: what the phones' frequency is multiplied by in the last year."""
    random = np.random.default_rng(seed)
    cells: list[dict[str, Any]] = []
    for year in range(2024, until + 1):
        for category, frequency in CATEGORY.items():
            for region, relativity in REGION.items():
                for tier in ("T1", "T2", "T3", "T4"):
                    years = float(random.uniform(150, 400)) * scale
                    expected = years * frequency * relativity * (drift if category == "phone" and year == until else 1)
                    claims = int(random.poisson(expected))
                    amounts = random.gamma(2, AMOUNT / 2, claims)
                    cells.append(
                        {
                            "product_code": "SCREEN", "product_line": "screen", "category": category, "brand": "Aldera",
                            "tier": tier, "region": region, "term_months": 12, "cover_year": year,
                            "policies": round(years * 1.3), "exposure_years": years, "claims": claims, "denied": 0,
                            "incurred_minor": round(float(amounts.sum())),
                            "incurred_squared": float((amounts**2).sum()),
                        }
                    )  # fmt: skip
    mix: dict[tuple[str, ...], dict[str, Any]] = {}
    keys = ("product_code", "product_line", "category", "region", "tier")
    for cell in cells:
        one = mix.setdefault(
            tuple(cell[name] for name in keys),
            {"channel_id": "CH0", **{name: cell[name] for name in keys}, "policies": 0, "exposure_years": 0.0,
             "earned_premium_minor": 0, "claims": 0, "denied": 0, "incurred_minor": 0},
        )  # fmt: skip
        for name in ("policies", "exposure_years", "claims", "incurred_minor"):
            one[name] += cell[name]
        one["earned_premium_minor"] += round(cell["exposure_years"] * PREMIUM_OF_A_YEAR)
    months = [
        {"channel_id": "CH0", "month": date(year, month, 1), "policies": 1, "exposure_years": 10.0,
         "earned_premium_minor": 1, "claims": 0, "denied": 0, "incurred_minor": 0}
        for year in range(2024, until + 1)
        for month in range(1, 13)
    ]  # fmt: skip
    return {"rating_cell": cells, "channel_mix": list(mix.values()), "channel_month": months}
