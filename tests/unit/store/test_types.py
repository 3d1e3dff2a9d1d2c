from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice_server.store.types import from_microseconds, json_text, to_microseconds

moments = st.datetimes(datetime(1900, 1, 1), datetime(9000, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - bounds are naive


@given(moments)
def test_a_moment_keeps_its_microseconds(moment: datetime) -> None:
    assert from_microseconds(to_microseconds(moment)) == moment


@given(moments, moments)
def test_microseconds_sort_like_moments(one: datetime, other: datetime) -> None:
    assert (one < other) == (to_microseconds(one) < to_microseconds(other))


def test_moments_of_other_zones_are_the_same_moment() -> None:
    shanghai = timezone(timedelta(hours=8))
    assert to_microseconds(datetime(2026, 3, 1, 20, tzinfo=shanghai)) == to_microseconds(
        datetime(2026, 3, 1, 12, tzinfo=UTC)
    )


def test_a_moment_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        to_microseconds(datetime(2026, 3, 1))  # noqa: DTZ001 - that is the point


def test_sets_are_written_in_a_stable_order() -> None:
    assert json_text({"tags": frozenset({"b", "a"})}) == '{"tags":["a","b"]}'


def test_what_is_not_json_is_refused() -> None:
    with pytest.raises(TypeError):
        json_text({"x": object()})
