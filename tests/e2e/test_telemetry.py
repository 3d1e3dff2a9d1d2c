"""Traces as a real OTLP receiver gets them."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping

import aiohttp
import pytest
from aiohttp import web
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from sluice.client import AsyncSluice, errors
from sluice.routing.v1 import routing_pb2
from sluice_server.domain.errors import InsurerNotFound
from sluice_server.domain.tracing import SpanKind
from sluice_server.runtime.telemetry import Telemetry
from tests.support.otlp import Receiver, attributes, otlp_receiver
from tests.support.probe import Probe, serving

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT_ID = "b7ad6b7169203331"
GET_ORDER = "sluice.routing.v1.Routing/GetOrder"


def traced(sampled: bool) -> Mapping[str, str]:
    return {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-{'01' if sampled else '00'}"}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with otlp_receiver() as receiver:
        yield receiver


@pytest.fixture
async def insurer() -> AsyncIterator[tuple[str, list[str]]]:
    """An HTTP server that keeps the traceparent headers it gets."""
    seen: list[str] = []

    async def policy(request: web.Request) -> web.Response:
        seen.append(request.headers.get("traceparent", ""))
        return web.json_response({})

    application = web.Application()
    application.router.add_post("/policies", policy)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/policies", seen
    await runner.cleanup()


def calling(probe: Probe, url: str) -> None:
    """Makes the probe's calls do what an order does: a span of the domain, and within it a call to an insurer."""

    async def behavior() -> None:
        assert probe.platform is not None
        tracer = probe.platform.tracer
        with (
            tracer.span("route.decide", attributes={"sluice.plan_version": 3}),
            tracer.span("insurer.submit", kind=SpanKind.CLIENT),
        ):
            async with aiohttp.ClientSession() as session, session.post(url, headers=tracer.headers()) as answer:
                assert answer.status == 200

    probe.behavior = behavior


async def test_one_trace_goes_from_the_client_over_the_server_to_the_insurer(
    receiver: Receiver, insurer: tuple[str, list[str]]
) -> None:
    probe = Probe()
    url, headers = insurer
    calling(probe, url)
    async with (
        # The caller has decided: the server's own ratio has no say.
        serving(probe, otlp_endpoint=receiver.url, trace_sample_ratio=0.0) as server,
        AsyncSluice(f"127.0.0.1:{server.port}", trace_context=lambda: traced(sampled=True)) as client,
    ):
        await client.routing.GetOrder(routing_pb2.GetOrderRequest())
    # The stop has flushed: nothing to wait for.
    served, decided, submitted = (receiver.named(name) for name in (GET_ORDER, "route.decide", "insurer.submit"))
    assert {span.trace_id.hex() for span in receiver.spans} == {TRACE_ID}
    assert served.parent_span_id.hex() == PARENT_ID
    assert decided.parent_span_id == served.span_id
    assert submitted.parent_span_id == decided.span_id
    assert headers == [f"00-{TRACE_ID}-{submitted.span_id.hex()}-01"]
    assert (served.kind, submitted.kind) == (Span.SPAN_KIND_SERVER, Span.SPAN_KIND_CLIENT)
    assert attributes(served)["rpc.system.name"] == "grpc"
    assert attributes(served)["rpc.response.status_code"] == "OK"
    assert attributes(served)["sluice.request_id"] == probe.seen[0].request_id
    assert attributes(decided) == {"sluice.plan_version": 3}
    assert probe.seen[0].trace_id == TRACE_ID
    assert receiver.resources[0]["service.name"] == "sluice"


@pytest.mark.parametrize("endpoint", [True, False], ids=["tracing on", "tracing off"])
async def test_a_caller_that_does_not_sample_is_followed_but_not_recorded(
    receiver: Receiver, insurer: tuple[str, list[str]], endpoint: bool
) -> None:
    probe = Probe()
    url, headers = insurer
    calling(probe, url)
    async with (
        serving(probe, otlp_endpoint=receiver.url if endpoint else None, trace_sample_ratio=1.0) as server,
        AsyncSluice(f"127.0.0.1:{server.port}", trace_context=lambda: traced(sampled=False)) as client,
    ):
        await client.routing.GetOrder(routing_pb2.GetOrderRequest())
    assert receiver.spans == []
    assert probe.seen[0].trace_id == TRACE_ID
    assert headers == [f"00-{TRACE_ID}-{PARENT_ID}-00"]


