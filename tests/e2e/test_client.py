"""The client's two faces against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import grpc
import pytest

from sluice.client import AsyncSluice, Sluice, errors
from sluice.insurer.v1 import insurer_control_pb2
from sluice.routing.v1 import routing_pb2
from sluice_server.domain.errors import InsurerNotFound, Unavailable
from tests.support.probe import Probe, serving


def fails_first(times: int, error: Exception) -> Any:
    async def behavior() -> None:
        nonlocal times
        if times:
            times -= 1
            raise error

    return behavior


def use_the_blocking_client(port: int, probe: Probe) -> None:
    with Sluice(f"127.0.0.1:{port}", actor="wang.li") as client:
        client.wait_until_serving(10)
        client.routing.GetOrder(routing_pb2.GetOrderRequest())
        assert [a.replayed for a in client.routing.SimulatePlan(routing_pb2.SimulatePlanRequest())] == [1, 2]

        def requests() -> Iterator[Any]:
            yield routing_pb2.RouteStreamRequest(chunk_id=7)

        assert [answer.chunk_id for answer in client.routing.RouteStream(requests())] == [7]
        _, call = client.routing.GetOrder.with_call(
            routing_pb2.GetOrderRequest(), metadata=(("sluice-request-id", "r-1"),)
        )
        assert ("sluice-request-id", "r-1") in tuple(call.trailing_metadata())
        probe.behavior = fails_first(3, InsurerNotFound("z"))
        with pytest.raises(errors.NotFound):
            client.routing.GetOrder(routing_pb2.GetOrderRequest())
        with pytest.raises(errors.NotFound):
            client.routing.GetOrder.with_call(routing_pb2.GetOrderRequest())
        with pytest.raises(errors.NotFound):
            list(client.routing.SimulatePlan(routing_pb2.SimulatePlanRequest()))


async def test_the_blocking_client_serves_every_kind_of_call() -> None:
    probe = Probe()
    async with serving(probe) as server:
        await asyncio.to_thread(use_the_blocking_client, server.port, probe)
    assert {context.actor.name for context in probe.seen} == {"wang.li"}


async def test_a_safe_call_is_repeated_while_the_server_is_unavailable() -> None:
    probe = Probe(behavior=fails_first(2, Unavailable("the store is away")))
    async with serving(probe) as server, AsyncSluice(f"127.0.0.1:{server.port}") as client:
        await client.routing.GetOrder(routing_pb2.GetOrderRequest())
    assert len(probe.seen) == 3
    # One call in the log, however often it was tried.
    assert len({context.request_id for context in probe.seen}) == 1


async def test_a_control_call_is_not_repeated() -> None:
    probe = Probe(behavior=fails_first(1, Unavailable("the store is away", retry_after_seconds=2)))
    async with serving(probe) as server, AsyncSluice(f"127.0.0.1:{server.port}", actor="wang.li") as client:
        with pytest.raises(errors.Unavailable) as caught:
            await client.insurers.CutTraffic(insurer_control_pb2.CutTrafficRequest())
    assert caught.value.retry_after == 2
    assert caught.value.retry_can_help
    assert len(probe.seen) == 1


async def test_a_call_has_the_clients_deadline_unless_it_gives_one() -> None:
    probe = Probe(behavior=asyncio.Event().wait)  # type: ignore[arg-type]  # never returns
    async with serving(probe) as server, AsyncSluice(f"127.0.0.1:{server.port}", timeout=0.2) as client:
        with pytest.raises(errors.DeadlineExceeded):
            await client.routing.GetOrder(routing_pb2.GetOrderRequest())
        with pytest.raises(errors.DeadlineExceeded):
            await client.routing.GetOrder(routing_pb2.GetOrderRequest(), timeout=0.1)


async def test_a_stream_can_be_written_and_read_step_by_step() -> None:
    async with serving(Probe()) as server, AsyncSluice(f"127.0.0.1:{server.port}") as client:
        stream: Any = client.routing.RouteStream()
        for chunk_id in (1, 2):
            await stream.write(routing_pb2.RouteStreamRequest(chunk_id=chunk_id))
            assert (await stream.read()).chunk_id == chunk_id
        await stream.done_writing()
        assert await stream.read() is grpc.aio.EOF


async def test_a_server_that_is_not_there_is_unavailable_and_named_so() -> None:
    async with AsyncSluice("127.0.0.1:1", timeout=2) as client:
        with pytest.raises((errors.Unavailable, errors.DeadlineExceeded)) as caught:
            await client.insurers.CutTraffic(insurer_control_pb2.CutTrafficRequest())
        assert caught.value.reason == ""
        with pytest.raises(errors.DeadlineExceeded):
            await client.wait_until_serving(0.1)
