"""Alarms to Prometheus' Alertmanager (v2 API)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

import orjson

from sluice_server.alerts.http_post import HttpPost
from sluice_server.domain.breaker.ports import Alarm
from sluice_server.domain.context import Clock

# An alert is over for Alertmanager when it has not been told of it again by then; so it is told every two minutes, and
# one repeat may fail.
_LASTS_SECONDS = 300.0
_REPEAT_SECONDS = 120.0
_NOT_IN_A_LABEL = re.compile(r"[^a-zA-Z0-9_]")


class AlertmanagerSink:
    """POST /api/v2/alerts. The alarm's key becomes the label ``alarm_key``: a new state of the same alarm replaces the
    old one there as it does here."""

    name = "alertmanager"

    def __init__(
        self,
        base_url: str,
        *,
        clock: Clock,
        timeout_seconds: float = 5.0,
        repeat_seconds: float | None = _REPEAT_SECONDS,
    ) -> None:
        self._url = f"{base_url.rstrip('/')}/api/v2/alerts"
        self._clock = clock
        self._post = HttpPost(timeout_seconds)
        self.repeat_seconds = repeat_seconds

    async def send(self, alarms: Sequence[Alarm]) -> None:
        await self._post.send(self._url, orjson.dumps([self._alert(alarm) for alarm in alarms]), {})

    async def close(self) -> None:
        """Closes the connection."""
        await self._post.close()

    def _alert(self, alarm: Alarm) -> Mapping[str, object]:
        ends_at = alarm.resolved_at or self._clock.now() + timedelta(seconds=_LASTS_SECONDS)
        labels = {_label(name): value for name, value in alarm.labels.items() if value}
        return {
            # Only what does not change while the alarm lasts: Alertmanager takes other labels for another alert.
            "labels": {**labels, "alertname": alarm.name, "alarm_key": alarm.key, "severity": alarm.severity},
            "annotations": {
                **{_label(name): value for name, value in alarm.annotations.items() if value},
                "summary": alarm.summary,
            },
            "startsAt": alarm.starts_at.isoformat(),
            "endsAt": ends_at.isoformat(),
        }


def _label(name: str) -> str:
    """A name that Alertmanager 0.25 takes: letters, digits, underscores, no digit at the beginning."""
    fit = _NOT_IN_A_LABEL.sub("_", name) or "_"
    return f"_{fit}" if fit[0].isdigit() else fit
