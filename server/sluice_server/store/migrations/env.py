"""Alembic's environment: runs inside the transaction that ``store.migrate`` has begun."""

from __future__ import annotations

from alembic import context

from sluice_server.store.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    # SQLite's DDL is transactional; Alembic assumes otherwise because of what Python's driver used to do.
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
