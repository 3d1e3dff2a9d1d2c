"""The design matrix of a GLM: which column belongs to which level of which factor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from sluice_server.domain.risk.models.columns import Column, Floats
from sluice_server.domain.risk.models.factors import LevelScale, Scale

_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Term:
    """One column of the matrix; ``level`` is empty for a number."""

    factor: str
    level: str = ""


def encode(scales: Sequence[Scale], factors: Mapping[str, Column]) -> list[npt.NDArray[Any]]:
    """Each factor of each row: the index of its level, or its number."""
    return [scale.apply(factors[scale.name]) for scale in scales]


def terms_of(scales: Sequence[Scale]) -> tuple[Term, ...]:
    """The columns after the intercept: one for each level but the base, one for each number."""
    terms = []
    for scale in scales:
        if isinstance(scale, LevelScale):
            terms += [Term(scale.name, level) for level in scale.levels[1:]]
        else:
            terms.append(Term(scale.name))
    return tuple(terms)


def design_matrix(scales: Sequence[Scale], encoded: Sequence[npt.NDArray[Any]]) -> sparse.csc_matrix:
    """The matrix without the intercept, rows × `terms_of`."""
    rows = len(encoded[0]) if encoded else 0
    blocks = []
    for scale, values in zip(scales, encoded, strict=True):
        if isinstance(scale, LevelScale):
            inside = np.flatnonzero(values > 0)
            places = (inside, values[inside].astype(np.int64) - 1)
            blocks.append(sparse.csc_matrix((np.ones(len(inside)), places), shape=(rows, len(scale.levels) - 1)))
        else:
            blocks.append(sparse.csc_matrix(values.astype(np.float64)[:, None]))
    return sparse.hstack(blocks, format="csc") if blocks else sparse.csc_matrix((rows, 0))


def independent_terms(matrix: sparse.csc_matrix, weights: Floats) -> npt.NDArray[np.int64]:
    """The columns that say something which the intercept and the columns before them do not.

    The others are combinations of those (a brand when the device model is there): they have no coefficient of their
    own. By Cholesky's algorithm on the weighted Gram matrix, leaving out what has no remainder.
    """
    total = weights.sum()
    means = np.asarray(matrix.T @ weights).ravel() / total
    gram = np.asarray((matrix.T @ matrix.multiply(weights[:, None])).todense()) / total - np.outer(means, means)
    size = np.diag(gram).copy()
    kept: list[int] = []
    for j in range(len(size)):
        if size[j] > 0 and gram[j, j] > _TOLERANCE * size[j]:
            kept.append(j)
            gram = gram - np.outer(gram[:, j], gram[j]) / gram[j, j]
    return np.array(kept, dtype=np.int64)
