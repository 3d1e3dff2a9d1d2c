"""The reader of the risk query store on SQLite and PostgreSQL, filled by the loader."""

from __future__ import annotations

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url
from sqlalchemy.exc import DBAPIError

from sluice_server.domain.errors import DataVersionNotFound, Unavailable
from sluice_server.domain.risk.data_version import DataVersionState
from sluice_server.domain.risk.semantic.model_yaml import shipped_model
from sluice_server.domain.risk.semantic.planner import plan_query
from sluice_server.domain.risk.semantic.question import Question
from sluice_server.store.risk import RiskStoreReader
from sluice_server.store.risk.engine import create_reader_engine
from sluice_server.store.risk.tables import RiskTables
from tests.integration.risk.published import PUBLISHED_AT, WATERMARK, publish
from tests.unit.risk.portfolio import channel_row

MODEL = shipped_model()
CLAIMS = plan_query(MODEL, Question(("claims",))).query


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def claims_of(reader: RiskStoreReader, data_version: int | None = None) -> tuple[int, Any]:
    found = await reader.select(CLAIMS, data_version)
    return found.stamp.data_version, found.rows[0].sums[0]


def channels(claims: int, count: int = 1) -> dict[str, list[dict[str, Any]]]:
    return {"channel_month": [channel_row(f"CH{i}", claims=claims) for i in range(count)]}


async def test_a_store_without_a_version_says_so_and_nothing_is_created(
    reader: RiskStoreReader, tmp_path: Path
) -> None:
    for _ in range(2):
        with pytest.raises(DataVersionNotFound, match="run the Flink job"):
            await reader.stamp(None)
        with pytest.raises(DataVersionNotFound):
            await reader.select(CLAIMS, None)
        assert await reader.data_versions((), None, 10) == []
    assert files_in(tmp_path) == []


async def test_the_stamp_tells_the_currency_of_the_data(reader: RiskStoreReader, store_url: str) -> None:
    await publish(store_url, channels(3))
    assert (await reader.stamp(None)).currency is None
    await publish(store_url, channels(3), currency="EUR")
    assert (await reader.stamp(None)).currency == "EUR"
    assert (await reader.select(CLAIMS, 2)).stamp.currency == "EUR"


async def test_the_reader_sees_what_is_published_later(reader: RiskStoreReader, store_url: str) -> None:
    with pytest.raises(DataVersionNotFound):
        await reader.stamp(None)
    assert await publish(store_url, channels(3)) == 1
    stamp = await reader.stamp(None)
    assert (stamp.data_version, stamp.watermark, stamp.published_at) == (1, WATERMARK, PUBLISHED_AT)
    await publish(store_url, channels(5))
    assert await claims_of(reader) == (2, 5)
    assert await claims_of(reader, 1) == (1, 3)


async def test_versions_are_listed_with_what_is_known_of_them(reader: RiskStoreReader, store_url: str) -> None:
    for claims in (1, 2, 3):
        await publish(store_url, channels(claims))
    newest, middle, oldest = await reader.data_versions((), None, 10)
    assert (newest.data_version, newest.state, newest.active) == (3, DataVersionState.PUBLISHED, True)
    assert (middle.data_version, middle.state, middle.active) == (2, DataVersionState.SUPERSEDED, False)
    assert (oldest.fingerprint, oldest.flink_version, oldest.duration_seconds) == ("abc", "2.2.1", 12.5)
    assert newest.row_counts["channel_month"] == 1
    assert newest.watermark == WATERMARK
    assert [v.data_version for v in await reader.data_versions((), 3, 1)] == [2]
    assert [v.data_version for v in await reader.data_versions((DataVersionState.SUPERSEDED,), None, 9)] == [2, 1]


async def test_a_version_that_is_no_longer_kept_is_not_found(reader: RiskStoreReader, store_url: str) -> None:
    for claims in (1, 2):
        await publish(store_url, channels(claims), keep_versions=1)
    with pytest.raises(DataVersionNotFound, match="ListDataVersions"):
        await reader.select(CLAIMS, 1)


async def test_readers_never_see_a_mixture_while_versions_are_published(
    reader: RiskStoreReader, store_url: str
) -> None:
    await publish(store_url, channels(1, count=20))
    publishing = asyncio.create_task(_publish_many(store_url))
    seen = set()
    while not publishing.done():
        version, claims = await claims_of(reader)
        assert claims == 20 * version, "20 channels with as many claims as the version's number"
        seen.add(version)
    await publishing
    seen.add((await claims_of(reader))[0])
    assert 6 in seen


async def _publish_many(store_url: str) -> None:
    for claims in range(2, 7):
        await publish(store_url, channels(claims, count=20), keep_versions=3)


async def test_a_change_of_version_is_noticed(reader: RiskStoreReader, store_url: str) -> None:
    await publish(store_url, channels(1))
    assert (await reader.changed(None)).data_version == 1
    waiting = asyncio.create_task(reader.changed(1))
    await publish(store_url, channels(2))
    assert (await waiting).data_version == 2


