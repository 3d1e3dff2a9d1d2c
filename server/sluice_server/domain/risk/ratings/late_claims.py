"""Late claims by month: which part of a month's claims can be known at a watermark."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np

from sluice_server.domain.risk.models.columns import Codes, Floats
from sluice_server.domain.risk.result_rows import ResultRows, ResultRowsReader, month_number

TABLE = "claim_development"
_COLUMNS = {"month": date, "delay_months": int, "claims": int}


@dataclass(frozen=True, slots=True)
class MonthDevelopment:
    """Shares of a month's claims that are reported within so many calendar months, rising to 1."""

    last_month: int
    """The newest month of which claims can be known; months count from year 0."""
    shares: tuple[float, ...]
    """By delay, from 0 months. Everything is reported after the last one."""

    def reported_share(self, months: Codes) -> Floats:
        """The share that is known of the claims of each month. Of months after the last one, that of the last."""
        ages = np.clip(self.last_month - months, 0, len(self.shares))
        return np.array([*self.shares, 1.0])[ages]

    @property
    def factors(self) -> tuple[float, ...]:
        """What the known claims are multiplied by to have all of them, by age in months."""
        return tuple(1 / share for share in self.shares)


def develop(months: Codes, delays: Codes, claims: Floats, last_month: int) -> MonthDevelopment:
    """The chain ladder on months, from the last delay backwards.

    Of the claims that came within d months, in months of which a delay of d can be known, the part that came before d
    is F(d - 1) / F(d): Mack, "Distribution-free calculation of the standard error of chain ladder reserve estimates",
    ASTIN Bulletin 23 (1993), whose factors these are, weighted by the claims. Delays longer than any month is old are
    not seen: then F is 1. A report before its damage counts as one without delay.
    """
    delays = np.maximum(delays, 0)
    used = (months <= last_month) & (delays <= last_month - months)
    months, delays, claims = months[used], delays[used], claims[used]
    oldest = int((last_month - months).max()) if len(months) else 0
    # No delay that is seen: everything later would be a share of 1 too.
    longest = min(oldest, int(delays.max())) if len(delays) else 0
    shares = np.ones(longest + 1)
    for delay in range(longest, 0, -1):
        known = last_month - months >= delay
        within = float(claims[known & (delays <= delay)].sum())
        exactly = float(claims[known & (delays == delay)].sum())
        shares[delay - 1] = shares[delay] * (1 - exactly / within if within > 0 else 1.0)
    # A month of which nothing can be known yet has no exposure to speak of either; dividing by 0 helps nobody.
    return MonthDevelopment(last_month, tuple(float(share) for share in np.maximum(shares, 0.01)))


async def read_development(reader: ResultRowsReader, data_version: int | None) -> MonthDevelopment | None:
    """The development of all claims of a data version; None where it has none. Raises DataVersionNotFound."""
    rows = await reader.rows(TABLE, _COLUMNS, data_version)
    if rows is None or not len(rows):
        return None
    return _develop(rows)


def _develop(rows: ResultRows) -> MonthDevelopment:
    delays = rows.numbers("delay_months").astype(np.int64)
    return develop(rows.months("month"), delays, rows.numbers("claims"), newest_month(rows.stamp.watermark))


def newest_month(watermark: datetime) -> int:
    """The month of the last moment before the watermark."""
    return month_number((watermark - timedelta(microseconds=1)).date())
