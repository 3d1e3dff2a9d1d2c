"""Claims on a portfolio: frequency, delays, denials, repeats, and the planted conduct of shops and stores."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from sluice_flink.generate.catalogue import CATEGORIES, FAULTS, PRODUCT_LINES, REGIONS
from sluice_flink.generate.planted import Planted, added_claims, plant

if TYPE_CHECKING:
    from sluice_flink.generate.portfolio import Devices, Models, Policies, Shops, Stores

Ints = npt.NDArray[np.int64]

PLANTED_SHOP_REPEATS = 0.35
USUAL_REPEATS = 0.04
PLANTED_SHOP_COST = 1.6
PLANTED_STORE_EARLY = 0.5
"""Share of a planted store's claims that happen within three weeks of the start of cover."""
OPEN, PAID, DENIED = 0, 1, 2
STATUSES = ("OPEN", "PAID", "DENIED")


@dataclass(frozen=True)
class Claims:
    """Columns of the claims in the order of their report; `shop` is -1 where no repair shop worked."""

    policy: Ints
    shop: Ints
    part: Ints
    """Index into the parts of all categories, one after another."""
    fault: Ints
    occurred: Ints
    reported_second: Ints
    incurred: Ints
    status: Ints
    added: npt.NDArray[np.bool_]
    """Those that a planted surge or drift brought."""


def draw_claims(
    rng: np.random.Generator,
    changes_rng: np.random.Generator,
    as_of: dt.date,
    stores: Stores,
    shops: Shops,
    models: Models,
    devices: Devices,
    policies: Policies,
    store_frequency: float,
) -> tuple[Claims, Planted]:
    """Draw what has been reported before `as_of`; what is reported later is missing, as in life.

    `changes_rng` draws what has changed in the course of time, and the claims that this brings.
    """
    today = (as_of - dt.date(1970, 1, 1)).days
    cover_end = np.where(policies.cancelled >= 0, policies.cancelled, policies.end)
    at_risk = (np.minimum(cover_end, today) - policies.start).clip(0)
    model = devices.model[policies.device]
    category = models.category[model]
    planted_store = stores.abnormal[policies.store]
    yearly = (
        np.array([c.yearly_claims for c in CATEGORIES])[category]
        * models.frequency_factor[model]
        * np.array([line.claim_share for line in PRODUCT_LINES])[policies.line]
        * np.where(planted_store, store_frequency, 1.0)
    )
    policy = np.repeat(np.arange(len(at_risk)), rng.poisson(yearly * at_risk / 365.25))
    day = (at_risk[policy] * rng.random(len(policy))).astype(np.int64)
    early = planted_store[policy] & (rng.random(len(policy)) < PLANTED_STORE_EARLY)
    day = np.where(early, np.minimum(rng.integers(0, 21, len(policy)), at_risk[policy] - 1), day)
    occurred = policies.start[policy] + day

    expected = np.bincount(model, yearly * at_risk / 365.25, len(models.weight)).astype(np.float64)
    planted = plant(changes_rng, as_of, expected, models.category)
    end = policies.start + at_risk
    more = added_claims(changes_rng, planted, yearly, policies.start, end, model, category)
    drawn = []
    for source, (of, on), added in ((rng, (policy, occurred), False), (changes_rng, more, True)):
        shop = _choose_shops(source, shops, stores.region[policies.store[of]])
        claimed, occurred, shop = _repeat(source, shops, of, on, shop, cover_end, today)
        part, share = _choose_parts(source, category[claimed])
        price = models.price_minor[model[claimed]]
        drawn.append(_report(source, today, claimed, occurred, shop, part, share, price, shops, added))
    return _merged(*drawn), planted


def _merged(one: Claims, other: Claims) -> Claims:
    """All of both in the order of their report."""
    columns = [np.concatenate([getattr(one, field.name), getattr(other, field.name)]) for field in fields(Claims)]
    order = np.argsort(np.concatenate([one.reported_second, other.reported_second]), kind="stable")
    return Claims(*(column[order] for column in columns))


def _choose_shops(rng: np.random.Generator, shops: Shops, region: Ints) -> Ints:
    """A shop of the store's region by its weight; every tenth claim is settled without a repair."""
    chosen = np.full(len(region), -1)
    for index in range(len(REGIONS)):
        local = np.flatnonzero(shops.region == index)
        claims = np.flatnonzero(region == index)
        weight = shops.weight[local] / shops.weight[local].sum()
        chosen[claims] = rng.choice(local, len(claims), p=weight)
    chosen[rng.random(len(region)) < 0.1] = -1
    return chosen


def _repeat(
    rng: np.random.Generator, shops: Shops, policy: Ints, occurred: Ints, shop: Ints, cover_end: Ints, today: int
) -> tuple[Ints, Ints, Ints]:
    """Some repaired devices come back to the same shop within weeks; those of planted shops far more often."""
    chance = np.where((shop >= 0) & shops.abnormal[shop], PLANTED_SHOP_REPEATS, USUAL_REPEATS)
    again = np.flatnonzero((rng.random(len(policy)) < chance) & (shop >= 0))
    day = occurred[again] + rng.integers(5, 45, len(again))
    again, day = again[kept := day < np.minimum(cover_end[policy[again]], today)], day[kept]
    return (
        np.concatenate([policy, policy[again]]),
        np.concatenate([occurred, day]),
        np.concatenate([shop, shop[again]]),
    )


def _choose_parts(rng: np.random.Generator, category: Ints) -> tuple[Ints, npt.NDArray[np.float64]]:
    counts = np.array([len(c.parts) for c in CATEGORIES])
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    # Squaring favours the first part of each category: the screen of a phone breaks more often than its board.
    offset = (rng.random(len(category)) ** 2 * counts[category]).astype(np.int64)
    part = first[category] + offset
    share = np.array([share for c in CATEGORIES for _, share in c.parts])
    return part, share[part]


def _report(
    rng: np.random.Generator,
    today: int,
    policy: Ints,
    occurred: Ints,
    shop: Ints,
    part: Ints,
    cost_share: npt.NDArray[np.float64],
    price_minor: Ints,
    shops: Shops,
    added: bool,
) -> Claims:
    count = len(policy)
    # Most are reported within days, every eighth only after weeks or months.
    delay = np.where(rng.random(count) < 0.125, rng.gamma(2, 25, count), rng.exponential(3, count))
    reported = ((occurred + delay) * 86400).astype(np.int64) + rng.integers(0, 43200, count)
    dearer = np.where((shop >= 0) & shops.abnormal[shop], PLANTED_SHOP_COST, 1.0)
    cost = price_minor * np.minimum(cost_share * dearer * rng.lognormal(-0.045, 0.3, count), 1.0)
    age = today - occurred
    kind = rng.random(count)
    status = np.where(kind < 0.06, DENIED, np.where((age < 60) & (kind < 0.6), OPEN, PAID))
    known = np.flatnonzero(reported < today * 86400)
    order = known[np.argsort(reported[known], kind="stable")]
    return Claims(
        policy[order],
        shop[order],
        part[order],
        rng.integers(0, len(FAULTS), count)[order],
        occurred[order],
        reported[order],
        np.rint(cost).astype(np.int64).clip(1)[order],
        status[order],
        np.full(len(order), added),
    )
