"""A local HTTP endpoint that speaks OpenAI's chat completions, and misbehaves as it is told."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiohttp import web


class StubModel:
    """Keeps what it was asked. ``script``: the behaviours of its calls, the last one for all that follow."""

    def __init__(self, *script: str | tuple[int, str] | None) -> None:
        self.script = list(script)
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.url = ""
        self._leave = asyncio.Event()

    @property
    def material(self) -> dict[str, Any]:
        """What the last call was told."""
        found: dict[str, Any] = json.loads(self.requests[-1]["messages"][1]["content"])
        return found

    async def complete(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(await request.json())
        self.keys.append(request.headers.get("Authorization", ""))
        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
        if answer is None:
            await self._leave.wait()
            return web.Response(status=503)
        if isinstance(answer, tuple):
            return web.Response(status=answer[0], text=answer[1])
        return web.json_response({"choices": [{"message": {"content": answer}}], "usage": {"total_tokens": 1_000}})

    def leave(self) -> None:
        """Lets go of the calls that hang."""
        self._leave.set()


@asynccontextmanager
async def stub_model(*script: str | tuple[int, str] | None) -> AsyncIterator[StubModel]:
    """Listens on a free port of loopback."""
    stub = StubModel(*script)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", stub.complete)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    [address] = runner.addresses
    stub.url = f"http://127.0.0.1:{address[1]}/v1"
    try:
        yield stub
    finally:
        stub.leave()
        await runner.cleanup()


def proposal(*groups: tuple[dict[str, str], str]) -> str:
    """An answer with these groups: conditions by dimension, and the side."""
    return json.dumps(
        {
            "groups": [
                {
                    "conditions": [{"dimension": name, "value": value} for name, value in conditions.items()],
                    "side": side,
                }
                for conditions, side in groups
            ]
        }
    )
