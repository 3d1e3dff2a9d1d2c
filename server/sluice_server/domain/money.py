"""Amounts of money: whole minor units, never floating point."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

_MINOR_DIGITS = {"CLP": 0, "ISK": 0, "JPY": 0, "KRW": 0, "VND": 0, "BHD": 3, "JOD": 3, "KWD": 3, "OMR": 3, "TND": 3}
"""ISO 4217: currencies whose minor unit is not a hundredth."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units (129900, "CNY" is 1,299.00 yuan)."""

    amount_minor: int
    currency_code: str

    def major(self) -> Decimal:
        """In major units, with all the currency's decimals: 1299.00."""
        return Decimal(self.amount_minor).scaleb(-_MINOR_DIGITS.get(self.currency_code, 2))
