"""One HTTP call to an insurer: filled in, authorised, signed, sent; a failure is a result that says what is certain."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any, Protocol
from urllib.parse import quote, urlsplit

import aiohttp
import orjson
from yarl import URL

from sluice_server.domain.context import Clock
from sluice_server.domain.orders.model import Outcome
from sluice_server.domain.orders.ports import SubmissionResult
from sluice_server.domain.tracing import Span, SpanKind, Tracer
from sluice_server.insurers.answers import Answer
from sluice_server.insurers.body import read_body
from sluice_server.insurers.configuration import HeaderValue, HttpInsurer, SecretHeader
from sluice_server.insurers.oauth import TokenSource, TokenUnavailable
from sluice_server.insurers.template import BodyTemplate, MissingValue, Template

_NOTHING_SENT_YET = SubmissionResult(Outcome.TECHNICAL_FAILURE, "DEADLINE_BEFORE_SEND", "no time was left to call")
# An insurer that closes idle connections does it after this at the earliest, mostly; a call on a connection that was
# just closed would be UNKNOWN for nothing.
_KEEP_IDLE_CONNECTIONS_SECONDS = 15.0


class CallShape(Protocol):
    """What is known of one kind of call."""

    @property
    def method(self) -> str: ...
    @property
    def path(self) -> Template: ...
    @property
    def headers(self) -> Mapping[str, HeaderValue]: ...
    @property
    def body(self) -> BodyTemplate | None: ...
    @property
    def timeout_seconds(self) -> float: ...


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


class HttpTransport:
    """Calls one insurer. Nothing that the insurer or the network does is raised; a cancelled call is cancelled."""

    def __init__(self, configuration: HttpInsurer, *, clock: Clock, tracer: Tracer) -> None:
        self._insurer = configuration
        self._clock = clock
        self._tracer = tracer
        self._session: aiohttp.ClientSession | None = None
        credentials = configuration.oauth2
        self._tokens = (
            None if credentials is None else TokenSource(credentials, clock=clock, session=self._open_session)
        )

    async def call(
        self,
        name: str,
        shape: CallShape,
        request: object,
        *,
        left_seconds: float,
        endpoint: str = "",
        idempotency_key: str = "",
    ) -> Answer | SubmissionResult:
        """The insurer's answer, or what it means that there is none. ``name``: of the span; ``request``: what the
        templates name; ``left_seconds``: until the caller's deadline."""
        if left_seconds <= 0:
            return _NOTHING_SENT_YET
        insurer = self._insurer
        if endpoint and endpoint not in insurer.endpoints:
            return SubmissionResult(
                Outcome.TECHNICAL_FAILURE, "ENDPOINT_NOT_CONFIGURED", f"the insurer has no endpoint {endpoint!r}"
            )
        base = insurer.endpoints[endpoint] if endpoint else insurer.base_url
        attributes = {"sluice.insurer_id": insurer.insurer_id, "http.request.method": shape.method}
        with self._tracer.span(name, kind=SpanKind.CLIENT, attributes=attributes) as span:
            prepared = self._prepare(shape, request, base)
            if isinstance(prepared, SubmissionResult):
                span.fail(prepared.error_code)
                return prepared
            loop = asyncio.get_running_loop()
            end = loop.time() + min(left_seconds, shape.timeout_seconds)
            answer, token = await self._authorised(shape, prepared, base, idempotency_key, end, span)
            if token and isinstance(answer, Answer) and answer.status == 401 and self._tokens is not None:
                # Revoked before its time. Nothing was insured, and the repeat has the same key: once, with a new token.
                self._tokens.refused(token)
                answer, _ = await self._authorised(shape, prepared, base, idempotency_key, end, span)
            return answer

    async def close(self) -> None:
        """Closes the connections; calls under way fail."""
        if self._tokens is not None:
            await self._tokens.close()
        if self._session is not None:
            await self._session.close()

    def _prepare(self, shape: CallShape, request: object, base: str) -> _Call | SubmissionResult:
        insurer = self._insurer
        try:
            path = shape.path.text(request, lambda value: quote(value, safe=""))
            body = None if shape.body is None else orjson.dumps(shape.body.value(request))
            headers = {
                header: value.text() if isinstance(value, SecretHeader) else value.text(request)
                for header, value in (*insurer.headers.items(), *shape.headers.items())
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
        return _Call(base + path, body, headers)

    async def _authorised(
        self, shape: CallShape, call: _Call, base: str, idempotency_key: str, end: float, span: Span
    ) -> tuple[Answer | SubmissionResult, str]:
        """The answer to a call with a token and a signature, and the token."""
        headers, token = dict(call.headers), ""
        if self._tokens is not None:
            try:
                async with asyncio.timeout_at(end):
                    token = await self._tokens.token()
            except TokenUnavailable as error:
                span.fail(error.code)
                return SubmissionResult(Outcome.TECHNICAL_FAILURE, error.code, str(error)), ""
            except TimeoutError:
                span.fail("TOKEN_TIMEOUT")
                return SubmissionResult(Outcome.TECHNICAL_FAILURE, "TOKEN_TIMEOUT", "no token in time"), ""
            headers["Authorization"] = f"Bearer {token}"
        if self._insurer.signing is not None:
            headers |= self._insurer.signing.headers(
                method=shape.method,
                path=urlsplit(base).path + call.url.removeprefix(base),
                body=call.body or b"",
                idempotency_key=idempotency_key,
                at=self._clock.now(),
            )
        ready = replace(call, headers={**headers, **self._tracer.headers()})
        left = end - asyncio.get_running_loop().time()
        if left <= 0:
            return _NOTHING_SENT_YET, token
        return await self._send(shape.method, ready, left, span), token

    async def _send(self, method: str, call: _Call, timeout_seconds: float, span: Span) -> Answer | SubmissionResult:
        progress = _Progress()
        url = URL(call.url, encoded=True)
        span.set_attribute("server.address", url.host or "")
        try:
            async with self._open_session().request(
                method,
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
                content = await read_body(response, self._insurer.largest_answer_bytes)
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


# A request for a token has no progress that anybody asks for.


async def _on_queued(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
    if isinstance(context.trace_request_ctx, _Progress):
        context.trace_request_ctx.waited_for_a_connection = True


async def _on_dequeued(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
    if isinstance(context.trace_request_ctx, _Progress):
        context.trace_request_ctx.waited_for_a_connection = False


async def _on_connected(_: aiohttp.ClientSession, context: SimpleNamespace, __: Any) -> None:
    if isinstance(context.trace_request_ctx, _Progress):
        context.trace_request_ctx.connected = True
