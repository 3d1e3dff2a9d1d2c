"""The webhook and its example receiver, a real process: what is sent arrives once, what is not ours is refused."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from prometheus_client import CollectorRegistry

from sluice_server.alerts.delivery import AlarmDelivery, Round
from sluice_server.alerts.signature import SIGNATURE_HEADER, sign
from sluice_server.alerts.webhook import WebhookSink
from sluice_server.domain.breaker.ports import Alarm, AlarmNotDelivered
from sluice_server.domain.context import SystemClock
from sluice_server.store import open_store
from tests.support.alarms import HandClock, alarm
from tests.support.programs import running

SECRET = b"s-93ab"


def receiver(folder: Path) -> tuple[str, ...]:
    (folder / "secret").write_bytes(SECRET + b"\n")
    return ("alarm-sink", "--secret-file", str(folder / "secret"), "--output", str(folder / "alarms.jsonl"))


def received(folder: Path) -> list[dict[str, Any]]:
    file = folder / "alarms.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


async def send(url: str, alarms: Sequence[Alarm], secret: bytes = SECRET) -> None:
    sink = WebhookSink(url, secret, clock=SystemClock())
    try:
        await sink.send(alarms)
    finally:
        await sink.close()


async def test_an_alarm_arrives_whole_and_once(tmp_path: Path) -> None:
    async with running(*receiver(tmp_path)) as program:
        await send(program.url, [alarm("a"), alarm("b")])
        await send(program.url, [alarm("b"), alarm("c")])
        assert await program.terminate() == 0
    assert [line["key"] for line in received(tmp_path)] == ["a", "b", "c"]
    first = received(tmp_path)[0]
    assert first == {
        "id": first["id"],
        "key": "a",
        "name": "InsurerCut",
        "severity": "critical",
        "summary": "traffic to insurer-b is cut",
        "labels": {"insurer_id": "insurer-b", "product_line": ""},
        "annotations": {"state": "OPEN", "incident-id": "inc-1"},
        "starts_at": "2026-03-01T12:00:00+00:00",
        "resolved_at": None,
        "received_at": first["received_at"],
    }


async def test_what_it_has_received_is_known_after_a_kill(tmp_path: Path) -> None:
    async with running(*receiver(tmp_path)) as program:
        await send(program.url, [alarm("a")])
        await program.kill()
    # The kill came while a line was written.
    with (tmp_path / "alarms.jsonl").open("a") as file:
        file.write('{"id": "cut off')
    async with running(*receiver(tmp_path)) as program:
        await send(program.url, [alarm("a"), alarm("b"), replace(alarm("a"), summary="other news")])
    assert [line["key"] for line in received(tmp_path)] == ["a", "b", "a"]


async def test_what_is_not_ours_is_refused_and_not_kept(tmp_path: Path) -> None:
    body = json.dumps({"version": 1, "alarms": [{"id": "x", "key": "forged"}]}).encode()
    now = datetime.now(UTC)
    async with running(*receiver(tmp_path)) as program, aiohttp.ClientSession() as session:
        with pytest.raises(AlarmNotDelivered, match="answered 401"):
            await send(program.url, [alarm()], secret=b"other")
        for content, header in (
            (body.replace(b"forged", b"changed"), sign(SECRET, body, now)),
            (body, sign(SECRET, body, now - timedelta(minutes=6))),
            (body, ""),
        ):
            async with session.post(program.url, data=content, headers={SIGNATURE_HEADER: header}) as answer:
                assert answer.status == 401
        for content in (b"{", b"[]", b'{"version": 2, "alarms": []}', b'{"version": 1, "alarms": [{"key": "no id"}]}'):
            headers = {SIGNATURE_HEADER: sign(SECRET, content, now)}
            async with session.post(program.url, data=content, headers=headers) as answer:
                assert answer.status == 400
        async with session.get(program.url) as answer:
            assert await answer.text() == ""
    assert received(tmp_path) == []


async def test_alarms_of_an_outage_of_the_receiver_arrive_once_when_it_is_back(tmp_path: Path) -> None:
    async with running(*receiver(tmp_path)) as program:
        url = program.url
        await program.terminate()
    # Signatures are checked against the machine's clock, so this one starts there.
    clock = HandClock(datetime.now(UTC))
    sink = WebhookSink(url, SECRET, clock=clock)
    async with open_store(f"sqlite+aiosqlite:///{tmp_path / 'store.db'}") as store:
        delivery = AlarmDelivery(store, [sink], clock=clock, registry=CollectorRegistry())
        async with store.write() as uow:
            for number in range(5):
                await uow.alarms.put(alarm(f"k{number}"))
            await uow.commit()
        assert await delivery.deliver() == Round(postponed=5)
        async with running(*receiver(tmp_path), "--listen", urlsplit(url).netloc):
            clock.forward(2)
            assert await delivery.deliver() == Round(delivered=5)
            assert await delivery.deliver() == Round()
        await sink.close()
    assert sorted(line["key"] for line in received(tmp_path)) == [f"k{number}" for number in range(5)]


async def test_a_refusal_tells_neither_the_url_nor_the_secret() -> None:
    with pytest.raises(AlarmNotDelivered) as refused:
        await send("http://127.0.0.1:1/robot/token-4711", [alarm()], secret=b"s-secret")
    assert str(refused.value) == "not reached: ClientConnectorError"
