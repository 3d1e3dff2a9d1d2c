"""Alarms to a webhook: signed JSON, one post for each batch."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from sluice_server.alerts.http_post import HttpPost
from sluice_server.alerts.payload import PAYLOAD_VERSION, alarm_payload
from sluice_server.alerts.signature import SIGNATURE_HEADER, sign
from sluice_server.domain.breaker.ports import Alarm
from sluice_server.domain.context import Clock


class WebhookSink:
    """Posts ``{"version": 1, "alarms": [...]}`` with the header Sluice-Signature; ``sluice alarm-sink`` receives it."""

    name = "webhook"
    repeat_seconds: float | None = None

    def __init__(self, url: str, secret: bytes, *, clock: Clock, timeout_seconds: float = 5.0) -> None:
        self._url = url
        self._secret = secret
        self._clock = clock
        self._post = HttpPost(timeout_seconds)

    async def send(self, alarms: Sequence[Alarm]) -> None:
        body = orjson.dumps({"version": PAYLOAD_VERSION, "alarms": [alarm_payload(alarm) for alarm in alarms]})
        # Signed anew for each attempt: the signature is valid for some minutes only.
        await self._post.send(self._url, body, {SIGNATURE_HEADER: sign(self._secret, body, self._clock.now())})

    async def close(self) -> None:
        """Closes the connection."""
        await self._post.close()
