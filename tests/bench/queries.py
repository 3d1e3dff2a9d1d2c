"""How fast RiskQuery.Query answers over a million result rows, on each database.

    python -m tests.bench.queries

A server of its own process is asked over gRPC, one question after the other. ``query/p99``: what people do all day: the
questions of the shipped dashboards again and again (answered from the cache of the data version) and, two in five,
questions of their own that were never asked before. ``query/p99-uncached``: the latter alone, so that nothing but the
tables in memory helps; ``query/processor-p99-uncached`` is their processor time. ``query/p99-sql``: such questions with
no table in memory, answered by the database.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np

from sluice.client import AsyncSluice
from sluice.risk.v1 import query_pb2
from sluice_flink.publish import Publication, publish_rows
from sluice_flink.sql_files import result_tables
from sluice_server.api.risk import render, wire
from sluice_server.api.risk.charts_render import chart as as_message
from sluice_server.domain.context import Actor, CallContext
from sluice_server.domain.risk.charts.dashboard_yaml import shipped_dashboards
from sluice_server.domain.risk.semantic.model_yaml import shipped_model
from sluice_server.domain.risk.use_cases import build_risk_use_cases
from sluice_server.store.risk import ColumnReader, RiskStoreReader
from tests.bench.report import Row, report
from tests.support.house import SLUICE, Server
from tests.support.postgres import Postgres, running_postgres
from tests.support.processes import Programs, free_port

MONTHS = [date(2023 + m // 12, m % 12 + 1, 1) for m in range(10, 46)]
STORES, CHANNELS, MODELS, PRODUCTS, SHOPS, PARTS = 28_000, 120, 500, 72, 400, 12
REQUESTS, OF_THEIR_OWN, BY_SQL, OWN_CPU = 2_000, 0.4, 25, 500
WARM_SECONDS = 120.0
GOAL_MS = 50.0
SECOND = 1000.0

Table = list[tuple[object, ...]]


def portfolio(seed: int = 7) -> dict[str, Table]:
    """Result rows of a large portfolio: a million by store and month, and the other tables as they would be beside."""
    draws = np.random.default_rng(seed)

    def rows(name: str, keys: Sequence[Sequence[object]]) -> Table:
        """A row for each key, its measures drawn."""
        table = result_tables()[name]
        count = len(keys)
        exposure = draws.gamma(2.0, 4.0, count)
        claims = draws.poisson(exposure * 0.12)
        drawn = {
            "exposure_years": exposure,
            "policies": np.ceil(exposure * 12).astype(np.int64),
            "earned_premium_minor": (exposure * 20_000).astype(np.int64),
            "claims": claims,
            "incurred_minor": (claims * draws.gamma(1.5, 60_000, count)).astype(np.int64),
            "orders": np.full(count, 100),
            "insured": np.full(count, 93),
        }
        nothing = {"BIGINT": 0, "INT": 0, "DOUBLE": 0.0, "STRING": "NONE"}
        given = list(zip(*keys, strict=True))
        columns: list[Sequence[object]] = []
        for column in table.columns:
            if column.name in table.key:
                columns.append(given[table.key.index(column.name)])
            else:
                values = drawn.get(column.name)
                columns.append([nothing[column.type]] * count if values is None else values.tolist())
        return list(zip(*columns, strict=True))

    def keyed(name: str, groups: Sequence[tuple[object, ...]], times: Sequence[date]) -> Table:
        key = result_tables()[name].key
        at = next(i for i, column in enumerate(key) if column in {"month", "day"})
        return rows(name, [(*group[:at], start, *group[at:]) for group in groups for start in times])

    days = [date(2026, m, d) for m in (8, 9, 10) for d in range(1, 31)]
    return {
        "store_month": keyed("store_month", [(f"S{i:05}", f"CH{i % CHANNELS:03}") for i in range(STORES)], MONTHS),
        "channel_month": keyed("channel_month", [(f"CH{i:03}",) for i in range(CHANNELS)], MONTHS),
        "device_model_month": keyed(
            "device_model_month", [(f"M{i:04}", f"brand{i % 20}", f"category{i % 20}") for i in range(MODELS)], MONTHS
        ),
        "product_month": keyed(
            "product_month", [(f"P{i}", f"line{i % 3}", f"insurer-{n}") for i in range(PRODUCTS) for n in "abc"], MONTHS
        ),
        "repair_shop_month": keyed(
            "repair_shop_month", [(f"R{i:04}", f"part{p}") for i in range(SHOPS) for p in range(PARTS)], MONTHS[-12:]
        ),
        "insurer_product_day": keyed(
            "insurer_product_day", [(f"insurer-{n}", f"P{i}") for n in "abc" for i in range(PRODUCTS)], days
        ),
    }


def dashboards_questions() -> list[query_pb2.QueryRequest]:
    """What the shipped charts ask."""
    found = []
    for dashboard in shipped_dashboards(shipped_model()):
        for chart in dashboard.charts:
            question = as_message(chart).query
            question.totals, question.page_size = True, 200
            found.append(question)
    return found


def own_questions(seed: int) -> Iterator[query_pb2.QueryRequest]:
    """Questions as analysts ask them of the large table; hardly one is like another."""
    draw = random.Random(seed)
    metrics = ("loss_ratio", "claim_frequency", "severity", "claims", "earned_premium", "early_claim_share")
    shapes = (
        ("store",),
        ("store",),
        ("store", "month"),
        ("channel", "store"),
        ("channel", "month"),
        ("month",),
        ("channel",),
    )
    while True:
        asked = draw.sample(metrics, draw.randint(1, 3))
        shape = draw.choice(shapes)
        channels = [f"CH{i:03}" for i in draw.sample(range(CHANNELS), draw.randint(1, 40))]
        filters = []
        if "early_claim_share" not in asked:
            # Only the large table has it; without it, this keeps the question there.
            filters.append(query_pb2.Filter(dimension="store", none_of=[f"S{draw.randrange(STORES):05}"]))
        if draw.random() < 0.7:
            filters.append(query_pb2.Filter(dimension="month", last=draw.randint(1, 36)))
        if draw.random() < 0.5:
            filters.append(query_pb2.Filter(dimension="channel", any_of=channels))
        order = [f"-{draw.choice(asked)}"] if draw.random() < 0.8 else []
        yield query_pb2.QueryRequest(
            metrics=asked, dimensions=shape, filters=filters, order_by=order, top=draw.choice((0, 10, 50)),
            page_size=draw.choice((20, 100)), totals=draw.random() < 0.3,
        )  # fmt: skip


@asynccontextmanager
async def serving(folder: Path, risk_url: str, memory_mib: int) -> AsyncIterator[AsyncSluice]:
    """A server over that risk store, and a client of it."""
    async with Programs(folder / f"logs-{memory_mib}") as programs:
        port = free_port()
        environment = {
            "SLUICE_STORE_URL": f"sqlite+aiosqlite:///{folder / f'store-{memory_mib}.db'}",
            "SLUICE_RISK_STORE_URL": risk_url,
            "SLUICE_RISK_MEMORY_MIB": str(memory_mib),
            "SLUICE_EXPORT_DIR": str(folder / "export"),
            "SLUICE_METRICS_LISTEN": "off",
            "SLUICE_LISTEN": f"127.0.0.1:{port}",
        }
        server = Server(f"127.0.0.1:{port}", port, programs.new("server", SLUICE, "serve", environment=environment))
        await server.start()
        async with AsyncSluice(server.address) as client:
            yield client


async def timed(client: AsyncSluice, request: query_pb2.QueryRequest) -> float:
    """Milliseconds of one call."""
    begin = time.perf_counter()
    await client.risk.Query(request)
    return (time.perf_counter() - begin) * SECOND


async def warmed(client: AsyncSluice) -> float:
    """Seconds until the tables are in memory: three questions in a row that only memory answers in time."""
    begin, quick = time.perf_counter(), 0
    questions = own_questions(1)
    while quick < 3:
        quick = quick + 1 if await timed(client, next(questions)) < 2 * GOAL_MS else 0
        if time.perf_counter() - begin > WARM_SECONDS:
            raise TimeoutError("the tables are not in memory; see the server's log")
    for question in dashboards_questions():
        await timed(client, question)
    return time.perf_counter() - begin


async def processor_time(risk_url: str) -> list[float]:
    """Milliseconds of processor time of questions never asked before, answered and rendered in this process: what does
    not depend on who else uses the machine."""
    model = shipped_model()
    reader = ColumnReader(RiskStoreReader(risk_url, model), model, memory_bytes=2**28)
    answer = build_risk_use_cases(model, reader).answer_query
    own, context = own_questions(4), CallContext(Actor("bench"), "bench")
    spent = []
    for number in range(OWN_CPU + 1):
        begin = time.process_time()
        render.query_answer(await answer(wire.query_params(next(own)), context))
        spent.append((time.process_time() - begin) * SECOND)
        if number == 0:
            await reader.loaded()
    await reader.close()
    return spent[1:]


async def measure_on(name: str, risk_url: str, rows: int, folder: Path) -> list[Row]:
    """The rows of one database."""
    suffix = "" if name == "SQLite" else f"-{name.lower()}"
    draw, own, repeated = random.Random(3), own_questions(2), dashboards_questions()
    async with serving(folder, risk_url, 256) as client:
        seconds = await warmed(client)
        mixed: list[float] = []
        uncached: list[float] = []
        for _ in range(REQUESTS):
            fresh = draw.random() < OF_THEIR_OWN
            mixed.append(await timed(client, next(own) if fresh else draw.choice(repeated)))
            if fresh:
                uncached.append(mixed[-1])
    async with serving(folder, risk_url, 0) as client:
        by_sql = [await timed(client, next(own)) for _ in range(BY_SQL)]
    spent = await processor_time(risk_url)
    p99, p99_uncached, p99_sql = (float(np.percentile(values, 99)) for values in (mixed, uncached, by_sql))
    about = f"{rows:,} rows on {name}; {REQUESTS:,} calls, {len(uncached) / REQUESTS:.0%} never asked before"
    return [
        Row(f"query/p99{suffix}", round(p99, 1), "ms", f"{about}; p50 {np.median(mixed):.1f} ms", goal="< 50"),
        Row(
            f"query/p99-uncached{suffix}",
            round(p99_uncached, 1),
            "ms",
            f"p50 {np.median(uncached):.1f} ms",
            goal="< 50",
        ),
        Row(
            f"query/processor-p99-uncached{suffix}",
            round(float(np.percentile(spent, 99)), 1),
            "ms",
            f"processor time in one process, {OWN_CPU} calls; p50 {np.median(spent):.1f} ms",
            goal="< 50",
        ),
        Row(
            f"query/p99-sql{suffix}",
            round(p99_sql, 1),
            "ms",
            f"{BY_SQL} calls, no memory; p50 {np.median(by_sql):.0f} ms",
        ),
        Row(
            f"query/warm{suffix}", round(seconds, 1), "s", "from the start to all of it in memory and the charts drawn"
        ),
    ]


def measure() -> list[Row]:
    """Both databases."""
    with running_postgres() as postgres:
        return asyncio.run(_measure(postgres))


async def _measure(postgres: Postgres) -> list[Row]:
    tables = portfolio()
    rows = sum(map(len, tables.values()))
    publication = Publication(
        datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 1, 3, tzinfo=UTC), fingerprint="bench"
    )
    found: list[Row] = []
    with tempfile.TemporaryDirectory() as place:
        for name in ("SQLite", "PostgreSQL"):
            folder = Path(place) / name
            folder.mkdir()
            url = (
                f"sqlite+aiosqlite:///{folder / 'risk.db'}"
                if name == "SQLite"
                else postgres.url(await postgres.create_database())
            )
            await publish_rows(url, tables, publication)
            found += await measure_on(name, url, rows, folder)
    return found


def main() -> None:
    """Measures and reports."""
    report("risk", measure(), part=True)


if __name__ == "__main__":
    main()
