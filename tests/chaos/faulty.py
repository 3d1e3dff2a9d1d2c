"""The server with one safety bug planted: ``python -m tests.chaos.faulty FAULT``. Proves that the proof can fail.

Each fault takes the place of a part in the composition root, in this process alone; the product has no switch for it.
"""

from __future__ import annotations

import asyncio
import sys
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from sluice_server.domain.orders import calls
from sluice_server.domain.orders.calls import InsurerCalls
from sluice_server.domain.orders.model import Order, Outcome, SubmissionKind
from sluice_server.domain.orders.ports import AdapterDirectory, InsurerAdapter, SubmissionRequest, SubmissionResult
from sluice_server.runtime import compose
from sluice_server.runtime.lifecycle import run
from sluice_server.runtime.settings import load_settings
from sluice_server.store import sql_store
from sluice_server.store.group_commit import CommitPace, GroupCommit
from sluice_server.store.order_write import OrderWrite, OrderWriter

LATE_SECONDS = 5.0
"""How long after its acknowledgement a write is committed."""


class CallsBeforeWrite(InsurerCalls):
    """Calls the insurer first and writes afterwards: a kill in between leaves a policy that nobody knows of."""

    async def _submit_new(self, adapter: InsurerAdapter, order: Order, deadline: datetime) -> Order:
        changed, submission = self._begun(order, SubmissionKind.SUBMIT, deadline)
        result = await self._answer(adapter.submit(calls._request(changed, submission, deadline)), deadline)
        recorded = await self._log.record(changed)
        if recorded.decisions[0].decision_id != order.decision.decision_id:
            return recorded
        return await self._record(recorded, submission.submission_id, result or SubmissionResult(Outcome.UNKNOWN))


class UnknownIsFailure(InsurerCalls):
    """Takes "may have been insured" for "has not been insured": the order goes to somebody else."""

    async def _record(self, order: Order, submission_id: str, result: SubmissionResult) -> Order:
        if result.outcome is Outcome.UNKNOWN:
            result = replace(result, outcome=Outcome.TECHNICAL_FAILURE)
        return await super()._record(order, submission_id, result)


class _FreshKeys:
    """An adapter's every call has a key of its own, so that the insurer cannot tell a repeat."""

    def __init__(self, adapter: InsurerAdapter) -> None:
        self._adapter = adapter

    async def submit(self, request: SubmissionRequest) -> SubmissionResult:
        return await self._adapter.submit(replace(request, idempotency_key=uuid.uuid4().hex))

    async def inquire(self, request: SubmissionRequest) -> SubmissionResult | None:
        return await self._adapter.inquire(replace(request, idempotency_key=uuid.uuid4().hex))


class _KeylessDirectory:
    def __init__(self, adapters: AdapterDirectory) -> None:
        self._adapters = adapters

    def get(self, insurer_id: str) -> InsurerAdapter:
        return _FreshKeys(self._adapters.get(insurer_id))


class WithoutIdempotencyKey(InsurerCalls):
    """Sends no key that means anything."""

    def __init__(self, *, adapters: AdapterDirectory, **parts: Any) -> None:
        super().__init__(adapters=_KeylessDirectory(adapters), **parts)


class AcknowledgesBeforeCommit(GroupCommit):
    """Answers at once and commits later: a kill in between loses what was acknowledged."""

    def __init__(self, writer: OrderWriter, pace: CommitPace) -> None:
        super().__init__(writer, replace(pace, minimum_gap_seconds=LATE_SECONDS))
        self._late: set[asyncio.Task[bool]] = set()

    async def commit(self, write: OrderWrite) -> bool:
        late = asyncio.create_task(super().commit(write))
        self._late.add(late)
        late.add_done_callback(self._late.discard)
        return True


def _put(module: Any, name: str, part: type) -> Callable[[], None]:
    return lambda: setattr(module, name, part)


FAULTS: Mapping[str, Callable[[], None]] = {
    "none": lambda: None,
    "call-before-write": _put(compose, "InsurerCalls", CallsBeforeWrite),
    "re-route-unknown": _put(compose, "InsurerCalls", UnknownIsFailure),
    "no-idempotency-key": _put(compose, "InsurerCalls", WithoutIdempotencyKey),
    "acknowledge-before-commit": _put(sql_store, "GroupCommit", AcknowledgesBeforeCommit),
}

if __name__ == "__main__":
    FAULTS[sys.argv[1]]()
    run(compose.build, load_settings())
