"""Capacity: how much an insurer has been given, and whether there is room for one more order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sluice_server.domain.money import Money

if TYPE_CHECKING:
    from sluice_server.domain.breaker.ports import Capacity

CAPACITY = "CAPACITY"
"""Why a candidate without room took no part."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DAY_SECONDS = 86_400
_KEPT_SECONDS, _KEPT_DAYS = 16, 3
"""Replicas' clocks differ a little, so the windows around the present one are kept too."""


@dataclass(frozen=True, slots=True)
class DayUse:
    """What an insurer was given in one UTC day."""

    orders: int = 0
    premium_minor: Mapping[str, int] = field(default_factory=dict)
    """By currency."""


NOTHING = DayUse()


@dataclass(frozen=True, slots=True)
class InsurerUse:
    """What an insurer was given lately. A decision counts in the UTC second and the UTC day of its own time; one that
    is taken back by a later decision has counted all the same, because the insurer may have been called."""

    seconds: Mapping[int, int] = field(default_factory=dict)
    """Orders by second since 1970."""
    days: Mapping[int, DayUse] = field(default_factory=dict)
    """By day since 1970."""

    def has_room(self, capacity: Capacity, premium: Money, at: datetime) -> bool:
        """Whether one more order fits. A premium in another currency than the limit's is not limited by it."""
        second, day = _windows(at)
        if capacity.orders_per_second is not None and self.seconds.get(second, 0) >= capacity.orders_per_second:
            return False
        today = self.days.get(day, NOTHING)
        if capacity.orders_per_day is not None and today.orders >= capacity.orders_per_day:
            return False
        limit = capacity.premium_per_day
        if limit is None or limit.currency_code != premium.currency_code:
            return True
        return today.premium_minor.get(limit.currency_code, 0) + premium.amount_minor <= limit.amount_minor

    def with_order(self, premium: Money, at: datetime) -> InsurerUse:
        """After one more order. Forgets the windows that are farthest from it."""
        second, day = _windows(at)
        today = self.days.get(day, NOTHING)
        currency = premium.currency_code
        paid = {**today.premium_minor, currency: today.premium_minor.get(currency, 0) + premium.amount_minor}
        seconds = {**self.seconds, second: self.seconds.get(second, 0) + 1}
        days = {**self.days, day: DayUse(today.orders + 1, paid)}
        if len(seconds) > _KEPT_SECONDS:
            del seconds[max(seconds, key=lambda other: abs(other - second))]
        if len(days) > _KEPT_DAYS:
            del days[max(days, key=lambda other: abs(other - day))]
        return InsurerUse(seconds, days)


def _windows(at: datetime) -> tuple[int, int]:
    second = (at - _EPOCH) // _SECOND
    return second, second // _DAY_SECONDS


_SECOND = datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC) - _EPOCH
