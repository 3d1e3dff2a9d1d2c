"""How long the store waits for its databases."""

from __future__ import annotations

CONNECT_SECONDS = 5.0
"""A connection that is not there by then is Unavailable."""
BUSY_SECONDS = 5.0
"""How long a transaction waits for another process's lock (SQLite) or for a row's (PostgreSQL)."""
STATEMENT_SECONDS = 30.0
"""A statement on PostgreSQL is given up then."""
