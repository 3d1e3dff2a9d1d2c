"""The server with one safety bug planted: ``python -m tests.chaos.faulty FAULT``. Proves that the proof can fail.

Each fault takes the place of a part in the composition root, in this process alone; the product has no switch for it.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from sluice_server.domain.orders.calls import InsurerCalls
from sluice_server.domain.orders.model import Order, Outcome
from sluice_server.domain.orders.ports import (
    AdapterDirectory,
    DecisionLog,
    InsurerAdapter,
    SubmissionRequest,
    SubmissionResult,
)
from sluice_server.runtime import compose
from sluice_server.runtime.lifecycle import run
from sluice_server.runtime.settings import load_settings
from sluice_server.store import sql_store
from sluice_server.store.group_commit import CommitPace, GroupCommit
from sluice_server.store.order_write import OrderWriter

CALL_AHEAD_SECONDS = 0.4
"""How long after its beginning a call's submission is written."""
LATE_SECONDS = 5.0
"""How long after its acknowledgement a write is committed."""


class _UnknownIsFailure:
    """An adapter that takes "may have been insured" for "has not been insured": the order goes to somebody else."""

    def __init__(self, adapter: InsurerAdapter) -> None:
        self._adapter = adapter

    async def submit(self, request: SubmissionRequest) -> Any:
        result = await self._adapter.submit(request)
        unknown = isinstance(result, SubmissionResult) and result.outcome is Outcome.UNKNOWN
        return SubmissionResult(Outcome.TECHNICAL_FAILURE, "TAKEN_FOR_FAILED") if unknown else result

    async def inquire(self, request: SubmissionRequest) -> Any:
        return await self._adapter.inquire(request)


class _FreshKeys:
    """An adapter whose every call has a key of its own, so that the insurer cannot tell a repeat."""

    def __init__(self, adapter: InsurerAdapter) -> None:
        self._adapter = adapter

    async def submit(self, request: SubmissionRequest) -> Any:
        return await self._adapter.submit(replace(request, idempotency_key=uuid.uuid4().hex))

    async def inquire(self, request: SubmissionRequest) -> Any:
        return await self._adapter.inquire(replace(request, idempotency_key=uuid.uuid4().hex))


class _LateLog:
    """A decision log that lets a call begin before its submission is written: a kill in between leaves a policy that
    nobody knows of."""

    def __init__(self, log: DecisionLog) -> None:
        self._log = log
        self._late: dict[str, asyncio.Task[Order]] = {}

    async def record(self, order: Any) -> Order:
        if not isinstance(order, Order) or not order.submissions:
            return await self._log.record(order)

        async def write() -> Order:
            await asyncio.sleep(CALL_AHEAD_SECONDS)
            return await self._log.record(order)

        self._late[order.application_id] = asyncio.create_task(write())
        return order

    async def save(self, order: Order) -> None:
        late = self._late.pop(order.application_id, None)
        if late is not None:
            await late
        await self._log.save(order)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)


class _Directory:
    """The adapters, each wrapped in a faulty one."""

    def __init__(self, adapters: AdapterDirectory, wrap: Callable[[InsurerAdapter], InsurerAdapter]) -> None:
        self._adapters = adapters
        self._wrap = wrap

    def get(self, insurer_id: str) -> InsurerAdapter:
        return self._wrap(self._adapters.get(insurer_id))


def _calls(
    *,
    adapter: Callable[[InsurerAdapter], InsurerAdapter] = lambda adapter: adapter,
    log: Callable[[DecisionLog], Any] = lambda log: log,
) -> type[InsurerCalls]:
    """The product's InsurerCalls over faulty ports."""

    class FaultyCalls(InsurerCalls):
        def __init__(self, **parts: Any) -> None:
            faulty = {"adapters": _Directory(parts["adapters"], adapter), "log": log(parts["log"])}
            super().__init__(**{**parts, **faulty})

    return FaultyCalls


class AcknowledgesBeforeCommit(GroupCommit):
    """Answers at once and commits later: a kill in between loses what was acknowledged."""

    def __init__(self, writer: OrderWriter, pace: CommitPace) -> None:
        super().__init__(writer, replace(pace, minimum_gap_seconds=LATE_SECONDS))
        self._late: set[asyncio.Future[bool]] = set()

    async def commit(self, write: Any) -> bool:
        late = asyncio.ensure_future(super().commit(write))
        self._late.add(late)
        late.add_done_callback(self._late.discard)
        return True


def _put(module: Any, name: str, part: type) -> Callable[[], None]:
    return lambda: setattr(module, name, part)


FAULTS: Mapping[str, Callable[[], None]] = {
    "none": lambda: None,
    "call-before-write": _put(compose, "InsurerCalls", _calls(log=_LateLog)),
    "re-route-unknown": _put(compose, "InsurerCalls", _calls(adapter=_UnknownIsFailure)),
    "no-idempotency-key": _put(compose, "InsurerCalls", _calls(adapter=_FreshKeys)),
    "acknowledge-before-commit": _put(sql_store, "GroupCommit", AcknowledgesBeforeCommit),
}

if __name__ == "__main__":
    FAULTS[sys.argv[1]]()
    run(compose.build, load_settings())
