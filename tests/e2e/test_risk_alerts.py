"""Warnings through a real server with all interceptors: a rule is tried, saved, evaluated on data versions that the
Flink loader publishes, acknowledged and resolved. On both kinds of database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from typer.testing import CliRunner, Result

from sluice.client import AsyncSluice, errors
from sluice.risk.v1 import alerts_pb2, dashboards_pb2
from sluice_server.cli.main import app
from sluice_server.domain.breaker.ports import Alarm
from sluice_server.domain.context import SystemClock
from tests.integration.risk.published import publish
from tests.support.risk_server import RiskRoom, risk_room
from tests.unit.risk.portfolio import channel_row

SHIPPED_RULES = Path(__file__).parents[2] / "docs/example-alert-rules.yaml"
MONTHS = [date(2026, month, 1) for month in range(1, 11)]
RULE = """{
  "alert_rule": {
    "alert_rule_id": "channel-loss-ratio", "title": "Channel runs hot", "metric": "loss_ratio",
    "dimensions": ["channel"], "threshold": 0.8, "hysteresis": 0.1, "minimum_exposure": 5,
    "for_duration": "2419200s", "severity": "SEVERITY_CRITICAL", "owner": "risk-team", "enabled": true
  },
  "reason": "agreed in the risk meeting"
}"""


def rows(hot: int, *, cooled: int = 0) -> dict[str, Any]:
    """Ten months of two channels; the last ``hot`` months of CH1 have a loss ratio of 0.9, the ``cooled`` after 0.3."""
    found = []
    for i, month in enumerate(MONTHS):
        is_hot = len(MONTHS) - hot - cooled <= i < len(MONTHS) - cooled
        found.append(channel_row("CH1", month, claims=3, incurred_minor=90_000 if is_hot else 30_000))
        found.append(channel_row("CH2", month, claims=3, incurred_minor=30_000))
    return {"channel_month": found}


def typed(text: str = RULE, **changed: Any) -> alerts_pb2.SaveAlertRuleRequest:
    """A request as a person types it."""
    request = json_format.Parse(text, alerts_pb2.SaveAlertRuleRequest())
    for name, value in changed.items():
        setattr(request, name, value)
    return request


@pytest.fixture
def risk_url(store_url: str, tmp_path: Any) -> str:
    """Another database than the server's own: on SQLite a file, on PostgreSQL the schema ``risk`` of the same one."""
    return store_url if store_url.startswith("postgresql") else f"sqlite+aiosqlite:///{tmp_path}/risk.db"


@pytest.fixture
async def room(store_url: str, risk_url: str) -> AsyncIterator[RiskRoom]:
    await publish(risk_url, rows(hot=0))
    async with risk_room(store_url, risk_url) as room:
        yield room


@pytest.fixture
async def client(room: RiskRoom) -> AsyncIterator[AsyncSluice]:
    async with room.client("zhang.san") as client:
        yield client


async def alarms(room: RiskRoom) -> list[Alarm]:
    async with room.store.read() as uow:
        due = await uow.alarms.due(now=SystemClock().now(), limit=100)
    return [one.alarm for one in due]


async def listed(client: AsyncSluice, **fields: Any) -> list[alerts_pb2.Alert]:
    return list((await client.risk.ListAlerts(alerts_pb2.ListAlertsRequest(**fields))).alerts)


