"""The share ledger: nobody more than one order off, and what becomes of those who were missing."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from itertools import pairwise, product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice_server.domain.routing.ledger import Counts, counted, next_insurer, page_of
from sluice_server.domain.routing.source.document import Deficit


def of_whole(parts: Sequence[int]) -> list[int]:
    """Shares in basis points in about these proportions."""
    total = sum(parts)
    shares = [max(1, part * 10_000 // total) for part in parts]
    shares[shares.index(max(shares))] += 10_000 - sum(shares)
    return shares


SHARES = st.lists(st.integers(1, 10_000), min_size=1, max_size=12).map(of_whole)
DEFICITS = st.sampled_from(Deficit)


def worst(shares: Sequence[int], counts: Sequence[int]) -> Fraction:
    """Orders by which the worst one is off its share."""
    orders, whole = sum(counts), sum(shares)
    return max(abs(count - Fraction(orders * share, whole)) for count, share in zip(counts, shares, strict=True))


class Page:
    """A page of a ledger as it is carried on."""

    def __init__(self, deficit: Deficit, shares: Sequence[int]) -> None:
        self.deficit, self.shares = deficit, shares
        self.counts: Counts = (0,) * len(shares)

    def orders(self, number: int, weights: Sequence[int] | None = None) -> list[Counts]:
        """The counts after each of ``number`` more orders."""
        weights = self.shares if weights is None else weights
        after = []
        for _ in range(number):
            chosen = next_insurer(self.deficit, self.shares, weights, self.counts)
            assert weights[chosen] > 0
            self.counts = counted(self.counts, chosen)
            after.append(self.counts)
        return after


@pytest.mark.parametrize("deficit", Deficit)
def test_with_all_small_weights_nobody_is_ever_a_whole_order_off(deficit: Deficit) -> None:
    seen = 0
    for insurers in range(1, 6):
        for weights in product(range(1, 6), repeat=insurers):
            page = Page(deficit, weights)
            assert all(worst(weights, counts) < 1 for counts in page.orders(2 * sum(weights))), weights
            # After each round everybody has exactly its weight.
            assert page.counts == tuple(2 * weight for weight in weights)
            seen += 1
    assert seen == 5 + 25 + 125 + 625 + 3125


@given(DEFICITS, SHARES, st.integers(1, 400))
def test_with_any_shares_nobody_is_ever_a_whole_order_off(deficit: Deficit, shares: list[int], number: int) -> None:
    assert all(worst(shares, counts) < 1 for counts in Page(deficit, shares).orders(number))


@given(SHARES, st.data())
def test_forgiven_each_set_of_weights_has_a_page_on_which_nobody_is_a_whole_order_off(
    shares: list[int], data: st.DataObject
) -> None:
    pages: dict[str, Page] = {}
    for _ in range(data.draw(st.integers(1, 12))):
        weights = [share * data.draw(st.sampled_from([0, 1, 5, 10])) // 10 for share in shares]
        if any(weights):
            page = pages.setdefault(page_of(Deficit.FORGIVEN, weights), Page(Deficit.FORGIVEN, shares))
            after = page.orders(data.draw(st.integers(1, 40)), weights)
            assert all(worst(weights, counts) < 1 for counts in after)


def test_repaid_whoever_comes_back_is_given_what_it_missed_at_twice_its_share() -> None:
    page = Page(Deficit.REPAID, (2000, 5000, 3000))
    page.orders(80, (0, 5000, 3000))
    assert page.counts == (0, 50, 30)
    for number, counts in enumerate(page.orders(78), start=1):
        assert counts[0] <= 0.4 * number + 1, "no flood"
    assert page.counts[0] >= 29, "16 missed and 15.6 due since, at twice the share"
    page.orders(10)
    assert all(worst(page.shares, counts) < 1 for counts in page.orders(400))


@given(st.lists(st.integers(300, 10_000), min_size=2, max_size=6).map(of_whole), st.data())
def test_repaid_everybody_is_back_at_its_share_after_a_while(shares: list[int], data: st.DataObject) -> None:
    page = Page(Deficit.REPAID, shares)
    for _ in range(data.draw(st.integers(1, 4))):
        weights = [share * data.draw(st.sampled_from([0, 1, 5, 10])) // 10 for share in shares]
        if any(weights):
            page.orders(data.draw(st.integers(1, 60)), weights)
    # Whoever is ahead gets nothing until its share has caught up with it; the others cannot be repaid before.
    caught_up = max(-(-count * 10_000 // share) for count, share in zip(page.counts, shares, strict=True))
    page.orders(3 * caught_up + 200)
    assert all(worst(shares, counts) < 1 for counts in page.orders(300))


@given(SHARES.filter(lambda shares: len(shares) > 1), st.sampled_from([100, 500, 2500]), st.integers(0, 200))
def test_repaid_a_ramping_insurer_takes_no_more_than_the_breaker_admits(
    shares: list[int], admitted: int, missed: int
) -> None:
    page = Page(Deficit.REPAID, shares)
    page.orders(missed, [0, *shares[1:]])
    weight, before = max(1, shares[0] * admitted // 10_000), page.counts[0]
    for number, counts in enumerate(page.orders(300, [weight, *shares[1:]]), start=1):
        assert counts[0] - before <= number * Fraction(weight, 10_000) + 1


@pytest.mark.parametrize("deficit", Deficit)
def test_the_only_one_left_takes_all_however_little_it_is_admitted(deficit: Deficit) -> None:
    page = Page(deficit, (6000, 4000))
    page.orders(50, (0, 40))
    assert page.counts == (0, 50)


@pytest.mark.parametrize("deficit", Deficit)
def test_when_nobody_is_left_nobody_is_chosen(deficit: Deficit) -> None:
    assert next_insurer(deficit, (6000, 4000), (0, 0), (3, 2)) == -1


@pytest.mark.parametrize("deficit", Deficit)
def test_the_vectors_of_the_docs(deficit: Deficit) -> None:
    page = Page(deficit, (5000, 3000, 2000))
    after = [(0, 0, 0), *page.orders(20)]
    taken = [next(i for i in range(3) if b[i] > a[i]) for a, b in pairwise(after)]
    assert "".join("ABC"[i] for i in taken) == "ABACABABAC" * 2
