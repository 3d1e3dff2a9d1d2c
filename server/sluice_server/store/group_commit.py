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
from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True, slots=True)
class _Waiting:
    write: Write
    done: asyncio.Future[bool]


class GroupCommit:
    """Gathers writes and commits them together. Belongs to one event loop."""

    def __init__(self, writer: OrderWriter, pace: CommitPace) -> None:
        self._writer = writer
        self._pace = pace
        self._loop = asyncio.get_running_loop()
        self._waiting: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._closing = asyncio.Event()
        self._task = self._loop.create_task(self._run(), name="group-commit")

    @property
    def waiting(self) -> int:
        """Writes that no commit has taken yet."""
        return len(self._waiting)

    async def commit(self, write: Write) -> bool:
        """Durable when it returns; see ``OrderWriter.write`` for the answer. A caller that is cancelled meanwhile
        leaves the write as it is. Raises Unavailable and, when too many wait, Exhausted."""
        self._admit(1)
        return await self._enqueue(write)

    async def commit_all(self, writes: Sequence[Write]) -> Sequence[bool | Exception]:
        """Many of one caller: for each what ``commit`` answers or raises. All are taken or none."""
        try:
            self._admit(len(writes))
        except SluiceError as error:
            return [error] * len(writes)
        answers: list[bool | Exception] = []
        waiting = [self._enqueue(write) for write in writes]
        try:
            # One after the other costs one wake-up for each commit; to wait for all at once, one for each write.
            for done in waiting:
                try:
                    answers.append(await done)
                except Exception as error:  # noqa: BLE001 - told in its place
                    answers.append(error)
        finally:
            for done in waiting[len(answers) :]:
                done.cancel()
        return answers

    def _admit(self, count: int) -> None:
        if self._closing.is_set():
            raise Unavailable("the store is closing; repeat the call at another replica")
        if self._task.done():
            raise RuntimeError("the group commit has ended") from self._task.exception()
        if len(self._waiting) + count > self._pace.maximum_waiting:
            raise Exhausted(f"{self._pace.maximum_waiting} writes wait for the database; repeat later")

    def _enqueue(self, write: Write) -> asyncio.Future[bool]:
        done: asyncio.Future[bool] = self._loop.create_future()
        self._waiting.append(_Waiting(write, done))
        self._arrived.set()
        return done

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
                while self._waiting:
                    await self._gather_until(not_before)
                    not_before = self._loop.time() + self._pace.minimum_gap_seconds
                    await self._commit(self._take())
                if self._closing.is_set():
                    return
        finally:
            while self._waiting:
                _fail(self._waiting.popleft(), Unavailable("the store has ended; repeat the call"))

    async def _gather_until(self, moment: float) -> None:
        """Until then more may come; a store that closes does not wait for them."""
        # Also without a gap the calls that are ready now get their turn first, and into this batch.
        await asyncio.sleep(0)
        gap = moment - self._loop.time()
        if gap > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(gap):
                    await self._closing.wait()

    def _take(self) -> list[_Waiting]:
        """The next batch: an order has one change in it at most, a second one waits for the next batch."""
        batch: list[_Waiting] = []
        changed: set[str] = set()
        later: list[_Waiting] = []
        while self._waiting and len(batch) < _ROWS_OF_A_BATCH:
            waiting = self._waiting.popleft()
            if not waiting.write.new:
                if waiting.write.application_id in changed:
                    later.append(waiting)
                    continue
                changed.add(waiting.write.application_id)
            batch.append(waiting)
        self._waiting.extendleft(reversed(later))
        return batch

    async def _commit(self, batch: Sequence[_Waiting]) -> None:
        """Tells every call of the batch what became of it, whatever happens."""
        for attempt in range(1, _REPEATS + 1):
            try:
                answers = await self._writer.write([waiting.write for waiting in batch])
            except Exception as error:  # noqa: BLE001 - every kind of error belongs to the calls that wait
                known = meaning(error)
                if isinstance(known, ConcurrentChange) and attempt < _REPEATS:
                    continue
                if known is None and len(batch) > 1:
                    # One write that the database refuses must not fail the others.
                    for waiting in batch:
                        await self._commit([waiting])
                    return
                for waiting in batch:
                    _fail(waiting, meaning(error) or error)
                return
            except BaseException:
                for waiting in batch:
                    _fail(waiting, Unavailable("the store has ended; repeat the call"))
                raise
            break
        for waiting, answer in zip(batch, answers, strict=True):
            if not waiting.done.done():
                waiting.done.set_result(answer)


def _fail(waiting: _Waiting, error: BaseException) -> None:
    if not waiting.done.done():
        waiting.done.set_exception(error)
