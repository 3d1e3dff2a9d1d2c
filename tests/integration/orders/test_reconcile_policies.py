"""An insurer's list of policies against the store: every difference is found, from both sides, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest

from sluice_server.domain.errors import (
    ConcurrentChange,
    InsurerNotConfigured,
    InsurerUnavailable,
    InvalidInput,
    ReconciliationNotFound,
)
from sluice_server.domain.orders.policies import OrphanKind, PolicyOrphan
from sluice_server.domain.orders.ports import ListedPolicy, PolicyDay
from sluice_server.domain.orders.reconcile_policies import GetPolicyReconciliation, ReconcilePolicies
from sluice_server.runtime.policy_reconciliation import PolicyReconciliationWorker
from tests.integration.orders.world import START, A, B, HandClock, LedgerInsurer, World, application, context

DAY = START.date()


class ListingInsurer(LedgerInsurer):
    """An insurer that lists what is in its ledger, two policies on a page."""

    unlisted: frozenset[str] = frozenset()
    fails = False
    gate: asyncio.Event | None = None

    def __init__(self, name: str, clock: HandClock) -> None:
        super().__init__(name, clock)
        self.asked = asyncio.Event()

    def policy_day(self, day: date | None, *, now: datetime) -> PolicyDay | None:
        chosen = day or now.date() - timedelta(days=1)
        start = datetime.combine(chosen, time(), UTC)
        return PolicyDay(chosen, start, start + timedelta(days=1))

    async def policies(self, day: PolicyDay) -> AsyncIterator[Sequence[ListedPolicy]]:
        assert day.day == DAY
        self.asked.set()
        if self.gate is not None:
            await self.gate.wait()
        listed = [
            ListedPolicy(number, application_id, "")
            for application_id, number in self.applications.items()
            if application_id not in self.unlisted
        ]
        for start in range(0, len(listed), 2):
            if self.fails and start:
                raise InsurerUnavailable("page 2 was answered with 503")
            yield listed[start : start + 2]


class Reconciling:
    """The use cases over a world whose insurer A lists its policies."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.a = ListingInsurer(A, world.clock)
        world.insurers[A] = world.adapters.insurers[A] = self.a
        self.compare = ReconcilePolicies(
            adapters=world.adapters, calls=world.calls, store=world.store, clock=world.clock
        )
        self.kept = GetPolicyReconciliation(world.store)

    async def insure(self, *application_ids: str) -> None:
        for application_id in application_ids:
            await self.world.submit(application(application_id), context())

    async def orphans(self) -> set[tuple[OrphanKind, str]]:
        found = await self.compare(A, DAY)
        assert found.orphan_count == len(found.orphans)
        assert await self.kept(A, DAY) == replace(found, version=(await self.kept(A, DAY)).version)
        return {(orphan.kind, orphan.application_id) for orphan in found.orphans}


@pytest.fixture
def reconciling(world: World) -> Reconciling:
    return Reconciling(world)


async def test_books_that_agree_have_no_orphans_and_raise_no_alarm(reconciling: Reconciling) -> None:
    await reconciling.insure("app-1", "app-2", "app-3", "app-4", "app-5")
    found = await reconciling.compare(A, DAY)
    assert (found.policies, found.orders, found.orphan_count) == (5, 5, 0)
    assert await reconciling.world.alarm_keys() == []


async def test_every_kind_of_difference_is_found_from_its_side(reconciling: Reconciling) -> None:
    world, a = reconciling.world, reconciling.a
    await reconciling.insure("app-1", "app-2", "app-3", "app-4")
    a.applications["unknown"] = "X-1"
    a.script.append("insured-but-lost")
    await reconciling.insure("abnormal")
    a.script.append("fail")
    await reconciling.insure("at-b")
    assert world.insured_at("at-b") == [B] or world.insured_at("at-b") == ["insurer-c"]
    a.applications["at-b"] = "X-2"
    a.applications["app-2"] = "X-3"
    # It lost this one altogether, and that one only from its list.
    gone = a.applications.pop("app-3")
    a.ledger = {key: number for key, number in a.ledger.items() if number != gone}
    a.unlisted = frozenset({"app-4"})
    assert await reconciling.orphans() == {
        (OrphanKind.ORDER_UNKNOWN, "unknown"),
        (OrphanKind.ORDER_NOT_INSURED, "abnormal"),
        (OrphanKind.INSURED_ELSEWHERE, "at-b"),
        (OrphanKind.OTHER_POLICY_NUMBER, "app-2"),
        (OrphanKind.POLICY_MISSING, "app-3"),
    }
    assert f"reconciliation/{A}/{DAY}" in await world.alarm_keys()


