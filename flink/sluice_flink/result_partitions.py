"""The partitions of the result tables: what an incremental run computes anew, and what it takes over as it is."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

Key = dt.date | int | str

PARTITIONED_BY = {
    "channel_month": "month",
    "device_model_month": "month",
    "store_month": "month",
    "product_month": "month",
    "rating_cell": "cover_year",
    "claim_development": "month",
    "repair_shop_month": "part_code",
    "repair_shop_fault": "month",
    "insurer_product_day": "day",
    "customer_funnel": "month",
}
"""By result table the column whose values are its partitions. The mean cost of a part goes into all its rows, so the
rows of repair shops belong together by part. Tables that are not here tell of all the input and are always computed."""

_FIRST_DAY = dt.date(1900, 1, 1)
_EPOCH = dt.date(2000, 1, 1)


@dataclass(frozen=True)
class Reopened:
    """The partitions that an input's changes reach."""

    by_table: Mapping[str, frozenset[Key]] = field(default_factory=dict)

    def keys(self, table: str) -> frozenset[Key] | None:
        """The partitions of `table` to compute anew; None: the table as a whole."""
        return self.by_table.get(table, frozenset()) if table in PARTITIONED_BY else None

    def untouched(self, table: sa.Table) -> sa.ColumnElement[bool] | None:
        """What holds for the rows of `table` that are taken over; None: there are none."""
        keys = self.keys(table.name)
        if keys is None:
            return None
        return table.c[PARTITIONED_BY[table.name]].not_in(sorted(keys, key=str)) if keys else sa.true()

    def describe(self) -> dict[str, list[str]]:
        """By table the partitions, as texts in order."""
        return {table: sorted(map(str, self.by_table.get(table, ()))) for table in PARTITIONED_BY}


def sql_parameters(reopened: Reopened | None) -> dict[str, str]:
    """What the SQL files' placeholders for partitions stand for: conditions on rows, and the day before which a policy
    that has ended can not reach any of them. `reopened` None: everything."""
    found: dict[str, str] = {}
    for table, column in PARTITIONED_BY.items():
        keys = None if reopened is None else reopened.keys(table)
        found[f"{table}_opened"] = _condition(column, keys)
    months = None if reopened is None else reopened.keys("store_month")
    years = None if reopened is None else reopened.keys("rating_cell")
    found["months_from_day"] = str((_first_day(months) - _EPOCH).days)
    found["years_from_day"] = str((_first_day(years) - _EPOCH).days)
    return found


def _condition(column: str, keys: frozenset[Key] | None) -> str:
    if keys is None:
        return "TRUE"
    if not keys:
        return "FALSE"
    return f"`{column}` IN ({', '.join(_literal(key) for key in sorted(keys, key=str))})"


def _literal(key: Key) -> str:
    if isinstance(key, dt.date):
        return f"DATE '{key.isoformat()}'"
    return str(key) if isinstance(key, int) else "'" + key.replace("'", "''") + "'"


def _first_day(keys: frozenset[Key] | None) -> dt.date:
    if keys is None:
        return _FIRST_DAY
    days = [dt.date(key, 1, 1) if isinstance(key, int) else key for key in keys if not isinstance(key, str)]
    return min(days, default=dt.date.max)
