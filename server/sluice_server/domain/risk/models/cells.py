"""Rating cells: rows whose factors are all equal, summed up. Exact for a GLM, however many rows there are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sluice_server.domain.risk.models.columns import Codes

_MOST = 2**62


@dataclass(frozen=True, slots=True)
class Cells:
    """Which row is in which cell, and one row of every cell."""

    of_row: Codes
    """Number of the cell of each row."""
    first_row: Codes
    """A row of each cell: its factors stand for all."""

    def __len__(self) -> int:
        return len(self.first_row)

    def total(self, values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """The sum over each cell."""
        return np.bincount(self.of_row, weights=values, minlength=len(self)).astype(np.float64)


def rating_cells(columns: Sequence[npt.NDArray[Any]]) -> Cells:
    """The cells of rows with these encoded factors (whole numbers or floats, equally long)."""
    key = distinct_rows(columns)
    _, first, of_row = np.unique(key, return_index=True, return_inverse=True)
    return Cells(of_row.astype(np.int64), first.astype(np.int64))


def distinct_rows(columns: Sequence[npt.NDArray[Any]]) -> Codes:
    """A number for each row; equal where all columns are."""
    key: Codes = np.zeros(len(columns[0]), dtype=np.int64)
    size = 1
    for column in columns:
        values, codes = np.unique(column, return_inverse=True)
        if size * len(values) >= _MOST:
            # The key would overflow: number what is there so far anew.
            _, key = np.unique(key, return_inverse=True)
            size = int(key.max()) + 1
        key = key * len(values) + codes
        size *= len(values)
    return key