async def test_a_rule_is_tried_saved_fires_is_acknowledged_and_resolves(
    room: RiskRoom, client: AsyncSluice, risk_url: str
) -> None:
    tried = await client.risk.SaveAlertRule(typed(validate_only=True))
    assert (tried.replay_summary.series, tried.replay_summary.moments, tried.replay_summary.fired) == (2, 20, 0)
    assert len((await client.risk.ListAlertRules(alerts_pb2.ListAlertRulesRequest())).alert_rules) == 0
    saved = await client.risk.SaveAlertRule(typed(request_id="one"))
    assert (saved.alert_rule.version, saved.alert_rule.etag, saved.alert_rule.updated_by) == (1, "1", "zhang.san")
    assert (await client.risk.SaveAlertRule(typed(request_id="one"))).alert_rule == saved.alert_rule

    await room.alerts.evaluate()
    assert await listed(client) == []

    watched: Any = aiter(client.risk.WatchAlerts(alerts_pb2.WatchAlertsRequest()))
    await publish(risk_url, rows(hot=1))
    [one] = await room.alerts.evaluate()
    assert (one.began, one.fired) == (1, 0)
    [pending] = await listed(client)
    began = await asyncio.wait_for(anext(watched), 10)
    assert (began.alert, began.initial) == (pending, False)
    assert (pending.state, dict(pending.dimensions)) == (alerts_pb2.ALERT_STATE_PENDING, {"channel": "CH1"})
    assert await alarms(room) == []

    await publish(risk_url, rows(hot=2))
    await room.alerts.evaluate()
    [firing] = await listed(client, minimum_severity=dashboards_pb2.SEVERITY_CRITICAL)
    assert (firing.alert_id, firing.state) == (pending.alert_id, alerts_pb2.ALERT_STATE_FIRING)
    assert (firing.value.value, firing.limit, firing.owner, firing.moments) == (0.9, 0.8, "risk-team", 2)
    assert firing.value.interval.lower < 0.9 < firing.value.interval.upper
    assert firing.start_time.ToDatetime().date() == MONTHS[-2]
    assert firing.data.data_version == 3
    assert "0.9" in firing.summary_en
    assert "赔付率" in firing.summary_zh
    [alarm] = await alarms(room)
    assert (alarm.name, alarm.severity, alarm.labels["channel"]) == ("RiskAlert", "critical", "CH1")
    assert (alarm.labels["owner"], alarm.resolved_at) == ("risk-team", None)

    assert await room.alerts.evaluate() == []  # once for each data version
    request = alerts_pb2.AcknowledgeAlertRequest(
        alert_id=firing.alert_id, etag=firing.etag, reason="calling the channel", request_id="seen"
    )
    seen = await client.risk.AcknowledgeAlert(request)
    assert (seen.acknowledged_by, seen.acknowledge_note) == ("zhang.san", "calling the channel")
    assert (await client.risk.AcknowledgeAlert(request)) == seen

    await publish(risk_url, rows(hot=2, cooled=1))
    await room.alerts.evaluate()
    assert await listed(client) == []
    [resolved] = await listed(client, states=[alerts_pb2.ALERT_STATE_RESOLVED])
    assert resolved.acknowledged_by == "zhang.san"
    assert resolved.resolve_time.ToDatetime().date() == MONTHS[-1]
    [over] = await alarms(room)
    assert over.key == alarm.key
    assert over.resolved_at is not None
    with pytest.raises(errors.FailedPrecondition) as refused:
        await client.risk.AcknowledgeAlert(alerts_pb2.AcknowledgeAlertRequest(alert_id=firing.alert_id, reason="late"))
    assert refused.value.reason == "ALERT_RESOLVED"
    async with asyncio.timeout(10):
        last = await anext(watched)
        while last.alert.state != alerts_pb2.ALERT_STATE_RESOLVED:
            last = await anext(watched)
    assert (last.alert.alert_id, last.initial) == (firing.alert_id, False)


async def test_the_replay_shows_when_it_would_have_fired_and_the_live_evaluation_agrees(
    room: RiskRoom, client: AsyncSluice, risk_url: str
) -> None:
    await publish(risk_url, rows(hot=3))
    tried = await client.risk.SaveAlertRule(typed(validate_only=True))
    [replayed] = tried.replay
    assert (tried.replay_summary.fired, tried.replay_summary.firing) == (1, 1)
    assert replayed.fire_time.ToDatetime().date() == MONTHS[-2]
    await client.risk.SaveAlertRule(typed())
    await room.alerts.evaluate()
    [live] = await listed(client)
    for name in ("state", "value", "limit", "worst", "moments", "start_time", "fire_time", "dimensions", "summary_en"):
        assert getattr(live, name) == getattr(replayed, name), name


async def test_two_replicas_raise_one_alert_and_one_alarm(
    room: RiskRoom, client: AsyncSluice, store_url: str, risk_url: str
) -> None:
    await client.risk.SaveAlertRule(typed())
    await publish(risk_url, rows(hot=3))
    async with risk_room(store_url, risk_url) as other:
        both = await asyncio.gather(room.alerts.evaluate(), other.alerts.evaluate())
    assert sorted(map(len, both)) == [0, 1]
    [alert] = await listed(client)
    assert alert.etag == "1"
    assert len(await alarms(room)) == 1


async def test_a_disabled_rule_resolves_what_it_had_raised_and_raises_nothing(
    room: RiskRoom, client: AsyncSluice, risk_url: str
) -> None:
    await client.risk.SaveAlertRule(typed())
    await publish(risk_url, rows(hot=3))
    await room.alerts.evaluate()
    request = alerts_pb2.SaveAlertRuleRequest(reason="too noisy")
    request.alert_rule.alert_rule_id = "channel-loss-ratio"
    request.alert_rule.etag = "1"
    request.update_mask.paths.append("enabled")
    saved = await client.risk.SaveAlertRule(request)
    assert (saved.alert_rule.version, saved.alert_rule.threshold, saved.alert_rule.enabled) == (2, 0.8, False)
    assert await listed(client) == []
    assert await room.alerts.evaluate() == []


