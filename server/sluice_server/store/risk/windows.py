"""The windows of the streaming job."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from sluice_server.domain.risk.alerts.stream import StreamMetric, WindowSums


async def read_newest_window(connection: AsyncConnection, table: str, schema: str | None) -> datetime | None:
    """The end of the newest window of a table."""
    windows = sa.table(table, sa.column("window_end", sa.DateTime(timezone=True)), schema=schema)
    newest: datetime | None = await connection.scalar(sa.select(sa.func.max(windows.c.window_end)))
    return None if newest is None else _utc(newest)


async def read_windows(
    connection: AsyncConnection,
    metric: StreamMetric,
    since: datetime,
    until: datetime,
    limit: int,
    schema: str | None,
) -> Sequence[WindowSums]:
    """See ``domain.risk.alerts.stream.WindowReader.windows``."""
    names = dict.fromkeys((metric.entity, *metric.numerator, *metric.denominator))
    end: sa.ColumnClause[datetime] = sa.column("window_end", sa.DateTime(timezone=True))
    windows = sa.table(metric.table, end, *(sa.column(name) for name in names), *_kind(metric), schema=schema)

    def total(columns: Sequence[str]) -> sa.ColumnElement[float]:
        parts = [sa.cast(sa.func.coalesce(windows.c[name], 0), sa.Double) for name in columns]
        return sum(parts[1:], start=parts[0]) if parts else sa.literal(0.0)

    only: list[sa.ColumnElement[bool]] = []
    if metric.kind:
        only.append(windows.c.kind == metric.kind)
    if not metric.lasts:
        only.append(sa.extract("second", windows.c.window_end) < 1)
    statement = (
        sa.select(windows.c[metric.entity], windows.c.window_end, total(metric.numerator), total(metric.denominator))
        .where(windows.c.window_end >= since, windows.c.window_end <= until, *only)
        .order_by(windows.c[metric.entity], windows.c.window_end)
        .limit(limit)
    )
    rows = (await connection.execute(statement)).all()
    return [WindowSums(str(entity), _utc(at), float(above), float(below)) for entity, at, above, below in rows]


def _kind(metric: StreamMetric) -> list[sa.ColumnClause[str]]:
    return [sa.column("kind", sa.Text())] if metric.kind else []


def _utc(moment: datetime) -> datetime:
    """SQLite keeps no zone: what is stored is UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
