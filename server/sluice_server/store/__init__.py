"""The store: orders, plans, insurers, breakers, incidents, audit, alarms; on SQLite and on PostgreSQL."""

from sluice_server.store.group_commit import CommitPace
from sluice_server.store.sql_store import SqlStore, open_store

__all__ = ["CommitPace", "SqlStore", "open_store"]
