"""Open decisions: settled by the books, re-derived from their records."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice_server.domain.breaker.ports import Capacity
from sluice_server.domain.money import Money
from sluice_server.domain.routing.books import MOST_PAGES, Books, LedgerKey, OpenDecision, needs
from sluice_server.domain.routing.model import Candidate, Decision, Disposition
from sluice_server.domain.routing.plan import CompiledPlan
from sluice_server.domain.routing.ports import TrafficSnapshot
from sluice_server.domain.routing.source.compile import compile_plan
from sluice_server.domain.routing.verify import verify_decision
from tests.unit.routing.builders import APPLICATION, NOW, TWO, application, traffic

EXACT = TWO.replace("    allocations:", "    split: EXACT\n    allocations:")
A, B = "insurer-a", "insurer-b"


def two(source: str = EXACT, on_exhausted: str = "PARK", deficit: str = "") -> CompiledPlan:
    text = source.replace("ON_EXHAUSTED", on_exhausted)
    if deficit:
        text = text.replace("split: EXACT", f"split: EXACT\n    deficit: {deficit}")
    return compile_plan(text, version=3)


def limited(capacities: dict[str, Capacity], admitted: dict[str, int] | None = None) -> TrafficSnapshot:
    return replace(traffic(admitted), capacities=capacities)


async def decided(
    plan: CompiledPlan, snapshot: TrafficSnapshot, books: Books, number: int, *, failed: frozenset[str] = frozenset()
) -> list[Decision]:
    return [
        await plan.decide(
            application(application_id=f"app-{i}", customer_ref=f"c-{i}"), snapshot, now=NOW, books=books, failed=failed
        )
        for i in range(number)
    ]


async def test_an_exact_decision_is_open_and_settled_by_the_ledger() -> None:
    plan, books = two(), Books()
    draft = plan.draft(APPLICATION, traffic(), now=NOW)
    assert isinstance(draft, OpenDecision)
    assert (draft.draft.insurer_id, draft.draft.binding, draft.ledger) == ("", None, LedgerKey(3, "only"))
    made = await decided(plan, traffic(), books, 5)
    assert [d.insurer_id for d in made] == [A, B, A, A, B]
    assert [d.ledger_position for d in made] == [1, 2, 3, 4, 5]
    assert [d.ledger_orders for d in made] == [(0, 0), (1, 0), (1, 1), (2, 1), (3, 1)]
    assert made[0].binding is not None
    assert made[0].binding.insurer_product_code == "A"
    assert books.ledgers == {LedgerKey(3, "only"): {"6000,4000": (3, 2)}}


async def test_settling_alone_takes_no_place() -> None:
    books = Books()
    draft = two().draft(APPLICATION, traffic(), now=NOW)
    assert isinstance(draft, OpenDecision)
    assert draft.settle(books) == draft.settle(books)
    assert (books.ledgers, books.changed_ledgers) == ({}, set())


@pytest.mark.parametrize(("deficit", "after"), [("FORGIVEN", Counter({A: 12, B: 8})), ("REPAID", Counter({A: 20}))])
async def test_what_a_cut_insurer_missed_is_repaid_as_the_plan_says(deficit: str, after: Counter[str]) -> None:
    plan, books = two(deficit=deficit), Books()
    assert {d.insurer_id for d in await decided(plan, traffic({A: 0}), books, 40)} == {B}
    back = await decided(plan, traffic(), books, 20)
    assert Counter(d.insurer_id for d in back) == after


async def test_a_sticky_decision_is_open_only_where_the_one_chosen_has_a_capacity() -> None:
    plan = two(TWO)
    assert isinstance(plan.draft(APPLICATION, traffic(), now=NOW), Decision)
    chosen = (await plan.decide(APPLICATION, traffic(), now=NOW)).insurer_id
    other = A if chosen == B else B
    assert isinstance(plan.draft(APPLICATION, limited({other: Capacity(1)}), now=NOW), Decision)
    assert isinstance(plan.draft(APPLICATION, limited({chosen: Capacity(1)}), now=NOW), OpenDecision)


@pytest.mark.parametrize("source", [TWO, EXACT])
async def test_overflow_goes_to_the_others_and_then_the_rule_says(source: str) -> None:
    snapshot = limited({A: Capacity(orders_per_second=3), B: Capacity(orders_per_second=2)})
    made = await decided(two(source), snapshot, Books(), 12)
    assert Counter(d.insurer_id for d in made) == {A: 3, B: 2, "": 7}
    assert [d.disposition for d in made[5:]] == [Disposition.PARKED] * 7
    assert made[-1].candidates == (Candidate(A, 6000, 0, "CAPACITY"), Candidate(B, 4000, 0, "CAPACITY"))
    assert (made[-1].ledger_position, made[-1].binding) == (None, None)


@pytest.mark.parametrize("source", [TWO, EXACT])
async def test_a_cut_pushes_no_healthy_insurer_over_its_capacity(source: str) -> None:
    snapshot = limited({B: Capacity(orders_per_day=4)}, {A: 0})
    made = await decided(two(source, "REJECT"), snapshot, Books(), 10)
    assert Counter((d.insurer_id, d.disposition) for d in made) == {
        (B, Disposition.ROUTED): 4,
        ("", Disposition.REJECTED): 6,
    }


@pytest.mark.parametrize("source", [TWO, EXACT])
async def test_keep_last_keeps_nobody_over_its_capacity(source: str) -> None:
    snapshot = limited({A: Capacity(orders_per_day=2)}, {A: 0, B: 0})
    made = await decided(two(source, "KEEP_LAST"), snapshot, Books(), 5)
    assert [(d.insurer_id, d.disposition) for d in made] == [(A, Disposition.KEPT_LAST)] * 2 + [
        (B, Disposition.KEPT_LAST)
    ] * 3
    assert made[0].candidates[0].excluded_because == "CUT"
    assert made[-1].candidates[0].excluded_because == "CAPACITY"
    both = limited({A: Capacity(orders_per_day=1), B: Capacity(orders_per_day=1)}, {A: 0, B: 0})
    made = await decided(two(source, "KEEP_LAST"), both, Books(), 3)
    assert [d.disposition for d in made] == [Disposition.KEPT_LAST, Disposition.KEPT_LAST, Disposition.PARKED]


async def test_premium_of_the_day_limits_too() -> None:
    snapshot = limited({B: Capacity(premium_per_day=Money(3 * 12_900 - 1, "CNY"))}, {A: 0})
    made = await decided(two(), snapshot, Books(), 4)
    assert [d.insurer_id for d in made] == [B, B, "", ""]


async def test_needs_are_sorted_and_named_once() -> None:
    snapshot = limited({B: Capacity(1), A: Capacity(1), "insurer-z": Capacity(1)})
    drafts = [two().draft(APPLICATION, snapshot, now=NOW) for _ in range(2)]
    assert needs([d for d in drafts if isinstance(d, OpenDecision)]) == ([LedgerKey(3, "only")], [A, B])


async def test_a_ledger_with_too_many_pages_gives_up_the_emptiest() -> None:
    plan, books = two(), Books()
    await decided(plan, traffic(), books, 3)
    for admitted in range(1, MOST_PAGES + 20):
        await decided(plan, traffic({A: 10 * admitted}), books, 1)
    (pages,) = books.ledgers.values()
    assert len(pages) == MOST_PAGES
    assert pages["6000,4000"] == (2, 1)


CAPACITIES = st.dictionaries(
    st.sampled_from([A, B]), st.builds(Capacity, st.none() | st.integers(1, 3), st.none() | st.integers(1, 9))
)
ADMITTED = st.dictionaries(st.sampled_from([A, B]), st.sampled_from([0, 1, 500, 5000, 10_000]))


@given(
    st.sampled_from([TWO, EXACT]),
    st.sampled_from(["PARK", "KEEP_LAST", "REJECT"]),
    st.sampled_from(["FORGIVEN", "REPAID"]),
    st.lists(st.tuples(CAPACITIES, ADMITTED, st.frozensets(st.sampled_from([A, B])), st.integers(1, 6)), max_size=5),
)
async def test_every_settled_decision_comes_out_again_from_its_record(
    source: str,
    on_exhausted: str,
    deficit: str,
    phases: list[tuple[dict[str, Capacity], dict[str, int], frozenset[str], int]],
) -> None:
    plan, books = two(source, on_exhausted, deficit if source is EXACT else ""), Books()
    for capacities, admitted, failed, number in phases:
        for made in await decided(plan, limited(capacities, admitted), books, number, failed=failed):
            of = application(application_id=made.application_id, customer_ref=made.split_key)
            assert verify_decision(made, of, plan).differences == ()


async def test_a_record_with_another_ledger_is_found_out() -> None:
    plan = two()
    made = (await decided(plan, traffic(), Books(), 2))[1]
    of = application(application_id=made.application_id, customer_ref=made.split_key)
    forged = verify_decision(replace(made, ledger_orders=(0, 1)), of, plan)
    assert [d.field for d in forged.differences] == ["insurer_id", "binding.insurer_product_code"]
    assert "ledger_orders" in forged.taken_over
