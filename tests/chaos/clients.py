"""The callers: they repeat, double, contradict, give up, and remember everything that they were told."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Self

import grpc

from sluice.client import AsyncSluice, errors
from sluice.routing.v1 import application_pb2, routing_pb2
from tests.chaos.teams import Team
from tests.support.books import Acknowledged
from tests.support.house import application

CALL_SECONDS = 4.0
HANDS = 48
"""Applications under way at once."""
ATTEMPTS = 12
CALLS_ITSELF, GIVES_UP, ROUTES_FIRST, DOUBLES, CONTRADICTS = 0.15, 0.2, 0.2, 0.1, 0.05
"""Part of the callers that call the insurer themselves (``teams``). Of the others: that never repeat; that have it
routed, and call Submit later; that send twice at the same time; that send other content under the same id
afterwards."""
TEAM_TRIES = 4
"""How often a team takes an application up again at once; the rest when all is over."""
BATCH = 4
"""Applications of a caller who has many routed at once, by RouteBatch or RouteStream. The others of a batch are
submitted when all is over."""
LINES = ("screen", "accident", "warranty")


PASSING = {
    code.value[0]: code
    for code in (
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
    )
}
"""By number, as the result of one application of a batch has it."""
Call = Callable[[AsyncSluice, Sequence[application_pb2.Application]], Awaitable[bool]]


class Clients:
    """``orders`` applications, repeatable from the seed except for their timing."""

    def __init__(
        self, addresses: Sequence[str], insurers: Mapping[str, str], *, seed: int, orders: int, per_second: float
    ) -> None:
        """``addresses``: of the servers; ``insurers``: base URLs of the insurers' interfaces, by insurer_id."""
        self.acknowledged = Acknowledged()
        self.sent = 0
        """Callers that have come; the others of their batches are not counted."""
        self.batched = 0
        """The others of their batches."""
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
        self.team = Team(insurers, self.acknowledged)
        self._unfinished: list[application_pb2.Application] = []
        """The team's."""

    async def __aenter__(self) -> Self:
        # A client's own retries would hide what a caller sees; these callers repeat by themselves.
        quick = (("grpc.enable_retries", 0), ("grpc.max_reconnect_backoff_ms", 500))
        for address in self._addresses:
            self._stubs.append(
                await self._open.enter_async_context(AsyncSluice(address, actor="callers", options=quick))
            )
        await self._open.enter_async_context(self.team)
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
            await self._attempts(self._submit, [asked], ATTEMPTS, random.Random(self._seed))

    async def finish_teams(self, seconds: float) -> None:
        """Teams go on with what they have not brought to its end, as long as that takes, or until the time is over."""
        with contextlib.suppress(TimeoutError):  # what is left over then shows in the books
            async with asyncio.timeout(seconds):
                while self._unfinished:
                    asked = self._unfinished.pop(0)
                    if not await self._bring(asked, random.Random(self._seed)):
                        self._unfinished.append(asked)
                        await asyncio.sleep(0.2)

    async def _bring(self, asked: application_pb2.Application, draw: random.Random) -> bool:
        return await self.team.bring(
            asked, lambda call: self._attempts(lambda client, _: call(client), [asked], ATTEMPTS, draw)
        )

    async def _bring_soon(self, asked: application_pb2.Application, draw: random.Random) -> None:
        for _ in range(TEAM_TRIES):
            if await self._bring(asked, draw):
                return
            await asyncio.sleep(draw.uniform(0.2, 1.0))
        self._unfinished.append(asked)

    async def _caller(self, number: int) -> None:
        draw = random.Random(f"{self._seed}/{number}")
        asked = application(
            number,
            prefix=self._prefix,
            premium_minor=draw.randint(1_000, 90_000),
            product_line=draw.choice(LINES),
        )
        if draw.random() < CALLS_ITSELF:
            await self._bring_soon(asked, draw)
            return
        attempts = 1 if draw.random() < GIVES_UP else ATTEMPTS
        routes_first, doubles, contradicts = (draw.random() < part for part in (ROUTES_FIRST, DOUBLES, CONTRADICTS))
        if routes_first:
            routed = [asked, *self._others(number, draw)]
            self._unsubmitted |= {each.application_id: each for each in routed}
            call = self._route if len(routed) == 1 else draw.choice((self._route_batch, self._route_stream))
            await self._attempts(call, routed, attempts, draw)
        calls = [
            self._attempts(self._submit, [asked], attempts, random.Random(draw.random())) for _ in range(1 + doubles)
        ]
        answered = await asyncio.gather(*calls)
        if any(answered):
            self._unsubmitted.pop(asked.application_id, None)
            if contradicts:
                await self._contradict(asked)

    async def _attempts(
        self, call: Call, asked: Sequence[application_pb2.Application], attempts: int, draw: random.Random
    ) -> bool:
        """Repeats at one server or the other while the failure is one that may pass; whether it was answered."""
        server = draw.randrange(len(self._stubs))
        for attempt in range(attempts):
            try:
                if await call(self._stubs[(server + attempt) % len(self._stubs)], asked):
                    return True
            except errors.SluiceError as failed:
                if failed.code not in PASSING.values():
                    # Nothing that these callers ask for is wrong: the campaign reports it.
                    self.errors[f"UNEXPECTED {failed}"] += 1
                    return False
                self.errors[f"{failed.code.name} {failed.reason}".strip()] += 1
            if attempt + 1 < attempts:
                await asyncio.sleep(draw.uniform(0.2, 1.0) * min(attempt + 1, 4))
        return False

    def _others(self, number: int, draw: random.Random) -> list[application_pb2.Application]:
        """Those that a caller has routed together with its own: half of the callers none."""
        if draw.random() < 0.5:
            return []
        self.batched += BATCH - 1
        return [
            application(number, prefix=f"{self._prefix}-with-{place}", product_line=draw.choice(LINES))
            for place in range(1, BATCH)
        ]

    async def _route(self, client: AsyncSluice, asked: Sequence[application_pb2.Application]) -> bool:
        (own,) = asked
        answer = await client.routing.Route(routing_pb2.RouteRequest(application=own), timeout=CALL_SECONDS)
        self.acknowledged.routed(answer.decision)
        return True

    async def _route_batch(self, client: AsyncSluice, asked: Sequence[application_pb2.Application]) -> bool:
        request = routing_pb2.RouteBatchRequest(applications=asked)
        return self._routed((await client.routing.RouteBatch(request, timeout=CALL_SECONDS)).results)

    async def _route_stream(self, client: AsyncSluice, asked: Sequence[application_pb2.Application]) -> bool:
        chunk = routing_pb2.RouteStreamRequest(chunk_id=1, applications=asked)
        (answer,) = [each async for each in client.routing.RouteStream(iter([chunk]), timeout=CALL_SECONDS)]
        return self._routed(answer.results)

    def _routed(self, results: Iterable[routing_pb2.RouteResult]) -> bool:
        """Notes each that was decided, and how the others failed; whether all were decided."""
        failures = []
        for result in results:
            if result.HasField("response"):
                self.acknowledged.routed(result.response.decision)
            else:
                failures.append(result.failure)
        for failure in failures:
            passing = PASSING.get(failure.code)
            text = f"UNEXPECTED {failure.code} {failure.message}" if passing is None else passing.name
            self.errors[f"{text} {failure.reason}".strip()] += 1
        return not failures

    async def _submit(self, client: AsyncSluice, asked: Sequence[application_pb2.Application]) -> bool:
        (own,) = asked
        answer = await client.routing.Submit(routing_pb2.SubmitRequest(application=own), timeout=CALL_SECONDS)
        self.acknowledged.submitted(answer.order)
        return True

    async def _contradict(self, asked: application_pb2.Application) -> None:
        other = application_pb2.Application()
        other.CopyFrom(asked)
        other.premium.amount_minor += 1
        try:
            await self._submit(self._stubs[0], [other])
        except errors.SluiceError:
            return  # ALREADY_EXISTS, or not reached
        self.contradictions_accepted.append(asked.application_id)
