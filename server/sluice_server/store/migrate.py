"""Brings a database to the newest revision. When several replicas start together, one migrates and the others wait."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, text

MIGRATIONS = Path(__file__).parent / "migrations"
_ADVISORY_LOCK = 0x536C75696365  # "Sluice": any number that nobody else uses


def upgrade(connection: Connection) -> None:
    """Runs what is missing, in the transaction that has begun on ``connection`` (on SQLite an immediate one: the write
    lock keeps other processes out; on PostgreSQL an advisory lock does, until the transaction ends)."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SET LOCAL lock_timeout = 0"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
    command.upgrade(configuration(connection), "head")


def configuration(connection: Connection | None = None) -> Config:
    """Alembic's configuration, without a file: the migrations are part of the installed package."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    config.attributes["connection"] = connection
    return config
