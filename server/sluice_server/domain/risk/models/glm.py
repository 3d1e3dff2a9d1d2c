"""Poisson and gamma GLM with logarithmic link: relativities with standard errors."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import sparse

from sluice_server.domain.errors import FailedPrecondition
from sluice_server.domain.risk.models.cells import rating_cells
from sluice_server.domain.risk.models.columns import Codes, Column, Floats, TextColumn
from sluice_server.domain.risk.models.design import Term, design_matrix, encode, independent_terms, terms_of
from sluice_server.domain.risk.models.factors import LevelScale, Scale

Matrix = npt.NDArray[np.float64]

_ENOUGH_FREEDOM = 30
"""Cells beyond the parameters that it takes to estimate a dispersion from them."""


class Family(StrEnum):
    """Distribution of what is predicted."""

    POISSON = "poisson"
    """Claims for each unit of exposure; the weight is the exposure, which equals an offset of its logarithm."""
    GAMMA = "gamma"
    """Amount of a claim; the weight is the number of claims."""


class ModelNotFitted(FailedPrecondition):
    """The data do not determine the model."""

    reason = "MODEL_NOT_FITTED"


@dataclass(frozen=True, slots=True)
class Relativity:
    """What the prediction is multiplied by at one level, against the base level."""

    factor: str
    level: str
    relativity: float
    standard_error: float
    """Of the logarithm of the relativity; 0 for the base level."""
    lower: float
    upper: float
    weight: float
    """Exposure (or claims, for a severity) behind the level."""
    aliased: bool = False
    """True where other factors say the same already: it has no relativity of its own, and 1 stands for it."""


@dataclass(frozen=True, slots=True)
class FittedGlm:
    """A fitted GLM."""

    family: Family
    scales: tuple[Scale, ...]
    intercept: float
    coefficients: tuple[float, ...]
    """In the order of `terms_of`; 0 for aliased ones."""
    covariance: Matrix
    """Of the intercept and the coefficients, (1 + terms) square; 0 for aliased ones."""
    aliased: tuple[Term, ...]
    dispersion: float
    """Variance over that of the family, which the covariance is multiplied by; at least 1 for Poisson."""
    level_weights: tuple[tuple[float, ...], ...]
    """Of each factor: the weight behind each level; of a number, the whole weight."""
    cells: int
    """Number of rating cells it was fitted on."""

    def predict(self, factors: Mapping[str, Column]) -> Floats:
        """Claims for a unit of exposure, or the amount of a claim, of each row."""
        linear = np.full(_rows(factors), self.intercept)
        place = 0
        for scale in self.scales:
            values = scale.apply(factors[scale.name])
            if isinstance(scale, LevelScale):
                steps = np.array([0.0, *self.coefficients[place : place + len(scale.levels) - 1]])
                linear += steps[values.astype(np.int64)]
                place += len(scale.levels) - 1
            else:
                linear += self.coefficients[place] * values
                place += 1
        return np.asarray(np.exp(linear))

    def relativities(self, level: float = 0.95) -> list[Relativity]:
        """Every factor's levels, the base first, with intervals of coverage ``level``."""
        z = NormalDist().inv_cdf((1 + level) / 2)
        result = []
        place = 0
        for scale, weights in zip(self.scales, self.level_weights, strict=True):
            if isinstance(scale, LevelScale):
                names: Sequence[str] = scale.levels
                steps, places = np.ones(len(names)), [-1, *range(place, place + len(names) - 1)]
                place += len(names) - 1
            else:
                names = scale.names
                steps = scale.at(scale.shown) - scale.at(scale.shown[:1])
                places = [-1, *[place] * (len(names) - 1)]
                weights = (weights[0],) * len(names)
                place += 1
            for name, step, at, weight in zip(names, steps, places, weights, strict=True):
                if at < 0:
                    result.append(Relativity(scale.name, name, 1.0, 0.0, 1.0, 1.0, weight))
                    continue
                log = self.coefficients[at] * float(step)
                error = math.sqrt(self.covariance[at + 1, at + 1]) * abs(float(step))
                result.append(
                    Relativity(
                        scale.name,
                        name,
                        math.exp(log),
                        error,
                        math.exp(log - z * error),
                        math.exp(log + z * error),
                        weight,
                        aliased=error == 0 and float(step) != 0,
                    )
                )
        return result


