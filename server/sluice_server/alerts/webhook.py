"""Alarms to a webhook: signed JSON, one post for each batch."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from sluice_server.alerts.http_post import HttpPost
from sluice_server.alerts.payload import PAYLOAD_VERSION, alarm_payload
from sluice_server.alerts.signature import SIGNATURE_HEADER, sign
from sluice_server.alerts.template import AlarmTemplate
from sluice_server.domain.breaker.ports import Alarm, AlarmNotDelivered
from sluice_server.domain.context import Clock

_REFUSALS = ("errcode", "code", "StatusCode")
"""Where chat robots say with status 200 that they have refused a message; 0 is success."""


class WebhookSink:
    """Posts ``{"version": 1, "alarms": [...]}`` with the header Sluice-Signature (``sluice alarm-sink`` receives it),
    or what a template makes of the alarms."""

    name = "webhook"
    repeat_seconds: float | None = None

    def __init__(
        self,
        url: str,
        secret: bytes,
        *,
        clock: Clock,
        timeout_seconds: float = 5.0,
        template: AlarmTemplate | None = None,
    ) -> None:
        self._url = url
        self._secret = secret
        self._clock = clock
        self._post = HttpPost(timeout_seconds)
        self._template = template

    async def send(self, alarms: Sequence[Alarm]) -> None:
        now = self._clock.now()
        if self._template is None:
            body = orjson.dumps({"version": PAYLOAD_VERSION, "alarms": [alarm_payload(alarm) for alarm in alarms]})
        else:
            body = self._template.body(alarms, lambda alarm: alarm.resolved_at is not None and alarm.resolved_at <= now)
        # Signed anew for each attempt: the signature is valid for some minutes only.
        answer = await self._post.send(self._url, body, {SIGNATURE_HEADER: sign(self._secret, body, now)})
        if self._template is not None:
            _raise_if_refused(answer)

    async def close(self) -> None:
        """Closes the connection."""
        await self._post.close()


def _raise_if_refused(answer: bytes) -> None:
    try:
        said = orjson.loads(answer)
    except orjson.JSONDecodeError:
        return
    if isinstance(said, dict):
        for name in _REFUSALS:
            if isinstance(said.get(name), int) and said[name] != 0:
                raise AlarmNotDelivered(f"the platform answered {name} {said[name]}")
