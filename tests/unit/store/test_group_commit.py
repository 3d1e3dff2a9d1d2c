from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Sequence

import pytest

from sluice_server.domain.errors import ConcurrentChange, Exhausted, Unavailable
from sluice_server.store.counts import Standing
from sluice_server.store.group_commit import CommitPace, GroupCommit
from sluice_server.store.order_write import OrderWrite, Write
from sluice_server.store.rows import SQLITE3, Codec

STANDING = Standing("insurer-a", "screen", 1, submitted=True, finished=False)


def new(application_id: str) -> OrderWrite:
    return OrderWrite(application_id, True, 0, (), (), (), STANDING)


def change(application_id: str, version: int) -> OrderWrite:
    return OrderWrite(application_id, False, version, (), (), (), STANDING)


class FakeWriter:
    """A database that commits when it is let, and fails as it is told."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.failures: list[Exception] = []
        self.refused: set[str] = set()
        self.answers = True
        self.let = asyncio.Event()
        self.let.set()
        self.began = asyncio.Event()
        self.closed = False

    @property
    def codec(self) -> Codec:
        return SQLITE3

    async def write(self, writes: Sequence[Write]) -> Sequence[bool]:
        self.began.set()
        await self.let.wait()
        self.batches.append([write.application_id for write in writes])
        if self.failures:
            raise self.failures.pop(0)
        if self.refused & {write.application_id for write in writes}:
            raise OverflowError("a number that no column holds")
        return [self.answers] * len(writes)

    async def close(self) -> None:
        self.closed = True


@pytest.fixture
def writer() -> FakeWriter:
    return FakeWriter()


@pytest.fixture
async def commits(writer: FakeWriter) -> AsyncIterator[GroupCommit]:
    opened = GroupCommit(writer, CommitPace(minimum_gap_seconds=0.0, maximum_waiting=3))
    yield opened
    writer.let.set()
    await opened.close()


async def begun(commits: GroupCommit, writer: FakeWriter, *writes: OrderWrite) -> list[asyncio.Task[bool]]:
    """The calls, after the first batch is on its way to the database."""
    writer.let.clear()
    writer.began.clear()
    tasks = [asyncio.ensure_future(commits.commit(write)) for write in writes]
    await writer.began.wait()
    return tasks


async def test_calls_of_one_moment_share_a_commit(commits: GroupCommit, writer: FakeWriter) -> None:
    assert await asyncio.gather(*(commits.commit(new(name)) for name in "abc")) == [True] * 3
    assert writer.batches == [["a", "b", "c"]]


async def test_calls_that_come_during_a_commit_share_the_next(commits: GroupCommit, writer: FakeWriter) -> None:
    first = await begun(commits, writer, new("a"))
    later = [asyncio.ensure_future(commits.commit(new(name))) for name in "bc"]
    await asyncio.sleep(0)
    writer.let.set()
    await asyncio.gather(*first, *later)
    assert writer.batches == [["a"], ["b", "c"]]


async def test_calls_within_the_minimum_gap_share_a_commit(writer: FakeWriter) -> None:
    commits = GroupCommit(writer, CommitPace(minimum_gap_seconds=0.3))
    await commits.commit(new("a"))
    calls = []
    for name in "bcd":
        calls.append(asyncio.ensure_future(commits.commit(new(name))))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
    await asyncio.gather(*calls)
    assert writer.batches == [["a"], ["b", "c", "d"]]
    await commits.close()


async def test_nobody_is_answered_before_the_commit(commits: GroupCommit, writer: FakeWriter) -> None:
    [call] = await begun(commits, writer, new("a"))
    await asyncio.sleep(0)
    assert not call.done()
    writer.let.set()
    assert await call


async def test_a_failed_commit_fails_every_call_of_its_batch_and_no_other(
    commits: GroupCommit, writer: FakeWriter
) -> None:
    full = sqlite3.OperationalError("database or disk is full")
    full.sqlite_errorcode = sqlite3.SQLITE_FULL
    writer.failures = [full]
    answers = await asyncio.gather(*(commits.commit(new(name)) for name in "ab"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [Unavailable, Unavailable]
    assert "disk is full" in str(answers[0])
    assert await commits.commit(new("c"))


async def test_a_write_that_the_database_refuses_fails_alone(commits: GroupCommit, writer: FakeWriter) -> None:
    writer.refused = {"b"}
    answers = await asyncio.gather(*(commits.commit(new(name)) for name in "abc"), return_exceptions=True)
    assert [type(answer) for answer in answers] == [bool, OverflowError, bool]


async def test_many_writes_of_one_call_share_a_commit_and_each_has_its_answer(
    commits: GroupCommit, writer: FakeWriter
) -> None:
    assert await commits.commit_all([new(name) for name in "abc"]) == [True] * 3
    assert writer.batches == [["a", "b", "c"]]
    writer.refused = {"e"}
    answers = await commits.commit_all([new(name) for name in "def"])
    assert [type(answer) for answer in answers] == [bool, OverflowError, bool]


async def test_of_many_writes_that_do_not_all_find_room_none_is_taken(commits: GroupCommit, writer: FakeWriter) -> None:
    answers = await commits.commit_all([new(name) for name in "abcd"])
    assert [type(answer) for answer in answers] == [Exhausted] * 4
    assert writer.batches == []


async def test_a_caller_that_gives_up_many_writes_leaves_them_as_they_are(
    commits: GroupCommit, writer: FakeWriter
) -> None:
    writer.let.clear()
    call = asyncio.ensure_future(commits.commit_all([new(name) for name in "abc"]))
    await writer.began.wait()
    call.cancel()
    await asyncio.wait([call])
    writer.let.set()
    assert await commits.commit(new("d"))
    assert writer.batches == [["a", "b", "c"], ["d"]]


async def test_the_victim_of_a_deadlock_is_repeated(commits: GroupCommit, writer: FakeWriter) -> None:
    writer.failures = [_deadlock()]
    assert await commits.commit(new("a"))
    assert writer.batches == [["a"], ["a"]]


async def test_a_lasting_deadlock_is_told(commits: GroupCommit, writer: FakeWriter) -> None:
    writer.failures = [_deadlock() for _ in range(3)]
    with pytest.raises(ConcurrentChange):
        await commits.commit(new("a"))
    assert len(writer.batches) == 3


async def test_two_changes_of_one_order_do_not_share_a_commit(commits: GroupCommit, writer: FakeWriter) -> None:
    await asyncio.gather(*(commits.commit(w) for w in (change("a", 1), change("a", 2), change("b", 1))))
    assert writer.batches == [["a", "b"], ["a"]]


async def test_more_calls_than_may_wait_are_refused(commits: GroupCommit, writer: FakeWriter) -> None:
    first = await begun(commits, writer, new("a"))
    waiting = [asyncio.ensure_future(commits.commit(new(name))) for name in "bcd"]
    await asyncio.sleep(0)
    assert commits.waiting == 3
    with pytest.raises(Exhausted):
        await commits.commit(new("e"))
    writer.let.set()
    assert await asyncio.gather(*first, *waiting) == [True] * 4


async def test_a_caller_that_gives_up_does_not_disturb_the_others(commits: GroupCommit, writer: FakeWriter) -> None:
    gone, stays = await begun(commits, writer, new("a"), new("b"))
    gone.cancel()
    await asyncio.sleep(0)
    writer.let.set()
    assert await stays
    assert gone.cancelled()
    assert writer.batches == [["a", "b"]]


async def test_closing_commits_what_waits_and_refuses_the_rest(writer: FakeWriter) -> None:
    commits = GroupCommit(writer, CommitPace(minimum_gap_seconds=60.0))
    await commits.commit(new("a"))
    waiting = asyncio.ensure_future(commits.commit(new("b")))
    await asyncio.sleep(0)
    closing = asyncio.ensure_future(commits.close())
    await asyncio.sleep(0)
    with pytest.raises(Unavailable):
        await commits.commit(new("c"))
    await closing
    assert await waiting
    assert writer.batches == [["a"], ["b"]]
    assert writer.closed


async def test_the_answer_is_the_databases(commits: GroupCommit, writer: FakeWriter) -> None:
    writer.answers = False
    assert not await commits.commit(new("a"))


class _Deadlock(Exception):
    sqlstate = "40P01"


def _deadlock() -> Exception:
    return _Deadlock("deadlock detected")


async def in_turn(commits: GroupCommit, application_id: str) -> bool:
    await commits.turn()
    return await commits.commit(new(application_id))


async def test_those_who_wait_for_their_turn_share_the_next_commit(commits: GroupCommit, writer: FakeWriter) -> None:
    writer.let.clear()
    first = asyncio.create_task(in_turn(commits, "a"))
    await writer.began.wait()
    others = [asyncio.create_task(in_turn(commits, name)) for name in "bcd"]
    await asyncio.sleep(0)
    others[1].cancel()
    writer.let.set()
    assert await first
    assert list(await asyncio.gather(others[0], others[2])) == [True, True]
    assert writer.batches == [["a"], ["b", "d"]]


async def test_a_turn_that_is_not_used_commits_nothing(commits: GroupCommit, writer: FakeWriter) -> None:
    await asyncio.gather(commits.turn(), commits.turn())
    assert await in_turn(commits, "a")
    assert writer.batches == [["a"]]


async def test_when_the_store_closes_the_turn_comes_at_once(writer: FakeWriter) -> None:
    commits = GroupCommit(writer, CommitPace(minimum_gap_seconds=60))
    assert await in_turn(commits, "a")
    waiting = asyncio.create_task(in_turn(commits, "b"))
    await asyncio.sleep(0)
    await commits.close()
    with pytest.raises(Unavailable):
        await waiting
    with pytest.raises(Unavailable):
        await in_turn(commits, "c")
    assert writer.batches == [["a"]]
