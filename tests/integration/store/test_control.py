"""Insurers, breakers, incidents, audit."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from sluice_server.domain.breaker.model import BreakerState, IncidentEvent, IncidentEventKind, Scope
from sluice_server.domain.breaker.normal_rate import Learned
from sluice_server.domain.errors import ConcurrentChange
from sluice_server.store import SqlStore
from tests.integration.store.samples import after, audit_event, breaker, incident, insurer


async def test_insurers_are_kept_by_id(store: SqlStore) -> None:
    async with store.write() as work:
        assert await work.insurers.add(insurer("b"))
        assert await work.insurers.add(insurer("a"))
        assert not await work.insurers.add(replace(insurer("a"), display_name="other"))
        await work.commit()
    async with store.read() as work:
        assert await work.insurers.list() == [insurer("a"), insurer("b")]
        assert await work.insurers.get("b") == insurer("b")
        assert await work.insurers.get("c") is None


async def test_an_insurer_is_changed_only_by_who_has_read_its_version(store: SqlStore) -> None:
    changed = replace(insurer(), display_name="乙保险", updated_at=after(1))
    async with store.write() as work:
        await work.insurers.add(insurer())
        await work.insurers.save(changed)
        with pytest.raises(ConcurrentChange):
            await work.insurers.save(replace(insurer(), display_name="late"))
        await work.commit()
    async with store.read() as work:
        assert await work.insurers.get("insurer-a") == replace(changed, version=2)


async def test_breakers_are_kept_by_scope(store: SqlStore) -> None:
    async with store.write() as work:
        assert await work.breakers.add(breaker("a", "screen"))
        assert await work.breakers.add(breaker("a"))
        assert not await work.breakers.add(breaker("a"))
        await work.commit()
    async with store.read() as work:
        assert await work.breakers.list() == [breaker("a"), breaker("a", "screen")]
        assert await work.breakers.get(Scope("a", "screen")) == breaker("a", "screen")
        assert await work.breakers.get(Scope("b")) is None


async def test_only_breakers_of_insurers_that_have_changed_are_read_again(store: SqlStore) -> None:
    async with store.write() as work:
        for scope in (("a", ""), ("a", "screen"), ("b", "")):
            await work.breakers.add(breaker(*scope))
        await work.commit()
    async with store.write() as work:
        assert await work.breakers.save(breaker("b"))
        await work.commit()
    async with store.read() as work:
        assert {each.scope for each in await work.breakers.changed({})} == {
            Scope("a"),
            Scope("a", "screen"),
            Scope("b"),
        }
        assert [each.version for each in await work.breakers.changed({"a": 2, "b": 1})] == [2]
        assert await work.breakers.changed({"a": 2, "b": 2}) == []


async def test_the_revision_grows_with_every_change_of_a_breaker_or_an_insurer(store: SqlStore) -> None:
    async def revision() -> int:
        async with store.read() as work:
            return await work.breakers.revision()

    seen = [await revision()]
    async with store.write() as work:
        await work.breakers.add(breaker())
        await work.commit()
    seen.append(await revision())
    async with store.write() as work:
        await work.insurers.add(insurer())
        await work.commit()
    seen.append(await revision())
    async with store.write() as work:
        assert await work.breakers.save(replace(breaker(), state=BreakerState.OPEN))
        await work.commit()
    seen.append(await revision())
    assert seen == sorted(set(seen))


async def test_what_is_normal_is_replaced_by_what_has_seen_more(store: SqlStore) -> None:
    few, more = Learned(2.5, 100.0, 1, 1_000.0, 2_000.25), Learned(4.5, 200.0, 2, 2_500.0, 3_000.5)
    a, screen = Scope("a"), Scope("a", "screen")
    for written in ({screen: few, a: more}, {a: few, screen: more}):
        async with store.write() as work:
            await work.breakers.write_learned_rates(written)
            await work.commit()
    async with store.read() as work:
        assert await work.breakers.learned_rates() == {a: more, screen: more}


async def test_a_breaker_is_saved_by_compare_and_set(store: SqlStore) -> None:
    opened = replace(breaker(), state=BreakerState.OPEN, incident_id="inc-1", trips_in_a_row=1, state_since=after(3))
    async with store.write() as work:
        await work.breakers.add(breaker())
        assert await work.breakers.save(opened)
        assert not await work.breakers.save(breaker())
        await work.commit()
    async with store.read() as work:
        assert await work.breakers.get(Scope("insurer-a")) == replace(opened, version=2)


async def test_of_two_replicas_that_trip_a_breaker_one_does(store: SqlStore, replica: SqlStore) -> None:
    async with store.write() as work:
        await work.breakers.add(breaker())
        await work.commit()

    async def trip(where: SqlStore) -> bool:
        async with where.write() as work:
            saved = await work.breakers.save(replace(breaker(), state=BreakerState.OPEN))
            await work.commit()
        return saved

    assert sorted(await asyncio.gather(*(trip(each) for each in (store, replica) * 3))) == [False] * 5 + [True]


async def test_an_incident_keeps_its_timeline_in_order(store: SqlStore) -> None:
    opened = IncidentEvent(IncidentEventKind.TRIPPED, after(0), "sluice")
    confirmed = IncidentEvent(
        IncidentEventKind.RECOVERY_CONFIRMED, after(60), "ann", "they called back", {"contact": "desk-a"}
    )
    given = replace(incident("inc-1"), events=(opened,))
    async with store.write() as work:
        await work.incidents.add(given)
        await work.incidents.append("inc-1", confirmed)
        changed = replace(given, confirmed_at=after(60), confirmed_by="ann", affected_orders=4, closed_at=after(90))
        await work.incidents.save(changed)
        await work.commit()
    async with store.read() as work:
        found = await work.incidents.get("inc-1")
        assert found == replace(changed, events=(opened, confirmed), version=1)
        assert found is not None
        assert found.seconds_to_cut == 1.5
        assert await work.incidents.get("inc-2") is None
    async with store.write() as work:
        with pytest.raises(ConcurrentChange):
            await work.incidents.save(given)


async def test_incidents_are_listed_newest_first(store: SqlStore) -> None:
    async with store.write() as work:
        await work.incidents.add(incident("inc-1"))
        await work.incidents.add(replace(incident("inc-2"), closed_at=after(9)))
        await work.incidents.add(incident("inc-3", "insurer-b"))
        await work.commit()

    async def ids(
        insurer_id: str = "", *, open_only: bool = False, before: str | None = None, limit: int = 9
    ) -> list[str]:
        async with store.read() as work:
            found = await work.incidents.list(insurer_id=insurer_id, open_only=open_only, before=before, limit=limit)
        return [each.incident_id for each in found]

    assert await ids() == ["inc-3", "inc-2", "inc-1"]
    assert await ids(limit=1) == ["inc-3"]
    assert await ids(before="inc-3") == ["inc-2", "inc-1"]
    assert await ids("insurer-a") == ["inc-2", "inc-1"]
    assert await ids(open_only=True) == ["inc-3", "inc-1"]


async def test_audit_rows_are_found_by_request_subject_and_actor(store: SqlStore) -> None:
    one = audit_event("aud-1")
    two = audit_event("aud-2", subject="plans/1")
    three = audit_event("aud-3", actor="bob")
    async with store.write() as work:
        for event in (one, two, three):
            await work.audit.append(event)
        await work.commit()
    async with store.read() as work:
        assert await work.audit.by_request("req-aud-2", "CutTraffic") == two
        assert await work.audit.by_request("req-aud-2", "RestoreTraffic") is None
        assert await work.audit.by_request("", "CutTraffic") is None
        assert await work.audit.list(subject="", actor="", before=None, limit=9) == [three, two, one]
        assert await work.audit.list(subject="insurers/insurer-a", actor="", before=None, limit=9) == [three, one]
        assert await work.audit.list(subject="", actor="ann", before=2, limit=9) == [one]
        assert await work.audit.list(subject="", actor="", before=None, limit=1) == [three]


async def test_a_change_its_incident_and_its_audit_row_are_one(store: SqlStore) -> None:
    async with store.write() as work:
        await work.breakers.add(breaker())
        await work.commit()
    async with store.write() as work:
        await work.breakers.save(replace(breaker(), state=BreakerState.OPEN))
        await work.incidents.add(incident("inc-1"))
        await work.audit.append(audit_event("aud-1"))
        # The caller fails here.
    async with store.read() as work:
        assert await work.breakers.get(Scope("insurer-a")) == breaker()
        assert await work.incidents.get("inc-1") is None
        assert await work.audit.list(subject="", actor="", before=None, limit=1) == []
