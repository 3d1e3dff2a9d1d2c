"""The proof must be able to fail: each planted safety bug is caught, and the sound server is not accused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from sluice.client import AsyncSluice, errors
from sluice.insurer.v1 import breaker_pb2, insurer_control_pb2
from sluice.routing.v1 import order_pb2, routing_pb2
from tests.support.books import Acknowledged, Verdict, judge, read_books, until_final
from tests.support.house import FIRST_OPERATOR, INSURERS, House, application, furnish, house

SETTINGS = {"SLUICE_ORDER_LONGEST_CALL_SECONDS": "2", "SLUICE_ORDER_QUIET_SECONDS": "1"}
CAUGHT_BY: dict[str, Callable[[Verdict], tuple[str, ...]]] = {
    "call-before-write": lambda verdict: verdict.disagreements,
    "re-route-unknown": lambda verdict: verdict.doubly_insured,
    "no-idempotency-key": lambda verdict: verdict.doubly_insured,
    "acknowledge-before-commit": lambda verdict: verdict.missing,
}
HANDS = 24
CALLS = 72
SECONDS = 60


async def impatient_callers(home: House, acknowledged: Acknowledged, answers: int, answered: asyncio.Event) -> None:
    """As many calls at a time as there are hands; nobody comes back after an error."""
    numbers = iter(range(1, CALLS + 1))

    async def hand(client: AsyncSluice) -> None:
        for number in numbers:
            try:
                request = routing_pb2.SubmitRequest(application=application(number))
                acknowledged.submitted((await client.routing.Submit(request, timeout=5)).order)
            except errors.SluiceError:
                return
            if len(acknowledged) >= answers:
                answered.set()

    async with AsyncSluice(home.server.address, options=(("grpc.enable_retries", 0),)) as client:
        await asyncio.gather(*(hand(client) for _ in range(HANDS)))


async def campaign(fault: str, folder: Path) -> Verdict:
    """One insurer takes applications without answering, the others need a moment; in the midst of it SIGKILL."""
    store_url = f"sqlite+aiosqlite:///{folder / 'sluice.db'}"
    acknowledged = Acknowledged()
    async with house(
        folder,
        store_url,
        module="tests.chaos.faulty",
        module_arguments=(fault,),
        insurer_timeout_seconds=0.6,
        insurer_latency_ms=200,
        settings=SETTINGS,
    ) as home:
        async with AsyncSluice(home.server.address, actor=FIRST_OPERATOR) as client:
            await furnish(client)
            for insurer_id in INSURERS:
                # Without cuts, so that every order is in the hands of reconciliation.
                await client.insurers.SetBreakerMode(
                    insurer_control_pb2.SetBreakerModeRequest(
                        insurer_id=insurer_id, mode=breaker_pb2.BREAKER_MODE_METRICS_ONLY, reason="test"
                    )
                )
        await home.insurers["insurer-a"].set_mode("accept-then-timeout")
        answered = asyncio.Event()
        calling = asyncio.create_task(impatient_callers(home, acknowledged, CALLS // 3, answered))
        async with asyncio.timeout(SECONDS):
            await answered.wait()
        await home.server.program.kill()
        await calling
        await home.insurers["insurer-a"].set_mode("healthy")
        await home.server.start()
        async with AsyncSluice(home.server.address) as client:
            await until_final(client, SECONDS)
            return await read_books(client, home.insurers, acknowledged)


@pytest.mark.chaos
async def test_a_sound_server_passes_the_proof(tmp_path: Path) -> None:
    verdict = await campaign("none", tmp_path)
    assert verdict.clean, verdict
    assert verdict.acknowledged >= CALLS // 3


@pytest.mark.chaos
@pytest.mark.parametrize("fault", CAUGHT_BY)
async def test_a_planted_bug_is_caught(fault: str, tmp_path: Path) -> None:
    verdict = await campaign(fault, tmp_path)
    assert CAUGHT_BY[fault](verdict), verdict


def insured(application_id: str, insurer_id: str, policy_number: str) -> order_pb2.Order:
    order = order_pb2.Order(state=order_pb2.ORDER_STATE_INSURED, policy_number=policy_number)
    order.application.application_id = application_id
    order.decisions.add(decision_id=f"dec-{application_id}", application_id=application_id, insurer_id=insurer_id)
    return order


def entry(application_id: str, policy_number: str) -> dict[str, object]:
    status = "ISSUED" if policy_number else "DECLINED"
    return {"application_id": application_id, "policy_number": policy_number, "status": status}


def told(*orders: order_pb2.Order) -> Acknowledged:
    acknowledged = Acknowledged()
    for order in orders:
        acknowledged.submitted(order)
    return acknowledged


def test_books_that_agree_are_clean() -> None:
    order = insured("x", "a", "a-1")
    assert judge({"x": order}, {"a": [entry("x", "a-1")]}, told(order)).clean


def test_a_lost_order_a_lost_decision_and_a_changed_answer_are_missing() -> None:
    order = insured("x", "a", "a-1")
    ledger = {"a": [entry("x", "a-1")]}
    assert judge({}, {}, told(order)).missing == ("x: the order",)
    other = insured("x", "a", "a-1")
    other.decisions[0].decision_id = "dec-other"
    assert judge({"x": other}, ledger, told(order)).missing == ("x: the decisions ['dec-x']",)
    parked = insured("x", "a", "")
    parked.state = order_pb2.ORDER_STATE_PARKED
    found = judge({"x": parked}, {}, told(order))
    assert found.missing == ("x: was told ORDER_STATE_INSURED a-1, is ORDER_STATE_PARKED now",)
    assert found.not_final == ("x: ORDER_STATE_PARKED",)


def test_a_second_policy_at_the_same_or_another_insurer_is_found() -> None:
    order = insured("x", "a", "a-1")
    for ledgers in (
        {"a": [entry("x", "a-1"), entry("x", "a-2")]},
        {"a": [entry("x", "a-1")], "b": [entry("x", "b-1")]},
    ):
        found = judge({"x": order}, ledgers, told(order))
        assert len(found.doubly_insured) == 1
        assert found.disagreements == ()


def test_a_ledger_that_says_something_else_is_a_disagreement() -> None:
    order = insured("x", "a", "a-1")
    rejected = insured("x", "a", "")
    rejected.state = order_pb2.ORDER_STATE_REJECTED
    for stored, ledgers in (
        ({"x": order}, {"a": []}),
        ({"x": order}, {"a": [entry("x", "a-2")]}),
        ({"x": order}, {"a": [entry("x", "a-1")], "b": [entry("x", "")]}),
        ({"x": rejected}, {"a": [entry("x", "a-1")]}),
        ({"x": rejected}, {"a": []}),
        ({}, {"a": [entry("x", "a-1")]}),
    ):
        assert judge(stored, ledgers, Acknowledged()).disagreements
    assert judge({"x": rejected}, {"a": [entry("x", "")]}, told(rejected)).clean