async def test_what_cannot_be_confirmed_is_said_to_be_so(reconciling: Reconciling) -> None:
    await reconciling.insure("app-1")
    reconciling.a.unlisted = frozenset({"app-1"})
    reconciling.a.inquiries_fail = 1
    (orphan,) = (await reconciling.compare(A, DAY)).orphans
    assert orphan == PolicyOrphan(
        OrphanKind.POLICY_NOT_CONFIRMED, "app-1", "", f"{A}-1", order_state="INSURED", stored_insurer_id=A
    )


async def test_orders_of_other_days_and_insurers_are_not_missed(reconciling: Reconciling) -> None:
    world = reconciling.world
    await reconciling.insure("app-1")
    world[A].script.append("fail")
    await reconciling.insure("elsewhere")
    world.clock.move(86_400)
    await reconciling.insure("next-day")
    reconciling.a.unlisted = frozenset({"next-day"})
    found = await reconciling.compare(A, DAY)
    assert (found.policies, found.orders, found.orphan_count) == (1, 1, 0)


async def test_a_new_comparison_replaces_the_old_one_and_ends_its_alarm(reconciling: Reconciling) -> None:
    await reconciling.insure("app-1")
    reconciling.a.applications["unknown"] = "X-1"
    assert (await reconciling.compare(A, DAY)).orphan_count == 1
    del reconciling.a.applications["unknown"]
    assert (await reconciling.compare(A, DAY)).orphan_count == 0
    assert (await reconciling.kept(A, None)).orphan_count == 0
    async with reconciling.world.store.read() as uow:
        (pending,) = await uow.alarms.due(now=reconciling.world.clock.now(), limit=10)
    assert pending.alarm.resolved_at is not None


async def test_a_day_is_compared_by_one_process_at_a_time(reconciling: Reconciling) -> None:
    reconciling.a.gate = asyncio.Event()
    first = asyncio.create_task(reconciling.compare(A, DAY))
    await reconciling.a.asked.wait()
    with pytest.raises(ConcurrentChange):
        await reconciling.compare(A, DAY)
    reconciling.a.gate.set()
    assert (await first).finished_at is not None
    assert (await reconciling.compare(A, DAY)).finished_at is not None


async def test_a_list_that_breaks_off_gives_no_result_and_may_be_tried_again(reconciling: Reconciling) -> None:
    await reconciling.insure("app-1", "app-2", "app-3")
    reconciling.a.fails = True
    with pytest.raises(InsurerUnavailable):
        await reconciling.compare(A, DAY)
    with pytest.raises(ReconciliationNotFound):
        await reconciling.kept(A, DAY)
    reconciling.a.fails = False
    assert (await reconciling.compare(A, DAY)).policies == 3


async def test_an_insurer_without_a_list_and_a_day_to_come_are_refused(reconciling: Reconciling) -> None:
    with pytest.raises(InsurerNotConfigured):
        await reconciling.compare(B, DAY)
    with pytest.raises(InvalidInput):
        await reconciling.compare(A, DAY + timedelta(days=1))


async def test_the_worker_compares_yesterday_once_when_it_is_over(reconciling: Reconciling) -> None:
    world = reconciling.world
    worker = PolicyReconciliationWorker(reconciling.compare, reconciling.kept, (A, B), clock=world.clock)
    await reconciling.insure("app-1")
    world.clock.at = datetime.combine(DAY + timedelta(days=1), time(0, 30), UTC)
    await worker.round()
    with pytest.raises(ReconciliationNotFound):
        await reconciling.kept(A, DAY)
    world.clock.move(3600)
    await worker.round()
    first = await reconciling.kept(A, DAY)
    assert (first.policies, first.orders) == (1, 1)
    await worker.round()
    assert await reconciling.kept(A, DAY) == first