def fit_glm(
    family: Family,
    scales: Sequence[Scale],
    factors: Mapping[str, Column],
    totals: Floats,
    weights: Floats,
    group: Codes | None = None,
) -> FittedGlm:
    """Fits without penalty on rating cells.

    ``totals``: claims of each row (or amounts); ``weights``: exposure (or claims). Rows of one ``group`` are taken for
    dependent in the standard errors (sandwich of Liang and Zeger, Biometrika 73, 1986); without groups the family's
    variance is multiplied by Fletcher's estimate of the dispersion. Raises ModelNotFitted.
    """
    encoded = encode(scales, factors)
    cells = rating_cells(encoded) if encoded else rating_cells([np.zeros(len(totals))])
    y, w = cells.total(totals), cells.total(weights)
    matrix = design_matrix(scales, [values[cells.first_row] for values in encoded])
    kept = independent_terms(matrix, w)
    intercept, coefficients = _solve(family, matrix[:, kept], y / w, w)

    terms = terms_of(scales)
    full = np.zeros(len(terms))
    full[kept] = coefficients
    with_one = sparse.hstack([np.ones((len(y), 1)), matrix[:, kept]], format="csr")
    mean = np.exp(with_one @ np.array([intercept, *coefficients]))
    dispersion = _dispersion(family, totals, weights, mean[cells.of_row], with_one.shape[1])
    if len(cells) - with_one.shape[1] >= _ENOUGH_FREEDOM:
        # What whole cells differ by beyond chance does not show in single rows.
        dispersion = max(dispersion, _dispersion(family, y, w, mean, with_one.shape[1]))
    small = _covariance(family, with_one, y, w, mean, dispersion)
    if group is not None:
        # The scores are summed by group over all its rows, whatever cells they are in.
        small = _sandwich(family, with_one[cells.of_row], totals, weights, mean[cells.of_row], group)
    covariance = np.zeros((len(terms) + 1, len(terms) + 1))
    places = np.array([0, *(kept + 1)])
    covariance[np.ix_(places, places)] = small
    return FittedGlm(
        family=family,
        scales=tuple(scales),
        intercept=intercept,
        coefficients=tuple(float(value) for value in full),
        covariance=covariance,
        aliased=tuple(term for i, term in enumerate(terms) if i not in set(kept.tolist())),
        dispersion=dispersion,
        level_weights=tuple(_weights_of(scale, values, weights) for scale, values in zip(scales, encoded, strict=True)),
        cells=len(cells),
    )


def _solve(family: Family, matrix: sparse.csc_matrix, means: Floats, weights: Floats) -> tuple[float, Floats]:
    """Intercept and coefficients of greatest likelihood."""
    if matrix.shape[1] == 0:
        return math.log(float(np.average(means, weights=weights))), np.zeros(0)
    # Importing it takes seconds: only who fits pays for it.
    from glum import GeneralizedLinearRegressor

    model = GeneralizedLinearRegressor(
        family=family.value, link="log", alpha=0, solver="irls-ls", gradient_tol=1e-9, max_iter=200
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error", category=UserWarning)
        try:
            model.fit(matrix, means, sample_weight=weights)
        except (UserWarning, np.linalg.LinAlgError, ValueError) as failed:
            text = f"the {family} model was not fitted: {failed}; leave out factors, or join their levels"
            raise ModelNotFitted(text) from failed
    return float(model.intercept_), np.asarray(model.coef_, dtype=np.float64)


def _dispersion(family: Family, y: Floats, w: Floats, mean: Floats, parameters: int) -> float:
    """Variance over the family's, from Pearson's statistic of rows or cells.

    For counts divided by 1 + the mean of (y - m)/m: with few claims in a row Pearson's statistic alone says anything.
    Fletcher, "Estimating overdispersion when fitting a generalized linear model to sparse data", Biometrika 99 (2012).
    """
    freedom = max(len(y) - parameters, 1)
    if family is Family.POISSON:
        expected = w * mean
        pearson = float(((y - expected) ** 2 / expected).sum()) / freedom
        sparsity = float(((y - expected) / expected).mean())
        return max(pearson / (1 + sparsity), 1.0) if sparsity > -1 else max(pearson, 1.0)
    ratio = y / w / mean
    return max(float((w * (ratio - 1) ** 2).sum()) / freedom, 1e-12)


def _information(family: Family, w: Floats, mean: Floats) -> Floats:
    return w * mean if family is Family.POISSON else w


def _covariance(
    family: Family, matrix: sparse.csr_matrix, y: Floats, w: Floats, mean: Floats, dispersion: float
) -> Matrix:
    information = np.asarray((matrix.T @ matrix.multiply(_information(family, w, mean)[:, None])).todense())
    return np.asarray(np.linalg.inv(information) * dispersion)


def _sandwich(
    family: Family, matrix: sparse.csr_matrix, totals: Floats, w: Floats, mean: Floats, group: Codes
) -> Matrix:
    bread = _covariance(family, matrix, totals, w, mean, 1.0)
    residuals = totals - w * mean if family is Family.POISSON else totals / mean - w
    _, numbers = np.unique(group, return_inverse=True)
    groups = int(numbers.max()) + 1
    member = sparse.csr_matrix((residuals, (numbers, np.arange(len(numbers)))), shape=(groups, len(numbers)))
    scores = (member @ matrix).tocsr()
    meat = np.asarray((scores.T @ scores).todense())
    return np.asarray(bread @ meat @ bread * (groups / max(groups - 1, 1)))


def _weights_of(scale: Scale, values: npt.NDArray[Any], weights: Floats) -> tuple[float, ...]:
    if isinstance(scale, LevelScale):
        sums = np.bincount(values.astype(np.int64), weights=weights, minlength=len(scale.levels))
        return tuple(float(value) for value in sums)
    return (float(weights.sum()),)


def _rows(factors: Mapping[str, Column]) -> int:
    column = next(iter(factors.values()))
    return len(column.codes if isinstance(column, TextColumn) else column.values)
