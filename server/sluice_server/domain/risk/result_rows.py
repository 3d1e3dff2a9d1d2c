"""Whole result tables of one data version, held by columns: for models and ratings, which want every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import numpy as np

from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.models.columns import Codes, Floats, TextColumn

Kind = type[str] | type[int] | type[float] | type[date]


@dataclass(frozen=True, slots=True)
class ResultRows:
    """The rows of a table. All columns are equally long."""

    stamp: DataStamp
    columns: Mapping[str, Sequence[str | int | float | date]]

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def texts(self, name: str) -> TextColumn:
        return TextColumn.of([str(value) for value in self.columns[name]])

    def numbers(self, name: str) -> Floats:
        return np.array(self.columns[name], dtype=np.float64)

    def months(self, name: str) -> Codes:
        """Months since year 0 of a column of dates."""
        return np.array([month_number(day) for day in self.days(name)], dtype=np.int64)

    def days(self, name: str) -> list[date]:
        return [value for value in self.columns[name] if isinstance(value, date)]

    def whole_numbers(self, name: str) -> list[int]:
        return [int(value) for value in self.columns[name] if not isinstance(value, str | date)]

    def strings(self, name: str) -> list[str]:
        return [str(value) for value in self.columns[name]]


class ResultRowsReader(Protocol):
    """Reads result tables whole. Raises Unavailable when the store cannot be reached."""

    async def rows(
        self,
        table: str,
        columns: Mapping[str, Kind],
        data_version: int | None,
        only: Mapping[str, Sequence[str]] | None = None,
    ) -> ResultRows | None:
        """These columns of the active data version, or of the one named.

        ``only``: by column (one of ``columns``, a text) the values that it must have one of; None: all rows.

        None where the store has no such table: it was filled by an older job. Raises DataVersionNotFound.
        """
        ...


def month_number(day: date) -> int:
    """Months since year 0."""
    return day.year * 12 + day.month - 1
