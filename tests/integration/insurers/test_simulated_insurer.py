"""The simulated insurer as a process of its own, through its interface and through the generic adapter."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from ruamel.yaml import YAML

from sluice_server.domain.context import SystemClock
from sluice_server.domain.orders.model import Outcome
from sluice_server.domain.orders.ports import InsurerAdapter
from sluice_server.domain.tracing import Untraced
from sluice_server.insurers.directory import open_adapters
from sluice_server.insurers.simulated.adapter import adapter_configuration
from tests.support.programs import Program, running
from tests.support.submissions import decided, decided_or_nothing, submission_request

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
QUICK = ("--latency-median-ms", "0.5", "--latency-p99-ms", "1")


@asynccontextmanager
async def simulated(folder: Path, *arguments: str) -> AsyncIterator[Program]:
    book = str(folder / "ledger.db")
    async with running("simulated-insurer", "--name", "insurer-a", "--ledger", book, *QUICK, *arguments) as program:
        yield program


@asynccontextmanager
async def adapter(
    folder: Path, url: str, secret: str = "", timeout_seconds: float = 5.0
) -> AsyncIterator[InsurerAdapter]:
    file = folder / "insurers.yaml"
    with file.open("w") as stream:
        configuration = adapter_configuration(url, timeout_seconds=timeout_seconds, secret=secret)
        YAML().dump({"insurers": {"insurer-a": configuration}}, stream)
    adapters = open_adapters(file, environment={}, clock=SystemClock(), tracer=Untraced())
    try:
        yield adapters.get("insurer-a")
    finally:
        await adapters.close()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session:
        yield session


async def post(
    http: aiohttp.ClientSession, url: str, key: str, application_id: str, **headers: str
) -> tuple[int, dict[str, Any]]:
    async with http.post(
        f"{url}/v1/policies", json={"application_id": application_id}, headers={"Idempotency-Key": key, **headers}
    ) as answer:
        return answer.status, await answer.json()


async def script(http: aiohttp.ClientSession, url: str, **mode: object) -> None:
    async with http.put(f"{url}/admin/mode", json=mode) as answer:
        assert answer.status == 200, await answer.text()


async def ledger(http: aiohttp.ClientSession, url: str, query: str = "") -> list[dict[str, Any]]:
    async with http.get(f"{url}/admin/ledger{query}") as answer:
        return [json.loads(line) for line in (await answer.text()).splitlines()]


async def test_a_key_gives_the_same_policy_for_ever_and_refuses_another_body(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async with simulated(tmp_path) as insurer:
        answers = await asyncio.gather(*(post(http, insurer.url, "k1", "app-1") for _ in range(20)))
        assert {body["policy_number"] for _, body in answers} == {"insurer-a-00000001"}
        assert await post(http, insurer.url, "k1", "app-2") == (
            409,
            {"status": "ERROR", "code": "IDEMPOTENCY_KEY_REUSED", "message": "this key came with another body before"},
        )
        (entry,) = await ledger(http, insurer.url)
        assert (entry["application_id"], entry["calls"]) == ("app-1", 21)


async def test_the_ledger_survives_kill_9_in_the_midst_of_traffic(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    acknowledged: dict[str, str] = {}

    async def sell(url: str, number: int, enough: asyncio.Event) -> None:
        status, body = await post(http, url, f"k{number}", f"app-{number}")
        assert status == 201
        acknowledged[f"k{number}"] = body["policy_number"]
        if len(acknowledged) >= 40:
            enough.set()

    async with simulated(tmp_path) as insurer:
        enough = asyncio.Event()
        sales = [asyncio.create_task(sell(insurer.url, number, enough)) for number in range(2000)]
        await enough.wait()
        await insurer.kill()
        await asyncio.gather(*sales, return_exceptions=True)
    assert 40 <= len(acknowledged) < 2000
    async with simulated(tmp_path) as insurer:
        kept = {entry["idempotency_key"]: entry["policy_number"] for entry in await ledger(http, insurer.url)}
        assert acknowledged.items() <= kept.items()
        assert len(set(kept.values())) == len(kept)
        key, number = next(iter(acknowledged.items()))
        assert (await post(http, insurer.url, key, f"app-{key[1:]}"))[1]["policy_number"] == number
        assert len(await ledger(http, insurer.url)) == len(kept)


async def test_it_ends_on_sigterm_though_a_call_hangs(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    async with simulated(tmp_path, "--mode", "accept-then-timeout") as insurer:
        hanging = asyncio.create_task(post(http, insurer.url, "k1", "app-1"))
        while not await ledger(http, insurer.url):
            assert not hanging.done()
        assert await insurer.terminate() == 0
        with pytest.raises(aiohttp.ClientError):
            await hanging


async def test_policies_are_listed_page_by_page_with_what_reconciliation_needs(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async with simulated(tmp_path) as insurer:
        for number in range(5):
            await post(http, insurer.url, f"k{number}", f"app-{number}")
        found: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None:
            async with http.get(f"{insurer.url}/v1/policies?after={after}&limit=2") as answer:
                page = await answer.json()
            found += page["policies"]
            after = page["next"]
        assert [(p["idempotency_key"], p["application_id"]) for p in found] == [(f"k{n}", f"app-{n}") for n in range(5)]
        async with http.get(f"{insurer.url}/v1/policies?after=x") as answer:
            assert answer.status == 400


async def test_the_ledger_keeps_the_trace_of_the_request(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    async with simulated(tmp_path) as insurer:
        await post(http, insurer.url, "k1", "app-1", traceparent=TRACEPARENT)
        assert [entry["traceparent"] for entry in await ledger(http, insurer.url)] == [TRACEPARENT]


async def test_a_wrong_script_names_every_mistake_and_changes_nothing(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async with simulated(tmp_path) as insurer:
        wrong = {"mode": "sleepy", "error_rate": 2, "seed": 1.5, "colour": "red"}
        async with http.put(f"{insurer.url}/admin/mode", json=wrong) as answer:
            assert answer.status == 400
            message = (await answer.json())["message"]
        assert [part.split(":")[0] for part in message.split("; ")] == ["colour", "error_rate", "seed", "mode"]
        async with http.get(f"{insurer.url}/admin/mode") as answer:
            assert (await answer.json())["mode"] == "healthy"
        async with http.post(f"{insurer.url}/v1/policies", data="{") as answer:
            assert answer.status == 400


async def test_through_the_adapter_a_healthy_insurer_insures_once(tmp_path: Path, http: aiohttp.ClientSession) -> None:
    async with simulated(tmp_path) as insurer, adapter(tmp_path, insurer.url) as sluice:
        assert await sluice.inquire(submission_request()) is None
        first = decided(await sluice.submit(submission_request()))
        assert (first.outcome, first.policy_number) == (Outcome.SUCCESS, "insurer-a-00000001")
        assert decided(await sluice.submit(submission_request())) == first
        assert await sluice.inquire(submission_request()) == first
        assert len(await ledger(http, insurer.url)) == 1


async def test_through_the_adapter_a_decline_is_a_business_rejection(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async with simulated(tmp_path, "--decline-rate", "1") as insurer, adapter(tmp_path, insurer.url) as sluice:
        result = decided(await sluice.submit(submission_request()))
        assert (result.outcome, result.error_code) == (Outcome.BUSINESS_REJECTION, "DECLINED_BY_RULE")
        inquiry = decided_or_nothing(await sluice.inquire(submission_request()))
        assert inquiry is not None
        assert inquiry.outcome is Outcome.BUSINESS_REJECTION
        assert await ledger(http, insurer.url) == []
        assert [entry["status"] for entry in await ledger(http, insurer.url, "?declined=1")] == ["DECLINED"]


async def test_through_the_adapter_an_accepted_and_silent_order_is_unknown_and_then_found(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async with simulated(tmp_path) as insurer, adapter(tmp_path, insurer.url, timeout_seconds=0.5) as sluice:
        await script(http, insurer.url, mode="accept-then-timeout")
        result = decided(await sluice.submit(submission_request()))
        assert (result.outcome, result.error_code) == (Outcome.UNKNOWN, "TIMEOUT")
        inquiry = decided_or_nothing(await sluice.inquire(submission_request()))
        assert inquiry is not None
        assert (inquiry.outcome, inquiry.policy_number) == (Outcome.SUCCESS, "insurer-a-00000001")


async def test_through_the_adapter_a_lying_200_is_unknown_and_the_inquiry_tells(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async with simulated(tmp_path, "--mode", "lying-200") as insurer, adapter(tmp_path, insurer.url) as sluice:
        found = Counter[str]()
        for number in range(20):
            request = submission_request(application_id=f"app-{number}", idempotency_key=f"key-{number}")
            result = decided(await sluice.submit(request))
            assert (result.outcome, result.error_code) == (Outcome.UNKNOWN, "SYSTEM_ERROR")
            inquiry = decided_or_nothing(await sluice.inquire(request))
            found["nothing" if inquiry is None else inquiry.outcome] += 1
        assert found["SUCCESS"] == len(await ledger(http, insurer.url)) > 0
        assert found["nothing"] == 20 - found["SUCCESS"] > 0


async def test_through_the_adapter_no_certain_failure_of_an_outage_has_a_policy(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    async with simulated(tmp_path) as insurer, adapter(tmp_path, insurer.url, timeout_seconds=1.0) as sluice:
        await script(http, insurer.url, mode="outage", seed=7)
        requests = [submission_request(application_id=f"app-{n}", idempotency_key=f"key-{n}") for n in range(60)]
        results = [decided(r) for r in await asyncio.gather(*(sluice.submit(request) for request in requests))]
        insured = {entry["idempotency_key"] for entry in await ledger(http, insurer.url)}
        certain = {
            request.idempotency_key
            for request, result in zip(requests, results, strict=True)
            if result.outcome is Outcome.TECHNICAL_FAILURE
        }
        assert {result.outcome for result in results} == {Outcome.TECHNICAL_FAILURE, Outcome.UNKNOWN}
        assert insured
        assert not insured & certain
        inquiries = await asyncio.gather(*(sluice.inquire(request) for request in requests[:10]))
        assert {decided(inquiry).outcome for inquiry in inquiries} == {Outcome.UNKNOWN}


async def test_an_insurer_that_checks_signatures_takes_ours_and_refuses_others(
    tmp_path: Path, http: aiohttp.ClientSession
) -> None:
    (tmp_path / "secret").write_text("s-123\n")
    (tmp_path / "other").write_text("s-124\n")
    async with simulated(tmp_path, "--secret-file", str(tmp_path / "secret")) as insurer:
        async with adapter(tmp_path, insurer.url, secret="file:secret") as sluice:
            assert decided(await sluice.submit(submission_request())).outcome is Outcome.SUCCESS
            inquiry = decided_or_nothing(await sluice.inquire(submission_request()))
            assert inquiry is not None
            assert inquiry.outcome is Outcome.SUCCESS
        async with adapter(tmp_path, insurer.url, secret="file:other") as stranger:
            result = decided(await stranger.submit(submission_request(idempotency_key="key-2")))
            assert (result.outcome, result.error_code) == (Outcome.TECHNICAL_FAILURE, "SIGNATURE_INVALID")
        assert len(await ledger(http, insurer.url)) == 1
