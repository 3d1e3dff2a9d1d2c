"""Warnings that no rule on a metric raises, on both kinds of database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from sluice_server.domain.errors import ConcurrentChange
from sluice_server.domain.risk.alerts.ports import AlertFilter
from sluice_server.domain.risk.alerts.raise_warning import RaiseWarning, RiskWarning
from sluice_server.domain.risk.alerts.replay import AlertState
from sluice_server.domain.risk.alerts.rule import Severity
from sluice_server.domain.risk.semantic.semantic_model import Label
from sluice_server.store import SqlStore, open_store
from tests.support.alarms import HandClock

DRIFT = RiskWarning("model-drift", Label("模型漂移", "the model has drifted"), {"model_version": "3"}, owner="pricing")


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[SqlStore]:
    async with open_store(store_url) as store:
        yield store


async def test_a_warning_lasts_from_the_first_time_it_is_raised_until_it_is_over(store: SqlStore) -> None:
    clock = HandClock()
    warn = RaiseWarning(store, clock)
    assert not await warn.over("model-drift", {"model_version": "3"})
    first = await warn(DRIFT)
    clock.forward(60)
    again = await warn(RiskWarning("model-drift", DRIFT.summary, DRIFT.dimensions, Severity.CRITICAL, "pricing"))
    assert (again.alert_id, again.moments, again.severity) == (first.alert_id, 2, Severity.CRITICAL)
    other = await warn(RiskWarning("model-drift", DRIFT.summary, {"model_version": "4"}))
    assert other.alert_id != first.alert_id
    async with store.read() as uow:
        waiting = await uow.alarms.due(now=clock.now(), limit=10)
    assert {one.alarm.labels["model_version"]: one.alarm.severity for one in waiting} == {
        "3": "critical",
        "4": "warning",
    }
    assert await warn.over("model-drift", {"model_version": "3"})
    async with store.read() as uow:
        [over] = await uow.alerts.list(AlertFilter((AlertState.RESOLVED,)), before=None, limit=10)
        [lasting] = await uow.alerts.open_of("model-drift")
        ended = await uow.alarms.latest(f"risk/model-drift/{first.group}")
    assert (over.alert_id, over.resolved_at, lasting.alert_id) == (first.alert_id, clock.now(), other.alert_id)
    assert ended is not None
    assert ended.resolved_at == clock.now()
    assert ended.summary.startswith("Resolved: ")


async def test_of_a_rule_and_group_one_alert_is_open_whoever_is_first(store: SqlStore) -> None:
    warn = RaiseWarning(store, HandClock())
    alert = await warn(DRIFT)
    async with store.write() as uow:
        with pytest.raises(ConcurrentChange, match="raised meanwhile"):
            await uow.alerts.add(replace(alert, alert_id="alt-other"))
        await uow.alerts.save(alert)
        with pytest.raises(ConcurrentChange, match="changed meanwhile"):
            await uow.alerts.save(alert)
