"""Where the commands find the databases."""

from __future__ import annotations

from pathlib import Path

RISK_STORE_HELP = "The risk query store (URL, or SQLite file) that sluice-flink publishes to."
STORE_HELP = "The server's store (URL, or SQLite file)."


def store_url(path_or_url: str) -> str:
    """A file's path is taken for SQLite's."""
    return path_or_url if "://" in path_or_url else f"sqlite+aiosqlite:///{Path(path_or_url)}"
