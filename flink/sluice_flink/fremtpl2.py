"""Maps freMTPL2, a public motor portfolio (678,013 policies of the R package CASdatasets), to the source tables.

What the data set has, and what becomes of it:

| source column | from |
|---|---|
| policies.exposure_years | Exposure, as it is (also where above 1) |
| devices.device_model_id, brand, category | VehBrand and VehPower as `B12-P5`; VehBrand; `car` |
| channels.channel_id, store_id, tier | Region; Region and Area as `R82-D`; Area |
| claims | ClaimNb claims a policy; amounts of freMTPL2sev in their order, in euro cents |

What it lacks, and what is put there instead, the same on every run:

- Dates: cover starts on a day of 2023 given by the policy's number and lasts Exposure years, at least a day. A policy's
  claims are spread evenly over its cover and reported the next day. The watermark is 2026-02-01, after all of them.
- Amounts of claims that freMTPL2sev does not have: 0, and the claim is OPEN. Amounts beyond ClaimNb are added to the
  policy's last claim; amounts of the policies that freMTPL2freq lacks (six) are left out.
- Premium: flat per policy-year, such that all policies together have a loss ratio of 70 %. A group's loss ratio is then
  its burning cost relative to the portfolio's, nothing more.
- Repair shops, customers, insurers: no shops, every policy its own customer, one insurer.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sluice_flink.generate.source_files import dates, instants, write_table
from sluice_flink.inputs import BadInput

WATERMARK = dt.date(2026, 2, 1)
LOSS_RATIO = 0.7
_FIRST_START = dt.date(2023, 1, 1)
_FREQUENCY_COLUMNS = ("IDpol", "ClaimNb", "Exposure", "Area", "VehPower", "VehBrand", "Region")

Ints = npt.NDArray[np.int64]
_PART = "UNKNOWN"


def import_fremtpl2(data: Path, output: Path) -> dict[str, int]:
    """Write the source tables of the data set under `data` to `output`; returns the rows of each. Raises `BadInput`."""
    frequency = _read(data / "freMTPL2freq.parquet", _FREQUENCY_COLUMNS)
    severity = _read(data / "freMTPL2sev.parquet", ("IDpol", "ClaimAmount"))
    number = frequency["IDpol"].to_numpy().astype(np.int64)
    exposure = frequency["Exposure"].to_numpy()
    cover = np.maximum(1, np.ceil(exposure * 365.25)).astype(np.int64)
    # A multiplier without a common factor with 365 spreads neighbouring numbers over the year.
    start = (_FIRST_START - dt.date(1970, 1, 1)).days + number * 89 % 365

    claims = _claims(number, frequency["ClaimNb"].to_numpy().astype(np.int64), start, cover, severity)
    rate = claims["incurred_minor"].to_numpy().sum() / exposure.sum() / LOSS_RATIO
    count = len(number)
    policy_id = _text("P", pa.array(number))
    device_id = _text("V", pa.array(number))
    region, area = frequency["Region"].cast(pa.string()), frequency["Area"].cast(pa.string())
    store_id = pc.binary_join_element_wise(region, area, "-")
    brand = frequency["VehBrand"].cast(pa.string())
    tables = {
        "policies": {
            "policy_id": policy_id,
            "application_id": pa.nulls(count, pa.string()),
            "insurer_id": _constant("casdatasets", count),
            "product_code": _constant("MTPL", count),
            "product_line": _constant("MTPL", count),
            "device_id": device_id,
            "store_id": store_id,
            "customer_ref": _text("C", pa.array(number)),
            "sold_at": instants(start * 86400),
            "start_date": dates(start),
            "end_date": dates(start + cover),
            "cancelled_on": pa.nulls(count, pa.date32()),
            "premium_minor": pa.array(np.rint(exposure * rate).astype(np.int64)),
            "refund_minor": pa.array(np.zeros(count, dtype=np.int64)),
            "currency": _constant("EUR", count),
            "exposure_years": pa.array(exposure),
        },
        "claims": claims,
        "devices": {
            "device_id": device_id,
            "device_model_id": pc.binary_join_element_wise(brand, _text("P", frequency["VehPower"]), "-"),
            "brand": brand,
            "category": _constant("car", count),
            "device_price_minor": pa.array(np.zeros(count, dtype=np.int64)),
            "purchased_on": pa.nulls(count, pa.date32()),
        },
        "channels": _channels(region, area, store_id),
        "parts": {
            "part_code": _constant(_PART, 1),
            "part_name": _constant("Claim of unknown kind", 1),
            "category": _constant("car", 1),
            "list_price_minor": pa.nulls(1, pa.int64()),
        },
        "repair_shops": {name: pa.nulls(0, pa.string()) for name in ("repair_shop_id", "shop_name", "region")},
    }
    for name, columns in tables.items():
        write_table(output / name, columns)
    (output / "watermark.txt").write_text(f"{WATERMARK.isoformat()}T00:00:00Z\n")
    return {name: len(next(iter(columns.values()))) for name, columns in tables.items()}


def _read(path: Path, columns: tuple[str, ...]) -> pa.Table:
    if not path.is_file():
        raise BadInput([f"{path} does not exist"])
    names = pq.read_schema(path).names
    if missing := [name for name in columns if name not in names]:
        raise BadInput([f"{path}: missing {', '.join(missing)}"])
    return pq.read_table(path, columns=list(columns)).combine_chunks()


def _claims(number: Ints, claim_count: Ints, start: Ints, cover: Ints, severity: pa.Table) -> dict[str, pa.Array]:
    """One row a claim of freMTPL2freq, with its amount where freMTPL2sev has one."""
    policy = np.repeat(np.arange(len(number)), claim_count)
    first = np.cumsum(claim_count) - claim_count
    rank = np.arange(len(policy)) - first[policy]
    occurred = start[policy] + (rank + 1) * cover[policy] // (claim_count[policy] + 1)

    # Place each amount at its policy's next claim without one; those beyond the last claim go to the last.
    by_number = np.argsort(number)
    amount_number = severity["IDpol"].to_numpy().astype(np.int64)
    position = by_number[np.searchsorted(number, amount_number, sorter=by_number).clip(max=len(number) - 1)]
    known = (number[position] == amount_number) & (claim_count[position] > 0)
    position = position[known]
    cents = np.rint(severity["ClaimAmount"].to_numpy()[known] * 100).astype(np.int64)
    order = np.argsort(position, kind="stable")
    position, cents = position[order], cents[order]
    nth = np.arange(len(position)) - np.searchsorted(position, position)
    target = first[position] + np.minimum(nth, claim_count[position] - 1)
    incurred = np.zeros(len(policy), dtype=np.int64)
    np.add.at(incurred, target, cents)
    paid = np.zeros(len(policy), dtype=np.bool_)
    paid[target] = True

    policy_number = pa.array(number[policy])
    return {
        "claim_id": pc.binary_join_element_wise(_text("K", policy_number), pa.array(rank).cast(pa.string()), "-"),
        "policy_id": _text("P", policy_number),
        "repair_shop_id": pa.nulls(len(policy), pa.string()),
        "part_code": _constant(_PART, len(policy)),
        "fault_code": _constant("UNKNOWN", len(policy)),
        "occurred_on": dates(occurred),
        "reported_at": instants((occurred + 1) * 86400),
        "incurred_minor": pa.array(incurred),
        "status": pa.array(["OPEN", "PAID"]).take(pa.array(paid.astype(np.int64))),
    }


def _channels(region: pa.Array, area: pa.Array, store_id: pa.Array) -> dict[str, pa.Array]:
    stores = pa.table({"store_id": store_id, "region": region, "area": area}).group_by(["store_id", "region", "area"])
    unique = stores.aggregate([]).sort_by("store_id").combine_chunks()
    channel = unique["region"].combine_chunks()
    return {
        "store_id": unique["store_id"].combine_chunks(),
        "channel_id": channel,
        "channel_name": channel,
        "region": channel,
        "tier": unique["area"].combine_chunks(),
    }


def _text(prefix: str, number: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(prefix, number.cast(pa.string()), "")


def _constant(text: str, count: int) -> pa.Array:
    return pa.array([text]).take(pa.array(np.zeros(count, dtype=np.int64)))