async def test_rules_and_alerts_are_paged(room: RiskRoom, client: AsyncSluice, risk_url: str) -> None:
    for name in ("b-rule", "a-rule", "c-rule"):
        request = typed()
        request.alert_rule.alert_rule_id = name
        await client.risk.SaveAlertRule(request)
    first = await client.risk.ListAlertRules(alerts_pb2.ListAlertRulesRequest(page_size=2, metric="loss_ratio"))
    assert [one.alert_rule_id for one in first.alert_rules] == ["a-rule", "b-rule"]
    rest = await client.risk.ListAlertRules(
        alerts_pb2.ListAlertRulesRequest(page_size=2, metric="loss_ratio", page_token=first.next_page_token)
    )
    assert ([one.alert_rule_id for one in rest.alert_rules], rest.next_page_token) == (["c-rule"], "")
    await publish(risk_url, rows(hot=3))
    await room.alerts.evaluate()
    newest = await client.risk.ListAlerts(alerts_pb2.ListAlertsRequest(page_size=2))
    older = await client.risk.ListAlerts(alerts_pb2.ListAlertsRequest(page_size=2, page_token=newest.next_page_token))
    ids = [one.alert_id for one in (*newest.alerts, *older.alerts)]
    assert ids == sorted(ids, reverse=True)
    assert len(set(ids)) == 3


async def test_a_rule_comes_back_as_it_was_saved(client: AsyncSluice) -> None:
    text = """{"alert_rule": {"alert_rule_id": "a", "metric": "claims", "dimensions": ["channel"], "comparison": 2,
        "filters": [{"dimension": "month", "last": 6}, {"dimension": "channel", "none_of": ["CH9"]}],
        "baseline_deviations": 3, "season": "31536000s", "history": 4, "minimum_exposure": 7, "severity": 1,
        "time_dimension": "month", "for_duration": "2419200s", "owner": "o", "title": "t"}, "reason": "x"}"""
    saved = (await client.risk.SaveAlertRule(typed(text))).alert_rule
    [listed] = (await client.risk.ListAlertRules(alerts_pb2.ListAlertRulesRequest())).alert_rules
    assert listed == saved
    for name, field in typed(text).alert_rule.ListFields():
        assert getattr(listed, name.name) == field, name.name


async def test_a_stale_etag_and_a_used_request_id_change_nothing(client: AsyncSluice) -> None:
    await client.risk.SaveAlertRule(typed(request_id="one"))
    stale = typed()
    stale.alert_rule.etag = "7"
    with pytest.raises(errors.Aborted) as refused:
        await client.risk.SaveAlertRule(stale)
    assert (refused.value.reason, refused.value.metadata["etag"]) == ("STALE_ETAG", "1")
    other = typed(request_id="one")
    other.alert_rule.threshold = 0.7
    with pytest.raises(errors.AlreadyExists) as used:
        await client.risk.SaveAlertRule(other)
    assert used.value.reason == "REQUEST_ID_CONFLICT"
    [rule] = (await client.risk.ListAlertRules(alerts_pb2.ListAlertRulesRequest())).alert_rules
    assert (rule.version, rule.threshold) == (1, 0.8)


async def test_the_shipped_rules_are_tried_saved_and_saved_again(
    room: RiskRoom, client: AsyncSluice, risk_url: str, tmp_path: Path
) -> None:
    await publish(risk_url, rows(hot=3))

    async def run(*arguments: object) -> Result:
        words = ["risk", "rules", *(str(one) for one in arguments), "--address", room.address, "--actor", "wang.wu"]
        return await asyncio.to_thread(CliRunner().invoke, app, words)

    tried = await run(SHIPPED_RULES, "--validate-only", "--json")
    assert tried.exit_code == 0, tried.output
    assert len((await client.risk.ListAlertRules(alerts_pb2.ListAlertRulesRequest())).alert_rules) == 0
    found = {one["alert_rule_id"]: one for one in json.loads(tried.stdout)}
    assert len(found) == 6
    assert found["channel-loss-ratio"]["series"] == 2
    assert (await run(SHIPPED_RULES)).exit_code == 2
    for version in (1, 2):
        saved = await run(SHIPPED_RULES, "--reason", "the defaults")
        assert saved.exit_code == 0, saved.output
        listed = (await client.risk.ListAlertRules(alerts_pb2.ListAlertRulesRequest())).alert_rules
        assert {(one.version, one.updated_by, one.enabled) for one in listed} == {(version, "wang.wu", True)}
    season = next(one for one in listed if one.alert_rule_id == "claim-frequency-season")
    assert (season.baseline_deviations, season.history, season.season.ToTimedelta().days) == (4, 3, 365)
    bad = tmp_path / "bad.yaml"
    bad.write_text("rules:\n- {metric: claims, evidence: ODD, threshold: 1}\n- {treshold: 1}\n")
    refused = await run(bad, "--reason", "x", "--json")
    assert refused.exit_code == 2
    assert {one["field"] for one in json.loads(refused.stdout)["violations"]} == {
        "rules[0].evidence", "rules[1].treshold", "rules[1].threshold",
    }  # fmt: skip