async def test_sums_beyond_floating_point_stay_exact(reader: RiskStoreReader, store_url: str) -> None:
    huge = 2**61 + 1
    rows = [channel_row(f"CH{i}", date(2026, 1, 1), incurred_minor=huge) for i in range(3)]
    await publish(store_url, {"channel_month": rows})
    found = await reader.select(plan_query(MODEL, Question(("incurred",))).query, None)
    assert found.rows[0].sums[0] == 3 * huge


async def test_a_file_put_in_the_place_of_another_is_read(sqlite_url: str) -> None:
    reader = RiskStoreReader(sqlite_url, MODEL)
    await publish(sqlite_url, channels(1))
    assert await claims_of(reader) == (1, 1)
    file = Path(str(make_url(sqlite_url).database))
    for path in file.parent.glob(f"{file.name}*"):
        path.unlink()
    await publish(sqlite_url, channels(9))
    assert await claims_of(reader) == (1, 9)
    await reader.close()


async def test_callers_that_give_up_leave_nothing_that_hangs(reader: RiskStoreReader, store_url: str) -> None:
    await publish(store_url, channels(1))
    for turns in range(60):
        reading = asyncio.create_task(reader.select(CLAIMS, None))
        for _ in range(turns):
            await asyncio.sleep(0)
        reading.cancel()
        await asyncio.sleep(0)
        reading.cancel()
        await asyncio.wait([reading])
    assert await claims_of(reader) == (1, 1)
    async with asyncio.timeout(20):
        await reader.close()
    with pytest.raises(Unavailable):
        await reader.stamp(None)


async def test_the_reader_cannot_write(store_url: str) -> None:
    await publish(store_url, channels(1))
    engine, _ = create_reader_engine(store_url)
    async with engine.connect() as connection:
        with pytest.raises(DBAPIError, match=r"readonly|read-only"):
            await connection.execute(RiskTables(MODEL, engine.dialect.name).pointer.delete())
    await engine.dispose()


async def test_a_database_that_cannot_be_reached_is_unavailable(tmp_path: Path) -> None:
    nobody = RiskStoreReader("postgresql+asyncpg://postgres@127.0.0.1:1/risk", MODEL)
    with pytest.raises(Unavailable):
        await nobody.stamp(None)
    await nobody.close()
    (tmp_path / "folder.db").mkdir()
    folder = RiskStoreReader(f"sqlite+aiosqlite:///{tmp_path / 'folder.db'}", MODEL)
    with pytest.raises(Unavailable):
        await folder.stamp(None)
    await folder.close()


@pytest.mark.parametrize("url", ["sqlite+aiosqlite://", "mysql://localhost/risk", "sqlite+aiosqlite:///:memory:"])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        RiskStoreReader(url, MODEL)


async def test_a_table_is_read_whole_with_its_kinds_of_values(store_url: str, reader: RiskStoreReader) -> None:
    row = {"channel_id": "CH1", "product_line": "screen", "month": date(2026, 5, 1), "delay_months": 2, "claims": 7}
    await publish(store_url, {"claim_development": [row, {**row, "delay_months": 3}]})
    columns = {"channel_id": str, "month": date, "delay_months": int, "incurred_squared": float}
    found = await reader.rows("claim_development", columns, None)
    assert found is not None
    assert found.stamp.data_version == 1
    assert sorted(zip(*found.columns.values(), strict=True)) == [
        ("CH1", date(2026, 5, 1), 2, 0.0),
        ("CH1", date(2026, 5, 1), 3, 0.0),
    ]
    assert list(found.months("month")) == [2026 * 12 + 4] * 2
    empty = await reader.rows("rating_cell", {"brand": str}, 1)
    assert empty is not None
    assert len(empty) == 0


async def test_only_the_rows_asked_for_are_read(store_url: str, reader: RiskStoreReader) -> None:
    row = {"entity_kind": "store", "reason": "COST", "rank": 1, "month": date(2026, 5, 1)}
    told = [{**row, "entity_id": name, "entity_kind": kind} for name in "abc" for kind in ("store", "repair_shop")]
    await publish(store_url, {"claim_evidence": told})
    only = {"entity_kind": ["store"], "entity_id": ["a", "c", "nobody"]}
    found = await reader.rows("claim_evidence", {"entity_kind": str, "entity_id": str, "rank": int}, None, only)
    assert found is not None
    assert sorted(zip(*found.columns.values(), strict=True)) == [("store", "a", 1), ("store", "c", 1)]


async def test_a_table_that_an_older_job_did_not_make_is_none(store_url: str, reader: RiskStoreReader) -> None:
    with pytest.raises(DataVersionNotFound):
        await reader.rows("table_of_tomorrow", {"brand": str}, None)
    await publish(store_url, {})
    assert await reader.rows("table_of_tomorrow", {"brand": str}, None) is None
    with pytest.raises(DataVersionNotFound):
        await reader.rows("rating_cell", {"brand": str}, 99)
