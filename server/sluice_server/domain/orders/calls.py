"""Calls to insurers: written before they are made, finished whatever becomes of the caller, recorded."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Any

from sluice_server.domain.context import Clock
from sluice_server.domain.errors import ConcurrentChange, InsurerNotConfigured, OrderNotFound, SluiceError, Unavailable
from sluice_server.domain.orders.failures import followed_up
from sluice_server.domain.orders.history import accepted, begun, concluded, inquired, insured_elsewhere, stored
from sluice_server.domain.orders.incidents import OpenIncidents
from sluice_server.domain.orders.model import Order, OrderState, Outcome, Submission, SubmissionKind
from sluice_server.domain.orders.ports import (
    AdapterDirectory,
    DecisionLog,
    InsurerAdapter,
    SubmissionPending,
    SubmissionRequest,
    SubmissionResult,
)
from sluice_server.domain.orders.timing import OrderTiming
from sluice_server.domain.routing.model import Binding
from sluice_server.domain.tracing import AttributeValue, Tracer, Untraced
from sluice_server.domain.unit_of_work import Store

log = logging.getLogger(__name__)

RECORD_ATTEMPTS = 8
"""How often recording an outcome is tried (0.1, 0.2, 0.4 … seconds apart) before reconciliation has to find it out."""


class NotDecidedYet(Exception):
    """The insurer says that it has the request and will decide later."""

    def __init__(self, pending: SubmissionPending) -> None:
        super().__init__("the insurer has not decided yet")
        self.pending = pending


class InsurerCalls:
    """Submissions and inquiries. One instance for each process.

    ``notify`` is called after each recorded outcome (the breaker's watch looks at once then).
    """

    def __init__(
        self,
        *,
        adapters: AdapterDirectory,
        log: DecisionLog,
        store: Store,
        clock: Clock,
        timing: OrderTiming,
        notify: Callable[[], None] = lambda: None,
        tracer: Tracer | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._adapters = adapters
        self._log = log
        self._store = store
        self._clock = clock
        self._timing = timing
        self._notify = notify
        self._tracer = tracer or Untraced()
        self._sleep = sleep
        self._under_way: dict[str, asyncio.Task[Order]] = {}
        self._keys: dict[str, str] = {}
        self._incidents = OpenIncidents(store, timing)
        self._tasks: set[asyncio.Task[Order]] = set()

    def under_way(self, application_id: str) -> asyncio.Task[Order] | None:
        """The call that this process is making for the application."""
        return self._under_way.get(application_id)

    def application_of(self, key: str) -> str:
        """The application that this process is submitting with an idempotency key; empty when it submits none."""
        return self._keys.get(key, "")

    async def drain(self) -> None:
        """Waits until the calls under way are recorded; before the store is closed."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def submit_new(self, order: Order, *, deadline: datetime) -> Order:
        """Stores a freshly decided order and its first submission in one commit and calls the insurer, as ``submit``
        does; or returns the order that is stored under the application_id already, and calls nobody.

        Raises InsurerNotConfigured (the order is stored all the same, to be tried again).
        """
        try:
            adapter = self._adapters.get(order.decision.insurer_id)
        except InsurerNotConfigured:
            recorded = await self._log.record(order)
            if recorded.decisions[0].decision_id != order.decision.decision_id:
                return recorded
            raise
        return await self._shielded(order, self._submit_new(adapter, order, deadline))

    async def submit(self, order: Order, kind: SubmissionKind, *, deadline: datetime) -> Order:
        """Calls the insurer in charge by ``deadline`` at the latest and returns the order with the recorded outcome.

        The submission is durable before the call. A caller that is cancelled does not stop the call: its outcome is
        recorded all the same. Raises InsurerNotConfigured, ConcurrentChange and OrderStateRefused before anything was
        sent; Unavailable when the store did not answer (reconciliation then finds out what came of it).
        """
        adapter = self._adapters.get(order.decision.insurer_id)
        return await self._shielded(order, self._submit(adapter, order, kind, deadline))

    async def _shielded(self, order: Order, call: Coroutine[Any, Any, Order]) -> Order:
        task = asyncio.create_task(call, name=f"submit {order.application_id}")
        self._tasks.add(task)
        self._under_way[order.application_id] = task
        task.add_done_callback(lambda ended: self._ended(order.application_id, ended))
        return await asyncio.shield(task)

    async def inquire(self, order: Order) -> Order | None:
        """Asks the insurer of the unsettled submissions what it knows, and records what it says.

        The order as it stands then: INSURED, REJECTED, or ABNORMAL without unsettled submissions when nothing is known
        there (believed only after the quiet time, else as before). None when the inquiry itself failed. Raises
        NotDecidedYet, InsurerNotConfigured, ConcurrentChange.
        """
        result, request_of = await self.ask(order)
        if isinstance(result, SubmissionPending):
            raise NotDecidedYet(result)
        if result is not None and result.outcome is Outcome.UNKNOWN:
            return None
        now = self._clock.now()
        if result is None and now < self._timing.quiet_until(order):
            return order
        changed = inquired(order, request_of.insurer_id, result, now=now)
        await self._log.save(changed)
        self._notify()
        return stored(changed)

    async def poll(self, order: Order) -> Order | SubmissionPending | None:
        """Asks the insurer that has accepted the order for later, and records what it has decided.

        The order as it stands then; SubmissionPending when it has not decided; None when it does not know the request
        (yet) or could not be asked. Raises InsurerNotConfigured, ConcurrentChange.
        """
        result, submission = await self.ask(order)
        if isinstance(result, SubmissionPending):
            return result
        if result is None or result.outcome is Outcome.UNKNOWN:
            return None
        return await self._record(order, submission.submission_id, result)

    async def ask(self, order: Order) -> tuple[SubmissionResult | SubmissionPending | None, Submission]:
        """An inquiry for the last unsettled submission, not recorded; the result as ``InsurerAdapter.inquire`` says."""
        submission = order.unsettled[-1]
        adapter = self._adapters.get(submission.insurer_id)
        now = self._clock.now()
        deadline = self._timing.call_deadline(now, None) or now
        request = _request(order, submission, deadline)
        with self._tracer.span("insurer.inquire", attributes=_attributes(submission)):
            return await self._answer(adapter.inquire(request), deadline), submission

    async def confirm(self, order: Order, insurer_id: str) -> SubmissionResult | SubmissionPending | None:
        """What the insurer knows of an order, as ``InsurerAdapter.inquire`` says; nothing is recorded. Raises
        InsurerNotConfigured."""
        submission = next(s for s in reversed(order.submissions) if s.insurer_id == insurer_id)
        adapter = self._adapters.get(insurer_id)
        now = self._clock.now()
        deadline = self._timing.call_deadline(now, None) or now
        with self._tracer.span("insurer.inquire", attributes=_attributes(submission)):
            return await self._answer(adapter.inquire(_request(order, submission, deadline)), deadline)

    async def _submit(self, adapter: InsurerAdapter, order: Order, kind: SubmissionKind, deadline: datetime) -> Order:
        changed, submission = self._begun(order, kind, deadline)
        with self._tracer.span("order.record"):
            await self._log.save(changed)
        with self._known_by_key(submission):
            return await self._call(adapter, stored(changed), submission)

    async def _submit_new(self, adapter: InsurerAdapter, order: Order, deadline: datetime) -> Order:
        changed, submission = self._begun(order, SubmissionKind.SUBMIT, deadline)
        with self._tracer.span("order.record"):
            recorded = await self._log.record(changed)
        if recorded.decisions[0].decision_id != order.decision.decision_id:
            return recorded
        with self._known_by_key(submission):
            return await self._call(adapter, recorded, submission)

    def _begun(self, order: Order, kind: SubmissionKind, deadline: datetime) -> tuple[Order, Submission]:
        changed, submission = begun(order, kind, deadline=deadline, now=self._clock.now())
        return replace(changed, next_attempt_at=self._timing.overdue_at(deadline)), submission

    async def _call(self, adapter: InsurerAdapter, order: Order, submission: Submission) -> Order:
        deadline = submission.deadline
        with self._tracer.span("insurer.submit", attributes=_attributes(submission)) as span:
            answer = await self._answer(adapter.submit(_request(order, submission, deadline)), deadline)
            result = answer or SubmissionResult(Outcome.UNKNOWN, "ADAPTER_ERROR", "the adapter answered nothing")
            if isinstance(result, SubmissionPending):
                span.set_attribute("sluice.outcome", "PENDING")
            else:
                span.set_attribute("sluice.outcome", result.outcome.value)
                if result.outcome in (Outcome.TECHNICAL_FAILURE, Outcome.UNKNOWN):
                    span.fail(result.outcome.value)
        return await self._record(order, submission.submission_id, result)

    @contextmanager
    def _known_by_key(self, submission: Submission) -> Iterator[None]:
        self._keys[submission.idempotency_key] = submission.application_id
        try:
            yield
        finally:
            self._keys.pop(submission.idempotency_key, None)

    async def _answer(
        self, call: Awaitable[SubmissionResult | SubmissionPending | None], deadline: datetime
    ) -> SubmissionResult | SubmissionPending | None:
        """What the adapter answers. It should keep the deadline and never raise; if it does not, nobody knows."""
        left = (deadline - self._clock.now()).total_seconds() + self._timing.overdue_seconds / 2
        try:
            async with asyncio.timeout(max(left, 0.0)):
                return await call
        except TimeoutError:
            return SubmissionResult(Outcome.UNKNOWN, "TIMEOUT", "the insurer did not answer in time")
        except Exception:  # an adapter's defect must not lose the order: what it did is unknown
            log.exception("insurer adapter raised")
            return SubmissionResult(Outcome.UNKNOWN, "ADAPTER_ERROR", "the adapter failed; see the log")

    async def _record(self, order: Order, submission_id: str, result: SubmissionResult | SubmissionPending) -> Order:
        for attempt in range(RECORD_ATTEMPTS):
            try:
                return await self._record_once(order if attempt == 0 else None, order, submission_id, result)
            except ConcurrentChange:
                continue  # somebody took it for lost, or attached it to an incident: read it again
            except Unavailable:
                if attempt == RECORD_ATTEMPTS - 1:
                    raise
                await self._sleep(0.1 * 2.0**attempt)
        raise ConcurrentChange(f"order {order.application_id!r} changes too fast to record its outcome")

    async def _record_once(
        self, known: Order | None, order: Order, submission_id: str, result: SubmissionResult | SubmissionPending
    ) -> Order:
        if isinstance(result, SubmissionPending):
            return await self._accept(known, order, submission_id, result)
        if known is not None:
            now = self._clock.now()
            changed = concluded(known, submission_id, result, now=now)
            if not insured_elsewhere(changed, submission_id):
                # Nothing else changes with it, so it shares a commit: an outage fails hundreds of orders a second.
                if changed.state is OrderState.ABNORMAL:
                    changed = await self._incidents.joined(changed, now)
                await self._log.save(changed)
                self._notify()
                return stored(changed)
        async with self._store.write() as uow:
            current = known or await uow.orders.get(order.application_id)
            if current is None:
                raise OrderNotFound(order.application_id)
            if any(s.submission_id == submission_id and s.outcome is not None for s in current.submissions):
                return current  # an earlier attempt was committed although the store's answer was lost
            now = self._clock.now()
            changed = concluded(current, submission_id, result, now=now)
            changed = await followed_up(uow, changed, submission_id, timing=self._timing, now=now)
            await uow.orders.save(changed)
            await uow.commit()
        self._notify()
        return stored(changed)

    async def _accept(self, known: Order | None, order: Order, submission_id: str, pending: SubmissionPending) -> Order:
        current = known
        if current is None:
            async with self._store.read() as uow:
                current = await uow.orders.get(order.application_id)
            if current is None:
                raise OrderNotFound(order.application_id)
        changed = accepted(current, submission_id, pending, now=self._clock.now())
        if changed is current:
            return current  # a callback was faster than the answer that announced it
        await self._log.save(changed)
        return stored(changed)

    def _ended(self, application_id: str, task: asyncio.Task[Order]) -> None:
        self._tasks.discard(task)
        if self._under_way.get(application_id) is task:
            del self._under_way[application_id]
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not isinstance(error, SluiceError):
            log.error("call to an insurer ended in a defect", exc_info=error)


def _request(order: Order, submission: Submission, deadline: datetime) -> SubmissionRequest:
    binding = next((d.binding for d in reversed(order.decisions) if d.insurer_id == submission.insurer_id), None)
    return SubmissionRequest(
        application=order.application,
        binding=binding or Binding(insurer_product_code=""),
        idempotency_key=submission.idempotency_key,
        deadline=deadline,
        reference=submission.reference,
    )


def _attributes(submission: Submission) -> dict[str, AttributeValue]:
    return {
        "sluice.insurer_id": submission.insurer_id,
        "sluice.product_line": submission.product_line,
        "sluice.submission_number": submission.number,
        "sluice.submission_kind": submission.kind.value,
    }
