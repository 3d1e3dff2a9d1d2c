"""An alarm as JSON, and the identity by which a receiver knows a repeat."""

from __future__ import annotations

import hashlib

from sluice_server.domain.breaker.ports import Alarm

PAYLOAD_VERSION = 1


def alarm_id(alarm: Alarm) -> str:
    """32 hexadecimal digits, the same for every delivery of the same news: its key, what it says, when it began and
    ended. Delivery is at least once; a receiver drops what it has seen."""
    ended = alarm.resolved_at.isoformat() if alarm.resolved_at else ""
    news = "\0".join((alarm.key, alarm.name, alarm.severity, alarm.summary, alarm.starts_at.isoformat(), ended))
    return hashlib.sha256(news.encode()).hexdigest()[:32]


def alarm_payload(alarm: Alarm) -> dict[str, object]:
    """What the webhook sends for one alarm. Times are RFC 3339, UTC; ``resolved_at`` is null while it lasts."""
    return {
        "id": alarm_id(alarm),
        "key": alarm.key,
        "name": alarm.name,
        "severity": alarm.severity,
        "summary": alarm.summary,
        "labels": dict(alarm.labels),
        "annotations": dict(alarm.annotations),
        "starts_at": alarm.starts_at.isoformat(),
        "resolved_at": alarm.resolved_at.isoformat() if alarm.resolved_at else None,
    }
