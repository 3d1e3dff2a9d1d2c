"""Lists of policies as insurers give them: pages by cursor or by number, and lists that cannot be used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from aiohttp import web

from sluice_server.domain.errors import InsurerUnavailable
from sluice_server.domain.orders.ports import ListedPolicy
from sluice_server.insurers.http import HttpInsurerAdapter
from tests.integration.insurers.test_http_adapter import adapter, served

BY_CURSOR: Mapping[str, object] = {
    "path": "/issued?from={start}&until={end}&after={cursor?}",
    "items": "data.rows",
    "policy_number": "no",
    "application_id": "ext.app",
    "next_cursor": "data.next",
    "time_zone": "Asia/Shanghai",
}
BY_PAGE: Mapping[str, object] = {
    "method": "POST",
    "path": "/issued/{day}",
    "body": {"page": "{page}", "before": "{next_day}"},
    "policy_number": "no",
    "idempotency_key": "key",
}


async def listed(adapted: HttpInsurerAdapter, day: date = date(2026, 3, 1)) -> list[ListedPolicy]:
    span = adapted.policy_day(day, now=datetime(2026, 3, 5, tzinfo=UTC))
    assert span is not None
    return [policy async for page in adapted.policies(span) for policy in page]


async def test_a_cursor_is_followed_to_its_end(tmp_path: Path) -> None:
    asked: list[dict[str, str]] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(dict(request.query))
        number = len(asked)
        rows = [{"no": f"P-{number}", "ext": {"app": f"app-{number}"}}]
        return web.json_response({"data": {"rows": rows, "next": f"c{number}" if number < 3 else None}})

    async with served(answer) as url, adapter(tmp_path, url, {"list": BY_CURSOR}) as adapted:
        found = await listed(adapted)
    assert found == [ListedPolicy(f"P-{n}", f"app-{n}", "") for n in (1, 2, 3)]
    assert [query["after"] for query in asked] == ["", "c1", "c2"]
    assert asked[0]["from"] == "2026-03-01T00:00:00+08:00", "the insurer's midnight"
    assert asked[0]["until"] == "2026-03-02T00:00:00+08:00"


async def test_pages_are_counted_until_one_is_empty(tmp_path: Path) -> None:
    asked: list[tuple[str, object]] = []

    async def answer(request: web.Request) -> web.Response:
        body = await request.json()
        asked.append((request.path, body))
        return web.json_response([{"no": 70 + body["page"], "key": "k"}] if body["page"] < 3 else [])

    async with served(answer) as url, adapter(tmp_path, url, {"list": BY_PAGE}) as adapted:
        assert await listed(adapted) == [ListedPolicy("71", "", "k"), ListedPolicy("72", "", "k")]
    assert asked == [("/issued/2026-03-01", {"page": n, "before": "2026-03-02"}) for n in (1, 2, 3)]


@pytest.mark.parametrize(
    ("status", "body", "why"),
    [
        (503, {}, "503"),
        (200, {"data": {}}, "no list at data.rows"),
        (200, {"data": {"rows": [{"ext": {"app": "app-1"}}]}}, "without a number"),
        (200, {"data": {"rows": [], "next": "same"}}, "leads to itself"),
    ],
)
async def test_a_list_that_cannot_be_read_is_no_list(tmp_path: Path, status: int, body: object, why: str) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response(body, status=status)

    async with served(answer) as url, adapter(tmp_path, url, {"list": BY_CURSOR}) as adapted:
        with pytest.raises(InsurerUnavailable, match=why):
            await listed(adapted)


async def test_an_insurer_that_is_not_there_gives_no_list(tmp_path: Path) -> None:
    async with adapter(tmp_path, "http://127.0.0.1:9", {"list": BY_CURSOR}) as adapted:
        with pytest.raises(InsurerUnavailable, match="CONNECTION_REFUSED"):
            await listed(adapted)