@pytest.mark.parametrize(("ratio", "recorded"), [(0.0, 0), (1.0, 1)])
async def test_without_a_caller_that_decides_the_ratio_does(receiver: Receiver, ratio: float, recorded: int) -> None:
    probe = Probe()
    async with (
        serving(probe, otlp_endpoint=receiver.url, trace_sample_ratio=ratio) as server,
        AsyncSluice(f"127.0.0.1:{server.port}", trace_context=dict) as client,
    ):
        await client.wait_until_serving()
        await client.routing.GetOrder(routing_pb2.GetOrderRequest())
    # The health check is never recorded.
    assert [span.name for span in receiver.spans] == [GET_ORDER] * recorded
    # Logs name the trace in any case.
    assert len(probe.seen[0].trace_id) == 32


@pytest.mark.parametrize(
    ("error", "raised", "code", "status"),
    [
        (KeyError("x"), errors.Internal, "INTERNAL", Status.STATUS_CODE_ERROR),
        (InsurerNotFound("z"), errors.NotFound, "NOT_FOUND", Status.STATUS_CODE_UNSET),
    ],
)
async def test_a_defect_makes_the_span_an_error_and_a_callers_mistake_does_not(
    receiver: Receiver, error: Exception, raised: type[Exception], code: str, status: int
) -> None:
    probe = Probe()

    async def behavior() -> None:
        raise error

    probe.behavior = behavior
    async with (
        serving(probe, otlp_endpoint=receiver.url, trace_sample_ratio=1.0) as server,
        AsyncSluice(f"127.0.0.1:{server.port}") as client,
    ):
        with pytest.raises(raised):
            await client.routing.GetOrder(routing_pb2.GetOrderRequest())
    span = receiver.named(GET_ORDER)
    assert span.status.code == status
    assert attributes(span)["rpc.response.status_code"] == code
    # Texts may quote what must not leave the process.
    assert list(span.events) == []


async def test_an_exception_marks_a_span_of_the_domain_with_its_type_alone(receiver: Receiver) -> None:
    telemetry = Telemetry(receiver.url, 1.0)
    with pytest.raises(ValueError, match="secret"), telemetry.tracer.span("work"):
        raise ValueError("secret")
    with telemetry.tracer.span("refused") as span:
        span.fail("TECHNICAL_FAILURE", "HTTP 503")
    assert await telemetry.close(10)
    work, refused = receiver.named("work"), receiver.named("refused")
    assert attributes(work) == {"error.type": "ValueError"}
    assert (work.status.code, work.status.message) == (Status.STATUS_CODE_ERROR, "")
    assert (refused.status.code, refused.status.message) == (Status.STATUS_CODE_ERROR, "HTTP 503")


async def test_background_work_is_traced_at_the_ratio_and_decides_once(receiver: Receiver) -> None:
    never = Telemetry(receiver.url, 0.0)
    with never.tracer.span("root"), never.tracer.span("child"):
        assert never.tracer.headers()["traceparent"].endswith("-00")
    assert await never.close(10)
    assert receiver.spans == []


async def test_more_spans_than_the_sdks_own_queue_holds_are_kept(receiver: Receiver) -> None:
    telemetry = Telemetry(receiver.url, 1.0)
    for _ in range(5_000):
        with telemetry.tracer.span("work"):
            pass
    assert await telemetry.close(30)
    assert len(receiver.spans) == 5_000


@pytest.mark.parametrize("accepts", [True, False], ids=["accepts and never answers", "refuses"])
async def test_a_dead_collector_does_not_hold_up_the_stop(accepts: bool) -> None:
    with socket.socket() as dead:
        dead.bind(("127.0.0.1", 0))
        if accepts:
            dead.listen()
        telemetry = Telemetry(f"http://127.0.0.1:{dead.getsockname()[1]}", 1.0)
        for _ in range(100):
            with telemetry.tracer.span("work"):
                pass
        flushed = await asyncio.wait_for(telemetry.close(0.5), 5)
        # Bounded by close() itself; the outer limit only keeps a defect from hanging the tests.
        assert not (accepts and flushed)
