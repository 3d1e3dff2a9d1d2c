"""Alembic's environment: runs inside the transaction that ``store.migrate`` has begun.

A new revision: change ``tables``, then on a connection to a database at the newest revision
``command.revision(configuration(connection), "What changes", autogenerate=True)``. Alembic does not compare the
conditions of partial indexes; ``tests/integration/store/test_migrations.py`` does.
"""

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
