from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sluice_server.domain.errors import PlanNotFound, StaleEtag
from sluice_server.domain.routing.ports import StoredPlan
from sluice_server.store import SqlStore
from tests.integration.store.samples import plan


async def add(store: SqlStore, given: StoredPlan) -> StoredPlan:
    async with store.write() as work:
        kept = await work.plans.add(given)
        await work.commit()
    return kept


async def activate(store: SqlStore, version: int, etag: str) -> StoredPlan:
    async with store.write() as work:
        active = await work.plans.activate(version, expected_etag=etag)
        await work.commit()
    return active


async def test_versions_count_up_over_all_plans(store: SqlStore) -> None:
    first = await add(store, plan("phones", request_id="req-1"))
    second = await add(store, plan("tablets"))
    assert (first.version, second.version) == (1, 2)
    assert first == replace(plan("phones", request_id="req-1"), version=1, etag="0")
    async with store.read() as work:
        assert await work.plans.get(1) == first
        assert await work.plans.get(3) is None
        assert await work.plans.by_request("req-1") == first
        assert await work.plans.by_request("req-2") is None
        assert await work.plans.by_request("") is None, "plans without a request id are not found by it"
        assert [p.version for p in await work.plans.list(after_version=None, limit=5)] == [2, 1]
        assert [p.version for p in await work.plans.list(after_version=2, limit=5)] == [1]


async def test_versions_have_no_gaps_when_replicas_add_at_the_same_time(store: SqlStore, replica: SqlStore) -> None:
    kept = await asyncio.gather(*(add(each, plan()) for each in (store, replica) * 5))
    assert sorted(p.version for p in kept) == list(range(1, 11))


async def test_no_plan_is_active_at_first(store: SqlStore) -> None:
    await add(store, plan())
    async with store.read() as work:
        assert await work.plans.active() is None
        assert await work.plans.active_version() is None


async def test_activation_moves_from_one_version_to_another_and_back(store: SqlStore) -> None:
    for _ in range(2):
        await add(store, plan())
    one = await activate(store, 1, "")
    assert (one.version, one.active) == (1, True)
    two = await activate(store, 2, one.etag)
    back = await activate(store, 1, two.etag)
    assert len({one.etag, two.etag, back.etag}) == 3
    async with store.read() as work:
        assert await work.plans.active() == back
        assert await work.plans.active_version() == 1
        inactive = await work.plans.get(2)
    assert inactive is not None
    assert (inactive.active, inactive.etag) == (False, back.etag)


async def test_a_stale_etag_activates_nothing(store: SqlStore) -> None:
    for _ in range(2):
        await add(store, plan())
    one = await activate(store, 1, "0")
    with pytest.raises(StaleEtag) as refused:
        await activate(store, 2, "0")
    assert refused.value.metadata["etag"] == one.etag
    async with store.read() as work:
        assert await work.plans.active_version() == 1


async def test_of_two_activations_with_one_etag_one_takes_place(store: SqlStore, replica: SqlStore) -> None:
    for _ in range(2):
        await add(store, plan())
    answers = await asyncio.gather(activate(store, 1, "0"), activate(replica, 2, "0"), return_exceptions=True)
    assert {type(answer) for answer in answers} == {StoredPlan, StaleEtag}


async def test_an_unknown_version_cannot_be_activated(store: SqlStore) -> None:
    with pytest.raises(PlanNotFound):
        await activate(store, 7, "")
