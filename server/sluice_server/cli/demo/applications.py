"""Generated applications: plausible, repeatable from a seed, with no real person in them."""

from __future__ import annotations

import csv
import itertools
import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sluice.routing.v1 import application_pb2
from sluice.type.v1 import money_pb2

CURRENCY = "CNY"

PRODUCTS = (
    # product_code, product_line, part of the device's price, months
    ("screen-cover-12m", "screen", 0.06, 12),
    ("screen-cover-24m", "screen", 0.10, 24),
    ("accident-12m", "accident", 0.09, 12),
    ("warranty-24m", "warranty", 0.05, 24),
)

DEVICE_ROWS = 5_000
"""Devices that are read: enough to meet every common model."""


@dataclass(frozen=True, slots=True)
class Portfolio:
    """The stores and devices of the generated portfolio, so that the orders of the demo join with it."""

    stores: tuple[tuple[str, str, str], ...]
    """(store_id, channel_id, tier)."""
    devices: tuple[tuple[str, str, str, int], ...]
    """(device_model_id, category, brand, price in minor units)."""

    @classmethod
    def read(cls, folder: Path) -> Portfolio:
        """Reads the channels and the beginning of the devices."""
        stores = tuple((row["store_id"], row["channel_id"], row["tier"]) for row in _rows(folder / "channels"))
        devices = tuple(
            (row["device_model_id"], row["category"], row["brand"], int(row["device_price_minor"]))
            for row in itertools.islice(_rows(folder / "devices"), DEVICE_ROWS)
            if row["device_price_minor"]
        )
        return cls(stores, devices)


def applications(portfolio: Portfolio, *, run: str, seed: int) -> Iterator[application_pb2.Application]:
    """An endless stream; ``run`` makes the ids of one run different from those of another."""
    draw = random.Random(seed)  # noqa: S311 - sample data, no secret
    number = 0
    while True:
        number += 1
        product_code, product_line, part, months = draw.choice(PRODUCTS)
        model_id, category, brand, price = draw.choice(portfolio.devices)
        store_id, channel_id, tier = draw.choice(portfolio.stores)
        yield application_pb2.Application(
            application_id=f"demo-{run}-{number:06d}",
            product_code=product_code,
            product_line=product_line,
            device=application_pb2.Device(
                device_ref=f"dev-{draw.getrandbits(48):012x}",
                model_id=model_id,
                category=category,
                brand=brand,
                price=money_pb2.Money(amount_minor=price, currency_code=CURRENCY),
                purchased_on=f"2026-{draw.randint(1, 10):02d}-{draw.randint(1, 28):02d}",
            ),
            channel=application_pb2.Channel(channel_id=channel_id, store_id=store_id, tier=tier),
            customer_ref=f"cust-{draw.getrandbits(48):012x}",
            premium=money_pb2.Money(amount_minor=round(price * part), currency_code=CURRENCY),
            term_months=months,
        )


def _rows(folder: Path) -> Iterator[dict[str, str]]:
    for part in sorted(folder.glob("*.csv")):
        with part.open(newline="", encoding="utf-8") as file:
            yield from csv.DictReader(file)
