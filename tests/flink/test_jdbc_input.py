"""Source tables in a real PostgreSQL, read by Flink through the JDBC connector that Maven fetches."""

from __future__ import annotations

import asyncio
import datetime as dt
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import pytest

from sluice_flink.inputs import BadInput
from sluice_flink.jdbc_input import inspect, replace_source
from sluice_flink.jdbc_sink import IncomingInUse, incoming
from sluice_flink.result_files import read_results
from sluice_flink.sql_files import source_tables, statements
from tests.flink.command import run_job
from tests.flink.difficult_input import WATERMARK, write_difficult_input
from tests.flink.independent import compute
from tests.flink.store_reading import read_active, version_rows

ROOT = Path(__file__).parents[2]
CONNECTORS = ROOT / "build" / "flink-connectors"
TYPES = {"STRING": "text", "BIGINT": "bigint", "DOUBLE": "double precision", "DATE": "date"}
# Not only what the contract names: databases keep instants and keys in types of their own.
OWN_TYPES = {"sold_at": "timestamptz", "reported_at": "timestamp", "premium_minor": "numeric(20)"}


async def load(url: str, source: Path) -> None:
    """Copy the CSV files of `source` into tables of the schema `core`."""
    connection = await asyncpg.connect(plain(url))
    try:
        await connection.execute("SET TimeZone = 'Asia/Shanghai'; CREATE SCHEMA core")
        for table in source_tables().values():
            if table.name in ("orders", "submissions"):
                continue
            columns = ", ".join(f"{c.name} {OWN_TYPES.get(c.name, TYPES[c.type])}" for c in table.columns)
            await connection.execute(f"CREATE TABLE core.{table.name} ({columns})")
            for path in sorted((source / table.name).glob("*.csv")):
                with path.open("rb") as file:
                    await connection.copy_to_table(
                        table.name, schema_name="core", source=file, format="csv", header=True, null=""
                    )
    finally:
        await connection.close()


def plain(url: str) -> str:
    return url.replace("postgresql+asyncpg://", "postgresql://")


@pytest.fixture(scope="session")
def connectors() -> Path:
    if shutil.which("mvn") is None:
        pytest.skip("Maven (mvn) is not installed; it fetches Flink's JDBC connector")
    fetched = subprocess.run([sys.executable, ROOT / "tools" / "flink-connectors"], capture_output=True, text=True)
    if fetched.returncode not in (0, 1):
        pytest.skip(f"Maven could not fetch Flink's JDBC connector: {fetched.stdout[-500:]}{fetched.stderr[-500:]}")
    assert fetched.returncode == 0, fetched.stderr
    return CONNECTORS


@pytest.mark.flink
async def test_tables_in_postgresql_give_what_an_independent_computation_gives(
    postgres_url: str, connectors: Path, tmp_path: Path
) -> None:
    source, orders = write_difficult_input(tmp_path, policies=500)
    await load(postgres_url, source)
    store = f"sqlite:///{tmp_path / 'risk.db'}"
    more: list[str | Path] = ["--orders", orders, "--watermark", WATERMARK, "--reject-limit", "0.2"]
    more += ["--schema", "core", "--connectors", connectors, "--parallelism", "2"]
    finished = await asyncio.to_thread(run_job, plain(postgres_url), store, tmp_path / "work", *more)
    report = finished.report()
    found = read_results(tmp_path / "work" / "results")
    for name, rows in compute(source, orders, dt.datetime.fromisoformat(WATERMARK)).items():
        assert sorted(found[name], key=repr) == sorted(rows, key=repr), name
    # The row without a start is outside of every range of dates, and yet it was read.
    assert ("policies", "X-no-start", "MISSING_VALUE", 1) in found["rejected_row"]
    read = {item["source"]: item["rows"] for item in report["findings"] if item["finding"] == "READ"}
    (version,) = await version_rows(store)
    assert version.input["rows"]["policies"] == read["policies"] == 531
    assert version.input["newest"]["claims"] > "2026"
    assert version.fingerprint.startswith("counts-sha256:")


async def test_bounds_are_asked_of_the_tables_and_hold_their_null_keys(postgres_url: str, tmp_path: Path) -> None:
    source, _ = write_difficult_input(tmp_path, policies=50)
    await load(postgres_url, source)
    found = await asyncio.to_thread(inspect, postgres_url, "core", tmp_path / "work", 3)
    options = found.options["policies"]
    # NULL counts as day 0, 1970-01-01; the last start is that of a policy that begins in 2026.
    assert "'scan.partition.lower-bound' = '0'" in options
    assert "'scan.partition.num' = '3'" in options
    assert "scan.partition" not in found.options["channels"]
    assert found.staged.rows["policies"] == 81
    alone = await asyncio.to_thread(inspect, postgres_url, "core", tmp_path / "work-2", 1)
    assert "scan.partition" not in alone.options["policies"]


