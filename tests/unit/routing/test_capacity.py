"""Capacity: windows of a second and of a day, and what counts in them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from sluice_server.domain.breaker.ports import Capacity
from sluice_server.domain.money import Money
from sluice_server.domain.routing.capacity import InsurerUse

NIGHT = datetime(2026, 3, 1, 23, 59, 59, 999_999, tzinfo=UTC)
PREMIUM = Money(12_900, "CNY")


def after(seconds: float) -> datetime:
    return NIGHT + timedelta(seconds=seconds)


def used(*moments: datetime, premium: Money = PREMIUM) -> InsurerUse:
    use = InsurerUse()
    for moment in moments:
        use = use.with_order(premium, moment)
    return use


def test_a_second_and_a_day_begin_with_the_clock_s_in_utc() -> None:
    per_second, per_day = Capacity(orders_per_second=1), Capacity(orders_per_day=1)
    use = used(NIGHT)
    assert not use.has_room(per_second, PREMIUM, NIGHT - timedelta(seconds=0.9))
    assert use.has_room(per_second, PREMIUM, after(0.000_001))
    assert not use.has_room(per_day, PREMIUM, NIGHT - timedelta(hours=23))
    assert use.has_room(per_day, PREMIUM, after(0.000_001))


def test_premium_counts_in_the_limit_s_currency_alone() -> None:
    capacity = Capacity(premium_per_day=Money(30_000, "CNY"))
    use = used(NIGHT, NIGHT).with_order(Money(10**9, "JPY"), NIGHT)
    assert not use.has_room(capacity, PREMIUM, NIGHT)
    assert use.has_room(capacity, Money(4_200, "CNY"), NIGHT)
    assert use.has_room(capacity, Money(10**9, "JPY"), NIGHT)


def test_without_a_limit_there_is_always_room() -> None:
    assert used(*[NIGHT] * 1000).has_room(Capacity(), PREMIUM, NIGHT)


def test_a_clock_that_is_ahead_does_not_hide_what_the_others_count() -> None:
    use = used(NIGHT, NIGHT, *[after(3600 + second) for second in range(14)], NIGHT)
    assert not use.has_room(Capacity(orders_per_second=3), PREMIUM, NIGHT)
    assert len(used(*[after(second) for second in range(100_000, 400_000, 7_000)]).seconds) <= 16


@given(
    st.lists(st.tuples(st.floats(0, 8), st.integers(1, 20_000)), max_size=80),
    st.integers(1, 4),
    st.integers(1, 40),
    st.integers(1, 200_000),
)
def test_whoever_asks_for_room_first_never_exceeds_any_limit(
    asked: list[tuple[float, int]], per_second: int, per_day: int, premium: int
) -> None:
    capacity = Capacity(per_second, per_day, Money(premium, "CNY"))
    use = InsurerUse()
    taken: list[tuple[datetime, int]] = []
    for seconds, amount in asked:
        at, money = after(seconds - 4), Money(amount, "CNY")
        if use.has_room(capacity, money, at):
            use = use.with_order(money, at)
            taken.append((at, amount))
    for moment, _ in taken:
        second = [m for m, _ in taken if m.replace(microsecond=0) == moment.replace(microsecond=0)]
        day = [(m, a) for m, a in taken if m.date() == moment.date()]
        assert len(second) <= per_second
        assert len(day) <= per_day
        assert sum(a for _, a in day) <= premium
