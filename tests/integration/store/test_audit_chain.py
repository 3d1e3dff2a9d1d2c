"""The audit trail as a chain: replicas that write at once make one chain, and whoever tampers with the rows is seen."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from sqlalchemy import exc, text
from sqlalchemy.ext.asyncio import AsyncEngine

from sluice_server.domain.audit.chain import ChainCheck, ChainHead
from sluice_server.store import SqlStore
from sluice_server.store.engine import create_engine
from tests.integration.store.samples import audit_event

KEPT = {
    "sqlite": ["DROP TRIGGER audit_events_keep_update", "DROP TRIGGER audit_events_keep_delete"],
    "postgresql": ["DROP TRIGGER audit_events_keep ON audit_events"],
}


@pytest.fixture
async def database(store_url: str) -> AsyncIterator[AsyncEngine]:
    """Somebody who can write to the database without Sluice."""
    engine = create_engine(store_url)
    yield engine
    await engine.dispose()


async def append(store: SqlStore, *audit_ids: str) -> None:
    after = {"ratio": 0.1, "count": 10_000.0, "list": (1,)}
    for audit_id in audit_ids:
        async with store.write() as work:
            await work.audit.append(replace(audit_event(audit_id), after=after))
            await work.commit()


async def tamper(database: AsyncEngine, statement: str) -> None:
    async with database.begin() as connection:
        for each in (*KEPT[database.dialect.name], statement):
            await connection.execute(text(each))


async def check(store: SqlStore, *anchors: ChainHead) -> ChainCheck:
    async with store.read() as work:
        found = await work.audit.list(subject="", actor="", before=None, limit=1_000)
        checked = ChainCheck(ChainHead(*await work.audit.head()), anchors)
    for event in found:
        checked.follow(event)
    checked.end()
    return checked


async def test_what_is_stored_fits_its_hashes(store: SqlStore) -> None:
    assert (await check(store)).problems == []
    await append(store, *(f"aud-{n}" for n in range(5)))
    checked = await check(store)
    assert (checked.problems, checked.rows, checked.head.sequence) == ([], 5, 5)


async def test_replicas_that_write_at_once_make_one_chain(store: SqlStore, replica: SqlStore) -> None:
    # The ids do not come in the order of the commits.
    ids = [f"aud-{n * 7 % 40:02d}" for n in range(40)]
    await asyncio.gather(*(append((store, replica)[n % 2], audit_id) for n, audit_id in enumerate(ids)))
    checked = await check(store)
    assert (checked.problems, checked.rows) == ([], 40)


async def test_a_change_that_is_not_committed_leaves_no_gap(store: SqlStore) -> None:
    await append(store, "aud-1")
    async with store.write() as work:
        await work.audit.append(audit_event("aud-2"))
    await append(store, "aud-3")
    checked = await check(store)
    assert (checked.problems, checked.head.sequence) == ([], 2)


@pytest.mark.parametrize(
    ("statement", "sequence", "what"),
    [
        ("UPDATE audit_events SET actor = 'bob' WHERE sequence = 2", 2, "was changed"),
        ("UPDATE audit_events SET after = '{}' WHERE sequence = 2", 2, "was changed"),
        ("DELETE FROM audit_events WHERE sequence = 2", 2, "is missing"),
        ("DELETE FROM audit_events WHERE sequence = 1", 1, "is missing"),
        ("DELETE FROM audit_events WHERE sequence > 1", 2, "to 3 are missing"),
        ("DELETE FROM audit_events", 1, "to 3 are missing"),
        ("UPDATE audit_events SET previous_hash = hash WHERE sequence = 3", 3, "was changed"),
        ("UPDATE audit_events SET hash = previous_hash WHERE sequence = 2", 2, "not the row that row 3 names"),
        ("UPDATE audit_events SET sequence = 9 WHERE sequence = 3", 9, "is newer than"),
    ],
)
async def test_tampering_is_seen(
    store: SqlStore, database: AsyncEngine, statement: str, sequence: int, what: str
) -> None:
    await append(store, "aud-1", "aud-2", "aud-3")
    await tamper(database, statement)
    problems = (await check(store)).problems
    assert problems[0].sequence == sequence
    assert what in problems[0].what


async def test_a_chain_that_was_computed_anew_does_not_fit_what_was_written_down(
    store: SqlStore, database: AsyncEngine
) -> None:
    await append(store, "aud-1", "aud-2")
    async with store.read() as work:
        anchor = ChainHead(*await work.audit.head())
    zeros = "X'" + "00" * 32 + "'" if database.dialect.name == "sqlite" else "'\\x" + "00" * 32 + "'"
    await tamper(database, "DELETE FROM audit_events")
    async with database.begin() as connection:
        await connection.execute(text(f"UPDATE audit_chain SET sequence = 0, hash = {zeros}"))
    await append(store, "aud-8", "aud-9")
    assert (await check(store)).problems == []
    (problem,) = (await check(store, anchor)).problems
    assert (problem.sequence, problem.what) == (2, "has another hash than was written down earlier")


@pytest.mark.parametrize("statement", ["UPDATE audit_events SET actor = 'bob'", "DELETE FROM audit_events"])
async def test_the_database_refuses_to_change_rows(store: SqlStore, database: AsyncEngine, statement: str) -> None:
    await append(store, "aud-1")
    with pytest.raises(exc.DBAPIError, match="never"):
        async with database.begin() as connection:
            await connection.execute(text(statement))
