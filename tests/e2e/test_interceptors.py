"""What happens around every call, seen through a real server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import pytest
from structlog.testing import capture_logs

from sluice.client import AsyncSluice, errors
from sluice.insurer.v1 import insurer_control_pb2
from sluice.routing.v1 import routing_pb2, routing_pb2_grpc
from sluice_server.domain.errors import (
    Exhausted,
    IllegalTransition,
    InsurerNotFound,
    InvalidInput,
    NotBuiltYet,
    Violation,
)
from tests.support.probe import Probe, serving

Call = Callable[[AsyncSluice], Any]


async def one_to_one(client: AsyncSluice) -> None:
    await client.routing.GetOrder(routing_pb2.GetOrderRequest())


async def one_to_many(client: AsyncSluice) -> None:
    answers: Any = client.routing.SimulatePlan(routing_pb2.SimulatePlanRequest())
    assert [answer.replayed async for answer in answers] == [1, 2]


async def many_to_many(client: AsyncSluice) -> None:
    async def requests() -> AsyncIterator[Any]:
        for chunk_id in (7, 8):
            yield routing_pb2.RouteStreamRequest(chunk_id=chunk_id)

    answers: Any = client.routing.RouteStream(requests())
    assert [answer.chunk_id async for answer in answers] == [7, 8]


every_kind = pytest.mark.parametrize("call", [one_to_one, one_to_many, many_to_many], ids=lambda call: call.__name__)


@pytest.fixture
async def probe() -> Probe:
    return Probe()


@pytest.fixture
async def client(probe: Probe) -> AsyncIterator[AsyncSluice]:
    async with serving(probe) as server, AsyncSluice(f"127.0.0.1:{server.port}", actor="wang.li") as client:
        yield client


def raising(error: BaseException) -> Callable[[], Any]:
    async def behavior() -> None:
        raise error

    return behavior


@every_kind
async def test_a_call_is_served_with_its_context(call: Call, client: AsyncSluice, probe: Probe) -> None:
    await call(client)
    context = probe.seen[0]
    assert (context.actor.name, context.actor.verified) == ("wang.li", False)
    assert len(context.request_id) == 32


@every_kind
async def test_a_domain_error_arrives_with_reason_metadata_and_request_id(
    call: Call, client: AsyncSluice, probe: Probe
) -> None:
    probe.behavior = raising(InsurerNotFound("insurer-z"))
    with pytest.raises(errors.NotFound) as caught:
        await call(client)
    assert caught.value.reason == "INSURER_NOT_FOUND"
    assert caught.value.metadata == {"insurer_id": "insurer-z"}
    assert caught.value.request_id == probe.seen[0].request_id


@every_kind
async def test_a_defect_shows_nothing_but_the_request_id(call: Call, client: AsyncSluice, probe: Probe) -> None:
    defect = ValueError("customer 张三, card 6222")
    probe.behavior = raising(defect)
    with capture_logs() as logged, pytest.raises(errors.Internal) as caught:
        await call(client)
    assert caught.value.message == (
        f"internal error; the server's log has it under request id {probe.seen[0].request_id}"
    )
    assert caught.value.reason == "INTERNAL"
    assert [entry["exc_info"] for entry in logged if entry["event"] == "defect"] == [defect]


@every_kind
async def test_a_call_that_is_not_built_yet_says_so(call: Call, client: AsyncSluice, probe: Probe) -> None:
    probe.behavior = raising(NotBuiltYet("SimulatePlan comes later"))
    with pytest.raises(errors.Unimplemented, match="comes later") as caught:
        await call(client)
    assert caught.value.reason == "NOT_BUILT_YET"


async def test_a_method_without_a_handler_is_not_built_yet(client: AsyncSluice) -> None:
    with pytest.raises(errors.Unimplemented, match="ListOrders is part of the contract") as caught:
        await client.routing.ListOrders(routing_pb2.ListOrdersRequest())
    assert caught.value.reason == "NOT_BUILT_YET"


async def test_every_violation_arrives(client: AsyncSluice, probe: Probe) -> None:
    probe.behavior = raising(InvalidInput([Violation("a.b", "must be set"), Violation("c", "too long")]))
    with pytest.raises(errors.InvalidArgument) as caught:
        await one_to_one(client)
    assert caught.value.violations == (errors.Violation("a.b", "must be set"), errors.Violation("c", "too long"))


async def test_more_violations_than_a_trailer_holds_are_cut_and_counted(client: AsyncSluice, probe: Probe) -> None:
    wrong = [Violation(f"rules[{n}].份额", "份额之和必须为 10000 基点" * 5) for n in range(2000)]
    probe.behavior = raising(InvalidInput(wrong))
    with pytest.raises(errors.InvalidArgument) as caught:
        await one_to_one(client)
    shown = len(caught.value.violations)
    assert shown >= 5
    assert caught.value.metadata["violations_omitted"] == str(2000 - shown)
    assert caught.value.message.endswith("…")


async def test_an_illegal_transition_names_its_subject(client: AsyncSluice, probe: Probe) -> None:
    probe.behavior = raising(IllegalTransition("not while OPEN", subject="insurers/b", state="OPEN"))
    with pytest.raises(errors.FailedPrecondition) as caught:
        await one_to_one(client)
    assert (caught.value.subject, caught.value.metadata["state"]) == ("insurers/b", "OPEN")


async def test_an_overload_says_when_to_come_again(client: AsyncSluice, probe: Probe) -> None:
    probe.behavior = raising(Exhausted("full", retry_after_seconds=1.5))
    with pytest.raises(errors.ResourceExhausted) as caught:
        await one_to_one(client)
    assert caught.value.retry_after == 1.5


async def test_the_callers_request_id_is_kept_and_returned(probe: Probe) -> None:
    async with serving(probe) as server, grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        call: Any = routing_pb2_grpc.RoutingStub(channel).GetOrder(
            routing_pb2.GetOrderRequest(), metadata=(("sluice-request-id", "order-42/try-1"),)
        )
        await call
        assert ("sluice-request-id", "order-42/try-1") in tuple(await call.trailing_metadata())
    assert probe.seen[0].request_id == "order-42/try-1"


@pytest.mark.parametrize("request_id", ["a b", "x" * 129, 'a"b'])
async def test_a_malformed_request_id_is_refused(client: AsyncSluice, probe: Probe, request_id: str) -> None:
    with pytest.raises(errors.InvalidArgument) as caught:
        await client.routing.GetOrder(routing_pb2.GetOrderRequest(), metadata=(("sluice-request-id", request_id),))
    assert caught.value.violations[0].field == "metadata.sluice-request-id"
    assert probe.seen == []


async def test_a_control_call_without_an_actor_is_refused_and_told_what_to_do(probe: Probe) -> None:
    async with serving(probe) as server, AsyncSluice(f"127.0.0.1:{server.port}") as client:
        with pytest.raises(errors.InvalidArgument, match="grpcurl -H 'sluice-actor") as caught:
            await client.insurers.CutTraffic(insurer_control_pb2.CutTrafficRequest())
        assert caught.value.violations[0].field == "metadata.sluice-actor"
        assert probe.seen == []
        await one_to_one(client)
        assert probe.seen[0].actor.name == "anonymous"


async def test_an_actor_may_have_a_chinese_name(probe: Probe) -> None:
    async with serving(probe) as server, AsyncSluice(f"127.0.0.1:{server.port}", actor="王丽") as client:
        await client.insurers.CutTraffic(insurer_control_pb2.CutTrafficRequest())
    assert probe.seen[0].actor.name == "王丽"


async def test_an_actor_that_cannot_be_printed_is_refused(probe: Probe) -> None:
    async with serving(probe) as server, AsyncSluice(f"127.0.0.1:{server.port}", actor="王\n丽") as client:
        with pytest.raises(errors.InvalidArgument, match="printable"):
            await one_to_one(client)


async def test_the_deadline_reaches_the_use_case_and_ends_it(client: AsyncSluice, probe: Probe) -> None:
    cancelled = asyncio.Event()

    async def forever() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    probe.behavior = forever
    with pytest.raises(errors.DeadlineExceeded):
        await client.routing.GetOrder(routing_pb2.GetOrderRequest(), timeout=0.2)
    await asyncio.wait_for(cancelled.wait(), 5)
    assert probe.seen[0].deadline is not None


async def test_a_cancelled_call_cancels_its_use_case(client: AsyncSluice, probe: Probe) -> None:
    started, cancelled = asyncio.Event(), asyncio.Event()

    async def forever() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.set()
            raise

    probe.behavior = forever
    call = asyncio.ensure_future(one_to_one(client))
    await asyncio.wait_for(started.wait(), 5)
    call.cancel()
    await asyncio.wait_for(cancelled.wait(), 5)


async def test_something_cancelled_by_mistake_is_a_defect(client: AsyncSluice, probe: Probe) -> None:
    probe.behavior = raising(asyncio.CancelledError())
    with pytest.raises(errors.Internal):
        await one_to_one(client)


async def test_calls_over_the_limit_are_shed_but_control_calls_get_through(probe: Probe) -> None:
    release, entered = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        entered.set()
        await release.wait()

    async with (
        serving(probe, max_in_flight=1) as server,
        AsyncSluice(f"127.0.0.1:{server.port}", actor="wang.li") as client,
    ):
        probe.behavior = wait
        first = asyncio.ensure_future(one_to_one(client))
        await asyncio.wait_for(entered.wait(), 5)
        with pytest.raises(errors.ResourceExhausted) as caught:
            await one_to_one(client)
        assert caught.value.reason == "OVERLOADED"
        assert caught.value.retry_after == 0.5
        control = asyncio.ensure_future(client.insurers.CutTraffic(insurer_control_pb2.CutTrafficRequest()))
        release.set()
        await asyncio.wait_for(asyncio.gather(first, control), 5)
        await one_to_one(client)


async def test_finished_calls_are_counted_by_status_and_reason(client: AsyncSluice, probe: Probe) -> None:
    await one_to_one(client)
    probe.behavior = raising(InsurerNotFound("insurer-z"))
    with pytest.raises(errors.NotFound):
        await one_to_one(client)
    assert probe.platform is not None
    value = probe.platform.registry.get_sample_value
    method = "sluice.routing.v1.Routing/GetOrder"
    labels = {"method": method, "code": "NOT_FOUND", "reason": "INSURER_NOT_FOUND"}
    assert value("sluice_rpc_calls_total", labels) == 1
    assert value("sluice_rpc_calls_total", {"method": method, "code": "OK", "reason": ""}) == 1
    assert value("sluice_rpc_seconds_count", {"method": method}) == 2
    assert value("sluice_rpc_running", {"method": method}) == 0
