"""From rows as the database gives them to columns in memory."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import numpy as np

from sluice_server.store.risk.columns import Coded, ColumnTable


class ColumnBuilder:
    """Takes the rows of a table in parts, so that they are never all there as Python objects."""

    def __init__(self, keys: Sequence[str], time: str, measures: Sequence[str]) -> None:
        """The columns of the rows are ``keys``, then ``time`` as ISO text, then ``measures``."""
        self._texts = [*keys, time]
        self._time = time
        self._measures = list(measures)
        self._seen: list[dict[Any, int]] = [{} for _ in self._texts]
        self._codes: list[list[np.ndarray[Any, Any]]] = [[] for _ in self._texts]
        self._values: list[list[np.ndarray[Any, Any]]] = [[] for _ in measures]

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """A part of the rows."""
        columns = list(zip(*rows, strict=True))
        for i, column in enumerate(columns[: len(self._texts)]):
            seen = self._seen[i]
            found = [seen.setdefault(value, len(seen)) for value in column]
            self._codes[i].append(np.array(found, dtype=np.int32))
        for i, column in enumerate(columns[len(self._texts) :]):
            self._values[i].append(np.array(column, dtype=np.float64))

    def finish(self) -> ColumnTable | None:
        """The table; None where it has no rows, a missing value, or sums that floating point cannot hold exactly."""
        if not self._codes[0] or any(None in seen for seen in self._seen):
            return None
        keys: dict[str, Coded] = {}
        for name, seen, parts in zip(self._texts, self._seen, self._codes, strict=True):
            texts = sorted(seen)
            position = np.empty(len(texts), dtype=np.int32)
            position[[seen[text] for text in texts]] = np.arange(len(texts), dtype=np.int32)
            values: Sequence[Any] = [date.fromisoformat(text) for text in texts] if name == self._time else texts
            keys[name] = Coded(position[np.concatenate(parts)], values)
        measures = {name: np.concatenate(parts) for name, parts in zip(self._measures, self._values, strict=True)}
        table = ColumnTable(keys, measures)
        return table if table.exact else None
