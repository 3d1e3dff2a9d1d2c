from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from sluice_server.domain.breaker.evidence_source import BacklogCount, OutcomeRecord, ParkedCount
from sluice_server.domain.breaker.model import Scope
from sluice_server.domain.orders.model import Order, OrderState, Outcome, SubmissionKind
from sluice_server.store import SqlStore
from tests.integration.store.samples import NOON, after, decision, ended, order, stored, submitting


async def keep(store: SqlStore, *orders: Order) -> None:
    async with store.write() as work:
        for each in orders:
            assert await work.orders.add(each)
        await work.commit()


async def backlog(store: SqlStore, since: float, until: float) -> list[BacklogCount]:
    async with store.read() as work:
        return list(await work.evidence.backlog(decided_from=after(since), decided_until=after(until)))


async def test_outcomes_come_by_the_time_they_ended(store: SqlStore) -> None:
    began = [submitting(order(name), at=after(0)) for name in ("a", "b", "c", "open")]
    ends = [
        ended(began[0], Outcome.UNKNOWN, at=after(3), state=OrderState.ABNORMAL),
        ended(began[1], Outcome.SUCCESS, at=after(2), state=OrderState.INSURED),
        ended(began[2], Outcome.SUCCESS, at=after(1), state=OrderState.INSURED),
        began[3],
    ]
    await keep(store, *ends)
    async with store.read() as work:
        found = await work.evidence.outcomes(finished_from=after(2), limit=10)
        assert found == [
            OutcomeRecord(
                "sub-b-1",
                Scope("insurer-a", "screen"),
                SubmissionKind.SUBMIT,
                Outcome.SUCCESS,
                after(0),
                after(2),
                2.0,
            ),
            OutcomeRecord(
                "sub-a-1",
                Scope("insurer-a", "screen"),
                SubmissionKind.SUBMIT,
                Outcome.UNKNOWN,
                after(0),
                after(3),
                3.0,
                "HTTP_503",
            ),
        ]
        assert len(await work.evidence.outcomes(finished_from=after(0), limit=2)) == 2


async def test_backlog_counts_what_is_decided_in_the_window_and_unfinished_past_the_grace(store: SqlStore) -> None:
    await keep(
        store,
        order("before", at=after(-0.000001)),
        order("first", at=after(0)),
        order("last", at=after(30)),
        order("in grace", at=after(30.000001)),
        order("finished", at=after(7), state=OrderState.INSURED),
        order("only routed", at=after(7), submit=False),
        order("parked", "", at=after(7)),
        order("battery", at=after(12), product_line="battery"),
    )
    assert await backlog(store, 0, 30) == [
        BacklogCount(Scope("insurer-a", "battery"), 1, 1, after(12)),
        BacklogCount(Scope("insurer-a", "screen"), 4, 2, after(0)),
    ]


@pytest.mark.parametrize("width", [0, 0.5, 4.9])
async def test_backlog_of_a_window_shorter_than_a_bucket_is_exact(store: SqlStore, width: float) -> None:
    await keep(store, order("a", at=after(1)), order("b", at=after(1 + width)), order("c", at=after(2 + width)))
    assert await backlog(store, 1, 1 + width) == [BacklogCount(Scope("insurer-a", "screen"), 3, 2, after(1))]


async def test_an_order_that_moves_counts_for_its_new_insurer_alone(store: SqlStore) -> None:
    await keep(store, order("a"))
    moved = replace(order("a"), decisions=(*order("a").decisions, decision("a", "insurer-b", number=2, at=after(8))))
    async with store.write() as work:
        await work.orders.save(moved)
        await work.commit()
    assert await backlog(store, -30, 30) == [BacklogCount(Scope("insurer-b", "screen"), 1, 1, after(8))]
    async with store.read() as work:
        assert await work.evidence.shares(decided_from=after(-30), decided_until=after(30)) == {"insurer-b": 1}


async def test_a_unit_of_work_counts_what_it_has_written_itself(store: SqlStore) -> None:
    async with store.write() as work:
        await work.orders.add(order("a", at=after(-20)))
        [count] = await work.evidence.backlog(decided_from=after(-60), decided_until=after(0))
        assert (count.orders, count.unfinished) == (1, 1)


