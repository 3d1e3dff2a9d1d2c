from __future__ import annotations

import asyncio
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncEngine

from sluice_server.domain.audit.chain import ChainCheck, ChainHead
from sluice_server.store import open_store
from sluice_server.store.engine import create_engine
from sluice_server.store.migrate import MIGRATIONS, configuration, upgrade
from sluice_server.store.tables import metadata

_SQLITE_SCHEMA = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'alembic%'"
_POSTGRES_SCHEMA = """
    SELECT 'column', table_name || '.' || column_name,
           concat_ws(' ', data_type, is_nullable, is_identity, column_default, collation_name)
    FROM information_schema.columns WHERE table_schema = 'public' AND table_name NOT LIKE 'alembic%'
    UNION ALL
    SELECT 'index', indexname, indexdef FROM pg_indexes
    WHERE schemaname = 'public' AND tablename NOT LIKE 'alembic%'
    UNION ALL
    SELECT 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint
    WHERE connamespace = 'public'::regnamespace AND conrelid::regclass::text NOT LIKE 'alembic%'
    """


async def in_transaction(engine: AsyncEngine, work: Any) -> Any:
    async with engine.begin() as connection:
        return await connection.run_sync(work)


def schema(connection: Connection) -> list[str]:
    statement = _SQLITE_SCHEMA if connection.dialect.name == "sqlite" else _POSTGRES_SCHEMA
    return sorted(" ".join(" ".join(row).replace('"', "").split()) for row in connection.execute(text(statement)))


async def test_a_fresh_migration_is_what_the_tables_say(store_url: str) -> None:
    engine = create_engine(store_url)
    try:
        await in_transaction(engine, upgrade)
        differences = await in_transaction(
            engine, lambda connection: compare_metadata(MigrationContext.configure(connection), metadata)
        )
        assert differences == []
        migrated = await in_transaction(engine, schema)
        await in_transaction(engine, lambda connection: command.downgrade(configuration(connection), "base"))
        assert await in_transaction(engine, schema) == []
        await in_transaction(engine, metadata.create_all)
        created = await in_transaction(engine, schema)
        # Word for word: Alembic's comparison does not see the conditions of partial indexes.
        assert migrated == created
        assert len(migrated) > len(metadata.tables)
    finally:
        await engine.dispose()


async def test_replicas_that_start_together_migrate_once(store_url: str) -> None:
    stores = await asyncio.gather(*(open_store(store_url) for _ in range(4)))
    for store in stores:
        async with store.read() as work:
            assert await work.plans.active() is None
        await store.close()


async def test_opening_again_changes_nothing(store_url: str) -> None:
    for _ in range(2):
        async with open_store(store_url):
            pass
    engine = create_engine(store_url)
    try:
        async with engine.connect() as connection:
            revisions = (await connection.execute(text("SELECT version_num FROM alembic_version"))).scalars().all()
            activations = (await connection.execute(text("SELECT count(*) FROM plan_activation"))).scalar_one()
    finally:
        await engine.dispose()
    assert revisions == ScriptDirectory(str(MIGRATIONS)).get_heads()
    assert activations == 1


@pytest.mark.parametrize("url", ["mysql+aiomysql://h/d", "sqlite+aiosqlite://", "sqlite:///file.db"])
async def test_a_url_that_names_no_durable_database_of_ours_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="store URL"):
        await open_store(url)


async def test_a_refused_url_does_not_show_its_password() -> None:
    with pytest.raises(ValueError, match="store URL") as refused:
        await open_store("postgresql+psycopg://ann:secret@host/db")
    assert "secret" not in str(refused.value)


async def test_audit_rows_from_before_the_chain_are_chained(store_url: str) -> None:
    engine = create_engine(store_url)
    try:
        await in_transaction(engine, lambda connection: command.upgrade(configuration(connection), "0001"))
        names = "audit_id, at, actor, actor_verified, action, subject, reason, request_id, trace_id, before, after"
        row = (
            "('aud-{0}', {1}, 'ann', {2}, 'CutTraffic', 'insurers/a', 'old', 'r{0}', '', '{{}}', '{{\"share\": 10.0}}')"
        )
        at, false = ("1000", "0") if engine.dialect.name == "sqlite" else ("now()", "false")
        rows = ", ".join(row.format(number, at, false) for number in (2, 1))
        insert = f"INSERT INTO audit_events ({names}) VALUES {rows}"
        await in_transaction(engine, lambda connection: connection.exec_driver_sql(insert))
        async with open_store(store_url) as store, store.read() as work:
            found = await work.audit.list(subject="", actor="", before=None, limit=9)
            check = ChainCheck(ChainHead(*await work.audit.head()))
        assert [each.audit_id for each in found] == ["aud-2", "aud-1"]
        for each in found:
            check.follow(each)
        check.end()
        assert check.problems == []
        await in_transaction(engine, lambda connection: command.downgrade(configuration(connection), "0001"))
        left = await in_transaction(engine, lambda c: c.execute(text("SELECT count(*) FROM audit_events")).scalar_one())
        assert left == 2
    finally:
        await engine.dispose()
