from __future__ import annotations

from dataclasses import replace

import pytest

from sluice_server.domain.errors import ConcurrentChange
from sluice_server.domain.orders.model import Order, OrderState, Outcome
from sluice_server.domain.orders.ports import OrderFilter, OrderPosition
from sluice_server.store import SqlStore
from sluice_server.store.content import APPLICATION
from sluice_server.store.types import as_stored
from tests.integration.store.samples import after, decision, ended, order, stored, submitting


async def keep(store: SqlStore, *orders: Order) -> None:
    async with store.write() as work:
        for each in orders:
            assert await work.orders.add(each)
        await work.commit()


async def change(store: SqlStore, changed: Order) -> Order:
    async with store.write() as work:
        await work.orders.save(changed)
        await work.commit()
    return stored(changed)


async def read(store: SqlStore, application_id: str) -> Order | None:
    async with store.read() as work:
        return await work.orders.get(application_id)


async def test_an_order_comes_back_as_it_was_stored(store: SqlStore) -> None:
    given = replace(order("app-1"), next_attempt_at=after(1.000001), attempts=2)
    await keep(store, given)
    found = await read(store, "app-1")
    assert found == given
    assert found is not None
    factors = found.decision.factors
    assert {name: type(value) for name, value in factors.items()} == {
        "text": str,
        "whole": int,
        "yes": bool,
        "broken": float,
        "round": float,
    }
    assert found.application.fingerprint() == given.fingerprint


async def test_a_parked_order_has_no_insurer_and_no_binding(store: SqlStore) -> None:
    given = order("app-1", "")
    await keep(store, given)
    assert await read(store, "app-1") == given


async def test_a_known_application_is_not_added_again(store: SqlStore) -> None:
    await keep(store, order("app-1"))
    async with store.write() as work:
        assert not await work.orders.add(order("app-1", "insurer-b"))
        await work.commit()
    found = await read(store, "app-1")
    assert found == order("app-1")


async def test_an_unknown_application_is_none(store: SqlStore) -> None:
    assert await read(store, "app-1") is None


async def test_a_whole_life_is_kept(store: SqlStore) -> None:
    await keep(store, order("app-1"))
    one = await change(store, submitting(order("app-1"), at=after(1)))
    two = await change(store, ended(one, Outcome.TECHNICAL_FAILURE, at=after(2), state=OrderState.ABNORMAL))
    rerouted = replace(
        two,
        state=OrderState.ROUTED,
        decisions=(*two.decisions, decision("app-1", "insurer-b", number=2, at=after(3))),
        updated_at=after(3),
    )
    three = await change(store, rerouted)
    four = await change(store, submitting(three, at=after(4)))
    five = await change(
        store,
        replace(ended(four, Outcome.SUCCESS, at=after(5), state=OrderState.INSURED), policy_number="POL-1"),
    )
    assert await read(store, "app-1") == five
    assert five.version == 5
    assert five.insurer_id == "insurer-b"


async def test_an_unknown_outcome_is_settled_later(store: SqlStore) -> None:
    await keep(store, order("app-1"))
    one = await change(store, submitting(order("app-1"), at=after(1)))
    two = await change(store, ended(one, Outcome.UNKNOWN, at=after(2), state=OrderState.ABNORMAL))
    settled = replace(two.submissions[-1], settled_outcome=Outcome.SUCCESS, settled_at=after(9), policy_number="POL-1")
    three = await change(
        store,
        replace(two, state=OrderState.INSURED, submissions=(settled,), updated_at=after(9), policy_number="POL-1"),
    )
    assert await read(store, "app-1") == three


async def test_a_change_of_an_order_that_was_changed_since_is_refused(store: SqlStore) -> None:
    await keep(store, order("app-1"))
    await change(store, submitting(order("app-1"), at=after(1)))
    with pytest.raises(ConcurrentChange):
        await change(store, replace(order("app-1"), state=OrderState.CANCELLED))
    found = await read(store, "app-1")
    assert found is not None
    assert found.state is OrderState.SUBMITTING


async def test_a_change_of_an_unknown_order_is_refused(store: SqlStore) -> None:
    with pytest.raises(ConcurrentChange):
        await change(store, order("app-1"))


async def test_what_is_not_committed_did_not_happen(store: SqlStore) -> None:
    async with store.write() as work:
        assert await work.orders.add(order("app-1"))
    assert await read(store, "app-1") is None


async def test_pages_go_by_creation_and_stay_put_under_inserts(store: SqlStore) -> None:
    # Two of one moment, out of order of their ids.
    await keep(
        store, order("b", at=after(1)), order("a", at=after(1)), order("c", at=after(0)), order("d", at=after(2))
    )

    async def page(after_: OrderPosition | None) -> list[Order]:
        async with store.read() as work:
            return list(await work.orders.list(OrderFilter(), after=after_, limit=2))

    first = await page(None)
    assert [o.application_id for o in first] == ["c", "a"]
    await keep(store, order("e", at=after(3)))
    second = await page(OrderPosition(first[-1].created_at, first[-1].application_id))
    assert [o.application_id for o in second] == ["b", "d"]
    third = await page(OrderPosition(second[-1].created_at, second[-1].application_id))
    assert [o.application_id for o in third] == ["e"]


