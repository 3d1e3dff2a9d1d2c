"""Rules over the streaming job's half hours, evaluated each minute, on both kinds of database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sluice_flink.stream_store import StreamStore, window_tables
from sluice_server.domain.context import Actor, CallContext, SystemClock
from sluice_server.domain.errors import InvalidInput
from sluice_server.domain.risk.alerts.metric_rule import Evidence, MetricRule
from sluice_server.domain.risk.alerts.replay import AlertState
from sluice_server.domain.risk.alerts.rule import AlertRule, Comparison
from sluice_server.domain.risk.alerts.save import SaveAlertRuleParams
from sluice_server.domain.risk.alerts.stream import StreamSeries
from sluice_server.domain.risk.alerts.use_cases import AlertUseCases, build_alert_use_cases
from sluice_server.domain.risk.semantic.model_yaml import shipped_model
from sluice_server.domain.risk.semantic.question import Filter
from sluice_server.store import SqlStore, open_store
from sluice_server.store.risk import RiskStoreReader

START = datetime(2026, 11, 1, 8, 0, tzinfo=UTC)
CONTEXT = CallContext(Actor("zhang.san"), "test")
FAILING = MetricRule(
    "insurer-failing",
    "insurer_failure_rate_30m",
    AlertRule(threshold=0.2, minimum_volume=20, for_duration=timedelta(minutes=2)),
    dimensions=("insurer",),
)


def row(table: str, at: datetime, **columns: Any) -> dict[str, Any]:
    """A window that ends then; what is not given is 0."""
    empty: dict[str, Any] = {"BIGINT": 0, "DOUBLE": None, "STRING": "", "TIMESTAMP": at}
    declared = {column.name: empty[column.type] for column in window_tables()[table].columns}
    return {**declared, "window_start": at - timedelta(minutes=30), "window_end": at, **columns}


def insurer(at: datetime, failed: int, insurer_id: str = "insurer-a") -> dict[str, Any]:
    counts = {"orders": 100, "insured": 100 - failed, "technical_failures": failed}
    return row("insurer_window", at, insurer_id=insurer_id, **counts)


@pytest.fixture
async def stream(store_url: str, tmp_path: Path) -> AsyncIterator[StreamStore]:
    url = store_url if store_url.startswith("postgresql") else f"sqlite:///{tmp_path}/risk.db"
    stream = StreamStore(url.replace("+asyncpg", ""))
    await stream.create()
    yield stream
    await stream.close()


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[SqlStore]:
    async with open_store(store_url) as store:
        yield store


@pytest.fixture
async def alerts(store: SqlStore, store_url: str, tmp_path: Path, stream: StreamStore) -> AsyncIterator[AlertUseCases]:
    url = store_url if store_url.startswith("postgresql") else f"sqlite+aiosqlite:///{tmp_path}/risk.db"
    reader = RiskStoreReader(url, shipped_model())
    yield build_alert_use_cases(store, [StreamSeries(reader)], SystemClock())
    await reader.close()


async def states(store: SqlStore, rule: MetricRule) -> list[tuple[str, AlertState]]:
    async with store.read() as uow:
        return [(one.dimensions["insurer"], one.state) for one in await uow.alerts.open_of(rule.alert_rule_id)]


async def minutes(stream: StreamStore, failed: Sequence[int], first: int = 0) -> None:
    """A window each quarter minute, as the job writes them; those between the minutes say nothing but failures."""
    rows = []
    for minute, count in enumerate(failed, first):
        at = START + timedelta(minutes=minute)
        rows += [insurer(at, count), insurer(at, 0, "insurer-b"), insurer(at - timedelta(seconds=15), 100)]
    await stream.upsert({"insurer_window": rows})


async def test_a_rule_is_evaluated_each_minute_and_follows_the_windows(
    alerts: AlertUseCases, stream: StreamStore, store: SqlStore
) -> None:
    saved = await alerts.save_alert_rule(SaveAlertRuleParams(FAILING, "agreed"), CONTEXT)
    assert saved.replay is None  # no window yet
    assert await alerts.evaluate() == []
    await minutes(stream, [0, 30])
    [one] = await alerts.evaluate()
    assert (one.key, one.began, one.fired) == ("stream/2026-11-01T08:01Z", 1, 0)
    assert await states(store, FAILING) == [("insurer-a", AlertState.PENDING)]
    assert await alerts.evaluate() == []
    await minutes(stream, [30, 30], first=2)
    [one] = await alerts.evaluate()
    assert (one.began, one.fired) == (0, 1)
    assert await states(store, FAILING) == [("insurer-a", AlertState.FIRING)]
    async with store.read() as uow:
        [due] = await uow.alarms.due(now=SystemClock().now(), limit=10)
    assert due.alarm.labels["insurer"] == "insurer-a"
    assert "08:01 UTC" in due.alarm.summary
    await minutes(stream, [0], first=4)
    [one] = await alerts.evaluate()
    assert one.resolved == 1


async def test_a_shop_without_a_window_has_no_claims(
    alerts: AlertUseCases, stream: StreamStore, store: SqlStore
) -> None:
    rule = MetricRule(
        "shop-surge", "repair_shop_claims_30m", AlertRule(threshold=5), dimensions=("repair_shop",),
        filters=(Filter("repair_shop", none_of=("R2",)),),
    )  # fmt: skip
    later = START + timedelta(minutes=1)
    rows = [row("repair_shop_window", START, repair_shop_id=shop, claims=9) for shop in ("R1", "R2")]
    await stream.upsert({"repair_shop_window": rows})
    saved = await alerts.save_alert_rule(SaveAlertRuleParams(rule, "agreed"), CONTEXT)
    assert saved.replay is not None
    assert (saved.replay.judgement.series, saved.replay.judgement.fired) == (1, 1)
    [one] = await alerts.evaluate()
    assert (one.began, one.fired) == (1, 1)
    await stream.upsert({"repair_shop_window": [row("repair_shop_window", later, repair_shop_id="R2", claims=1)]})
    [one] = await alerts.evaluate()
    assert one.resolved == 1


async def test_a_surge_that_the_job_has_found_stands_for_half_an_hour(
    alerts: AlertUseCases, stream: StreamStore, store: SqlStore
) -> None:
    rule = MetricRule("store-surge", "store_surge", AlertRule(threshold=1), dimensions=("store",))
    await alerts.save_alert_rule(SaveAlertRuleParams(rule, "agreed"), CONTEXT)
    found = START + timedelta(seconds=15)
    surge = {"kind": "STORE_CLAIMS", "entity_id": "S1", "value": 12, "baseline": 3.0, "threshold": 9.0}
    other = {**surge, "kind": "REPAIR_SHOP_CLAIMS", "entity_id": "R1"}
    warnings = [row("stream_warning", found, **told) | {"detected_at": found} for told in (surge, other)]
    for warning in warnings:
        del warning["window_start"]

    async def at(minutes: int) -> None:
        end = START + timedelta(minutes=minutes)
        await stream.upsert({"store_window": [row("store_window", end, store_id="S2", claims=1)]})

    await stream.upsert({"stream_warning": warnings})
    assert await alerts.evaluate() == [], "no window says what time it is"
    await at(1)
    [one] = await alerts.evaluate()
    assert (one.began, one.fired) == (1, 1)
    async with store.read() as uow:
        [alert] = await uow.alerts.open_of("store-surge")
    assert alert.value is not None
    assert (alert.dimensions, alert.value.value, alert.start_at) == ({"store": "S1"}, 4.0, START)
    await at(29)
    [one] = await alerts.evaluate()
    assert one.resolved == 0
    await at(30)
    [one] = await alerts.evaluate()
    assert one.resolved == 1


async def test_what_a_stream_metric_cannot_do_is_refused(alerts: AlertUseCases) -> None:
    wrong = MetricRule(
        "a", "insurer_unfinished_30m", AlertRule(comparison=Comparison.BELOW, threshold=1), ("store",),
        (Filter("insurer", at_least="a"),), Evidence.INTERVAL, "month",
    )  # fmt: skip
    with pytest.raises(InvalidInput) as refused:
        await alerts.save_alert_rule(SaveAlertRuleParams(wrong, "x"), CONTEXT)
    assert {one.field for one in refused.value.violations} == {
        "alert_rule.dimensions", "alert_rule.filters[0]", "alert_rule.time_dimension", "alert_rule.evidence",
    }  # fmt: skip
