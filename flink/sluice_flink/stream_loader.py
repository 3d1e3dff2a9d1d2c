"""Brings the JSON lines that the streaming job has written into the store.

Flink's file sink makes a file visible, under its final name and for good, when the checkpoint that it belongs to is
complete. Such a file is written into the store by key and then deleted; a loader that is killed in between writes it
again.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from pathlib import Path

from sluice_flink.sql_files import TableSchema
from sluice_flink.stream_store import StoredRow, StreamStore, window_tables

_FILES_AT_ONCE = 200


class StreamLoader:
    """Loads the files under `results`, one folder a table."""

    def __init__(self, store: StreamStore, results: Path) -> None:
        self._store = store
        self._results = results
        self._tables = window_tables()

    async def round(self) -> int:
        """Load what is there; returns how many rows."""
        loaded = 0
        while files := self._files():
            rows: dict[str, list[StoredRow]] = {}
            for path, table in files:
                rows.setdefault(table.name, []).extend(_read(path, table))
            loaded += await self._store.upsert(rows)
            for path, _ in files:
                path.unlink()
        return loaded

    def _files(self) -> list[tuple[Path, TableSchema]]:
        found = [
            (path, table)
            for table in self._tables.values()
            # Names of files that are being written begin with a dot.
            for path in (self._results / table.name).glob("part-*")
        ]
        return sorted(found, key=lambda item: item[0].stat().st_mtime_ns)[:_FILES_AT_ONCE]


def _read(path: Path, table: TableSchema) -> list[StoredRow]:
    with path.open(encoding="utf-8") as file:
        return [_stored(json.loads(line), table) for line in file]


def _stored(row: Mapping[str, object], table: TableSchema) -> StoredRow:
    return {
        column.name: _instant(str(row[column.name])) if column.type == "TIMESTAMP" else row[column.name]
        for column in table.columns
    }


def _instant(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC)
