"""Rows of result tables, made small and by hand or drawn by hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from hypothesis import strategies as st

MONTHS = [date(2025, 11, 1), date(2025, 12, 1), date(2026, 1, 1), date(2026, 2, 1), date(2026, 5, 1)]


def channel_row(channel: str, month: date = MONTHS[0], **measures: Any) -> dict[str, Any]:
    """A row of channel_month; what is not given is an ordinary month."""
    usual = {
        "policies": 120,
        "exposure_years": 10.0,
        "earned_premium_minor": 100_000,
        "claims": 2,
        "denied": 0,
        "incurred_minor": 60_000,
    }
    return {"channel_id": channel, "month": month, **usual, **measures}


@st.composite
def channel_months(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows of channel_month with distinct keys, some of them without exposure, premium or claims."""
    keys = draw(st.sets(st.tuples(st.sampled_from("ABCDE"), st.sampled_from(MONTHS)), max_size=20))
    return [
        channel_row(
            f"CH{channel}",
            month,
            policies=draw(st.integers(0, 1000)),
            # Quarters are exact in binary, so sums do not depend on their order.
            exposure_years=draw(st.integers(0, 4000)) / 4,
            earned_premium_minor=draw(st.integers(-1000, 10**12)),
            claims=(claims := draw(st.integers(0, 50))),
            denied=draw(st.integers(0, claims)),
            incurred_minor=draw(st.integers(0, 10**11)) if claims else 0,
        )
        for channel, month in sorted(keys)
    ]


def by_channel(rows: Sequence[dict[str, Any]], measure: str) -> dict[str, Any]:
    """Sums of a measure by channel."""
    found: dict[str, Any] = {}
    for row in rows:
        found[row["channel_id"]] = found.get(row["channel_id"], 0) + row[measure]
    return found
