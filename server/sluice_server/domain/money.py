"""Amounts of money: whole minor units, never floating point."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (129900, "CNY" is 1,299.00 yuan)."""

    amount_minor: int
    currency_code: str