async def test_shares_count_the_routed_orders_of_the_window(store: SqlStore) -> None:
    await keep(
        store,
        order("before", at=after(-0.000001)),
        order("a", at=after(0)),
        order("b", "insurer-b", at=after(20), submit=False),
        order("c", "insurer-b", at=after(30), state=OrderState.INSURED),
        order("parked", "", at=after(20)),
        order("behind", at=after(30.000001)),
    )
    async with store.read() as work:
        shares = await work.evidence.shares(decided_from=after(0), decided_until=after(30))
        assert shares == {"insurer-a": 1, "insurer-b": 2}
        short = await work.evidence.shares(decided_from=after(20), decided_until=after(20.5))
        assert short == {"insurer-b": 1}


def counted_one_by_one(orders: list[Order], since: datetime, until: datetime) -> list[BacklogCount]:
    """The definition, without any index or counter."""
    mine: dict[Scope, list[Order]] = defaultdict(list)
    for each in orders:
        if each.insurer_id and each.submit_requested and each.decision.decided_at >= since:
            mine[Scope(each.insurer_id, each.application.product_line)].append(each)
    counts = []
    for scope, found in sorted(mine.items()):
        waiting = [o.decision.decided_at for o in found if not o.final and o.decision.decided_at <= until]
        counts.append(BacklogCount(scope, len(found), len(waiting), min(waiting, default=None)))
    return counts


@pytest.mark.parametrize("seed", [1, 2])
async def test_counters_agree_with_counting_after_any_history(store: SqlStore, seed: int) -> None:
    """Orders are added, moved, submitted and finished in both ways of writing, in random order."""
    chance = random.Random(seed)
    orders: dict[str, Order] = {}
    insurers = ("insurer-a", "insurer-b", "")
    for step in range(120):
        at = NOON + timedelta(microseconds=chance.randrange(60_000_000))
        if len(orders) < 5 or chance.random() < 0.4:
            new = order(
                f"app-{step}",
                chance.choice(insurers),
                at=at,
                product_line=chance.choice(("screen", "battery")),
                submit=chance.random() < 0.7,
            )
            if chance.random() < 0.5:
                await keep(store, new)
            else:
                assert await store.decision_log.record(new) is new
            orders[new.application_id] = new
            continue
        old = orders[chance.choice(sorted(orders))]
        changed = replace(
            old,
            state=chance.choice((OrderState.ABNORMAL, OrderState.INSURED, OrderState.ROUTED)),
            submit_requested=old.submit_requested or chance.random() < 0.5,
        )
        if chance.random() < 0.5:
            number = len(old.decisions) + 1
            another = decision(old.application_id, chance.choice(insurers), number=number, at=at)
            changed = replace(changed, decisions=(*old.decisions, another))
        if chance.random() < 0.5:
            async with store.write() as work:
                await work.orders.save(changed)
                await work.commit()
        else:
            await store.decision_log.save(changed)
        orders[old.application_id] = stored(changed)
    for _ in range(20):
        since = NOON + timedelta(microseconds=chance.randrange(-5_000_000, 60_000_000))
        until = since + timedelta(microseconds=chance.randrange(40_000_000))
        async with store.read() as work:
            found = await work.evidence.backlog(decided_from=since, decided_until=until)
        assert list(found) == counted_one_by_one(list(orders.values()), since, until)


async def test_parked_orders_are_counted_by_the_rule_that_parked_them_last(store: SqlStore) -> None:
    once = order("twice", "insurer-a", at=after(1))
    twice = replace(
        once,
        state=OrderState.PARKED,
        decisions=(*once.decisions, replace(decision("twice", "", number=2, at=after(5)), rule="second-rule")),
    )
    await keep(
        store,
        order("a", "", at=after(3)),
        order("b", "", at=after(2), product_line="tv"),
        twice,
        order("routed", at=after(0)),
    )
    async with store.read() as work:
        assert await work.evidence.parked(limit=10) == [
            ParkedCount("phones-gold", 2, after(2), ("screen", "tv")),
            ParkedCount("second-rule", 1, after(1), ("screen",)),
        ]
        assert await work.evidence.parked(limit=1) == [ParkedCount("second-rule", 1, after(1), ("screen",))]
