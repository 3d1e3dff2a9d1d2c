"""A portfolio of policies and what hangs on it, drawn from one seed with numpy.

Sizes of stores, shops and models are log-normal, so that the largest are also the ones with most claims: finding the
planted abnormal ones takes a comparison beyond size.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sluice_flink.generate.catalogue import BRANDS, CATEGORIES, CHANNELS, INSURERS, PRODUCT_LINES, REGIONS, TIERS
from sluice_flink.generate.claims import Claims, draw_claims
from sluice_flink.generate.planted import Planted

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Days = Ints
"""Days since 1970-01-01; -1 stands for "none"."""

PLANTED_SHARE = 0.04
PLANTED_STORE_FREQUENCY = 3.0
SALE_WINDOW_DAYS = 3 * 365 + 1


@dataclass(frozen=True)
class Stores:
    channel: Ints
    region: Ints
    tier: Ints
    weight: Floats
    abnormal: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Shops:
    region: Ints
    weight: Floats
    abnormal: npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Models:
    category: Ints
    brand: Ints
    price_minor: Ints
    frequency_factor: Floats
    weight: Floats


@dataclass(frozen=True)
class Policies:
    """Columns of the policies, one entry each; days as in `Days`, money in minor units."""

    device: Ints
    store: Ints
    insurer: Ints
    line: Ints
    customer: Ints
    application: Ints
    sold_second: Ints
    """Seconds since 1970-01-01 UTC."""
    start: Days
    end: Days
    cancelled: Days
    premium: Ints
    refund: Ints


@dataclass(frozen=True)
class Devices:
    model: Ints
    purchased: Days


@dataclass(frozen=True)
class Portfolio:
    """Everything generated, by index; `sluice_flink.generate.source_files` turns indices into ids."""

    as_of: dt.date
    stores: Stores
    shops: Shops
    models: Models
    devices: Devices
    policies: Policies
    claims: Claims
    planted: Planted


def days(date: dt.date) -> int:
    """Days since 1970-01-01."""
    return (date - dt.date(1970, 1, 1)).days


def generate_portfolio(policies: int, seed: int, as_of: dt.date = dt.date(2026, 11, 1)) -> Portfolio:
    """Draw `policies` policies as they are known on the morning of `as_of`. Same arguments, same portfolio."""
    if policies < 1:
        raise ValueError("a portfolio needs at least one policy")
    rng = np.random.default_rng(seed)
    stores = _draw_stores(rng, int(np.clip(policies // 500, 40, 4000)))
    shops = _draw_shops(rng, int(np.clip(policies // 2500, 32, 1000)))
    models = _draw_models(rng, 480)
    devices, drawn = _draw_policies(rng, policies, as_of, stores, models)
    changes_rng = np.random.default_rng([seed, 1])
    claims, planted = draw_claims(
        rng, changes_rng, as_of, stores, shops, models, devices, drawn, PLANTED_STORE_FREQUENCY
    )
    return Portfolio(as_of, stores, shops, models, devices, drawn, claims, planted)


def _plant(rng: np.random.Generator, weight: Floats) -> npt.NDArray[np.bool_]:
    """Mark abnormal ones over all sizes but the smallest third, where nothing could be told from chance."""
    eligible = np.flatnonzero(weight >= np.quantile(weight, 1 / 3))
    marked = np.zeros(len(weight), dtype=np.bool_)
    marked[rng.choice(eligible, max(2, round(len(weight) * PLANTED_SHARE)), replace=False)] = True
    return marked


def _draw_stores(rng: np.random.Generator, count: int) -> Stores:
    weight = rng.lognormal(0, 1.0, count)
    channel = rng.choice(len(CHANNELS), count, p=_normal(rng.lognormal(0, 0.7, len(CHANNELS))))
    # Every channel sells somewhere: the first stores go round.
    channel[: len(CHANNELS)] = np.arange(len(CHANNELS))
    return Stores(
        channel, rng.integers(0, len(REGIONS), count), rng.integers(0, len(TIERS), count), weight, _plant(rng, weight)
    )


def _draw_shops(rng: np.random.Generator, count: int) -> Shops:
    weight = rng.lognormal(0, 0.8, count)
    # Round robin over the regions, so that no region is without a shop.
    return Shops(np.arange(count) % len(REGIONS), weight, _plant(rng, weight))


def _draw_models(rng: np.random.Generator, count: int) -> Models:
    category = np.arange(count) % len(CATEGORIES)
    base = np.array([c.price_minor for c in CATEGORIES])[category]
    popularity = _normal(rng.lognormal(0, 0.6, len(CATEGORIES)))[category]
    return Models(
        category,
        rng.integers(0, len(BRANDS), count),
        # Prices end in 99.00, as in shops.
        np.rint(base * rng.lognormal(0, 0.35, count) / 10000).astype(np.int64) * 10000 + 9900,
        rng.gamma(12, 1 / 12, count),
        popularity * rng.lognormal(0, 0.9, count),
    )


def _draw_policies(
    rng: np.random.Generator, count: int, as_of: dt.date, stores: Stores, models: Models
) -> tuple[Devices, Policies]:
    today = days(as_of)
    sold_second = (today - SALE_WINDOW_DAYS) * 86400 + np.sort(rng.integers(0, SALE_WINDOW_DAYS * 86400, count))
    sold = sold_second // 86400
    # Some 6 % of the policies are a second one on the device of an earlier policy.
    device = np.arange(count)
    second = np.flatnonzero(rng.random(count) < 0.06)
    device[second] = rng.integers(0, np.maximum(second, 1))
    device_number = np.unique(device, return_inverse=True)[1].astype(np.int64)
    device_count = int(device_number.max()) + 1
    first_sale = np.full(device_count, np.iinfo(np.int64).max)
    np.minimum.at(first_sale, device_number, sold)
    purchased = first_sale - rng.integers(0, 30, device_count)
    model = rng.choice(len(models.weight), device_count, p=_normal(models.weight))
    devices = Devices(model, np.where(rng.random(device_count) < 0.05, -1, purchased))

    line = rng.choice(len(PRODUCT_LINES), count, p=[0.35, 0.40, 0.25])
    years = np.empty(count, dtype=np.int64)
    for index, spec in enumerate(PRODUCT_LINES):
        chosen = line == index
        years[chosen] = rng.choice(spec.years, int(chosen.sum()))
    after_warranty = np.array([spec.starts_after_warranty for spec in PRODUCT_LINES])[line]
    start = np.where(after_warranty, _add_years(purchased[device_number], 1), sold + rng.integers(0, 3, count))
    # A late sale still starts at the sale.
    start = np.maximum(start, sold)
    end = _add_years(start, years)

    price = models.price_minor[model[device_number]]
    share = np.array([spec.price_share for spec in PRODUCT_LINES])[line]
    premium = np.rint(price * share * years**0.8 * rng.normal(1, 0.03, count).clip(0.9, 1.1)).astype(np.int64)
    cancelled, refund = _draw_cancellations(rng, today, start, end, premium)
    application = np.where(rng.random(count) < 0.7, np.arange(count), -1)
    return devices, Policies(
        device_number,
        rng.choice(len(stores.weight), count, p=_normal(stores.weight)),
        rng.choice(len(INSURERS), count, p=[0.4, 0.3, 0.2, 0.1]),
        line,
        rng.integers(0, max(1, int(count * 0.8)), count),
        application,
        sold_second,
        start,
        end,
        cancelled,
        premium,
        refund,
    )


def _draw_cancellations(
    rng: np.random.Generator, today: int, start: Days, end: Days, premium: Ints
) -> tuple[Days, Ints]:
    """4 % are cancelled: half of them at once with all the premium back, the others with 90 % of the unused part."""
    count = len(start)
    kind = rng.random(count)
    at_once = kind < 0.02
    later = (kind >= 0.02) & (kind < 0.04)
    cancelled = np.where(later, start + ((end - start) * rng.random(count)).astype(np.int64), start)
    known = (at_once | later) & (cancelled < today)
    unused = premium * (end - cancelled) // (end - start)
    refund = np.where(at_once, premium, unused * 9 // 10)
    return np.where(known, cancelled, -1), np.where(known, refund, 0)


def _add_years(day: Days, years: Ints | int) -> Days:
    """The same calendar day `years` later; 29 February becomes 1 March where there is none."""
    date = day.astype("datetime64[D]")
    month = date.astype("datetime64[M]")
    offset = (date - month.astype("datetime64[D]")).astype(np.int64)
    later = (month.astype(np.int64) + 12 * years).astype("datetime64[M]").astype("datetime64[D]")
    result: Days = later.astype(np.int64) + offset
    return result


def _normal(weight: Floats) -> Floats:
    total: Floats = weight / weight.sum()
    return total
