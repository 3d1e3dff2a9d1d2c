"""What the rules over all breakers keep."""

from __future__ import annotations

import pytest

from sluice_server.domain.breaker.cut_limits import kept_because
from sluice_server.domain.breaker.model import Breaker, BreakerMode, BreakerState, Scope
from tests.unit.breaker.builders import breaker

A, B, C = (Scope(f"insurer-{name}") for name in "abc")


def half(scope: Scope, state: BreakerState = BreakerState.CLOSED, *, limit: int = 5_000) -> Breaker:
    """A breaker that allows no more than half of the traffic to be cut."""
    return breaker(scope, state, policy={"maximum_cut_basis_points": limit})


def line(scope: Scope, name: str) -> Scope:
    return Scope(scope.insurer_id, name)


@pytest.mark.parametrize(
    ("orders", "kept"),
    [((50, 30, 20), False), ((51, 30, 19), True), ((0, 60, 40), False), ((0, 0, 0), False)],
)
def test_an_insurer_counts_by_its_share_of_the_traffic(orders: tuple[int, int, int], kept: bool) -> None:
    traffic = {line(scope, "tv"): number for scope, number in zip((A, B, C), orders, strict=True)}
    because = kept_because(half(A), [half(A), half(B), half(C)], traffic)
    assert bool(because) is kept


def test_what_is_cut_already_counts_with_it() -> None:
    others = [half(A), half(B, BreakerState.RETRYING), half(C)]
    traffic = {line(A, "tv"): 30, line(B, "tv"): 21, line(C, "tv"): 49}
    assert "51.0 % of the traffic would be cut, more than 50 %" in kept_because(half(A), others, traffic)
    ramping = [half(A), half(B, BreakerState.RAMPING), half(C)]
    assert kept_because(half(A), ramping, traffic) == ""


def test_a_product_line_that_is_cut_counts_with_its_orders_only() -> None:
    cut_line = half(line(B, "tv"), BreakerState.OPEN)
    traffic = {line(A, "tv"): 40, line(B, "tv"): 10, line(B, "screen"): 30, line(C, "tv"): 20}
    assert kept_because(half(A), [half(A), half(B), half(C), cut_line], traffic) == ""
    assert kept_because(half(A, limit=4_999), [half(A), half(B), half(C), cut_line], traffic) != ""


def test_a_product_line_is_held_against_the_orders_of_that_line() -> None:
    screen = half(line(A, "screen"))
    traffic = {line(A, "screen"): 6, line(B, "screen"): 4, line(A, "tv"): 500, line(C, "tv"): 500}
    assert "60.0 % of the traffic of screen" in kept_because(screen, [half(A), half(B), half(C), screen], traffic)


def test_without_traffic_all_insurers_have_equal_shares() -> None:
    assert kept_because(half(A), [half(A), half(B), half(C)], {}) == ""
    assert "66.7 %" in kept_because(half(A), [half(A), half(B, BreakerState.OPEN), half(C)], {})


def test_the_last_insurer_is_kept_whatever_its_share() -> None:
    others = [breaker(A), breaker(B, mode=BreakerMode.FORCED_OPEN), breaker(C, BreakerState.OPEN)]
    assert "only insurer" in kept_because(breaker(A), others, {line(A, "tv"): 1, line(B, "tv"): 1_000})
