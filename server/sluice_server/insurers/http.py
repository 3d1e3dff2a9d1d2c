"""The generic adapter: any insurer with an HTTP/JSON interface, by configuration alone."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import date, datetime

from sluice_server.domain.context import Clock
from sluice_server.domain.orders.model import Outcome
from sluice_server.domain.orders.ports import (
    ListedPolicy,
    PolicyDay,
    SubmissionPending,
    SubmissionRequest,
    SubmissionResult,
)
from sluice_server.domain.tracing import Tracer
from sluice_server.insurers.answers import Answer
from sluice_server.insurers.configuration import Callback, HttpInsurer, Operation
from sluice_server.insurers.policies import PolicyPages, policy_day
from sluice_server.insurers.transport import HttpTransport


class HttpInsurerAdapter:
    """Speaks to one insurer as its configuration says. Implements the domain's InsurerAdapter and PolicyLister.

    Nothing that the insurer or the network does is raised; it becomes a result. A cancelled call is cancelled.
    """

    def __init__(self, configuration: HttpInsurer, *, clock: Clock, tracer: Tracer) -> None:
        self._insurer = configuration
        self._clock = clock
        self._transport = HttpTransport(configuration, clock=clock, tracer=tracer)

    @property
    def callback(self) -> Callback | None:
        """How this insurer tells by itself what it has decided; None when it does not."""
        return self._insurer.callback

    @property
    def endpoints(self) -> frozenset[str]:
        """The endpoints that a binding may name."""
        return frozenset(self._insurer.endpoints)

    @property
    def needed_of_bindings(self) -> frozenset[str]:
        """What a binding must say: ``insurer_plan_code``, ``parameters.region``."""
        return self._insurer.needed_of_bindings()

    async def submit(self, request: SubmissionRequest) -> SubmissionResult | SubmissionPending:
        answer = await self._call("insurer.submit", self._insurer.submit, request)
        return answer if isinstance(answer, SubmissionResult) else self._insurer.submit.mapping.submission(answer)

    async def inquire(self, request: SubmissionRequest) -> SubmissionResult | SubmissionPending | None:
        operation = self._insurer.inquire
        if operation is None:
            return SubmissionResult(
                Outcome.UNKNOWN, "INQUIRY_NOT_CONFIGURED", "this insurer cannot be asked; a person must find out"
            )
        answer = await self._call("insurer.inquire", operation, request)
        if isinstance(answer, SubmissionResult):
            # That an inquiry failed says nothing about the submission that it is about.
            return SubmissionResult(Outcome.UNKNOWN, answer.error_code, answer.message)
        return operation.mapping.inquiry(answer)

    def policy_day(self, day: date | None, *, now: datetime) -> PolicyDay | None:
        shape = self._insurer.list
        return None if shape is None else policy_day(day, shape.time_zone, now=now)

    def policies(self, day: PolicyDay) -> AsyncIterator[Sequence[ListedPolicy]]:
        shape = self._insurer.list
        assert shape is not None, "policy_day has said that there is a list"
        return PolicyPages(self._insurer.insurer_id, shape, self._transport).of(day)

    async def close(self) -> None:
        """Closes the connections; calls under way fail."""
        await self._transport.close()

    async def _call(self, name: str, operation: Operation, request: SubmissionRequest) -> Answer | SubmissionResult:
        return await self._transport.call(
            name,
            operation,
            request,
            left_seconds=(request.deadline - self._clock.now()).total_seconds(),
            endpoint=request.binding.endpoint,
            idempotency_key=request.idempotency_key,
        )
