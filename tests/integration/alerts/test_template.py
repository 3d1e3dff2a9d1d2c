"""The webhook in a robot's form: a real HTTP robot that refuses as robots do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from sluice_server.alerts.signature import SIGNATURE_HEADER, verify
from sluice_server.alerts.template import MOST_TEXT, AlarmTemplate
from sluice_server.alerts.webhook import WebhookSink
from sluice_server.domain.breaker.ports import Alarm, AlarmNotDelivered
from sluice_server.domain.errors import InvalidInput
from tests.support.alarms import NOON, HandClock, alarm

SECRET = b"s-93ab"
DOCS = (Path(__file__).parents[3] / "docs" / "alarms.md").read_text()
CHAT, BLOCKS = (part.split("```")[0].encode() for part in DOCS.split("```json\n")[1:])


class Robot:
    """Takes what has its form; answers 200 whatever it thinks."""

    def __init__(self) -> None:
        self.messages: list[dict[str, Any]] = []
        self.answer: object = {"errcode": 0, "errmsg": "ok"}

    async def receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        verify(SECRET, body, request.headers[SIGNATURE_HEADER], NOON)
        self.messages.append(orjson.loads(body))
        return web.Response(body=orjson.dumps(self.answer), content_type="application/json")


@asynccontextmanager
async def robot(template: bytes) -> AsyncIterator[tuple[Robot, WebhookSink]]:
    robot, app = Robot(), web.Application()
    app.router.add_post("/robot", robot.receive)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/robot"
    sink = WebhookSink(url, SECRET, clock=HandClock(), template=AlarmTemplate(template))
    try:
        yield robot, sink
    finally:
        await sink.close()
        await runner.cleanup()


def never(_: Alarm) -> bool:
    return False


async def test_a_chat_robot_gets_its_form_with_the_most_severe_first() -> None:
    warning = replace(alarm("b", summary='insurer-c "fails"'), severity="warning")
    over = alarm("c", summary="insurer-d takes its share again", resolved_at=NOON)
    async with robot(CHAT) as (chat, sink):
        await sink.send([warning, alarm("a"), over])
    (message,) = chat.messages
    assert message == {
        "msgtype": "markdown",
        "markdown": {
            "title": "critical: traffic to insurer-b is cut (and 2 more)",
            "text": "### 3 alarms\n[critical] traffic to insurer-b is cut\n[resolved] insurer-d takes its share again\n"
            '[warning] insurer-c "fails"',
        },
        "at": {"isAtAll": False},
    }


async def test_each_alarm_has_an_object_of_its_own() -> None:
    async with robot(BLOCKS) as (chat, sink):
        await sink.send([alarm("a"), replace(alarm("b"), annotations={"reason": "the drill"})])
    header, first, second = chat.messages[0]["blocks"]
    assert header["text"] == "traffic to insurer-b is cut (and 1 more)"
    assert first["fields"] == ["firing", "insurer-b", ""]
    assert second["fields"] == ["firing", "insurer-b", "the drill"]


@pytest.mark.parametrize("answer", [{"errcode": 310000}, {"code": 9499}, {"StatusCode": 1}])
async def test_a_refusal_with_status_200_is_not_delivered(answer: dict[str, int]) -> None:
    async with robot(CHAT) as (chat, sink):
        chat.answer = answer
        with pytest.raises(AlarmNotDelivered, match=str(next(iter(answer.values())))):
            await sink.send([alarm()])
        chat.answer = ["anything else"]
        await sink.send([alarm()])


@pytest.mark.parametrize(
    ("template", "fields"),
    [
        (b"{", {"alarm_webhook_template"}),
        (b'{"text": "${sumary}", "more": ["${summary}"]}', {".text", ".more[0]"}),
        (b'{"$each": {"text": "${summary}"}}', {""}),
        (b'[{"$each": "${key}", "other": 1}]', {"[0]"}),
        (b'[{"$each": [{"$each": "${key}"}]}]', {"[0].$each[0]"}),
        (b'[{"$each": {"text": "${lables.insurer_id}"}}]', {"[0].$each.text"}),
        (b'{"a":' * 60 + b"1" + b"}" * 60, {".a" * 51}),
    ],
)
def test_every_mistake_of_a_template_is_named(template: bytes, fields: set[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        AlarmTemplate(template)
    assert {v.field.removeprefix("alarm_webhook_template") for v in refused.value.violations} == {
        field.removeprefix("alarm_webhook_template") for field in fields
    }


def test_a_count_alone_is_a_number() -> None:
    body = AlarmTemplate(b'{"n": "${count}", "text": "${count} alarms"}').body([alarm("a"), alarm("b")], never)
    assert orjson.loads(body) == {"n": 2, "text": "2 alarms"}


def test_a_text_is_cut_to_what_robots_take() -> None:
    many = [alarm(f"k{n}", summary=f"insurer-{n} " + "x" * 100) for n in range(200)]
    text: str = orjson.loads(AlarmTemplate(b'"${text}"').body(many, never))
    assert len(text) < MOST_TEXT + 50
    *lines, last = text.splitlines()
    assert last == f"… and {200 - len(lines)} more"


@given(summary=st.text(), label=st.text())
def test_whatever_an_alarm_says_the_form_stays(summary: str, label: str) -> None:
    said = replace(alarm(summary=summary), labels={"insurer_id": label}, starts_at=NOON + timedelta(seconds=1))
    content = orjson.loads(AlarmTemplate(BLOCKS).body([said], never))
    assert content["blocks"][1]["text"] == summary
    assert content["blocks"][1]["fields"][1] == label
