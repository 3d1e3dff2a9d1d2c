"""One trace from the client over the decision and the store to the insurer, as processes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from sluice.client import AsyncSluice
from sluice.routing.v1 import application_pb2, order_pb2, routing_pb2
from tests.support.house import FIRST_OPERATOR, House, application, furnish, house
from tests.support.otlp import Receiver, attributes, otlp_receiver

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT_ID = "b7ad6b7169203331"
SUBMIT = "sluice.routing.v1.Routing/Submit"
CLIENT = Span.SPAN_KIND_CLIENT


def traceparent() -> Mapping[str, str]:
    """A caller that has decided to record."""
    return {"traceparent": f"00-{TRACE_ID}-{PARENT_ID}-01"}


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with otlp_receiver() as receiver:
        yield receiver


async def submitted(home: House, asked: application_pb2.Application, *, traced: bool) -> order_pb2.Order:
    async with AsyncSluice(home.server.address, actor=FIRST_OPERATOR) as client:
        await furnish(client)
    context = traceparent if traced else dict
    async with AsyncSluice(home.server.address, trace_context=context) as client:
        return (await client.routing.Submit(routing_pb2.SubmitRequest(application=asked))).order


async def stopped(home: House) -> None:
    """SIGTERM: whatever was recorded has been sent when the process has ended."""
    process = home.server.program.process
    assert process is not None
    process.terminate()
    assert await home.server.program.ended() == 0


async def ledger_traceparents(home: House) -> list[str]:
    """What the simulated insurers got along with the submissions."""
    ledgers = await asyncio.gather(*(insurer.ledger() for insurer in home.insurers.values()))
    return [str(entry["traceparent"]) for ledger in ledgers for entry in ledger]


def ancestors(span: Span, spans: list[Span]) -> list[str]:
    """Names of the spans above, the nearest first."""
    by_id = {other.span_id: other for other in spans}
    names = []
    while (parent := by_id.get(span.parent_span_id)) is not None:
        names.append(parent.name)
        span = parent
    return names


def written(span: Span) -> str:
    """Everything in a span that is text."""
    events = [(event.name, [str(a) for a in event.attributes]) for event in span.events]
    return f"{span.name} {span.status.message} {attributes(span)} {events}"


async def test_one_trace_goes_from_the_client_over_decision_and_store_to_the_insurers_ledger(
    receiver: Receiver, tmp_path: Path
) -> None:
    settings = {"SLUICE_OTLP_ENDPOINT": receiver.url, "SLUICE_TRACE_SAMPLE_RATIO": "0"}
    async with house(tmp_path, f"sqlite+aiosqlite:///{tmp_path / 'sluice.db'}", settings=settings) as home:
        order = await submitted(home, application(1), traced=True)
        assert order.state == order_pb2.ORDER_STATE_INSURED
        await stopped(home)
        (to_insurer,) = await ledger_traceparents(home)
    # The server's own ratio is 0: only what the caller has decided to record is there.
    assert {span.trace_id.hex() for span in receiver.spans} == {TRACE_ID}
    (call,) = [span for span in receiver.spans if span.name == SUBMIT]
    assert call.parent_span_id.hex() == PARENT_ID
    (http,) = [span for span in receiver.spans if span.kind == CLIENT]
    assert to_insurer == f"00-{TRACE_ID}-{http.span_id.hex()}-01"
    assert ancestors(http, receiver.spans)[-1] == SUBMIT
    assert attributes(http)["sluice.insurer_id"] == order.decisions[0].insurer_id
    for name in ("routing.decide", "order.record"):
        span = receiver.named(name)
        assert ancestors(span, receiver.spans)[-1] == SUBMIT
        assert call.start_time_unix_nano <= span.start_time_unix_nano <= http.start_time_unix_nano


async def test_no_reference_to_a_person_or_a_device_is_in_spans_or_in_the_log(
    receiver: Receiver, tmp_path: Path
) -> None:
    settings = {
        "SLUICE_OTLP_ENDPOINT": receiver.url,
        "SLUICE_TRACE_SAMPLE_RATIO": "1",
        "SLUICE_LOG_LEVEL": "debug",
        "SLUICE_ORDER_QUIET_SECONDS": "1",
    }
    asked = [application(number) for number in range(1, 5)]
    async with house(tmp_path, f"sqlite+aiosqlite:///{tmp_path / 'sluice.db'}", settings=settings) as home:
        first = await submitted(home, asked[0], traced=True)
        assert first.state == order_pb2.ORDER_STATE_INSURED
        # Also what fails is told: errors, warnings and spans with a status.
        for insurer in home.insurers.values():
            await insurer.set_mode("errors", status=500)
        async with AsyncSluice(home.server.address, trace_context=traceparent) as client:
            for one in asked[1:]:
                order = (await client.routing.Submit(routing_pb2.SubmitRequest(application=one))).order
                assert order.state == order_pb2.ORDER_STATE_ABNORMAL
        await receiver.wait_for("insurer.inquire")
        await stopped(home)
        log = home.server.program.log_text()
    spans = "\n".join(written(span) for span in receiver.spans)
    assert SUBMIT in spans
    assert SUBMIT in log
    for one in asked:
        for secret in (one.customer_ref, one.device.device_ref):
            assert secret not in spans
            assert secret not in log


async def test_with_tracing_off_nothing_is_sent_and_the_callers_trace_still_reaches_the_insurer(
    receiver: Receiver, tmp_path: Path
) -> None:
    async with house(tmp_path, f"sqlite+aiosqlite:///{tmp_path / 'sluice.db'}") as home:
        order = await submitted(home, application(1), traced=True)
        assert order.state == order_pb2.ORDER_STATE_INSURED
        await stopped(home)
        (to_insurer,) = await ledger_traceparents(home)
        log = home.server.program.log_text()
    assert receiver.spans == []
    assert receiver.resources == []
    # Nobody records here, and yet the insurer's side can be joined to the caller's.
    assert to_insurer.split("-")[1] == TRACE_ID
    assert receiver.url not in log
