"""Charts over a store in memory."""

from __future__ import annotations

import asyncio
from datetime import date, timedelta
from typing import Any

from sluice_server.domain.risk.charts.definition import Chart, ChartType, Language, Threshold
from sluice_server.domain.risk.charts.render_chart import RenderChart, RenderChartParams, RenderedChart
from sluice_server.domain.risk.semantic.answer_query import AnswerQuery
from sluice_server.domain.risk.semantic.model_yaml import shipped_model
from sluice_server.domain.risk.semantic.question import Question
from sluice_server.domain.risk.semantic.semantic_model import Label
from sluice_server.domain.risk.variation import AmountVariation
from tests.unit.risk.fake_reader import CONTEXT, FakeRiskReader
from tests.unit.risk.portfolio import channel_row

MODEL = shipped_model()
MONTHS = [date(2024 + m // 12, m % 12 + 1, 1) for m in range(34)]
"""Up to the watermark of the store in memory."""


def rows() -> dict[str, list[dict[str, Any]]]:
    """A little of every table that a shipped dashboard shows."""
    measures = {"policies": 90, "exposure_years": 8.0, "earned_premium_minor": 90_000, "denied": 0}

    def policy_row(i: int, month: date, **keys: str) -> dict[str, Any]:
        claims = (i + month.month) % 4
        return {**keys, "month": month, **measures, "claims": claims, "incurred_minor": claims * 21_000}

    days = [date(2026, 9, 1) + timedelta(day) for day in range(60)]
    shop = {"denied": 0, "repeat_claims": 1, "claims_within_30_days": 1, "expected_incurred_minor": 90_000}
    return {
        "channel_month": [channel_row(f"CH{c}", month, claims=1 + c) for c in range(4) for month in MONTHS],
        "store_month": [
            policy_row(i, month, store_id=f"S{i}", channel_id=f"CH{i % 3}") | {"claims_within_30_days": 0}
            for i in range(6)
            for month in MONTHS
        ],
        "device_model_month": [
            policy_row(i, month, device_model_id=f"M{i}", brand=f"brand{i % 2}", category=f"category{i % 3}")
            for i in range(6)
            for month in MONTHS
        ],
        "product_month": [
            policy_row(i, month, product_code=f"P{i}", product_line=f"line{i % 2}", insurer_id=f"insurer-{i % 3}")
            for i in range(5)
            for month in MONTHS
        ],
        "repair_shop_month": [
            {"repair_shop_id": f"R{i}", "part_code": "screen", "month": month, "claims": 6}
            | {"incurred_minor": 9_000 * (6 + i)}
            | shop
            for i in range(5)
            for month in MONTHS
        ],
        "insurer_product_day": [
            {
                "insurer_id": f"insurer-{name}", "product_code": "P0", "day": day, "orders": 50, "insured": 45,
                "rejected": 2, "failed": 3 * (day.day == 9), "unfinished": 2, "cancelled": 0, "premium_minor": 9_000,
                "technical_failures": 3, "rerouted": 1,
            }
            for name in "abc" for day in days
        ],
    }  # fmt: skip


def complete(tables: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Measures that are not given count nothing."""
    return {
        name: [dict.fromkeys(MODEL.tables[name].measures.values(), 0) | row for row in given]
        for name, given in tables.items()
    }


def chart(
    kind: ChartType,
    *metrics: str,
    thresholds: tuple[Threshold, ...] = (),
    rows: int = 0,
    **question: Any,
) -> Chart:
    return Chart("try", Label("标题", "Title"), kind, Question(metrics, **question), rows=rows, thresholds=thresholds)


def rendered(
    given: Chart, tables: dict[str, list[dict[str, Any]]] | None = None, language: Language = Language.ZH
) -> RenderedChart:
    reader = FakeRiskReader(complete(rows() if tables is None else tables))
    render = RenderChart(MODEL, AnswerQuery(MODEL, reader, AmountVariation(reader)), None)
    return asyncio.run(render(RenderChartParams(given, language), CONTEXT))
