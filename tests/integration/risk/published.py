"""Fills a risk query store as the Flink loader does: through the loader itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from sluice_flink.publish import Publication, publish_rows
from sluice_flink.result_files import rows_from_mappings
from sluice_flink.sql_files import result_tables

WATERMARK = datetime(2026, 11, 1, tzinfo=UTC)
PUBLISHED_AT = datetime(2026, 11, 1, 3, 30, tzinfo=UTC)
_EMPTY: Mapping[str, Any] = {"STRING": "NONE", "BIGINT": 0, "DOUBLE": 0.0}


async def publish(
    store_url: str,
    tables: Mapping[str, Iterable[Mapping[str, Any]]],
    *,
    keep_versions: int = 5,
    currency: str | None = None,
) -> int:
    """Publishes the rows (columns that are not given are empty) and returns the data version."""
    declared = result_tables()
    rows = {
        name: [
            {c.name: row[c.name] if c.name in row else _EMPTY[c.type] for c in declared[name].columns} for row in given
        ]
        for name, given in tables.items()
    }
    publication = Publication(WATERMARK, PUBLISHED_AT, "abc", "2.2.1", 12.5, keep_versions, currency)
    return (await publish_rows(store_url, rows_from_mappings(rows), publication)).data_version
