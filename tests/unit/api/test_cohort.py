"""Calls of Route that share a turn: each gets its own answer, whatever happens to the others."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from sluice.routing.v1 import routing_pb2
from sluice_server.api.routing.cohort import MOST, Cohort
from sluice_server.api.routing.limits import DEFAULT_REQUEST_LIMITS
from sluice_server.domain.errors import InvalidInput, NoRuleMatches, Unavailable
from sluice_server.domain.orders.decide import Answer
from sluice_server.domain.orders.route import RouteApplication
from sluice_server.domain.routing.frame import FirstDecision, Frame
from sluice_server.domain.routing.model import Application, Binding
from tests.bench.servers import application

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
FRAME = Frame("insurer-a", Binding("code"), "plan", 1, {}, (), 1)


class Decides:
    """What a cohort asks of RouteApplication; turns and answers come when the test lets them."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.news: asyncio.Queue[list[str]] = asyncio.Queue()
        self.turns = 0
        self.failures: list[BaseException] = []
        self.let = asyncio.Event()
        self.let.set()

    async def turn(self) -> None:
        self.turns += 1
        await asyncio.sleep(0)

    async def many(self, applications: Sequence[Application]) -> Sequence[Answer | Exception]:
        self.asked.append([each.application_id for each in applications])
        self.news.put_nowait(self.asked[-1])
        if self.failures:
            raise self.failures.pop(0)
        await self.let.wait()
        return [
            NoRuleMatches("no rule", subject="plans/1")
            if each.product_code == "unknown"
            else FirstDecision(each, FRAME, f"dec-{each.application_id}", "rule", "key", NOON)
            for each in applications
        ]


@pytest.fixture
def decides() -> Decides:
    return Decides()


@pytest.fixture
def cohort(decides: Decides) -> Cohort:
    return Cohort(cast(RouteApplication, cast(Any, decides)), DEFAULT_REQUEST_LIMITS)


def request(number: str, **changes: str) -> routing_pb2.RouteRequest:
    return routing_pb2.RouteRequest(application=application(number, **changes))


async def answered(cohort: Cohort, given: routing_pb2.RouteRequest) -> str:
    return routing_pb2.RouteResponse.FromString(await cohort.answer(given)).decision.decision_id


async def test_calls_of_one_moment_are_routed_together_and_each_gets_its_answer(
    cohort: Cohort, decides: Decides
) -> None:
    assert await asyncio.gather(*(answered(cohort, request(n)) for n in "abc")) == [f"dec-bench-{n}" for n in "abc"]
    assert decides.asked == [["bench-a", "bench-b", "bench-c"]]


async def test_one_that_is_wrong_and_one_that_no_rule_matches_fail_alone(cohort: Cohort, decides: Decides) -> None:
    wrong, good, unknown = await asyncio.gather(
        answered(cohort, routing_pb2.RouteRequest()),
        answered(cohort, request("b")),
        answered(cohort, request("c", product_code="unknown")),
        return_exceptions=True,
    )
    assert isinstance(wrong, InvalidInput)
    assert [violation.field for violation in wrong.violations] == ["application"]
    assert good == "dec-bench-b"
    assert isinstance(unknown, NoRuleMatches)
    assert decides.asked == [["bench-b", "bench-c"]]


async def test_whoever_hangs_up_before_the_turn_is_not_routed(cohort: Cohort, decides: Decides) -> None:
    gone = asyncio.ensure_future(answered(cohort, request("a")))
    stays = asyncio.ensure_future(answered(cohort, request("b")))
    await asyncio.sleep(0)
    gone.cancel()
    assert await stays == "dec-bench-b"
    assert decides.asked == [["bench-b"]]
    assert gone.cancelled()


async def test_whoever_hangs_up_later_disturbs_nobody(cohort: Cohort, decides: Decides) -> None:
    decides.let.clear()
    calls = [asyncio.ensure_future(answered(cohort, request(n))) for n in "ab"]
    await decides.news.get()
    calls[0].cancel()
    decides.let.set()
    assert await calls[1] == "dec-bench-b"


async def test_who_comes_during_a_turn_is_of_the_next(cohort: Cohort, decides: Decides) -> None:
    decides.let.clear()
    first = asyncio.ensure_future(answered(cohort, request("a")))
    await decides.news.get()
    second = asyncio.ensure_future(answered(cohort, request("b")))
    await decides.news.get()
    decides.let.set()
    assert list(await asyncio.gather(first, second)) == ["dec-bench-a", "dec-bench-b"]
    assert decides.asked == [["bench-a"], ["bench-b"]]


async def test_a_turn_takes_no_more_than_its_share(cohort: Cohort, decides: Decides) -> None:
    numbers = [f"{number:04}" for number in range(MOST + 3)]
    assert await asyncio.gather(*(answered(cohort, request(n)) for n in numbers)) == [f"dec-bench-{n}" for n in numbers]
    assert [len(batch) for batch in decides.asked] == [MOST, 3]
    assert decides.turns == 2


@pytest.mark.parametrize("error", [Unavailable("the store has ended"), ZeroDivisionError("a defect")])
async def test_a_failure_of_the_whole_reaches_every_call_and_the_next_turn_goes_on(
    cohort: Cohort, decides: Decides, error: Exception
) -> None:
    decides.failures = [error]
    failed = await asyncio.gather(*(answered(cohort, request(n)) for n in "ab"), return_exceptions=True)
    assert [type(each) for each in failed] == [type(error)] * 2
    assert await answered(cohort, request("c")) == "dec-bench-c"


async def test_a_turn_that_fails_fails_its_calls(cohort: Cohort, decides: Decides) -> None:
    decides.turn = _no_turn  # type: ignore[method-assign]  # a defect of the log
    failed = await asyncio.gather(*(answered(cohort, request(n)) for n in "ab"), return_exceptions=True)
    assert [type(each) for each in failed] == [ZeroDivisionError] * 2


async def _no_turn() -> None:
    raise ZeroDivisionError


@pytest.mark.parametrize("before_the_turn", [True, False])
async def test_calls_end_with_a_loop_that_is_stopped(cohort: Cohort, decides: Decides, before_the_turn: bool) -> None:
    decides.let.clear()
    call = asyncio.ensure_future(answered(cohort, request("a")))
    if before_the_turn:
        await asyncio.sleep(0)
    else:
        await decides.news.get()
    (task,) = (each for each in asyncio.all_tasks() if each.get_name() == "route-cohort")
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(call, 5)
