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