BAD: list[tuple[str, Any, set[str]]] = [
    (
        "SaveAlertRule",
        typed('{"alert_rule": {"alert_rule_id": "Not An Id", "hysteresis": -1, "minimum_exposure": "NaN"}}'),
        {
            "alert_rule.alert_rule_id", "alert_rule.metric", "alert_rule.threshold", "alert_rule.hysteresis",
            "alert_rule.minimum_exposure", "reason",
        },
    ),
    (
        "SaveAlertRule",
        typed(
            '{"alert_rule": {"alert_rule_id": "a", "metric": "los_ratio", "dimensions": ["planet", "planet"], '
            '"baseline_deviations": 0, "history": 2, "season": "1s", "for_duration": "-5s"}, "reason": "x", '
            '"update_mask": "version"}'
        ),
        {
            "alert_rule.metric", "alert_rule.dimensions[1]", "alert_rule.baseline_deviations", "alert_rule.history",
            "alert_rule.season", "alert_rule.for_duration", "update_mask",
        },
    ),
    (
        "SaveAlertRule",
        typed(
            '{"alert_rule": {"alert_rule_id": "a", "metric": "claims", "dimensions": ["repair_shop"], '
            '"threshold": 1, "filters": [{"dimension": "channel"}], "time_dimension": "week", '
            '"evidence": "EVIDENCE_INTERVAL"}, "reason": "x"}'
        ),
        {"alert_rule.time_dimension"},
    ),
    (
        "SaveAlertRule",
        typed(
            '{"alert_rule": {"alert_rule_id": "a", "metric": "claims", "threshold": 1, "evidence": 2}, "reason": "x"}'
        ),
        {"alert_rule.evidence"},
    ),
    (
        "SaveAlertRule",
        typed(
            '{"alert_rule": {"alert_rule_id": "a", "metric": "claims", "dimensions": ["repair_shop"], "threshold": 1}, '
            '"reason": "x"}'
        ),
        {"alert_rule.dimensions"},
    ),
    ("ListAlertRules", alerts_pb2.ListAlertRulesRequest(page_size=-1, metric="x" * 300), {"page_size", "metric"}),
    ("ListAlertRules", alerts_pb2.ListAlertRulesRequest(page_token="nonsense"), {"page_token"}),
    (
        "ListAlerts",
        alerts_pb2.ListAlertsRequest(states=[9], minimum_severity=9, alert_rule_id="x" * 300, page_size=2_000),  # type: ignore[arg-type, list-item]  # wrong on purpose
        {"states[0]", "minimum_severity", "alert_rule_id", "page_size"},
    ),
    ("ListAlerts", alerts_pb2.ListAlertsRequest(page_token="bm90aGluZw.YQ"), {"page_token"}),
    ("AcknowledgeAlert", alerts_pb2.AcknowledgeAlertRequest(etag="x" * 300), {"alert_id", "etag", "reason"}),
    ("WatchAlerts", alerts_pb2.WatchAlertsRequest(minimum_severity=9), {"minimum_severity"}),  # type: ignore[arg-type]  # wrong on purpose
]  # fmt: skip


@pytest.fixture
async def empty(tmp_path: Any) -> AsyncIterator[AsyncSluice]:
    """Before the first publication."""
    async with (
        risk_room(f"sqlite+aiosqlite:///{tmp_path}/sluice.db", f"sqlite+aiosqlite:///{tmp_path}/risk.db") as room,
        room.client() as client,
    ):
        yield client


async def test_every_wrong_field_is_named_and_nothing_is_stored(empty: AsyncSluice) -> None:
    for method, request, fields in BAD:
        call = getattr(empty.risk, method)(request)
        with pytest.raises(errors.InvalidArgument) as refused:
            await (anext(aiter(call)) if method.startswith("Watch") else call)
        assert {violation.field for violation in refused.value.violations} == fields, request
    assert len((await empty.risk.ListAlertRules(alerts_pb2.ListAlertRulesRequest())).alert_rules) == 0
    with pytest.raises(errors.NotFound) as unknown:
        await empty.risk.AcknowledgeAlert(alerts_pb2.AcknowledgeAlertRequest(alert_id="alt-1", reason="seen"))
    assert unknown.value.reason == "RISK_RESOURCE_NOT_FOUND"


async def test_a_rule_is_saved_before_any_data_are_published(empty: AsyncSluice) -> None:
    saved = await empty.risk.SaveAlertRule(typed())
    assert (saved.alert_rule.version, saved.HasField("replay_summary")) == (1, False)