async def test_a_list_shows_the_current_decision_alone(store: SqlStore) -> None:
    await keep(store, order("app-1"))
    await change(
        store,
        replace(order("app-1"), decisions=(*order("app-1").decisions, decision("app-1", "insurer-b", number=2))),
    )
    async with store.read() as work:
        [listed] = await work.orders.list(OrderFilter(), after=None, limit=10)
    assert [d.number for d in listed.decisions] == [2]
    assert listed.insurer_id == "insurer-b"


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (OrderFilter(states=(OrderState.ABNORMAL, OrderState.PARKED)), ["parked", "abnormal"]),
        (OrderFilter(states=(OrderState.ROUTED,)), ["routed"]),
        (OrderFilter(insurer_id="insurer-b"), ["abnormal"]),
        (OrderFilter(product_code="screen-12"), ["routed", "parked", "abnormal"]),
        (OrderFilter(product_code="none"), []),
        (OrderFilter(incident_id="inc-1"), ["abnormal"]),
        (OrderFilter(created_after=after(1)), ["parked", "abnormal"]),
        (OrderFilter(created_before=after(1)), ["routed"]),
        (OrderFilter(states=(OrderState.ABNORMAL,), insurer_id="insurer-a"), []),
    ],
)
async def test_filters_restrict_a_list(store: SqlStore, where: OrderFilter, expected: list[str]) -> None:
    await keep(
        store,
        order("routed", at=after(0)),
        order("parked", "", at=after(1)),
        replace(order("abnormal", "insurer-b", at=after(2), state=OrderState.ABNORMAL), incident_id="inc-1"),
    )
    async with store.read() as work:
        found = await work.orders.list(where, after=None, limit=10)
    assert [o.application_id for o in found] == expected


async def test_due_orders_come_by_their_waiting_time(store: SqlStore) -> None:
    def waiting(application_id: str, seconds: float | None, state: OrderState) -> Order:
        return replace(order(application_id, state=state), next_attempt_at=None if seconds is None else after(seconds))

    await keep(
        store,
        waiting("late", 5, OrderState.ABNORMAL),
        waiting("early", 1, OrderState.ABNORMAL),
        waiting("exactly", 10, OrderState.PARKED),
        waiting("not yet", 10.000001, OrderState.ABNORMAL),
        waiting("other state", 1, OrderState.ROUTED),
        waiting("nobody's", None, OrderState.ABNORMAL),
    )
    async with store.read() as work:
        states = (OrderState.ABNORMAL, OrderState.PARKED)
        assert await work.orders.due(states=states, at=after(10), limit=10) == ["early", "late", "exactly"]
        assert await work.orders.due(states=states, at=after(10), limit=1) == ["early"]


async def test_orders_are_exported_once_each_with_all_that_is_told_of_them(store: SqlStore) -> None:
    await keep(
        store, order("a", at=after(0)), order("b", at=after(1)), order("c", at=after(1)), order("d", at=after(9))
    )
    latest = await change(store, submitting(order("a", at=after(0)), at=after(1)))
    async with store.read() as work:
        first = await work.orders.exported(after=None, until=after(9), limit=2)
        position = OrderPosition(first[-1].updated_at, first[-1].application_id)
        second = await work.orders.exported(after=position, until=after(9), limit=2)
    assert [o.application_id for o in (*first, *second)] == ["a", "b", "c"]
    whole = first[0]
    assert whole.submissions == latest.submissions != ()
    assert all(each.submissions == () for each in (first[1], *second))
    assert (whole.state, whole.insurer_id, whole.insurers_named) == (latest.state, latest.insurer_id, 1)
    assert whole.first_decided_at == whole.last_decided_at == latest.decision.decided_at
    assert whole.updated_at == latest.updated_at
    assert whole.application == as_stored(APPLICATION.encode(latest.application))


async def test_abnormal_orders_are_attached_to_the_incident_once(store: SqlStore) -> None:
    abnormal = OrderState.ABNORMAL
    await keep(
        store,
        order("second", at=after(1), state=abnormal),
        order("first", at=after(0), state=abnormal),
        order("other line", product_line="battery", state=abnormal),
        order("other insurer", "insurer-b", state=abnormal),
        order("not abnormal"),
        order("reported", submit=False, state=abnormal),
        replace(order("earlier incident", state=abnormal), incident_id="inc-0"),
    )
    async with store.write() as work:
        assert await work.orders.attach_to_incident("inc-1", "insurer-a", "screen") == 2
        assert await work.orders.attach_to_incident("inc-1", "insurer-a", "screen") == 0
        assert await work.orders.attach_to_incident("inc-2", "insurer-a", "") == 1
        await work.commit()
    async with store.read() as work:
        found = await work.orders.abnormal_of("inc-1", limit=10)
        assert [o.application_id for o in found] == ["first", "second"]
        assert found[0] == replace(order("first", at=after(0), state=abnormal), incident_id="inc-1", version=1)
        assert await work.orders.count_abnormal_of("inc-1") == 2
    await change(store, replace(found[0], state=OrderState.INSURED))
    again = await change(store, submitting(found[1], at=after(5)))
    async with store.read() as work:
        assert await work.orders.abnormal_of("inc-1", limit=10) == [again]
        assert await work.orders.count_abnormal_of("inc-1") == 1


async def test_an_attached_order_cannot_be_saved_from_before(store: SqlStore) -> None:
    before = order("app-1", state=OrderState.ABNORMAL)
    await keep(store, before)
    async with store.write() as work:
        await work.orders.attach_to_incident("inc-1", "insurer-a", "")
        await work.commit()
    with pytest.raises(ConcurrentChange):
        await change(store, before)
    found = await read(store, "app-1")
    assert found is not None
    assert found.incident_id == "inc-1"
