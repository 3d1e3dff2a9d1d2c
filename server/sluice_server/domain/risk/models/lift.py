"""Does a model order and hit? Gini, lift, double lift, and observed against expected by segment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sluice_server.domain.risk.intervals import Interval, poisson_rate
from sluice_server.domain.risk.models.columns import Codes, Column, Floats
from sluice_server.domain.risk.models.factors import LevelScale, Scale

BINS = 10
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class LiftBin:
    """Rows of similar predictions, a tenth of the exposure, the lowest first."""

    number: int
    exposure: float
    claims: float
    predicted: float
    """Mean prediction, claims for a unit of exposure."""
    observed: float
    interval: Interval
    """Of the observed frequency."""


@dataclass(frozen=True, slots=True)
class DoubleLiftBin:
    """Rows where two models differ by a similar ratio, a tenth of the exposure, where the second is lowest first."""

    number: int
    exposure: float
    claims: float
    ratio: float
    """Second prediction over the first."""
    first: float
    second: float
    observed: float
    interval: Interval


@dataclass(frozen=True, slots=True)
class Segment:
    """One level of one factor: what was expected there, and what came."""

    factor: str
    level: str
    exposure: float
    claims: float
    expected: float
    ratio: float
    interval: Interval
    """Of claims over expected."""

    @property
    def off(self) -> bool:
        """True where the interval leaves out 1."""
        return self.interval.lower > 1 or (self.interval.upper is not None and self.interval.upper < 1)


def gini(claims: Floats, exposure: Floats, predicted: Floats) -> float:
    """Twice the area between the diagonal and the Lorenz curve of claims over exposure, ordered by the prediction.

    0: the order says nothing; equal predictions are taken together. Frees, Meyers and Cummings, "Summarizing insurance
    scores using a Gini index", JASA 106 (2011), with equal relative premiums.
    """
    _, place = np.unique(predicted, return_inverse=True)
    years = np.bincount(place, weights=exposure)
    counts = np.bincount(place, weights=claims)
    if counts.sum() <= 0:
        return 0.0
    x = np.concatenate([[0.0], np.cumsum(years) / years.sum()])
    y = np.concatenate([[0.0], np.cumsum(counts) / counts.sum()])
    return float(1 - np.sum((y[1:] + y[:-1]) * np.diff(x)))


def equal_exposure_bins(order_by: Floats, exposure: Floats, bins: int = BINS) -> Codes:
    """A bin for each row, 0 for the lowest; equal values share a bin."""
    order = np.argsort(order_by, kind="stable")
    cumulative = np.cumsum(exposure[order])
    ends = order_by[order][np.searchsorted(cumulative, cumulative[-1] * np.arange(1, bins) / bins)]
    return np.searchsorted(np.unique(ends), order_by, side="left").astype(np.int64)


def lift(claims: Floats, exposure: Floats, predicted: Floats) -> list[LiftBin]:
    """Observed against predicted in bins of the prediction."""
    bins = equal_exposure_bins(predicted, exposure)
    years, counts, expected = (_sums(bins, values) for values in (exposure, claims, predicted * exposure))
    return [
        LiftBin(
            number + 1, years[i], counts[i], expected[i] / years[i], counts[i] / years[i], _rate(counts[i], years[i])
        )
        for number, i in enumerate(np.flatnonzero(years > 0))
    ]


def double_lift(claims: Floats, exposure: Floats, first: Floats, second: Floats) -> list[DoubleLiftBin]:
    """Where two models disagree, which of them is right."""
    ratios = second / first
    bins = equal_exposure_bins(ratios, exposure)
    years, counts = _sums(bins, exposure), _sums(bins, claims)
    one, other = _sums(bins, first * exposure), _sums(bins, second * exposure)
    return [
        DoubleLiftBin(
            number + 1,
            years[i],
            counts[i],
            other[i] / one[i],
            one[i] / years[i],
            other[i] / years[i],
            counts[i] / years[i],
            _rate(counts[i], years[i]),
        )
        for number, i in enumerate(np.flatnonzero(years > 0))
    ]


def calibration(
    claims: Floats, expected: Floats, exposure: Floats, scales: tuple[Scale, ...], factors: Mapping[str, Column]
) -> list[Segment]:
    """Claims over expected claims by level of every factor (numbers in tenths of the exposure)."""
    segments = []
    for scale in scales:
        values = scale.apply(factors[scale.name])
        if isinstance(scale, LevelScale):
            bins, names = values.astype(np.int64), list(scale.levels)
        else:
            bins = equal_exposure_bins(values.astype(np.float64), exposure)
            place = scale.place(factors[scale.name])
            names = [_range(place[bins == i]) for i in range(int(bins.max()) + 1)]
        years, counts, hoped = (_sums(bins, column) for column in (exposure, claims, expected))
        segments += [
            Segment(
                scale.name, names[i], years[i], counts[i], hoped[i], counts[i] / hoped[i], _rate(counts[i], hoped[i])
            )
            for i in np.flatnonzero(hoped > 0)
        ]
    return segments


def _sums(bins: Codes, values: Floats) -> Floats:
    return np.bincount(bins, weights=values).astype(np.float64)


def _rate(count: float, exposure: float) -> Interval:
    interval = poisson_rate(float(count), float(exposure), LEVEL)
    assert interval is not None, "bins without exposure are left out"
    return interval


def _range(values: Floats) -> str:
    known = values[~np.isnan(values)]
    return f"{known.min():.4g} to {known.max():.4g}" if known.size else "(missing)"
