"""RouteBatch and RouteStream through a real server: what is wrong fails alone."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from sluice.client import AsyncSluice, errors
from sluice.routing.v1 import routing_pb2 as pb
from tests.e2e.routing_calls import ROUTED, application, orders, route


async def test_one_bad_application_of_a_batch_fails_alone(client: AsyncSluice) -> None:
    known = await route(client, application("known"))
    answer = await client.routing.RouteBatch(
        pb.RouteBatchRequest(
            applications=[
                application("good-1"),
                application("bad", term_months=0, product_code=""),
                application("known"),
                application("known-2", product_line="travel"),
                application("good-2"),
            ]
        )
    )
    good, bad, replayed, unserved, other = answer.results
    assert [r.application_id for r in answer.results] == ["good-1", "bad", "known", "known-2", "good-2"]
    assert (good.response.state, other.response.state) == (ROUTED, ROUTED)
    assert (bad.failure.code, bad.failure.reason) == (3, "INVALID_FIELD")
    assert "applications[1].term_months" in bad.failure.message
    assert "applications[1].product_code" in bad.failure.message
    assert (replayed.response.replayed, replayed.response.decision) == (True, known.decision)
    assert (unserved.failure.code, unserved.failure.reason) == (9, "NO_RULE_MATCHES")
    assert {o.application.application_id for o in await orders(client)} == {"good-1", "known", "good-2"}


async def test_a_conflict_within_a_batch_fails_alone(client: AsyncSluice) -> None:
    first = await route(client, application("known"))
    answer = await client.routing.RouteBatch(
        pb.RouteBatchRequest(applications=[application("known", term_months=24), application("new")])
    )
    assert (answer.results[0].failure.code, answer.results[0].failure.reason) == (6, "APPLICATION_CONFLICT")
    assert answer.results[1].response.state == ROUTED
    assert (await route(client, application("known"))).decision == first.decision


async def test_a_whole_thousand_is_routed_and_repeated(client: AsyncSluice) -> None:
    request = pb.RouteBatchRequest(applications=[application(f"app-{n}") for n in range(1000)])
    first = await client.routing.RouteBatch(request)
    assert [r.WhichOneof("result") for r in first.results] == ["response"] * 1000
    again = await client.routing.RouteBatch(request)
    assert all(r.response.replayed for r in again.results)
    assert [r.response.decision for r in again.results] == [r.response.decision for r in first.results]


async def test_a_stream_answers_each_chunk_in_order_and_bad_applications_fail_alone(client: AsyncSluice) -> None:
    async def chunks() -> AsyncIterator[pb.RouteStreamRequest]:
        yield pb.RouteStreamRequest(chunk_id=7, applications=[application("s-1"), application("s-2", device=None)])
        yield pb.RouteStreamRequest(chunk_id=3, applications=[application("s-3"), application("s-1")])

    answers = [answer async for answer in client.routing.RouteStream(chunks())]
    assert [answer.chunk_id for answer in answers] == [7, 3]
    one, two = answers
    assert (one.results[0].response.replayed, one.results[1].failure.code) == (False, 3)
    assert "applications[1].device: required" in one.results[1].failure.message
    assert (two.results[0].response.replayed, two.results[1].response.replayed) == (False, True)
    assert {o.application.application_id for o in await orders(client)} == {"s-1", "s-3"}


async def test_a_chunk_that_is_wrong_as_a_whole_ends_the_stream_after_the_answers_before_it(
    client: AsyncSluice,
) -> None:
    async def chunks() -> AsyncIterator[pb.RouteStreamRequest]:
        yield pb.RouteStreamRequest(chunk_id=1, applications=[application("s-1")])
        yield pb.RouteStreamRequest(chunk_id=2, applications=[application("s-2"), application("s-2")])

    answers = aiter(client.routing.RouteStream(chunks()))
    assert (await anext(answers)).chunk_id == 1
    with pytest.raises(errors.InvalidArgument) as refused:
        await anext(answers)
    assert [v.field for v in refused.value.violations] == ["applications[1].application_id"]
    assert {o.application.application_id for o in await orders(client)} == {"s-1"}
