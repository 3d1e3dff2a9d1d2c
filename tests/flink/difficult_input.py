"""A generated portfolio with difficult rows added: everything the contract says something about occurs in it."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from sluice_flink.generate import generate_portfolio, write_portfolio
from sluice_flink.sql_files import source_tables

WATERMARK = "2026-06-15T12:30:00Z"
"""In the middle of a month and of a day, and before the end of the generated portfolio: the rest is late."""

_POLICY = {
    "insurer_id": "insurer-x", "product_code": "SCREEN-phone", "product_line": "SCREEN", "device_id": "D000000001",
    "store_id": "S00001", "customer_ref": "C1", "sold_at": "2024-02-01T08:00:00Z", "premium_minor": "100003",
    "refund_minor": "0", "currency": "CNY",
}  # fmt: skip


def _policy(policy_id: str, start: str, end: str, **changes: str) -> dict[str, str]:
    return {**_POLICY, "policy_id": policy_id, "start_date": start, "end_date": end, **changes}


GOOD_POLICIES = [
    _policy("X-leap-start", "2024-02-29", "2025-03-01"),
    _policy("X-leap-end", "2023-02-28", "2024-02-29"),
    _policy("X-leap-inside", "2024-01-31", "2028-03-31", premium_minor="999999999999"),
    _policy("X-one-day", "2024-12-31", "2025-01-01"),
    _policy("X-no-day", "2025-05-05", "2025-05-05"),
    _policy(
        "X-cancelled-at-once-refunded", "2025-01-10", "2026-01-10", cancelled_on="2025-01-10", refund_minor="100003"
    ),
    _policy("X-cancelled-at-once-not-refunded", "2025-01-10", "2026-01-10", cancelled_on="2025-01-10"),
    _policy("X-cancelled-before-start", "2025-01-10", "2026-01-10", cancelled_on="2024-12-10", refund_minor="90000"),
    _policy("X-cancelled-after-end", "2025-01-10", "2026-01-10", cancelled_on="2026-03-10"),
    _policy(
        "X-cancelled-on-the-watermark", "2026-01-10", "2027-01-10", cancelled_on="2026-06-15", refund_minor="50000"
    ),
    _policy(
        "X-cancelled-after-the-watermark", "2026-01-10", "2027-01-10", cancelled_on="2026-06-16", refund_minor="50000"
    ),
    _policy("X-refund-without-cancellation", "2025-01-10", "2026-01-10", refund_minor="7"),
    _policy("X-starts-on-the-watermark", "2026-06-15", "2027-06-15"),
    _policy("X-twenty-years", "2010-03-01", "2030-03-01"),
    _policy("X-stated-exposure", "2025-01-10", "2026-01-10", exposure_years="0.77"),
    _policy("X-stated-above-one", "2026-05-30", "2027-05-30", exposure_years="2.01"),
    _policy("X-stated-nothing", "2025-01-10", "2026-01-10", exposure_years="0"),
    _policy("X-free", "2025-01-10", "2026-01-10", premium_minor="0"),
    _policy("X-unknown-device", "2025-01-10", "2026-01-10", device_id="D-nowhere"),
    _policy("X-unknown-store", "2025-01-10", "2026-01-10", store_id="S-nowhere"),
    _policy("X-of-an-order", "2026-01-10", "2027-01-10", application_id="A1"),
    _policy("X-on-a-doubtful-device", "2025-01-10", "2026-01-10", device_id="D-twice"),
]
BAD_POLICIES = [
    _policy("X-no-start", "", "2026-01-10"),
    _policy("X-twice", "2025-01-10", "2026-01-10"),
    _policy("X-twice", "2025-01-10", "2027-01-10"),
    _policy("X-ends-before-start", "2025-01-10", "2025-01-09"),
    _policy("X-too-long", "2010-03-01", "2030-03-03"),
    _policy("X-refund-above-premium", "2025-01-10", "2026-01-10", refund_minor="100004"),
    _policy("X-negative-premium", "2025-01-10", "2026-01-10", premium_minor="-1"),
    _policy("X-negative-exposure", "2025-01-10", "2026-01-10", exposure_years="-0.5"),
    _policy("X-no-insurer", "2025-01-10", "2026-01-10", insurer_id=""),
]

_CLAIM = {
    "repair_shop_id": "R0001", "part_code": "phone-screen", "fault_code": "DROP", "reported_at": "2025-03-05T10:00:00Z",
    "incurred_minor": "55555", "status": "PAID",
}  # fmt: skip


def _claim(claim_id: str, policy_id: str, occurred: str, **changes: str) -> dict[str, str]:
    return {**_CLAIM, "claim_id": claim_id, "policy_id": policy_id, "occurred_on": occurred, **changes}


GOOD_CLAIMS = [
    _claim("X-1", "X-leap-start", "2024-02-29"),
    _claim("X-2", "X-leap-start", "2024-03-30"),
    _claim("X-3", "X-leap-start", "2024-03-31"),
    _claim("X-4", "X-leap-start", "2024-03-31", repair_shop_id="R0002"),
    _claim("X-5", "X-leap-start", "2024-04-01", status="DENIED"),
    _claim("X-before-cover", "X-one-day", "2024-12-30"),
    _claim("X-after-cover", "X-one-day", "2025-02-02"),
    _claim("X-without-shop", "X-unknown-store", "2025-02-02", repair_shop_id=""),
    _claim("X-unknown-shop", "X-unknown-device", "2025-02-02", repair_shop_id="R-nowhere"),
    _claim("X-open", "X-no-day", "2025-05-05", status="OPEN", reported_at="2025-05-05T00:00:00.123Z"),
    _claim("X-denied-part", "X-free", "2025-02-02", part_code="only-denied", status="DENIED"),
    _claim("X-of-a-part-without-a-price", "X-free", "2025-02-02", part_code="without-a-price"),
    _claim("X-of-a-doubtful-part", "X-free", "2025-02-02", part_code="part-twice"),
    _claim("X-large", "X-leap-inside", "2025-02-02", part_code="dear", incurred_minor="4000000000000000"),
    _claim("X-large-2", "X-leap-inside", "2025-02-03", part_code="dear", incurred_minor="1000000000000001"),
    _claim("X-reported-just-before", "X-free", "2026-06-14", reported_at="2026-06-15T12:29:59Z"),
    _claim("X-reported-on-the-watermark", "X-free", "2026-06-14", reported_at="2026-06-15T12:30:00Z"),
    _claim("X-of-an-order", "X-of-an-order", "2026-02-01", reported_at="2026-05-02T00:00:00Z"),
    _claim("X-reported-early", "X-free", "2025-05-02", reported_at="2025-04-30T00:00:00Z"),
    _claim("X-occurred-on-the-watermark", "X-free", "2026-06-15", reported_at="2026-06-15T11:00:00Z"),
]
BAD_CLAIMS = [
    _claim("X-claimed-twice", "X-free", "2025-02-02"),
    _claim("X-claimed-twice", "X-free", "2025-02-02"),
    _claim("X-on-a-duplicate", "X-twice", "2025-02-02"),
    _claim("X-orphan", "P-nowhere", "2025-02-02"),
    _claim("X-on-rejected", "X-ends-before-start", "2025-02-02"),
    _claim("X-negative", "X-free", "2025-02-02", incurred_minor="-1"),
    _claim("X-odd-status", "X-free", "2025-02-02", status="MAYBE"),
]


BAD_DEVICES = [
    {"device_id": "D-twice", "device_model_id": "M0001", "brand": "B", "category": "phone", "device_price_minor": "1"},
    {"device_id": "D-twice", "device_model_id": "M0002", "brand": "B", "category": "phone", "device_price_minor": "1"},
]


PARTS = [
    {"part_code": "dear", "part_name": "Dear part", "category": "phone", "list_price_minor": "9000000000000"},
    {"part_code": "without-a-price", "part_name": "Part"},
    {"part_code": "part-twice", "part_name": "Part", "list_price_minor": "1"},
    {"part_code": "part-twice", "part_name": "Part", "list_price_minor": "2"},
]


def _order(application_id: str, state: str, **changes: object) -> dict[str, object]:
    order: dict[str, object] = {
        "application_id": application_id, "product_code": "SCREEN-phone", "product_line": "SCREEN",
        "insurer_id": "insurer-a", "state": state, "premium_minor": 1234, "currency": "CNY", "device_model_id": "M0001",
        "device_category": "phone", "store_id": "S00001", "channel_id": "CH01", "customer_ref": "C1",
        "decided_at": "2026-06-01T23:59:59.5Z", "finished_at": "2026-06-02T00:00:01Z", "policy_number": None,
        "attempts": 1, "technical_failures": 0, "rerouted": False, "incident_id": None,
        "updated_at": "2026-06-02T00:00:01.000002Z",
    }  # fmt: skip
    return {**order, **changes}


ORDERS = {
    "dt=2026-06-01": [
        _order("A1", "INSURED", policy_number="N1"),
        _order("A1", "INSURED", policy_number="N1"),
        _order("A2", "ABNORMAL", finished_at=None, technical_failures=1),
        _order("A3", "REJECTED", insurer_id=None, customer_ref="C2"),
        _order("A4", "PARKED", insurer_id=None, finished_at=None, attempts=0, customer_ref="C3"),
        _order("A5", "ROUTED", finished_at=None, attempts=0, customer_ref=None),
        _order("A6", "SUBMITTING", finished_at=None, channel_id=None),
        _order("A7", "CANCELLED", product_code="SCREEN-tablet", channel_id=None, store_id="S-nowhere"),
        _order("A8", "REJECTED", premium_minor=-5),
        _order("A10", "ROUTED", finished_at=None, attempts=0, updated_at="2026-06-02T00:00:01.000010Z"),
        # Earlier lines of the same order, by microseconds and by the digits given.
        _order(
            "A10", "PARKED", insurer_id=None, finished_at=None, attempts=0, updated_at="2026-06-02T00:00:01.000009Z"
        ),
        _order("A10", "ABNORMAL", finished_at=None, attempts=1, updated_at="2026-06-02T00:00:01Z"),
        _order("A11", "REJECTED", updated_at=None),
        _order("A12", "REJECTED", updated_at="yesterday"),
    ],
    # The watermark does not cut orders.
    "dt=2026-07-01": [
        _order(
            "A2",
            "INSURED",
            insurer_id="insurer-b",
            attempts=2,
            technical_failures=1,
            rerouted=True,
            incident_id="I1",
            updated_at="2026-07-01T00:00:00.000001Z",
        ),
        _order("A9", "INSURED", decided_at="2026-07-01T00:00:00Z", finished_at="2026-07-01T00:00:01Z", premium_minor=1),
    ],
}

REJECTED = {
    ("policies", "DUPLICATE_KEY"): 2,
    ("claims", "DUPLICATE_KEY"): 2,
    ("devices", "DUPLICATE_KEY"): 2,
    ("parts", "DUPLICATE_KEY"): 2,
    ("policies", "END_BEFORE_START"): 1,
    ("policies", "TERM_TOO_LONG"): 1,
    ("policies", "BAD_AMOUNT"): 3,
    ("policies", "MISSING_VALUE"): 2,
    ("claims", "UNKNOWN_POLICY"): 2,
    ("claims", "REJECTED_POLICY"): 1,
    ("claims", "BAD_AMOUNT"): 1,
    ("claims", "BAD_STATUS"): 1,
    ("orders", "BAD_AMOUNT"): 1,
    ("orders", "MISSING_VALUE"): 1,
    ("orders", "BAD_TIME"): 1,
}
DOUBTFUL = {
    ("policies", "UNKNOWN_DEVICE"): 2,
    ("policies", "UNKNOWN_STORE"): 1,
    ("claims", "UNKNOWN_REPAIR_SHOP"): 1,
    ("claims", "UNKNOWN_PART"): 2,
}


def write_difficult_input(folder: Path, policies: int = 12_000, seed: int = 11) -> tuple[Path, Path]:
    """Write everything under `folder`; returns the folder of the source tables and that of the orders."""
    source = folder / "source"
    write_portfolio(generate_portfolio(policies, seed), source)
    append_rows(source, "policies", [*GOOD_POLICIES, *BAD_POLICIES])
    append_rows(source, "claims", [*GOOD_CLAIMS, *BAD_CLAIMS])
    append_rows(source, "devices", BAD_DEVICES)
    append_rows(source, "parts", PARTS)
    orders = folder / "orders"
    for day, lines in ORDERS.items():
        (orders / day).mkdir(parents=True)
        text = "".join(f"{json.dumps(line)}\n" for line in lines)
        (orders / day / "export-1.jsonl").write_text(text)
    return source, orders


def append_rows(source: Path, table: str, rows: Iterable[Mapping[str, str]]) -> None:
    """Write `rows` as a further file of `table`."""
    columns = source_tables()[table].column_names
    with (source / table / "part-9999.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
