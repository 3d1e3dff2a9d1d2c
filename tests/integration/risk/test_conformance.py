"""The compiled SQL gives what a row by row computation gives, on SQLite and PostgreSQL."""

from __future__ import annotations

import dataclasses
import random
from datetime import date, timedelta
from typing import Any

import pytest

from sluice_server.domain.risk.ports import RiskReader, TableQuery
from sluice_server.domain.risk.semantic.model_yaml import shipped_model
from sluice_server.domain.risk.semantic.planner import plan_query
from sluice_server.domain.risk.semantic.question import Filter, MetricFilter, Question
from sluice_server.store.risk import ColumnReader, RiskStoreReader
from tests.integration.risk.published import publish
from tests.unit.risk.fake_reader import FakeRiskReader
from tests.unit.risk.portfolio import channel_row

MODEL = shipped_model()
MONTHS = [date(2024 + m // 12, m % 12 + 1, 1) for m in range(30)]


def drawn() -> dict[str, list[dict[str, Any]]]:
    """Two years and a half of rows with gaps, ratios over nothing, names that sort differently by locale."""
    rng = random.Random(11)
    names = ["CH1", "ch1", "Zürich", "zebra", "渠道", "CH 2"]
    devices = [("M1", "Aldera", "phone"), ("M2", "Aldera", "tv"), ("M3", "Borealis", "phone")]

    def measures() -> dict[str, Any]:
        claims = rng.choice([0, 0, 1, 2, 7])
        return {
            "policies": rng.randint(0, 500),
            "exposure_years": rng.randint(0, 400) / 8,
            "earned_premium_minor": rng.choice([0, rng.randint(-500, 10**10)]),
            "claims": claims,
            "denied": min(claims, 1),
            "incurred_minor": claims * rng.randint(0, 10**9),
        }

    return {
        "channel_month": [
            {"channel_id": name, "month": month} | measures()
            for name in names for month in MONTHS if rng.random() < 0.7
        ],
        "device_model_month": [
            {"device_model_id": m, "brand": b, "category": c, "month": month} | measures()
            for m, b, c in devices
            for month in MONTHS
        ],
        "repair_shop_month": [
            {
                "repair_shop_id": f"R{i}", "part_code": part, "month": month, "claims": rng.randint(0, 4),
                "incurred_minor": rng.randint(0, 10**6), "expected_incurred_minor": rng.choice([0, 500_000]),
            }
            for i in range(4) for part in ("screen", "battery") for month in MONTHS[:6]
        ],
        "insurer_product_day": [
            {
                "insurer_id": f"insurer-{i}", "product_code": "P", "day": date(2026, 1, 1) + timedelta(day),
                "orders": (orders := rng.randint(0, 50)), "failed": rng.randint(0, orders),
            }
            for i in "ab" for day in range(0, 400, 3)
        ],
    }  # fmt: skip


def question(*metrics: str, by: tuple[str, ...] = (), **rest: Any) -> Question:
    return Question(metrics, by, **rest)


QUESTIONS = {
    "everything": question("loss_ratio", "claim_frequency", "claims"),
    "by text": question("loss_ratio", by=("channel",)),
    "by month, downwards": question("claims", "incurred", by=("month",), order_by=("-month",)),
    "by quarter": question("exposure_years", by=("quarter",)),
    "by year and text": question("severity", by=("year", "channel"), order_by=("-year", "severity")),
    "ratio downwards": question("loss_ratio", by=("channel", "quarter"), order_by=("-loss_ratio",)),
    "ratio upwards": question("loss_ratio", by=("channel", "month"), order_by=("loss_ratio",)),
    "in list": question("claims", by=("brand",), filters=(Filter("category", ("phone", "tv")),)),
    "not in list": question("claims", by=("channel",), filters=(Filter("channel", none_of=("CH1", "渠道")),)),
    "months": question("claims", by=("channel",), filters=(Filter("month", at_least="2024-05", below="2025-02"),)),
    "quarters": question("claims", by=("month",), filters=(Filter("quarter", ("2024-04", "2025-10")),)),
    "from a quarter on": question("claims", by=("channel",), filters=(Filter("quarter", at_least="2025-04"),)),
    "a year": question("policies", by=("month",), filters=(Filter("year", ("2025",)),)),
    "text range": question("claims", by=("channel",), filters=(Filter("channel", at_least="CH2", below="z"),)),
    "having a ratio": question(
        "loss_ratio", "claims", by=("channel", "quarter"), having=(MetricFilter("loss_ratio", at_least=0.1, below=9.0),)
    ),
    "having a sum": question("exposure_years", by=("month",), having=(MetricFilter("exposure_years", at_least=40.0),)),
    "having without groups": question("claims", having=(MetricFilter("claims", at_least=10**9),)),
    "shops": question("shop_cost_ratio", by=("repair_shop", "part"), order_by=("-shop_cost_ratio",)),
    "days": question("failure_rate", by=("day", "insurer")),
    "months of days": question("failure_rate", "orders", by=("month",), order_by=("-failure_rate",)),
    "weeks that are no months": question("orders", by=("quarter",), filters=(Filter("day", below="2026-03-05"),)),
    "nothing left": question("loss_ratio", by=("channel",), filters=(Filter("channel", ("nobody",)),)),
    "nothing at all": question("loss_ratio", filters=(Filter("channel", ("nobody",)),)),
}


async def compare(reader: RiskReader, fake: FakeRiskReader, query: TableQuery, name: str) -> None:
    found, expected = await reader.select(query, None), await fake.select(query, None)
    assert found.rows == expected.rows, name
    assert found.total_rows == expected.total_rows, name
    assert found.totals == expected.totals, name


async def test_every_question_is_answered_like_row_by_row(reader: RiskStoreReader, store_url: str) -> None:
    tables = drawn()
    await publish(store_url, {"channel_month": []})
    await publish(store_url, tables)
    fake = FakeRiskReader(_complete(tables))
    for name, asked in QUESTIONS.items():
        query = dataclasses.replace(plan_query(MODEL, asked).query, count=True, totals=True)
        await compare(reader, fake, query, name)
        for offset in (0, 3, 500):
            page = dataclasses.replace(query, offset=offset, limit=4)
            await compare(reader, fake, page, f"{name}, rows {offset} to {offset + 4}")


async def test_tables_in_memory_answer_like_row_by_row(reader: RiskStoreReader, store_url: str) -> None:
    tables = drawn()
    await publish(store_url, {"channel_month": []})
    await publish(store_url, tables)
    fake = FakeRiskReader(_complete(tables))
    memory = ColumnReader(reader, MODEL, memory_bytes=2**20, small_rows=0)
    for asked in QUESTIONS.values():
        await memory.select(plan_query(MODEL, asked).query, None)  # begins the loading
    await memory.loaded()
    assert memory.held_bytes > 0
    for name, asked in QUESTIONS.items():
        query = dataclasses.replace(plan_query(MODEL, asked).query, count=True, totals=True)
        await compare(memory, fake, query, name)
        for offset in (0, 3, 500):
            page = dataclasses.replace(query, offset=offset, limit=4)
            await compare(memory, fake, page, f"{name}, rows {offset} to {offset + 4}")
    for table, count, amount, expected in CELLS:
        arguments = (MODEL.tables[table], count, amount, expected, 2)
        found = await memory.amount_cells(*arguments)
        assert dataclasses.astuple(found) == pytest.approx(dataclasses.astuple(await reader.amount_cells(*arguments)))
    assert (await memory.select(plan_query(MODEL, QUESTIONS["everything"]).query, 1)).stamp.data_version == 1


async def test_what_does_not_fit_or_cannot_be_exact_stays_with_sql(reader: RiskStoreReader, store_url: str) -> None:
    query = plan_query(MODEL, question("incurred", by=("channel",))).query

    async def held(memory_bytes: int, amount: int) -> tuple[int, Any]:
        await publish(store_url, {"channel_month": [channel_row(f"CH{i}", incurred_minor=amount) for i in range(9)]})
        memory = ColumnReader(reader, MODEL, memory_bytes=memory_bytes, small_rows=0)
        await memory.select(query, None)
        await memory.loaded()
        return memory.held_bytes, (await memory.select(query, None)).rows[0].sums[0]

    assert (await held(2**20, 10**9))[0] > 0
    assert await held(100, 10**9) == (0, 10**9)
    assert await held(0, 10**9) == (0, 10**9)
    assert await held(2**20, 2**51 + 1) == (0, 2**51 + 1)


async def test_a_new_version_takes_the_place_of_the_old_one_in_memory(reader: RiskStoreReader, store_url: str) -> None:
    memory = ColumnReader(reader, MODEL, memory_bytes=2**20, small_rows=0)
    query = plan_query(MODEL, question("claims")).query
    sizes = []
    for claims in (1, 2, 3):
        await publish(store_url, {"channel_month": [channel_row(f"CH{i}", claims=claims) for i in range(9)]})
        for _ in range(2):
            assert (await memory.select(query, None)).rows[0].sums[0] == 9 * claims
            await memory.loaded()
        sizes.append(memory.held_bytes)
    assert sizes[0] == sizes[1] == sizes[2] > 0


CELLS = (
    ("channel_month", "claims", "incurred", None),
    ("repair_shop_month", "shop_claims", "shop_incurred", "shop_expected_incurred"),
    ("store_month", "claims", "incurred", None),
)


async def test_the_variation_of_amounts_is_measured_like_row_by_row(reader: RiskStoreReader, store_url: str) -> None:
    tables = drawn()
    await publish(store_url, tables)
    fake = FakeRiskReader(_complete(tables))
    for table, count, amount, expected in CELLS:
        arguments = (MODEL.tables[table], count, amount, expected, 1)
        found, wanted = await reader.amount_cells(*arguments), await fake.amount_cells(*arguments)
        assert dataclasses.astuple(found) == pytest.approx(dataclasses.astuple(wanted))


def _complete(tables: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
    """Columns that are not given count nothing, as in the publication."""
    return {
        name: [dict.fromkeys(MODEL.tables[name].measures.values(), 0) | row for row in rows]
        for name, rows in tables.items()
    }
