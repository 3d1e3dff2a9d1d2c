"""The store: orders, plans, insurers, breakers, incidents, audit, alarms; on SQLite and on PostgreSQL."""

from sluice_server.store.sql_store import SqlStore, open_store

__all__ = ["SqlStore", "open_store"]
