"""The callers: they repeat, double, contradict, give up, and remember everything that they were told."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

from sluice.client import AsyncSluice, errors
from sluice.routing.v1 import application_pb2, routing_pb2
from tests.support.books import Acknowledged
from tests.support.house import application

CALL_SECONDS = 4.0
HANDS = 48
"""Applications under way at once."""
ATTEMPTS = 12
GIVES_UP, ROUTES_FIRST, DOUBLES, CONTRADICTS = 0.2, 0.15, 0.1, 0.05
"""Part of the callers that never repeat; that call Route, and Submit later; that send twice at the same time; that send
other content under the same id afterwards."""


PASSING = (
    errors.Unavailable,
    errors.DeadlineExceeded,
    errors.Cancelled,
    errors.Aborted,
    errors.ResourceExhausted,
)
Call = Callable[[AsyncSluice, application_pb2.Application], Awaitable[None]]


class Clients:
    """``orders`` applications, repeatable from the seed except for their timing."""

    def __init__(self, addresses: Sequence[str], *, seed: int, orders: int, per_second: float) -> None:
        self.acknowledged = Acknowledged()
        self.sent = 0
        self.errors: Counter[str] = Counter()
        self.contradictions_accepted: list[str] = []
        """application_ids under which other content was accepted: a defect."""
        self._prefix = f"chaos-{seed}"
        self._seed = seed
        self._orders = orders
        self._interval = 1.0 / per_second
        self._addresses = addresses
        self._stubs: list[AsyncSluice] = []
        self._open = AsyncExitStack()
        self._advanced = asyncio.Condition()
        self._unsubmitted: dict[str, application_pb2.Application] = {}

    async def __aenter__(self) -> Self:
        # A client's own retries would hide what a caller sees; these callers repeat by themselves.
        quick = (("grpc.enable_retries", 0), ("grpc.max_reconnect_backoff_ms", 500))
        for address in self._addresses:
            self._stubs.append(await self._open.enter_async_context(AsyncSluice(address, options=quick)))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def run(self) -> None:
        """Sends all of them at a steady rate, slower where the answers are slow."""
        hands = asyncio.Semaphore(HANDS)
        loop = asyncio.get_running_loop()
        due = loop.time()

        async def one(number: int) -> None:
            try:
                await self._caller(number)
            finally:
                hands.release()

        async with asyncio.TaskGroup() as group:
            for number in range(1, self._orders + 1):
                await hands.acquire()
                group.create_task(one(number))
                async with self._advanced:
                    self.sent = number
                    self._advanced.notify_all()
                due = max(due + self._interval, loop.time())
                await asyncio.sleep(due - loop.time())

    async def until_sent(self, count: int) -> None:
        """Waits until so many applications have been sent, or all."""
        async with self._advanced:
            await self._advanced.wait_for(lambda: self.sent >= min(count, self._orders))

    async def finish_routed(self) -> None:
        """Those who have only routed so far submit now. Everything works again by then."""
        for asked in self._unsubmitted.values():
            await self._attempts(self._submit, asked, ATTEMPTS, random.Random(self._seed))

    async def _caller(self, number: int) -> None:
        draw = random.Random(f"{self._seed}/{number}")
        asked = application(
            number,
            prefix=self._prefix,
            premium_minor=draw.randint(1_000, 90_000),
            product_line=draw.choice(("screen", "accident")),
        )
        attempts = 1 if draw.random() < GIVES_UP else ATTEMPTS
        routes_first, doubles, contradicts = (draw.random() < part for part in (ROUTES_FIRST, DOUBLES, CONTRADICTS))
        if routes_first:
            self._unsubmitted[asked.application_id] = asked
            await self._attempts(self._route, asked, attempts, draw)
        calls = [
            self._attempts(self._submit, asked, attempts, random.Random(draw.random())) for _ in range(1 + doubles)
        ]
        answered = await asyncio.gather(*calls)
        if any(answered):
            self._unsubmitted.pop(asked.application_id, None)
            if contradicts:
                await self._contradict(asked)

    async def _attempts(
        self, call: Call, asked: application_pb2.Application, attempts: int, draw: random.Random
    ) -> bool:
        """Repeats at one server or the other while the failure is one that may pass; whether it was answered."""
        server = draw.randrange(len(self._stubs))
        for attempt in range(attempts):
            try:
                await call(self._stubs[(server + attempt) % len(self._stubs)], asked)
                return True
            except PASSING as failed:
                self.errors[f"{failed.code.name} {failed.reason}".strip()] += 1
            except errors.SluiceError as failed:
                # Nothing that these callers ask for is wrong: the campaign reports it.
                self.errors[f"UNEXPECTED {failed}"] += 1
                return False
            if attempt + 1 < attempts:
                await asyncio.sleep(draw.uniform(0.2, 1.0) * min(attempt + 1, 4))
        return False

    async def _route(self, client: AsyncSluice, asked: application_pb2.Application) -> None:
        answer = await client.routing.Route(routing_pb2.RouteRequest(application=asked), timeout=CALL_SECONDS)
        self.acknowledged.routed(answer.decision)

    async def _submit(self, client: AsyncSluice, asked: application_pb2.Application) -> None:
        answer = await client.routing.Submit(routing_pb2.SubmitRequest(application=asked), timeout=CALL_SECONDS)
        self.acknowledged.submitted(answer.order)

    async def _contradict(self, asked: application_pb2.Application) -> None:
        other = application_pb2.Application()
        other.CopyFrom(asked)
        other.premium.amount_minor += 1
        try:
            await self._submit(self._stubs[0], other)
        except errors.SluiceError:
            return  # ALREADY_EXISTS, or not reached
        self.contradictions_accepted.append(asked.application_id)
