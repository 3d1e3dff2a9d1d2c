"""The generic adapter against real servers that answer, lie, hang, break and are not there."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from pathlib import Path

import pytest
from aiohttp import web
from ruamel.yaml import YAML

from sluice_server.domain.context import SystemClock
from sluice_server.domain.orders.model import Outcome
from sluice_server.domain.tracing import AttributeValue, Span, SpanKind, Tracer, Untraced
from sluice_server.insurers.directory import open_adapters
from sluice_server.insurers.http import HttpInsurerAdapter
from tests.support.submissions import decided, decided_or_nothing, submission_request

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RecordedSpan:
    def __init__(self, name: str, kind: SpanKind) -> None:
        self.name, self.kind = name, kind
        self.attributes: dict[str, AttributeValue] = {}
        self.failed = ""

    def set_attribute(self, name: str, value: AttributeValue) -> None:
        self.attributes[name] = value

    def fail(self, error_type: str, description: str = "") -> None:
        self.failed = error_type


class RecordingTracer:
    """A tracer whose spans can be read afterwards."""

    def __init__(self) -> None:
        self.spans: list[RecordedSpan] = []

    def span(
        self, name: str, *, kind: SpanKind = SpanKind.INTERNAL, attributes: Mapping[str, AttributeValue] | None = None
    ) -> AbstractContextManager[Span]:
        span = RecordedSpan(name, kind)
        span.attributes.update(attributes or {})
        self.spans.append(span)
        return nullcontext(span)

    def recording(self) -> bool:
        return True

    def headers(self) -> Mapping[str, str]:
        return {"traceparent": TRACEPARENT}


@asynccontextmanager
async def served(handler: Handler) -> AsyncIterator[str]:
    """Every request to a free port goes to the handler; gives the base URL."""
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", handler)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@asynccontextmanager
async def adapter(
    folder: Path, base_url: str, changes: Mapping[str, object] | None = None, tracer: Tracer | None = None
) -> AsyncIterator[HttpInsurerAdapter]:
    """An adapter built from a file, as the server builds it."""
    said = {"OK": "SUCCESS", "NO": "BUSINESS_REJECTION", "BUSY": "TECHNICAL_FAILURE"}
    insurer: dict[str, object] = {
        "base_url": base_url,
        "timeout_seconds": 5,
        "headers": {"X-Key": {"secret": "env:KEY"}},
        "submit": {
            "path": "/policies/{application.attributes.color}",
            "headers": {"Idempotency-Key": "{idempotency_key}"},
            "body": {"model": "{application.device.model_id}", "region": "{binding.parameters.region}"},
            "policy_number": "number",
            "error_code": "code",
            "message": "text",
            "outcomes": [{"status": "2xx", "path": "code", "table": said}],
        },
        "inquire": {
            "path": "/policies/{idempotency_key}",
            "outcomes": [
                {"status": 200, "path": "code", "table": {"OK": "SUCCESS", "NO": "BUSINESS_REJECTION"}},
                {"status": 404, "path": "code", "in": ["NONE"], "outcome": "NOT_FOUND"},
            ],
        },
        **(changes or {}),
    }
    file = folder / "insurers.yaml"
    with file.open("w") as stream:
        YAML().dump({"insurers": {"insurer-a": insurer}}, stream)
    adapters = open_adapters(file, environment={"KEY": "k-77"}, clock=SystemClock(), tracer=tracer or Untraced())
    try:
        found = adapters.get("insurer-a")
        assert isinstance(found, HttpInsurerAdapter)
        yield found
    finally:
        await adapters.close()


def answering(status: int, text: str, content_type: str = "application/json") -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(status=status, text=text, content_type=content_type)

    return handler


async def hanging(request: web.Request) -> web.StreamResponse:
    await asyncio.Event().wait()
    raise AssertionError("unreachable")


async def breaking(request: web.Request) -> web.StreamResponse:
    await request.read()
    assert request.transport is not None
    request.transport.abort()
    return web.Response()


async def breaking_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"Content-Length": "100"})
    await response.prepare(request)
    await response.write(b'{"code": "OK"')
    assert request.transport is not None
    request.transport.close()
    return response


@pytest.mark.parametrize(
    ("handler", "outcome", "code"),
    [
        (answering(201, '{"code": "OK", "number": "P-1"}'), Outcome.SUCCESS, ""),
        (answering(200, '{"code": "OK"}'), Outcome.UNKNOWN, "POLICY_NUMBER_MISSING"),
        (answering(200, '{"code": "NO"}'), Outcome.BUSINESS_REJECTION, "NO"),
        (answering(200, '{"code": "BUSY"}'), Outcome.TECHNICAL_FAILURE, "BUSY"),
        (answering(200, '{"code": "SYS", "text": "db"}'), Outcome.UNKNOWN, "SYS"),
        (answering(200, "<html>", "text/html"), Outcome.UNKNOWN, "ANSWER_UNREADABLE"),
        (answering(200, ""), Outcome.UNKNOWN, "HTTP_200"),
        (answering(204, ""), Outcome.UNKNOWN, "HTTP_204"),
        (answering(302, ""), Outcome.UNKNOWN, "HTTP_302"),
        (answering(400, '{"code": "FIELD"}'), Outcome.CALLER_FAULT, "FIELD"),
        (answering(409, ""), Outcome.UNKNOWN, "HTTP_409"),
        (answering(429, ""), Outcome.TECHNICAL_FAILURE, "HTTP_429"),
        (answering(500, "<html>", "text/html"), Outcome.UNKNOWN, "HTTP_500"),
        (answering(502, ""), Outcome.UNKNOWN, "HTTP_502"),
        (answering(503, "<html>", "text/html"), Outcome.TECHNICAL_FAILURE, "HTTP_503"),
        (answering(504, ""), Outcome.UNKNOWN, "HTTP_504"),
        (breaking, Outcome.UNKNOWN, "CONNECTION_LOST"),
        (breaking_off, Outcome.UNKNOWN, "ANSWER_BROKEN"),
        (answering(200, '{"code": "' + "x" * (1 << 20) + '"}'), Outcome.UNKNOWN, "ANSWER_TOO_LARGE"),
    ],
)
async def test_every_answer_has_one_outcome(tmp_path: Path, handler: Handler, outcome: Outcome, code: str) -> None:
    async with served(handler) as url, adapter(tmp_path, url) as insurer:
        result = decided(await insurer.submit(submission_request()))
        assert (result.outcome, result.error_code) == (outcome, code)
        assert result.policy_number == ("P-1" if outcome is Outcome.SUCCESS else "")


async def test_silence_after_sending_is_unknown(tmp_path: Path) -> None:
    async with served(hanging) as url, adapter(tmp_path, url, {"timeout_seconds": 0.2}) as insurer:
        result = decided(await insurer.submit(submission_request()))
        assert (result.outcome, result.error_code) == (Outcome.UNKNOWN, "TIMEOUT")


async def test_the_callers_deadline_is_kept(tmp_path: Path) -> None:
    async with served(hanging) as url, adapter(tmp_path, url, {"timeout_seconds": 300}) as insurer:
        async with asyncio.timeout(20):
            result = decided(await insurer.submit(submission_request(seconds=0.2)))
        assert (result.outcome, result.error_code) == (Outcome.UNKNOWN, "TIMEOUT")
        late = decided(await insurer.submit(submission_request(seconds=-1)))
        assert (late.outcome, late.error_code) == (Outcome.TECHNICAL_FAILURE, "DEADLINE_BEFORE_SEND")


async def test_a_refused_connection_is_a_certain_failure(tmp_path: Path) -> None:
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        async with adapter(tmp_path, f"http://127.0.0.1:{unheard.getsockname()[1]}") as insurer:
            result = decided(await insurer.submit(submission_request()))
            assert (result.outcome, result.error_code) == (Outcome.TECHNICAL_FAILURE, "CONNECTION_REFUSED")
            inquiry = decided_or_nothing(await insurer.inquire(submission_request()))
            assert inquiry is not None
            assert (inquiry.outcome, inquiry.error_code) == (Outcome.UNKNOWN, "CONNECTION_REFUSED")


async def test_a_name_that_leads_nowhere_is_a_certain_failure(tmp_path: Path) -> None:
    async with adapter(tmp_path, "https://insurer.invalid") as insurer:
        result = decided(await insurer.submit(submission_request()))
        assert (result.outcome, result.error_code) == (Outcome.TECHNICAL_FAILURE, "DNS")


async def test_a_server_without_tls_is_a_certain_failure(tmp_path: Path) -> None:
    async with served(answering(200, "{}")) as url:
        async with adapter(tmp_path, url.replace("http://", "https://")) as insurer:
            result = decided(await insurer.submit(submission_request()))
        assert (result.outcome, result.error_code) == (Outcome.TECHNICAL_FAILURE, "TLS")


async def test_no_connection_in_time_is_a_certain_failure(tmp_path: Path) -> None:
    with socket.socket() as full:
        # A full backlog: the kernel drops further connection requests.
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        with socket.create_connection(full.getsockname()):
            url = f"http://127.0.0.1:{full.getsockname()[1]}"
            async with adapter(tmp_path, url, {"connect_timeout_seconds": 0.3}) as insurer:
                result = decided(await insurer.submit(submission_request()))
                assert (result.outcome, result.error_code) == (Outcome.TECHNICAL_FAILURE, "CONNECT_TIMEOUT")


async def test_waiting_for_a_busy_connection_is_a_certain_failure(tmp_path: Path) -> None:
    reached = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        reached.set()
        return await hanging(request)

    async with served(handler) as url, adapter(tmp_path, url, {"timeout_seconds": 1.0, "concurrency": 1}) as insurer:
        first = asyncio.create_task(insurer.submit(submission_request()))
        await reached.wait()
        second = decided(await insurer.submit(submission_request(seconds=0.2)))
        assert decided(await first).error_code == "TIMEOUT"
        assert (second.outcome, second.error_code) == (Outcome.TECHNICAL_FAILURE, "NO_FREE_CONNECTION")


async def test_an_inquiry_says_what_is_known_and_nothing_only_by_rule(tmp_path: Path) -> None:
    outcomes: list[Outcome | None] = []
    for handler in (
        answering(200, '{"code": "OK", "number": "P-1"}'),
        answering(200, '{"code": "NO"}'),
        answering(404, '{"code": "NONE"}'),
        answering(404, "<html>no route</html>", "text/html"),
        answering(503, ""),
        answering(400, ""),
        breaking,
    ):
        async with served(handler) as url, adapter(tmp_path, url) as insurer:
            result = decided_or_nothing(await insurer.inquire(submission_request()))
            outcomes.append(result.outcome if result else None)
    assert outcomes == [Outcome.SUCCESS, Outcome.BUSINESS_REJECTION, None, *[Outcome.UNKNOWN] * 4]


async def test_an_insurer_that_cannot_be_asked_leaves_the_outcome_unknown(tmp_path: Path) -> None:
    async with adapter(tmp_path, "https://insurer.invalid", {"inquire": None}) as insurer:
        result = decided_or_nothing(await insurer.inquire(submission_request()))
        assert result is not None
        assert (result.outcome, result.error_code) == (Outcome.UNKNOWN, "INQUIRY_NOT_CONFIGURED")


async def test_the_request_is_filled_in_signed_and_traced(tmp_path: Path) -> None:
    seen: list[tuple[web.Request, bytes]] = []

    async def handler(request: web.Request) -> web.StreamResponse:
        seen.append((request, await request.read()))
        return web.json_response({"code": "OK", "number": "P-1"})

    tracer = RecordingTracer()
    async with (
        served(handler) as url,
        adapter(tmp_path, f"{url}/api", {"signing": {"secret": "env:KEY", "prefix": "v1="}}, tracer) as insurer,
    ):
        assert decided(await insurer.submit(submission_request())).policy_number == "P-1"
    request, body = seen[0]
    assert (request.method, request.raw_path) == ("POST", "/api/policies/blue%2Fgr%C3%BCn")
    assert body == b'{"model":"aurora-12","region":"east"}'
    assert request.headers["Idempotency-Key"] == "key-1"
    assert request.headers["X-Key"] == "k-77"
    assert request.headers["traceparent"] == TRACEPARENT
    message = f"{request.headers['X-Timestamp']}\nPOST\n{request.raw_path}\n".encode() + body
    assert request.headers["X-Signature"] == "v1=" + hmac.new(b"k-77", message, hashlib.sha256).hexdigest()
    (span,) = tracer.spans
    assert (span.name, span.kind, span.failed) == ("insurer.submit", SpanKind.CLIENT, "")
    assert span.attributes == {
        "sluice.insurer_id": "insurer-a",
        "http.request.method": "POST",
        "server.address": "127.0.0.1",
        "http.response.status_code": 200,
    }


async def test_a_failed_call_fails_its_span(tmp_path: Path) -> None:
    tracer = RecordingTracer()
    async with served(answering(503, "")) as url, adapter(tmp_path, url, tracer=tracer) as insurer:
        decided(await insurer.submit(submission_request()))
    async with served(breaking) as url, adapter(tmp_path, url, tracer=tracer) as insurer:
        await insurer.inquire(submission_request())
    assert [(span.name, span.failed) for span in tracer.spans] == [
        ("insurer.submit", "503"),
        ("insurer.inquire", "CONNECTION_LOST"),
    ]


async def test_the_binding_chooses_the_endpoint(tmp_path: Path) -> None:
    east = answering(200, '{"code": "OK", "number": "EAST"}')
    async with (
        served(east) as url,
        adapter(tmp_path, "https://insurer.invalid", {"endpoints": {"east": url}}) as insurer,
    ):
        assert decided(await insurer.submit(submission_request(endpoint="east"))).policy_number == "EAST"
        missing = decided(await insurer.submit(submission_request(endpoint="west")))
        assert (missing.outcome, missing.error_code) == (Outcome.TECHNICAL_FAILURE, "ENDPOINT_NOT_CONFIGURED")


async def test_what_cannot_be_filled_in_is_the_callers_fault_and_not_sent(tmp_path: Path) -> None:
    async with served(hanging) as url, adapter(tmp_path, url) as insurer:
        missing = decided(await insurer.submit(submission_request(parameters={"other": "x"})))
        assert (missing.outcome, missing.error_code) == (Outcome.CALLER_FAULT, "VALUE_MISSING")
        unfit = decided(await insurer.submit(submission_request(idempotency_key="a\r\nX-Evil: 1")))
        assert (unfit.outcome, unfit.error_code) == (Outcome.CALLER_FAULT, "VALUE_UNFIT")


async def test_a_cancelled_call_is_cancelled(tmp_path: Path) -> None:
    reached = asyncio.Event()

    async def handler(request: web.Request) -> web.StreamResponse:
        reached.set()
        return await hanging(request)

    async with served(handler) as url, adapter(tmp_path, url) as insurer:
        call = asyncio.create_task(insurer.submit(submission_request()))
        await reached.wait()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
