"""Rating cells of a generated portfolio with two groups planted in it."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

PLANTED_HIGH = {"brand": "B2", "region": "R3"}
PLANTED_LOW = {"category": "TV"}
BRANDS = [f"B{i}" for i in range(5)]
REGIONS = [f"R{i}" for i in range(5)]
CATEGORIES = ["PHONE", "TV", "TABLET"]
TIERS = ["T1", "T2", "T3"]
PRODUCTS = {"P1": "SCREEN", "P2": "SCREEN", "P3": "WARRANTY"}


def rating_cells(seed: int = 7, *, high: float = 2.0, low: float = 0.5, years: float = 30.0) -> list[dict[str, Any]]:
    """Two years of every combination; claims are Poisson with rate 0.1 a year, more and fewer in the planted groups."""
    random = np.random.default_rng(seed)
    rows = []
    for (product, line), category, brand, tier, region, term, year in itertools.product(
        PRODUCTS.items(), CATEGORIES, BRANDS, TIERS, REGIONS, (12, 24), (2025, 2026)
    ):
        exposure = float(np.round(random.gamma(2.0, years / 2), 2)) + 0.01
        rate = 0.1
        if brand == PLANTED_HIGH["brand"] and region == PLANTED_HIGH["region"]:
            rate *= high
        if category == PLANTED_LOW["category"]:
            rate *= low
        claims = int(random.poisson(rate * exposure))
        rows.append(
            {
                "product_code": product, "product_line": line, "category": category, "brand": brand, "tier": tier,
                "region": region, "term_months": term, "cover_year": year, "policies": int(exposure) + 1,
                "exposure_years": exposure, "claims": claims, "incurred_minor": claims * 50_000,
            }
        )  # fmt: skip
    return rows
