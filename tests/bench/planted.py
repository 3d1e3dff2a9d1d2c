"""Sums of a generated portfolio with planted truths, as the result tables have them, and how well truths are found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sluice_flink.generate.catalogue import CATEGORIES, FAULTS, PRODUCT_LINES
from sluice_flink.generate.claims import DENIED
from sluice_flink.generate.portfolio import Portfolio, days
from sluice_server.domain.risk.anomalies.screening import Screened, ShopFaultSums, ShopPartSums, StoreSums
from sluice_server.domain.risk.any_table.abnormal import area_under_curve
from sluice_server.domain.risk.models.columns import Codes, Floats
from sluice_server.domain.risk.ratings.grades import Experience

BANDS = 3


@dataclass(frozen=True)
class ClaimColumns:
    """Columns of the claims, one entry each. Amounts in minor units."""

    store: Codes
    shop: Codes
    part: Codes
    model: Codes
    incurred: Floats
    denied: Floats
    early: Floats
    """1 within thirty days of the start of cover."""
    again: Floats
    """1 where the policy had claimed before."""


def claim_columns(portfolio: Portfolio) -> ClaimColumns:
    """What the wide table of claims has of each."""
    claims, policies = portfolio.claims, portfolio.policies
    denied = (claims.status == DENIED).astype(np.float64)
    order = np.lexsort((np.arange(len(claims.policy)), claims.occurred, claims.policy))
    again = np.zeros(len(order))
    again[order[1:]] = claims.policy[order[1:]] == claims.policy[order[:-1]]
    return ClaimColumns(
        policies.store[claims.policy],
        claims.shop,
        claims.part,
        portfolio.devices.model[policies.device[claims.policy]],
        np.where(denied > 0, 0.0, claims.incurred),
        denied,
        (claims.occurred - policies.start[claims.policy] <= 30).astype(np.float64),
        again,
    )


def exposure_years(portfolio: Portfolio) -> Floats:
    """Of each policy, to the day of the portfolio."""
    policies = portfolio.policies
    cover_end = np.where(policies.cancelled >= 0, policies.cancelled, policies.end)
    return np.asarray((np.minimum(cover_end, days(portfolio.as_of)) - policies.start).clip(0) / 365.25)


def store_sums(portfolio: Portfolio, claims: ClaimColumns) -> tuple[list[StoreSums], float]:
    """The stores, and the squared coefficient of variation of one claim's amount."""
    count = len(portfolio.stores.weight)

    def by_store(values: Floats) -> Floats:
        return np.bincount(claims.store, weights=values, minlength=count).astype(np.float64)

    years = np.bincount(portfolio.policies.store, weights=exposure_years(portfolio), minlength=count)
    number, incurred, early = by_store(np.ones(len(claims.store))), by_store(claims.incurred), by_store(claims.early)
    sums = [
        StoreSums(f"{i}", "", float(years[i]), int(number[i]), int(incurred[i]), int(early[i])) for i in range(count)
    ]
    return sums, float(np.var(claims.incurred) / np.mean(claims.incurred) ** 2)


def shop_sums(claims: ClaimColumns) -> tuple[list[ShopPartSums], float]:
    """The repair shops by part, and how much one claim's amount varies around the mean of its part."""
    repaired = claims.shop >= 0
    shop, part, denied = claims.shop[repaired], claims.part[repaired], claims.denied[repaired]
    incurred, again, early = claims.incurred[repaired], claims.again[repaired], claims.early[repaired]
    parts = int(part.max()) + 1
    paid = np.bincount(part, weights=1 - denied, minlength=parts)
    mean = np.bincount(part, weights=incurred, minlength=parts) / np.maximum(paid, 1)
    key, place = np.unique(shop * parts + part, return_inverse=True)

    def by_key(values: Floats) -> Floats:
        return np.bincount(place, weights=values).astype(np.float64)

    columns = [
        by_key(values) for values in (np.ones(len(shop)), denied, incurred, (1 - denied) * mean[part], again, early)
    ]
    sums = [
        ShopPartSums(f"{key[i] // parts}", f"{key[i] % parts}", *(int(column[i]) for column in columns))
        for i in range(len(key))
    ]
    relative = incurred[denied == 0] / mean[part[denied == 0]]
    return sums, float(np.var(relative))


