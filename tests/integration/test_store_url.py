"""The databases that every store test relies on."""

from __future__ import annotations

from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine


async def test_store_url_is_an_empty_database_of_its_own(store_url: str) -> None:
    engine = create_async_engine(store_url)
    try:
        async with engine.begin() as connection:
            await connection.execute(text("CREATE TABLE only_here (id INTEGER PRIMARY KEY)"))
            await connection.execute(text("INSERT INTO only_here VALUES (1)"))
            assert (await connection.execute(text("SELECT count(*) FROM only_here"))).scalar_one() == 1
    finally:
        await engine.dispose()


async def test_databases_of_two_tests_are_separate(store_url: str) -> None:
    # The same table name as above: creating it fails if the database is shared.
    await test_store_url_is_an_empty_database_of_its_own(store_url)
