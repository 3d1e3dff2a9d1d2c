"""The STICKY split keeps its promises: shares in expectation, and only the keys that must move do."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chisquare

from sluice_server.domain.routing.split import StickySplit, admitted_weight, score, unit_hash

DOCS = Path(__file__).parents[3] / "docs" / "plans.md"
INSURERS = ("insurer-a", "insurer-b", "insurer-c", "insurer-d")
WEIGHTS = (4500, 3000, 2000, 500)
KEYS = [f"customer-{n}" for n in range(60_000)]

insurer_ids = st.lists(st.from_regex(r"[a-z][a-z0-9-]{0,15}", fullmatch=True), min_size=2, max_size=6, unique=True)
keys = st.lists(st.text(max_size=20), min_size=1, max_size=60, unique=True)


def chosen(weights: tuple[int, ...], of: list[str] = KEYS) -> list[int]:
    split = StickySplit(INSURERS)
    return [split.choose(weights, key) for key in of]


def documented_vectors() -> list[tuple[str, str, int, str, str]]:
    """(insurer, key, weight, u, score) from the table in the documentation."""
    rows = [line.strip("|").split("|") for line in DOCS.read_text().splitlines() if line.startswith("| `insurer-")]
    return [(i.strip(" `"), k.strip(" `"), int(w), u.strip(" `"), s.strip(" `")) for i, k, w, u, s in rows]


def test_documented_vectors_are_what_the_code_computes() -> None:
    vectors = documented_vectors()
    assert len(vectors) >= 6
    for insurer, key, weight, u, expected in vectors:
        assert f"{unit_hash(insurer, key):.17f}" == u
        assert f"{score(insurer, weight, key):.6f}" == expected


def test_documented_winners_are_what_the_code_chooses() -> None:
    vectors = documented_vectors()
    for key in {key for _, key, *_ in vectors}:
        rows = [(insurer, weight, float(s)) for insurer, k, weight, _, s in vectors if k == key]
        best = max(rows, key=lambda row: row[2])[0]
        split = StickySplit([insurer for insurer, *_ in rows])
        assert rows[split.choose([weight for _, weight, _ in rows], key)][0] == best


def test_shares_hold_in_expectation_over_a_million_keys() -> None:
    counts = Counter(chosen(WEIGHTS, [f"customer-{n}" for n in range(1_000_000)]))
    expected = [weight / 10_000 * 1_000_000 for weight in WEIGHTS]
    assert chisquare([counts[i] for i in range(4)], expected).pvalue > 0.001


def test_shares_hold_for_keys_that_differ_in_one_character() -> None:
    counts = Counter(chosen(WEIGHTS, [f"{n:08d}" for n in range(40_000)]))
    expected = [weight / 10_000 * 40_000 for weight in WEIGHTS]
    assert chisquare([counts[i] for i in range(4)], expected).pvalue > 0.001


def test_a_cut_moves_no_survivor_and_hands_its_keys_on_in_proportion() -> None:
    before, after = chosen(WEIGHTS), chosen((4500, 0, 2000, 500))
    moved = [(b, a) for b, a in zip(before, after, strict=True) if b != a]
    assert {b for b, _ in moved} == {1}
    assert len(moved) == before.count(1)
    received = Counter(a for _, a in moved)
    expected = [len(moved) * weight / 7000 for weight in (4500, 2000, 500)]
    assert chisquare([received[0], received[2], received[3]], expected).pvalue > 0.001


def test_ramping_moves_only_keys_to_the_ramping_insurer() -> None:
    cut, tenth, half, whole = (chosen((4500, w, 2000, 500)) for w in (0, 300, 1500, 3000))
    for earlier, later in ((cut, tenth), (tenth, half), (half, whole)):
        gained = [(b, a) for b, a in zip(earlier, later, strict=True) if b != a]
        assert gained
        assert {a for _, a in gained} == {1}


def test_ramping_down_again_moves_only_keys_from_the_ramping_insurer() -> None:
    half, tenth = chosen((4500, 1500, 2000, 500)), chosen((4500, 300, 2000, 500))
    assert {b for b, a in zip(half, tenth, strict=True) if b != a} == {1}


@given(insurers=insurer_ids, of=keys, data=st.data())
def test_removing_any_insurer_moves_only_its_own_keys(insurers: list[str], of: list[str], data: st.DataObject) -> None:
    weights = data.draw(st.lists(st.integers(1, 10_000), min_size=len(insurers), max_size=len(insurers)))
    removed = data.draw(st.integers(0, len(insurers) - 1))
    split = StickySplit(insurers)
    without = [0 if i == removed else w for i, w in enumerate(weights)]
    for key in of:
        before, after = split.choose(weights, key), split.choose(without, key)
        assert after != removed
        assert before in (after, removed)


@given(insurers=insurer_ids, key=st.text(max_size=40))
def test_the_order_of_the_insurers_does_not_matter(insurers: list[str], key: str) -> None:
    forward = StickySplit(insurers).choose([1] * len(insurers), key)
    backward = StickySplit(insurers[::-1]).choose([1] * len(insurers), key)
    assert insurers[forward] == insurers[::-1][backward]


@given(insurer=st.text(min_size=1, max_size=20), key=st.text(max_size=40), weight=st.integers(1, 10_000))
def test_the_draw_is_strictly_between_0_and_1_and_the_score_positive(insurer: str, key: str, weight: int) -> None:
    assert 0 < unit_hash(insurer, key) < 1
    assert score(insurer, weight, key) > 0


def test_nobody_is_chosen_when_no_weight_is_positive() -> None:
    assert StickySplit(INSURERS).choose((0, 0, 0, 0), "k") == -1


@pytest.mark.parametrize(
    ("share", "admitted", "weight"),
    [(5000, 10_000, 5000), (5000, 2500, 1250), (5000, 0, 0), (1, 1000, 1), (3, 5000, 1), (0, 10_000, 0)],
)
def test_an_admitted_part_scales_the_share_and_never_vanishes(share: int, admitted: int, weight: int) -> None:
    assert admitted_weight(share, admitted) == weight
