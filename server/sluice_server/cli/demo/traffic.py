"""The load: applications through Submit at a steady rate, as a seller's front end would send them."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from sluice.client import AsyncSluice, SluiceError
from sluice.routing.v1 import application_pb2, order_pb2, routing_pb2

SHARE_WINDOW_SECONDS = 5.0


@dataclass
class Tally:
    """What the callers saw."""

    sent: int = 0
    acknowledged: dict[str, str] = field(default_factory=dict)
    """State of the order in the answer, by application_id."""
    errors: Counter[str] = field(default_factory=Counter)
    """Calls that ended in an error, by reason: not acknowledged."""
    recent: deque[tuple[float, str]] = field(default_factory=deque)
    """Time and insurer of the latest answers."""
    slowest_seconds: float = 0.0

    def shares(self) -> dict[str, float]:
        """Each insurer's part of the answers of the last seconds, 0 to 1."""
        horizon = time.monotonic() - SHARE_WINDOW_SECONDS
        while self.recent and self.recent[0][0] < horizon:
            self.recent.popleft()
        counted = Counter(insurer for _, insurer in self.recent)
        return {insurer: count / len(self.recent) for insurer, count in counted.items()}

    def states(self) -> Counter[str]:
        """How many callers were answered with each state."""
        return Counter(self.acknowledged.values())


class Traffic:
    """Sends applications until it is stopped; ``paused`` holds it."""

    def __init__(
        self, client: AsyncSluice, source: Iterator[application_pb2.Application], *, per_second: float
    ) -> None:
        self.tally = Tally()
        self._client = client
        self._source = source
        self._interval = 1.0 / per_second
        self._calls: set[asyncio.Task[None]] = set()
        self._sender: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to send."""
        self._sender = asyncio.create_task(self._send(), name="demo traffic")

    async def stop(self) -> None:
        """Sends no more and waits for the calls under way."""
        if self._sender is not None:
            self._sender.cancel()
            with suppress(asyncio.CancelledError):
                await self._sender
        if self._calls:
            await asyncio.gather(*self._calls)

    async def _send(self) -> None:
        due = time.monotonic()
        for application in self._source:
            call = asyncio.create_task(self._submit(application))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            due += self._interval
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    async def _submit(self, application: application_pb2.Application) -> None:
        self.tally.sent += 1
        began = time.monotonic()
        try:
            answer = await self._client.routing.Submit(routing_pb2.SubmitRequest(application=application))
        except SluiceError as error:
            self.tally.errors[error.reason] += 1
            return
        now = time.monotonic()
        self.tally.slowest_seconds = max(self.tally.slowest_seconds, now - began)
        order = answer.order
        state = order_pb2.OrderState.Name(order.state).removeprefix("ORDER_STATE_")
        self.tally.acknowledged[application.application_id] = state
        insurer = order.decisions[-1].insurer_id if order.decisions else ""
        self.tally.recent.append((now, insurer or "(none)"))
