"""What a row is compared with: the rows of other entities that are alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sluice_server.domain.risk.models.cells import distinct_rows
from sluice_server.domain.risk.models.columns import Codes, Floats, TextColumn

FEWEST_OTHERS = 20
"""Rows of other entities that it takes to know what is ordinary in a cell."""


@dataclass(frozen=True, slots=True)
class Peers:
    """Rows in cells of like ones. Every entity of a cell meets enough rows of others there, but for the last cell."""

    entity: Codes
    cell: Codes
    """From 0, for each row."""

    @classmethod
    def of(cls, entity: Codes, columns: Sequence[TextColumn]) -> Peers:
        """Cells of equal values of all columns; where one is too small or nearly one entity's own, its rows are taken
        together with other such rows: of equal values but for the last column, and so on, at last of any."""
        cell = np.full(len(entity), -1, dtype=np.int64)
        cells = 0
        for depth in range(len(columns), 0, -1):
            rows = np.flatnonzero(cell < 0)
            if not len(rows):
                break
            key = _numbered(distinct_rows([column.codes[rows] for column in columns[:depth]]))
            enough = _others_of_the_greatest(key, entity[rows])[key] >= FEWEST_OTHERS
            cell[rows[enough]] = cells + _numbered(key[enough])
            cells = int(cell.max()) + 1
        cell[cell < 0] = cells
        return cls(entity, _numbered(cell))

    def mean_of_others(self, values: Floats) -> Floats:
        """For each row the mean over the other entities' rows of its cell; over all of theirs where those are few."""
        own_key = _numbered(distinct_rows([self.cell, self.entity]))
        sums, number = np.bincount(self.cell, weights=values)[self.cell], np.bincount(self.cell)[self.cell]
        sums -= np.bincount(own_key, weights=values)[own_key]
        number = number - np.bincount(own_key)[own_key]
        own_sums, own_number = np.bincount(self.entity, weights=values), np.bincount(self.entity)
        everywhere = (values.sum() - own_sums[self.entity]) / np.maximum(len(values) - own_number[self.entity], 1)
        # A difference of sums may come out a little below 0.
        means = np.where(number >= FEWEST_OTHERS, sums / np.maximum(number, 1), everywhere)
        return np.maximum(means, 0.0) if (values >= 0).all() else means


def surplus(entity: Codes, values: Codes) -> Floats:
    """1 for each row whose value an earlier row of its entity has, else 0."""
    key = distinct_rows([entity, values])
    _, first = np.unique(key, return_index=True)
    repeated = np.ones(len(key))
    repeated[first] = 0.0
    return repeated


def chance_surplus(entity: Codes, cell: Codes, values: Codes, entities: int) -> Floats:
    """For each entity how many of its rows would repeat a value if they were drawn from the other entities' rows.

    Of a value that the others have c times in a cell, a sample of the share f has at least one with probability
    1 - (1 - f)^c: rarefaction (Hurlbert, "The nonconcept of species diversity", Ecology 52, 1971, equation 2).
    """
    where = _numbered(distinct_rows([entity, cell]))
    _, first = np.unique(where, return_index=True)
    who, home, size = entity[first], cell[first], np.bincount(where).astype(np.float64)
    rest = np.maximum(np.bincount(cell)[home] - size, 1.0)
    share = np.minimum(size / rest, 1.0)
    missed = np.log1p(-np.minimum(share, 1 - 1e-12))

    value = _numbered(distinct_rows([cell, values]))
    times = np.bincount(value)
    _, at = np.unique(value, return_index=True)
    home_of_value = cell[at]
    distinct = np.zeros(len(first))
    # Values by how often they occur: many prices, few frequencies.
    kind, how_many = np.unique(np.column_stack([home_of_value, times]), axis=0, return_counts=True)
    begins = np.searchsorted(kind[:, 0], np.arange(int(cell.max()) + 2))
    by_home = np.argsort(home, kind="stable")
    ends = np.searchsorted(home[by_home], np.arange(int(cell.max()) + 2))
    for one in range(int(cell.max()) + 1):
        these = by_home[ends[one] : ends[one + 1]]
        part = slice(begins[one], begins[one + 1])
        for few in np.array_split(these, max(1, len(these) * (part.stop - part.start) // 4_000_000)):
            distinct[few] = -np.expm1(np.outer(missed[few], kind[part, 1])) @ how_many[part]
    # The entity's own rows are no part of the others.
    both = _numbered(distinct_rows([where, value]))
    _, at = np.unique(both, return_index=True)
    all_of, own = times[value[at]], np.bincount(both)
    place = where[at]
    gone = np.exp(missed[place] * (all_of - own)) - np.exp(missed[place] * all_of)
    distinct -= np.bincount(place, weights=gone, minlength=len(first))
    expected = np.maximum(size - distinct, 0.0) * (size - 1) / size
    # An entity larger than all others together: what more it draws than there is repeats at the rate of the rest.
    expected *= size / np.maximum(share * rest, 1.0)
    return np.bincount(who, weights=np.minimum(expected, size - 1), minlength=entities).astype(np.float64)


def _others_of_the_greatest(key: Codes, entity: Codes) -> Codes:
    """For each cell its rows less those of the entity that has most of them."""
    pair = _numbered(distinct_rows([key, entity]))
    _, first = np.unique(pair, return_index=True)
    greatest = np.zeros(int(key.max()) + 1, dtype=np.int64)
    np.maximum.at(greatest, key[first], np.bincount(pair))
    return np.asarray(np.bincount(key) - greatest)


def _numbered(key: Codes) -> Codes:
    return np.unique(key, return_inverse=True)[1].astype(np.int64)