def fault_sums(portfolio: Portfolio) -> list[ShopFaultSums]:
    """The repair shops by fault."""
    claims = portfolio.claims
    repaired = claims.shop >= 0
    key, number = np.unique(claims.shop[repaired] * len(FAULTS) + claims.fault[repaired], return_counts=True)
    return [
        ShopFaultSums(f"{one // len(FAULTS)}", FAULTS[one % len(FAULTS)], int(count))
        for one, count in zip(key, number, strict=True)
    ]


@dataclass(frozen=True)
class DeviceTruth:
    """The device models, and the claims of a policy-year that each was given."""

    experiences: list[Experience]
    frequency: Floats


def device_experience(portfolio: Portfolio, claims: ClaimColumns) -> DeviceTruth:
    """Only claims at ordinary stores that are no repeats: those of the model itself, as far as they are reported."""
    count = len(portfolio.models.weight)
    policies = portfolio.policies
    ordinary = ~portfolio.stores.abnormal
    model, years = portfolio.devices.model[policies.device], exposure_years(portfolio) * ordinary[policies.store]
    exposure = np.bincount(model, weights=years, minlength=count)
    own = ordinary[claims.store] & (claims.again == 0) & ~portfolio.claims.added
    number = np.bincount(claims.model[own], minlength=count)
    yearly = (
        np.array([one.yearly_claims for one in CATEGORIES])[portfolio.models.category[model]]
        * portfolio.models.frequency_factor[model]
        * np.array([line.claim_share for line in PRODUCT_LINES])[policies.line]
    )
    expected = np.bincount(model, weights=years * yearly, minlength=count)
    # What is not reported yet, or is a second claim of a policy, is missing of all models alike.
    expected *= number.sum() / expected.sum()
    found = [Experience(f"{i}", float(exposure[i]), int(number[i]), 0, 0) for i in range(count)]
    return DeviceTruth(found, np.divide(expected, exposure, out=np.zeros(count), where=exposure > 0))


@dataclass(frozen=True)
class Found:
    """How many of the planted were flagged, and how many others."""

    found: int
    planted: int
    false: int
    ordinary: int
    within: float
    """Mean area under the curve of the score among entities of like size."""
    by_amount: float
    """Likewise of the amount."""
    top_by_score: int
    """Planted ones among the first ones by score, as many as are planted."""
    top_by_amount: int


def judge(screened: Sequence[Screened], planted: Sequence[bool], rate: float) -> Found:
    """Holds a screening against what was planted."""
    bad = np.array([bool(planted[int(one.entity_id)]) for one in screened])
    flagged = np.array([one.q_value <= rate for one in screened])
    scores, amounts = np.array([one.score for one in screened]), np.array([float(one.incurred) for one in screened])
    size = np.array([one.claims for one in screened])
    within, by_amount = [], []
    for band in np.array_split(np.argsort(size, kind="stable"), BANDS):
        within.append(area_under_curve(scores[band], bad[band].astype(float)))
        by_amount.append(area_under_curve(amounts[band], bad[band].astype(float)))
    first = int(bad.sum())
    return Found(
        int((flagged & bad).sum()),
        first,
        int((flagged & ~bad).sum()),
        int((~bad).sum()),
        float(np.nanmean(within)),
        float(np.nanmean(by_amount)),
        int(bad[np.argsort(-scores, kind="stable")[:first]].sum()),
        int(bad[np.argsort(-amounts, kind="stable")[:first]].sum()),
    )
