"""The hot path to the disk: many calls, one commit.

A commit for each row costs as much as the whole call around it, and in a busy server a writer that commits as fast as
it can finds only a handful of rows waiting each time. So commits are paced: the first after a pause is made at once,
the next not before a minimum gap, and whatever has gathered goes into it. The event loop owns the list of what waits;
the writer takes a batch and reports once for all of it, so that no wake-up is lost and each batch wakes the loop once.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sluice_server.domain.errors import ConcurrentChange, Exhausted, SluiceError, Unavailable
from sluice_server.store.faults import meaning
from sluice_server.store.order_write import OrderWriter, Write

_ROWS_OF_A_BATCH = 4_000
_REPEATS = 3
"""How often a batch that the database chose as the victim of a deadlock is repeated."""


@dataclass(frozen=True, slots=True)
class CommitPace:
    """The settings of the group commit."""

    minimum_gap_seconds: float = 0.004
    """From the beginning of one commit to the next at least. More gives larger batches, hence more throughput and more
    latency."""
    maximum_waiting: int = 20_000
    """Writes that wait; more are refused with Exhausted."""


class _Waiting(NamedTuple):
    """What one caller waits for."""

    writes: Sequence[Write]
    alone: asyncio.Future[bool] | None
    """Of a single write."""
    together: asyncio.Future[Sequence[bool | Exception]] | None
    """Of many."""

    def tell(self, answers: Sequence[bool | Exception]) -> None:
        """To a caller that still waits: for each write what ``OrderWriter.write`` answers, or what became of it."""
        if self.together is not None:
            if not self.together.done():
                self.together.set_result(answers)
        elif self.alone is not None and not self.alone.done():
            (answer,) = answers
            if isinstance(answer, Exception):
                self.alone.set_exception(answer)
            else:
                self.alone.set_result(answer)

    def fail(self, error: Exception) -> None:
        """Tells the same of all its writes."""
        self.tell([error] * len(self.writes))


class GroupCommit:
    """Gathers writes and commits them together. Belongs to one event loop."""

    def __init__(self, writer: OrderWriter, pace: CommitPace) -> None:
        self._writer = writer
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Waiting] = deque()
        self._turns: list[asyncio.Future[None]] = []
        self._count = 0
        self._arrived = asyncio.Event()
        self._closing = asyncio.Event()
        self._task = self._loop.create_task(self._run(), name="group-commit")

    @property
    def waiting(self) -> int:
        """Writes that no commit has taken yet."""
        return self._count

    def turn(self) -> Awaitable[None]:
        """Comes right before a batch is taken, for all that wait for it at once: whoever makes its write then is in
        that batch. One after the other they find their code and data in the processor's caches, which a call by itself,
        between others' work on sockets, does not: it takes several times as long."""
        turn: asyncio.Future[None] = self._loop.create_future()
        if self._closing.is_set() or self._task.done():
            turn.set_result(None)  # to be told by ``commit``
        else:
            self._turns.append(turn)
            self._arrived.set()
        return turn

    def commit(self, write: Write) -> Awaitable[bool]:
        """Durable when it has been awaited; see ``OrderWriter.write`` for the answer. A caller that is cancelled
        meanwhile leaves the write as it is. Raises Unavailable and, when too many wait, Exhausted."""
        self._admit(1)
        done: asyncio.Future[bool] = self._loop.create_future()
        self._enqueue(_Waiting((write,), done, None))
        return done

    async def commit_all(self, writes: Sequence[Write]) -> Sequence[bool | Exception]:
        """Many new orders of one caller: for each what ``commit`` answers or raises. All are taken or none, into the
        same commit."""
        if not writes:
            return []
        try:
            self._admit(len(writes))
        except SluiceError as error:
            return [error] * len(writes)
        done: asyncio.Future[Sequence[bool | Exception]] = self._loop.create_future()
        self._enqueue(_Waiting(writes, None, done))
        return await done

    def _admit(self, count: int) -> None:
        if self._closing.is_set():
            raise Unavailable("the store is closing; repeat the call at another replica")
        if self._task.done():
            raise RuntimeError("the group commit has ended") from self._task.exception()
        if self._count + count > self._pace.maximum_waiting:
            raise Exhausted(f"{self._pace.maximum_waiting} writes wait for the database; repeat later")

    def _enqueue(self, waiting: _Waiting) -> None:
        self._waiting.append(waiting)
        if not self._count:
            self._arrived.set()
        self._count += len(waiting.writes)

    async def close(self) -> None:
        """Takes no more writes, commits those that wait, ends the connection."""
        self._closing.set()
        self._arrived.set()
        try:
            await self._task
        finally:
            await self._writer.close()

    async def _run(self) -> None:
        not_before = 0.0
        try:
            while True:
                await self._arrived.wait()
                self._arrived.clear()
                while self._waiting or self._turns:
                    await self._gather_until(not_before)
                    await self._give_turns()
                    if self._waiting:
                        not_before = self._loop.time() + self._pace.minimum_gap_seconds
                        await self._commit(self._take())
                if self._closing.is_set():
                    return
        finally:
            self._count = 0
            self._open()
            while self._waiting:
                self._waiting.popleft().fail(Unavailable("the store has ended; repeat the call"))

    async def _gather_until(self, moment: float) -> None:
        """Until then more may come; a store that closes does not wait for them."""
        # Also without a gap the calls that are ready now get their turn first, and into this batch.
        await asyncio.sleep(0)
        gap = moment - self._loop.time()
        if gap > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(gap):
                    await self._closing.wait()

    async def _give_turns(self) -> None:
        if self._turns:
            self._open()
            await asyncio.sleep(0)  # they are all before us in the loop's queue

    def _open(self) -> None:
        turns, self._turns = self._turns, []
        for turn in turns:
            if not turn.done():
                turn.set_result(None)

    def _take(self) -> list[_Waiting]:
        """The next batch: an order has one change in it at most, a second one waits for the next batch."""
        batch: list[_Waiting] = []
        rows = 0
        changed: set[str] = set()
        later: list[_Waiting] = []
        while self._waiting and rows < _ROWS_OF_A_BATCH:
            waiting = self._waiting.popleft()
            writes = waiting.writes
            if not writes[0].new:
                if writes[0].application_id in changed:
                    later.append(waiting)
                    continue
                changed.add(writes[0].application_id)
            rows += len(writes)
            batch.append(waiting)
        self._count -= rows
        self._waiting.extendleft(reversed(later))
        return batch

    async def _commit(self, batch: Sequence[_Waiting]) -> None:
        """Tells every call of the batch what became of it, whatever happens."""
        try:
            answers = await self._written([write for waiting in batch for write in waiting.writes])
        except BaseException:
            for waiting in batch:
                waiting.fail(Unavailable("the store has ended; repeat the call"))
            raise
        place = 0
        for waiting in batch:
            end = place + len(waiting.writes)
            waiting.tell(answers[place:end])
            place = end

    async def _written(self, writes: Sequence[Write]) -> Sequence[bool | Exception]:
        """For each what the writer answers, or what its caller is to get instead."""
        for attempt in range(1, _REPEATS + 1):
            try:
                return await self._writer.write(writes)
            except Exception as error:  # noqa: BLE001 - every kind of error belongs to the calls that wait
                known = meaning(error)
                if isinstance(known, ConcurrentChange) and attempt < _REPEATS:
                    continue
                if known is None and len(writes) > 1:
                    # One write that the database refuses must not fail the others.
                    return [answer for write in writes for answer in await self._written([write])]
                return [meaning(error) or error for _ in writes]
        raise AssertionError("the last attempt returns")
