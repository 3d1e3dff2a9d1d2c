"""Fixtures that every kind of test may use.

``postgres_url`` and ``sqlite_url`` are fresh, empty databases as SQLAlchemy async URLs; ``store_url`` runs a test once
on each of them.
"""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from tests.support.postgres import Postgres, running_postgres

# On a shared machine an example may take long for no reason of its own. CI repeats the same examples each time: what a
# developer's run finds anew there becomes an example of its own, and no change is refused for another one's defect.
settings.register_profile("here", deadline=None)
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")

THREAD_SECONDS = 2.0
"""How long a thread that still belongs to an open connection is waited for."""


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    """One real PostgreSQL for the whole session, started when the first test asks for it."""
    with running_postgres() as server:
        yield server


@pytest.fixture
async def postgres_url(postgres_server: Postgres) -> AsyncIterator[str]:
    """A fresh database on the session's PostgreSQL: ``postgresql+asyncpg://…``."""
    name = await postgres_server.create_database()
    yield postgres_server.url(name)
    await postgres_server.drop_database(name)


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """A fresh SQLite file: ``sqlite+aiosqlite:///…``."""
    return f"sqlite+aiosqlite:///{tmp_path / 'store.db'}"


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest) -> str:
    """A fresh database of each kind: what a store test runs on."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture(autouse=True)
async def ended_connections() -> AsyncIterator[None]:
    """Lets the threads of SQLite connections that were broken off end before their event loop is closed.

    SQLAlchemy breaks a connection off without waiting (a cancelled statement, a dead process played in a test): its
    thread then reports to a loop that may be gone, and the next test would be blamed for it.
    """
    yield
    for thread in threading.enumerate():
        if "_connection_worker_thread" in thread.name:
            await asyncio.to_thread(thread.join, THREAD_SECONDS)
