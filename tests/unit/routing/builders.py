"""Applications, traffic and plans for the tests of routing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from sluice_server.domain.money import Money
from sluice_server.domain.routing.model import Application, Channel, Device
from sluice_server.domain.routing.ports import Admission, TrafficSnapshot

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)

APPLICATION = Application(
    application_id="app-1",
    product_code="screen-24m",
    product_line="screen",
    device=Device("dev-1", "aurora-12", "phone", "Aurora", Money(700_000, "CNY"), date(2026, 11, 1)),
    channel=Channel("online", "store-7", "gold"),
    customer_ref="cust-1",
    premium=Money(12_900, "CNY"),
    term_months=24,
    attributes={"campaign": "spring"},
)


def application(**changes: Any) -> Application:
    """The usual application, changed."""
    return replace(APPLICATION, **changes)


def traffic(admitted: Mapping[str, int] | None = None, version: int = 7) -> TrafficSnapshot:
    """A snapshot; ``admitted``: basis points by insurer, the others take everything."""
    admissions = {
        (insurer, ""): Admission(points, "CUT" if points == 0 else "RAMPING")
        for insurer, points in (admitted or {}).items()
    }
    return TrafficSnapshot(version, admissions)


PLAN = """\
plan: small
products:
  - product_line: screen
  - code: tv-36m
factors:
  band: 'application.device.price.amount_minor >= 500000 ? "high" : "low"'
rules:
  - name: gold-phones
    match:
      product_line: screen
      device.category: [phone, tablet]
      factors.band: high
    when: application.channel.tier == "gold"
    allocations:
      - insurer: insurer-a
        share: 7000
        binding:
          insurer_product_code: A-{application.product_code}
          parameters: {model: "{application.device.model_id}", band: "{factors.band}"}
      - insurer: insurer-b
        share: 3000
        binding: {insurer_product_code: B-1, endpoint: fast}
  - name: rest
    on_exhausted: REJECT
    allocations:
      - insurer: insurer-b
        share: 10000
        binding: {insurer_product_code: B-2}
"""

TWO = """\
plan: two
products: [{product_line: screen}]
rules:
  - name: only
    on_exhausted: ON_EXHAUSTED
    allocations:
      - {insurer: insurer-a, share: 6000, binding: {insurer_product_code: A}}
      - {insurer: insurer-b, share: 4000, binding: {insurer_product_code: B}}
"""
