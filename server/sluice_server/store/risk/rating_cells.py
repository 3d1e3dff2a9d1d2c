"""The rating cells of a data version, by columns."""

from __future__ import annotations

import numpy as np
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.groups.cells import GroupCells
from sluice_server.domain.risk.models.columns import TextColumn

_COLUMNS = {
    "product": "product_code",
    "product_line": "product_line",
    "category": "category",
    "brand": "brand",
    "tier": "tier",
    "region": "region",
    "term_months": "term_months",
}
"""Dimension of a group to column."""


async def read_rating_cells(connection: AsyncConnection, stamp: DataStamp, schema: str | None) -> GroupCells:
    """Cells with exposure. Claims that were denied do not count: what is sought is what costs."""
    table = sa.table(
        "rating_cell",
        *(sa.column(name) for name in (*_COLUMNS.values(), "data_version", "exposure_years", "claims", "denied")),
        schema=schema,
    )
    keys = [table.c[name] for name in _COLUMNS.values()]
    statement = (
        sa.select(*keys, table.c.exposure_years, table.c.claims - table.c.denied)
        .where(table.c.data_version == stamp.data_version, table.c.exposure_years > 0)
        # In one order, so that equal data give equal results.
        .order_by(*keys, table.c.exposure_years)
    )
    rows = (await connection.execute(statement)).all()
    by_column = list(zip(*rows, strict=True)) if rows else [() for _ in range(len(_COLUMNS) + 2)]
    dimensions = {name: TextColumn.of([str(value) for value in by_column[i]]) for i, name in enumerate(_COLUMNS)}
    exposure, claims = (np.array(column, dtype=np.float64) for column in by_column[-2:])
    return GroupCells(dimensions, exposure, claims, stamp)
