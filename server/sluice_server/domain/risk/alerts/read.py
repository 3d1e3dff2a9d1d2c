"""The use cases ListAlertRules, ListAlerts and WatchAlerts."""

from __future__ import annotations

import asyncio
import base64
import binascii
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from datetime import timedelta

from sluice_server.domain.context import CallContext, Clock
from sluice_server.domain.errors import InvalidPageToken
from sluice_server.domain.risk.alerts.alert import OPEN, Alert
from sluice_server.domain.risk.alerts.metric_rule import StoredRule
from sluice_server.domain.risk.alerts.ports import AlertFilter
from sluice_server.domain.risk.paging import Page, PageTokens
from sluice_server.domain.unit_of_work import Store

_OPEN_STATES = tuple(sorted(OPEN))
_LATE = timedelta(seconds=60)
"""A change may become visible this long after the moment that it carries: other replicas' clocks, long commits."""
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class ListAlertRulesParams:
    """What to list; an empty metric does not restrict."""

    metric: str
    page: Page


@dataclass(frozen=True, slots=True)
class AlertRulePage:
    """One page, by id."""

    rules: tuple[StoredRule, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class ListAlertsParams:
    """What to list. No states: those that are open."""

    wanted: AlertFilter
    page: Page


@dataclass(frozen=True, slots=True)
class AlertPage:
    """One page, newest first."""

    alerts: tuple[Alert, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class AlertChange:
    """An alert after a change. ``initial``: it was there when the watch began."""

    alert: Alert
    initial: bool


class ListAlertRules:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, params: ListAlertRulesParams, context: CallContext) -> AlertRulePage:
        """Raises InvalidPageToken."""
        after = _read_token("alert-rules", params.page.token, params.metric)
        async with self._store.read() as uow:
            found = await uow.alerts.rules(
                metric=params.metric, enabled_only=False, after=after, limit=params.page.size + 1
            )
        page, more = found[: params.page.size], len(found) > params.page.size
        token = _token("alert-rules", page[-1].rule.alert_rule_id, params.metric) if more else ""
        return AlertRulePage(tuple(page), token)


class ListAlerts:
    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, params: ListAlertsParams, context: CallContext) -> AlertPage:
        """Raises InvalidPageToken."""
        before = _read_token("alerts", params.page.token, params.wanted)
        wanted = _opened(params.wanted)
        async with self._store.read() as uow:
            found = await uow.alerts.list(wanted, before=before or None, limit=params.page.size + 1)
        page, more = found[: params.page.size], len(found) > params.page.size
        return AlertPage(tuple(page), _token("alerts", page[-1].alert_id, params.wanted) if more else "")


class WatchAlerts:
    """Sends what is open, then every change. Of several changes within ``every_seconds`` the last one."""

    def __init__(self, store: Store, clock: Clock, *, every_seconds: float = 0.5) -> None:
        self._store = store
        self._clock = clock
        self._every_seconds = every_seconds

    async def __call__(self, wanted: AlertFilter, context: CallContext) -> AsyncGenerator[AlertChange, None]:
        """Until the caller leaves. Raises Unavailable."""
        since = self._clock.now()
        known: dict[str, int] = {}
        before: str | None = None
        while True:
            async with self._store.read() as uow:
                page = await uow.alerts.list(_opened(wanted), before=before, limit=_AT_ONCE)
            for alert in page:
                known[alert.alert_id] = alert.version
                yield AlertChange(alert, initial=True)
            if len(page) < _AT_ONCE:
                break
            before = page[-1].alert_id
        while True:
            await asyncio.sleep(self._every_seconds)
            now = self._clock.now()
            async with self._store.read() as uow:
                changed = await uow.alerts.updated(since - _LATE, wanted)
            for alert in changed:
                if known.get(alert.alert_id) == alert.version:
                    continue
                if alert.is_open:
                    known[alert.alert_id] = alert.version
                elif known.pop(alert.alert_id, None) is None:
                    continue  # Over before it was seen, or told already.
                yield AlertChange(alert, initial=False)
            since = now


def _opened(wanted: AlertFilter) -> AlertFilter:
    if wanted.states:
        return wanted
    return AlertFilter(_OPEN_STATES, wanted.alert_rule_id, wanted.severities)


def _token(name: str, last: str, subject: object) -> str:
    """Goes on after ``last``; bound to the list and its filters as all page tokens are."""
    place = base64.urlsafe_b64encode(last.encode()).decode().rstrip("=")
    return f"{PageTokens(name).write((subject, last))}.{place}"


def _read_token(name: str, token: str, subject: object) -> str:
    if not token:
        return ""
    seal, _, place = token.rpartition(".")
    try:
        padded = place.encode("ascii") + b"=" * (-len(place) % 4)
        last = base64.b64decode(padded, altchars=b"-_", validate=True).decode()
    except (ValueError, binascii.Error) as error:
        raise InvalidPageToken from error
    if not seal:
        raise InvalidPageToken
    PageTokens(name).read(seal, (subject, last), {})
    return last