async def test_missing_tables_and_columns_are_all_named(postgres_url: str, tmp_path: Path) -> None:
    source, _ = write_difficult_input(tmp_path, policies=50)
    await load(postgres_url, source)
    connection = await asyncpg.connect(plain(postgres_url))
    await connection.execute(
        "ALTER TABLE core.claims DROP COLUMN status, DROP COLUMN part_code; DROP TABLE core.devices"
    )
    await connection.close()
    with pytest.raises(BadInput) as refused:
        await asyncio.to_thread(inspect, postgres_url, "core", tmp_path / "work", 2)
    assert set(refused.value.problems) == {
        "claims: missing part_code, status",
        "devices: no such table in schema core",
    }


def test_a_database_that_does_not_answer_is_named_without_its_password(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'risk.db'}"
    jars = tmp_path / "jars"
    jars.mkdir()
    url = "postgresql://reader:hunter2@127.0.0.1:9/core"
    missing = run_job(url, store, tmp_path / "work", "--connectors", jars)
    assert missing.exit_code == 1
    assert "make flink-connectors" in missing.stderr
    (jars / "flink-connector-jdbc-postgres-0.jar").write_bytes(b"")
    finished = run_job(url, store, tmp_path / "work", "--connectors", jars)
    assert finished.exit_code == 1
    assert "the database can not be read" in finished.stderr
    assert "hunter2" not in finished.stderr
    reasons = [row.reason for row in asyncio.run(version_rows(store))]
    assert len(reasons) == 2
    assert not any("hunter2" in reason for reason in reasons)


def test_only_the_options_of_a_source_are_replaced() -> None:
    options: Mapping[str, str] = {"claims": "WITH ('connector' = 'jdbc')"}
    for statement in statements("sources"):
        replaced = replace_source(statement, options)
        if statement.startswith("CREATE TABLE claims ("):
            assert replaced.endswith("COMMENT 'Claims reported.' WITH ('connector' = 'jdbc')")
            assert replaced.partition(") COMMENT")[0] == statement.partition(") COMMENT")[0]
        else:
            assert replaced == statement


@pytest.mark.flink
async def test_flink_writes_into_postgresql_itself_and_the_publication_stays_atomic(
    postgres_url: str, connectors: Path, tmp_path: Path
) -> None:
    source, orders = write_difficult_input(tmp_path, policies=500)
    store = plain(postgres_url)
    more: list[str | Path] = ["--orders", orders, "--watermark", WATERMARK, "--reject-limit", "0.2"]
    more += ["--sink", "jdbc", "--connectors", connectors, "--incremental", "--state", tmp_path / "state"]
    finished = await asyncio.to_thread(run_job, source, store, tmp_path / "work", *more)
    report = finished.report()
    # The same again with one claim more: what the sink writes and what is taken over make one version.
    late = "X-late,X-free,R0001,phone-screen,DROP,2025-09-09,2026-06-01T00:00:00Z,99,PAID\n"
    claims = source / "claims" / "part-9999.csv"
    claims.write_text(claims.read_text() + late)
    second = (await asyncio.to_thread(run_job, source, store, tmp_path / "work", *more)).report()
    assert second["incremental"]["reopened"]["store_month"] == ["2025-09-01"]
    version, found = await read_active(store)
    assert version == second["data_version"] == report["data_version"] + 1
    for name, rows in compute(source, orders, dt.datetime.fromisoformat(WATERMARK)).items():
        assert sorted(found[name], key=repr) == sorted(rows, key=repr), name
    assert second["row_counts"] == {name: len(rows) for name, rows in found.items()}
    connection = await asyncpg.connect(store)
    try:
        assert await connection.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname = 'risk_incoming'") == 0
    finally:
        await connection.close()


async def test_one_run_at_a_time_writes_through_jdbc(postgres_url: str) -> None:
    def both() -> None:
        with incoming(postgres_url), pytest.raises(IncomingInUse), incoming(postgres_url):
            raise AssertionError("two runs write into the same tables")

    await asyncio.to_thread(both)
    # What a killed run has left is cleared away.
    await asyncio.to_thread(both)


def test_the_jdbc_sink_needs_postgresql(tmp_path: Path) -> None:
    refused = run_job(tmp_path, f"sqlite:///{tmp_path / 'risk.db'}", tmp_path / "work", "--sink", "jdbc")
    assert refused.exit_code == 1
    assert "a JDBC sink writes to PostgreSQL" in refused.stderr
