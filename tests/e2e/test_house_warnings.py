"""Warnings in the whole house: the server evaluates what is published and searches it for groups, the alarm sink hears
of it once, and a kill -9 loses nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from google.protobuf import json_format

from sluice.client import AsyncSluice, errors
from sluice.risk.v1 import alerts_pb2, anomalies_pb2
from tests.e2e.test_risk_alerts import RULE, rows
from tests.integration.risk.published import publish
from tests.support.house import AlarmSink, house
from tests.unit.risk.groups_portfolio import PLANTED_HIGH, rating_cells

SECONDS = 60


async def followed(client: AsyncSluice, state: int) -> alerts_pb2.Alert:
    """Follows WatchAlerts until an alert is in this state."""
    async with asyncio.timeout(SECONDS):
        async for change in client.risk.WatchAlerts(alerts_pb2.WatchAlertsRequest()):
            if change.alert.state == state:
                return change.alert
    raise AssertionError("the watch ended")


async def told(sink: AlarmSink | None, *, resolved: bool) -> list[dict[str, Any]]:
    """The alarms about risk that the sink has received, as soon as there is one of the kind."""
    assert sink is not None
    async with asyncio.timeout(SECONDS):
        while True:
            found: list[dict[str, Any]] = [one for one in sink.received() if one["name"] == "RiskAlert"]
            if any((one["resolved_at"] is not None) == resolved for one in found):
                return found
            await asyncio.sleep(0.05)


async def groups(client: AsyncSluice) -> anomalies_pb2.ListRiskGroupsResponse:
    """Those of the active data version, as soon as a server has sought them."""
    async with asyncio.timeout(SECONDS):
        while True:
            try:
                return await client.risk.ListRiskGroups(anomalies_pb2.ListRiskGroupsRequest())
            except errors.NotFound:
                await asyncio.sleep(0.1)


async def test_a_warning_is_told_once_survives_a_kill_and_its_end_is_told(tmp_path: Path, sqlite_url: str) -> None:
    risk_url = f"sqlite+aiosqlite:///{tmp_path / 'risk.db'}"
    await publish(risk_url, rows(hot=0))
    async with house(tmp_path, sqlite_url, alarms=True) as home:
        async with AsyncSluice(home.server.address, actor="zhang.san") as client:
            await client.risk.SaveAlertRule(json_format.Parse(RULE, alerts_pb2.SaveAlertRuleRequest()))
            await publish(risk_url, {**rows(hot=3), "rating_cell": rating_cells()})
            firing = await followed(client, alerts_pb2.ALERT_STATE_FIRING)
            [alarm] = await told(home.alarms, resolved=False)
            assert alarm["labels"]["channel"] == "CH1"
            answer = await groups(client)
            assert PLANTED_HIGH in [{c.dimension: c.any_of[0] for c in one.conditions} for one in answer.risk_groups]
            assert answer.permuted_accepted == 0
        await home.server.program.kill()
        await home.server.start()
        async with AsyncSluice(home.server.address, actor="li.si") as client:
            seen = await followed(client, alerts_pb2.ALERT_STATE_FIRING)
            assert seen == firing
            assert (await groups(client)).risk_groups == answer.risk_groups
            await client.risk.AcknowledgeAlert(
                alerts_pb2.AcknowledgeAlertRequest(alert_id=firing.alert_id, reason="calling the channel")
            )
            await publish(risk_url, rows(hot=2, cooled=1))
            resolved = await told(home.alarms, resolved=True)
            listed = await client.risk.ListAlerts(
                alerts_pb2.ListAlertsRequest(states=[alerts_pb2.ALERT_STATE_FIRING, alerts_pb2.ALERT_STATE_RESOLVED])
            )
    assert [(one.alert_id, one.state, one.acknowledged_by) for one in listed.alerts] == [
        (firing.alert_id, alerts_pb2.ALERT_STATE_RESOLVED, "li.si")
    ]
    # Delivery is at least once: a repeat has the id of what it repeats.
    assert len({one["id"] for one in resolved}) == 2
    assert {one["key"] for one in resolved} == {alarm["key"]}
