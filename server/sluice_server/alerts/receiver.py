"""An example of the other side: receives the webhook, checks its signature, keeps each alarm once as a JSON line."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import orjson
from aiohttp import web

from sluice_server.alerts.payload import PAYLOAD_VERSION
from sluice_server.alerts.signature import SIGNATURE_HEADER, SignatureRefused, verify
from sluice_server.domain.context import Clock


class AlarmReceiver:
    """POST /alarms appends to the file; GET /alarms shows it. Without a secret signatures are not checked."""

    def __init__(self, output: Path, *, clock: Clock, secret: bytes | None) -> None:
        self._output = output
        self._clock = clock
        self._secret = secret
        self._seen = _ids(output)
        self._writing = asyncio.Lock()

    def application(self) -> web.Application:
        """The interface, to be served."""
        app = web.Application(client_max_size=4 << 20)
        app.add_routes([web.post("/alarms", self._receive), web.get("/alarms", self._show)])
        return app

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        if self._secret is not None:
            try:
                verify(self._secret, body, request.headers.get(SIGNATURE_HEADER, ""), self._clock.now())
            except SignatureRefused as error:
                return web.json_response({"error": str(error)}, status=401)
        alarms = _alarms(body)
        if alarms is None:
            return web.json_response({"error": f"needs version {PAYLOAD_VERSION} and alarms with an id"}, status=400)
        # Shielded: a caller that hangs up must not leave a line on disk that is not remembered as seen.
        new = await asyncio.shield(self._keep(alarms))
        return web.json_response({"new": new, "repeated": len(alarms) - new})

    async def _keep(self, alarms: list[dict[str, object]]) -> int:
        received_at = self._clock.now().isoformat()
        async with self._writing:
            new = {str(a["id"]): {**a, "received_at": received_at} for a in alarms if a["id"] not in self._seen}
            await asyncio.to_thread(_append, self._output, list(new.values()))
            self._seen.update(new)
        return len(new)

    async def _show(self, _: web.Request) -> web.Response:
        content = await asyncio.to_thread(lambda: self._output.read_bytes() if self._output.exists() else b"")
        return web.Response(body=content, content_type="application/x-ndjson")


def _alarms(body: bytes) -> list[dict[str, object]] | None:
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(content, dict) or content.get("version") != PAYLOAD_VERSION:
        return None
    alarms = content.get("alarms")
    if not isinstance(alarms, list) or not all(isinstance(a, dict) and isinstance(a.get("id"), str) for a in alarms):
        return None
    return alarms


def _append(path: Path, alarms: list[dict[str, object]]) -> None:
    with path.open("ab") as file:
        file.write(b"".join(orjson.dumps(alarm) + b"\n" for alarm in alarms))
        file.flush()
        os.fsync(file.fileno())


def _ids(path: Path) -> set[str]:
    """Of the alarms that the file holds. A last line that a kill cut short is cut off: it was never acknowledged."""
    if not path.exists():
        return set()
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        os.truncate(path, len(whole))
    return {str(orjson.loads(line)["id"]) for line in whole.splitlines()}
