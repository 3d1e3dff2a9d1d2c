"""The generic adapter: any insurer with an HTTP/JSON interface, by configuration alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote, urlsplit

import aiohttp
import orjson
from yarl import URL

from sluice_server.domain.context import Clock
from sluice_server.domain.orders.model import Outcome
from sluice_server.domain.orders.ports import SubmissionRequest, SubmissionResult
from sluice_server.domain.tracing import Span, SpanKind, Tracer
from sluice_server.insurers.answers import Answer
from sluice_server.insurers.configuration import HttpInsurer, Operation, SecretHeader
from sluice_server.insurers.template import MissingValue

_NOTHING_SENT_YET = SubmissionResult(Outcome.TECHNICAL_FAILURE, "DEADLINE_BEFORE_SEND", "no time was left to call")
# An insurer that closes idle connections does it after this at the earliest, mostly; a call on a connection that was
# just closed would be UNKNOWN for nothing.
_KEEP_IDLE_CONNECTIONS_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class _Call:
    """A request, filled in and ready."""

    url: str
    body: bytes | None
    headers: Mapping[str, str]


class _Progress:
    """How far a call came: from the moment it has a connection, something may have been sent."""

    def __init__(self) -> None:
        self.connected = False
        self.waited_for_a_connection = False


class HttpInsurerAdapter:
    """Speaks to one insurer as its configuration says. Implements the domain's InsurerAdapter.

    Nothing that the insurer or the network does is raised; it becomes a result. A cancelled call is cancelled.
    """

    def __init__(self, configuration: HttpInsurer, *, clock: Clock, tracer: Tracer) -> None:
        self._insurer = configuration
        self._clock = clock
        self._tracer = tracer
        self._session: aiohttp.ClientSession | None = None

    async def submit(self, request: SubmissionRequest) -> SubmissionResult:
        answer = await self._call("insurer.submit", self._insurer.submit, request)
        return answer if isinstance(answer, SubmissionResult) else self._insurer.submit.mapping.submission(answer)

    async def inquire(self, request: SubmissionRequest) -> SubmissionResult | None:
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

    async def close(self) -> None:
        """Closes the connections; calls under way fail."""
        if self._session is not None:
            await self._session.close()

    async def _call(self, name: str, operation: Operation, request: SubmissionRequest) -> Answer | SubmissionResult:
        left = (request.deadline - self._clock.now()).total_seconds()
        if left <= 0:
            return _NOTHING_SENT_YET
        attributes = {"sluice.insurer_id": self._insurer.insurer_id, "http.request.method": operation.method}
        with self._tracer.span(name, kind=SpanKind.CLIENT, attributes=attributes) as span:
            prepared = self._prepare(operation, request)
            if isinstance(prepared, SubmissionResult):
                span.fail(prepared.error_code)
                return prepared
            return await self._send(operation, prepared, min(left, operation.timeout_seconds), span)

    def _prepare(self, operation: Operation, request: SubmissionRequest) -> _Call | SubmissionResult:
        insurer = self._insurer
        endpoint = request.binding.endpoint
        if endpoint and endpoint not in insurer.endpoints:
            return SubmissionResult(
                Outcome.TECHNICAL_FAILURE, "ENDPOINT_NOT_CONFIGURED", f"the insurer has no endpoint {endpoint!r}"
            )
        base = insurer.endpoints[endpoint] if endpoint else insurer.base_url
        try:
            path = operation.path.text(request, lambda value: quote(value, safe=""))
            body = None if operation.body is None else orjson.dumps(operation.body.value(request))
            headers = {
                header: value.text() if isinstance(value, SecretHeader) else value.text(request)
                for header, value in (*insurer.headers.items(), *operation.headers.items())
            }
        except MissingValue as error:
            return SubmissionResult(Outcome.CALLER_FAULT, "VALUE_MISSING", str(error))
        for header, text in headers.items():
            if not (text.isascii() and text.isprintable()):
                return SubmissionResult(
                    Outcome.CALLER_FAULT, "VALUE_UNFIT", f"the header {header} cannot carry its value"
                )
        if body is not None:
            headers.setdefault("Content-Type", "application/json")
        headers.setdefault("Accept", "application/json")
        if insurer.signing is not None:
            headers |= insurer.signing.headers(
                method=operation.method,
                path=urlsplit(base).path + path,
                body=body or b"",
                idempotency_key=request.idempotency_key,
                at=self._clock.now(),
            )
        return _Call(base + path, body, {**headers, **self._tracer.headers()})

    async def _send(
        self, operation: Operation, call: _Call, timeout_seconds: float, span: Span
    ) -> Answer | SubmissionResult:
        progress = _Progress()
        url = URL(call.url, encoded=True)
        span.set_attribute("server.address", url.host or "")
        try:
            async with self._open_session().request(
                operation.method,
                url,
                data=call.body,
                headers=call.headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=timeout_seconds, sock_connect=min(timeout_seconds, self._insurer.connect_timeout_seconds)
                ),
                trace_request_ctx=progress,
            ) as response:
                span.set_attribute("http.response.status_code", response.status)
                content = await _read(response, self._insurer.largest_answer_bytes)
                if content is None:
                    span.fail("ANSWER_TOO_LARGE")
                    return SubmissionResult(Outcome.UNKNOWN, "ANSWER_TOO_LARGE", "the answer is longer than allowed")
                if response.status >= 400:
                    span.fail(str(response.status))
                return _parse(response.status, content)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            result = _failure(error, progress)
            span.fail(result.error_code)
            return result

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            traces = aiohttp.TraceConfig()
            traces.on_connection_queued_start.append(_on_queued)
            traces.on_connection_create_start.append(_on_dequeued)
            traces.on_connection_create_end.append(_on_connected)
            traces.on_connection_reuseconn.append(_on_connected)
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=self._insurer.concurrency,
                    keepalive_timeout=_KEEP_IDLE_CONNECTIONS_SECONDS,
                    ssl=self._insurer.tls or True,
                ),
                # A cookie of one order must not travel with another.
                cookie_jar=aiohttp.DummyCookieJar(),
                auto_decompress=True,
                trace_configs=[traces],
            )
        return self._session


async def _read(response: aiohttp.ClientResponse, at_most: int) -> bytes | None:
    """The body; None when it is longer than allowed."""
    content = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        content += chunk
        if len(content) > at_most:
            return None
    return bytes(content)


def _parse(status: int, content: bytes) -> Answer | SubmissionResult:
    try:
        return Answer(status, orjson.loads(content) if content.strip() else None)
    except orjson.JSONDecodeError:
        if status < 400:
            return SubmissionResult(Outcome.UNKNOWN, "ANSWER_UNREADABLE", f"the answer {status} is no JSON")
        # Gateways answer errors in HTML: the status says enough.
        return Answer(status, None)


def _failure(error: Exception, progress: _Progress) -> SubmissionResult:
    """What a failed call means: certain only as long as nothing can have been sent."""
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return SubmissionResult(Outcome.TECHNICAL_FAILURE, "DNS", "the host's name leads nowhere")
    if isinstance(error, aiohttp.ClientSSLError):
        return SubmissionResult(Outcome.TECHNICAL_FAILURE, "TLS", "no trusted connection could be made")
    if isinstance(error, aiohttp.ClientConnectorError):
        refused = isinstance(error.os_error, ConnectionRefusedError)
        code = "CONNECTION_REFUSED" if refused else "CONNECTION_FAILED"
        return SubmissionResult(Outcome.TECHNICAL_FAILURE, code, "no connection could be made")
    timed_out = isinstance(error, TimeoutError)
    if not progress.connected:
        if not timed_out:
            return SubmissionResult(Outcome.TECHNICAL_FAILURE, "CONNECTION_FAILED", "no connection could be made")
        if progress.waited_for_a_connection:
            return SubmissionResult(Outcome.TECHNICAL_FAILURE, "NO_FREE_CONNECTION", "all connections were busy")
        return SubmissionResult(Outcome.TECHNICAL_FAILURE, "CONNECT_TIMEOUT", "no connection in time")
    if timed_out:
        return SubmissionResult(Outcome.UNKNOWN, "TIMEOUT", "no answer in time after sending")
    if isinstance(error, aiohttp.ClientPayloadError):
        return SubmissionResult(Outcome.UNKNOWN, "ANSWER_BROKEN", "the answer broke off")
    return SubmissionResult(Outcome.UNKNOWN, "CONNECTION_LOST", "the connection broke after sending")


async def _on_queued(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
    context.trace_request_ctx.waited_for_a_connection = True


async def _on_dequeued(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
    context.trace_request_ctx.waited_for_a_connection = False


async def _on_connected(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
    context.trace_request_ctx.connected = True
