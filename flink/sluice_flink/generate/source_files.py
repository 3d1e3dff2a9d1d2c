"""Writes a portfolio as the source tables' CSV files, beside planted.json and watermark.txt."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from sluice_flink.generate.catalogue import (
    BRANDS,
    CATEGORIES,
    CHANNELS,
    FAULTS,
    INSURERS,
    PRODUCT_LINES,
    REGIONS,
    TIERS,
)
from sluice_flink.generate.claims import STATUSES
from sluice_flink.generate.planted import DRIFT_FACTOR, SURGE_FACTOR
from sluice_flink.generate.portfolio import Portfolio

ROWS_PER_FILE = 250_000
"""Flink reads a CSV file with one task, so a large table is cut into several."""

Ints = npt.NDArray[np.int64]


def write_portfolio(portfolio: Portfolio, output: Path) -> dict[str, int]:
    """Write every source table under `output` and return the rows of each.

    Replaces the files of an earlier run. `planted.json` names the abnormal stores and shops, the surge and the drift;
    no source table does.
    """
    tables = {
        "policies": _policies(portfolio),
        "claims": _claims(portfolio),
        "devices": _devices(portfolio),
        "channels": _channels(portfolio),
        "repair_shops": _repair_shops(portfolio),
        "parts": _parts(),
    }
    for name, columns in tables.items():
        write_table(output / name, columns)
    surge, drift = portfolio.planted.surge, portfolio.planted.drift
    planted = {
        "stores": _ids("S", np.flatnonzero(portfolio.stores.abnormal), 5).to_pylist(),
        "repair_shops": _ids("R", np.flatnonzero(portfolio.shops.abnormal), 4).to_pylist(),
        "surges": [
            {
                "category": CATEGORIES[surge.category].name,
                "since": surge.since.isoformat(),
                "until": surge.until.isoformat(),
                "factor": SURGE_FACTOR,
            }
        ],
        "drifts": [
            {
                "device_model_id": _ids("M", np.array([drift.model]), 4)[0].as_py(),
                "since": drift.since.isoformat(),
                "factor": DRIFT_FACTOR,
            }
        ],
    }
    (output / "planted.json").write_text(json.dumps(planted, indent=2) + "\n")
    (output / "watermark.txt").write_text(f"{portfolio.as_of.isoformat()}T00:00:00Z\n")
    return {name: len(next(iter(columns.values()))) for name, columns in tables.items()}


def write_table(folder: Path, columns: Mapping[str, pa.Array]) -> None:
    """Write header-led CSV files of at most ROWS_PER_FILE rows into `folder`; values must hold no comma or quote."""
    folder.mkdir(parents=True, exist_ok=True)
    for stale in folder.glob("*.csv"):
        stale.unlink()
    table = pa.table(dict(columns))
    # "none" refuses a value that would need a quote, so a damaged file cannot arise.
    options = pa_csv.WriteOptions(include_header=False, quoting_style="none")
    for number, offset in enumerate(range(0, max(len(table), 1), ROWS_PER_FILE)):
        with (folder / f"part-{number:04d}.csv").open("wb") as file:
            file.write((",".join(table.column_names) + "\n").encode())
            pa_csv.write_csv(table.slice(offset, ROWS_PER_FILE), file, options)


def _policies(portfolio: Portfolio) -> dict[str, pa.Array]:
    p = portfolio.policies
    count = len(p.device)
    lines = [line.name for line in PRODUCT_LINES]
    category = portfolio.models.category[portfolio.devices.model[p.device]]
    products = [f"{line}-{c.name}" for line in lines for c in CATEGORIES]
    return {
        "policy_id": _ids("P", np.arange(count), 9),
        "application_id": _ids("A", p.application, 9),
        "insurer_id": _names(INSURERS, p.insurer),
        "product_code": _names(products, p.line * len(CATEGORIES) + category),
        "product_line": _names(lines, p.line),
        "device_id": _ids("D", p.device, 9),
        "store_id": _ids("S", p.store, 5),
        "customer_ref": _ids("C", p.customer, 9),
        "sold_at": instants(p.sold_second),
        "start_date": dates(p.start),
        "end_date": dates(p.end),
        "cancelled_on": dates(p.cancelled),
        "premium_minor": pa.array(p.premium),
        "refund_minor": pa.array(p.refund),
        "currency": _names(("CNY",), np.zeros(count, dtype=np.int64)),
        "exposure_years": pa.nulls(count, pa.float64()),
    }


def _claims(portfolio: Portfolio) -> dict[str, pa.Array]:
    c = portfolio.claims
    return {
        "claim_id": _ids("K", np.arange(len(c.policy)), 9),
        "policy_id": _ids("P", c.policy, 9),
        "repair_shop_id": _ids("R", c.shop, 4),
        "part_code": _names([part for category in CATEGORIES for part, _ in category.parts], c.part),
        "fault_code": _names(FAULTS, c.fault),
        "occurred_on": dates(c.occurred),
        "reported_at": instants(c.reported_second),
        "incurred_minor": pa.array(c.incurred),
        "status": _names(STATUSES, c.status),
    }


def _devices(portfolio: Portfolio) -> dict[str, pa.Array]:
    model = portfolio.devices.model
    models = portfolio.models
    return {
        "device_id": _ids("D", np.arange(len(model)), 9),
        "device_model_id": _ids("M", model, 4),
        "brand": _names(BRANDS, models.brand[model]),
        "category": _names([c.name for c in CATEGORIES], models.category[model]),
        "device_price_minor": pa.array(models.price_minor[model]),
        "purchased_on": dates(portfolio.devices.purchased),
    }


def _channels(portfolio: Portfolio) -> dict[str, pa.Array]:
    stores = portfolio.stores
    return {
        "store_id": _ids("S", np.arange(len(stores.channel)), 5),
        "channel_id": _ids("CH", stores.channel, 2),
        "channel_name": _names(CHANNELS, stores.channel),
        "region": _names(REGIONS, stores.region),
        "tier": _names(TIERS, stores.tier),
    }


def _repair_shops(portfolio: Portfolio) -> dict[str, pa.Array]:
    region = portfolio.shops.region
    return {
        "repair_shop_id": _ids("R", np.arange(len(region)), 4),
        "shop_name": _ids("Repair shop ", np.arange(len(region)), 4),
        "region": _names(REGIONS, region),
    }


def _parts() -> dict[str, pa.Array]:
    parts = [(category, code, share) for category in CATEGORIES for code, share in category.parts]
    return {
        "part_code": pa.array([code for _, code, _ in parts]),
        "part_name": pa.array([code.replace("-", " ") for _, code, _ in parts]),
        "category": pa.array([category.name for category, _, _ in parts]),
        "list_price_minor": pa.array([round(category.price_minor * share) for category, _, share in parts], pa.int64()),
    }


def _ids(prefix: str, number: Ints, width: int) -> pa.Array:
    """Prefix and zero-padded number; NULL where the number is negative."""
    text = pc.utf8_lpad(pc.cast(pa.array(number, mask=number < 0), pa.string()), width, "0")
    return pc.binary_join_element_wise(prefix, text, "")


def _names(names: tuple[str, ...] | list[str], index: Ints) -> pa.Array:
    return pa.array(names, pa.string()).take(pa.array(index))


def dates(day: Ints) -> pa.Array:
    """Calendar dates of days since 1970-01-01; NULL where negative."""
    return pa.array(day.astype(np.int32), mask=day < 0).cast(pa.date32())


def instants(second: Ints) -> pa.Array:
    """RFC 3339 texts in UTC of seconds since 1970-01-01."""
    return pc.strftime(pa.array(second).cast(pa.timestamp("s")), format="%Y-%m-%dT%H:%M:%SZ")
