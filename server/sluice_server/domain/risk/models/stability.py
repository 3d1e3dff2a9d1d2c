"""Resampling: how certain a validation figure is, and how much a distribution may move by chance alone."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sluice_server.domain.risk.intervals import Interval
from sluice_server.domain.risk.models.columns import Codes, Floats
from sluice_server.domain.risk.models.lift import equal_exposure_bins
from sluice_server.domain.risk.semantic.semantic_model import IntervalMethod

RESAMPLES = 500
_MOST_PACKS = 4_000


@dataclass(frozen=True, slots=True)
class PopulationStability:
    """How far the predictions of new rows are distributed unlike those of the learning rows."""

    index: float
    """Sum over ten bins of (q - p) ln(q/p), with the shares of exposure p then and q now."""
    limit: float
    """What the index stays below by chance in 99 of 100 samples of the same size."""

    @property
    def drifted(self) -> bool:
        return self.index > self.limit


def population_stability(
    learned: Floats,
    learned_exposure: Floats,
    new: Floats,
    new_exposure: Floats,
    learned_group: Codes | None = None,
    new_group: Codes | None = None,
    seed: int = 1,
) -> PopulationStability:
    """Population stability index of ``new`` predictions, with its limit by bootstrap.

    A fixed limit such as 0.1 says nothing: by chance the index grows with the number of bins and falls with that of the
    rows. So pairs of samples are drawn from the pooled rows, whole groups where there are any, of the sizes at hand.
    """
    bins = equal_exposure_bins(learned, learned_exposure)
    ends = np.array([learned[bins == i].max() for i in range(int(bins.max()) + 1)])[:-1]
    pack = -(-(len(learned) + len(new)) // _MOST_PACKS)
    now_bins = np.searchsorted(ends, new, side="left").astype(np.int64)
    then = _by_group(bins, learned_exposure, _packs(learned_group, len(learned), pack), len(ends) + 1)
    now = _by_group(now_bins, new_exposure, _packs(new_group, len(new), pack), len(ends) + 1)
    pooled = np.vstack([then, now])
    random = np.random.default_rng(seed)
    drawn = []
    for _ in range(RESAMPLES):
        one = _resampled(pooled, len(then), random)
        other = _resampled(pooled, len(now), random)
        drawn.append(_index(one, other))
    return PopulationStability(_index(then.sum(axis=0), now.sum(axis=0)), float(np.quantile(drawn, 0.99)))


def bootstrap_mean(values: Floats, group: Codes | None = None, level: float = 0.95, seed: int = 1) -> Interval:
    """Interval of the mean of ``values`` over the rows; whole groups are drawn where there are any."""
    numbers = _packs(group, len(values), -(-len(values) // _MOST_PACKS))
    sums = np.bincount(numbers, weights=values)
    rows = np.bincount(numbers).astype(np.float64)
    random = np.random.default_rng(seed)
    means = []
    for _ in range(RESAMPLES):
        picked = random.integers(0, len(sums), len(sums))
        means.append(sums[picked].sum() / rows[picked].sum())
    lower, upper = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(lower), float(upper), level, IntervalMethod.BOOTSTRAP)


def _packs(group: Codes | None, rows: int, size: int) -> Codes:
    """What is drawn whole: the groups; without them packs of about ``size`` rows, which bound the work.

    Sums over packs of independent rows vary as those over rows do.
    """
    if group is None:
        return np.arange(rows) % max(rows // size, 1)
    return np.unique(group, return_inverse=True)[1].astype(np.int64)


def _by_group(bins: Codes, exposure: Floats, numbers: Codes, count: int) -> Floats:
    """Exposure by group and bin."""
    flat = np.bincount(numbers * count + bins, weights=exposure, minlength=(int(numbers.max()) + 1) * count)
    return flat.reshape(-1, count).astype(np.float64)


def _resampled(by_group: Floats, groups: int, random: np.random.Generator) -> Floats:
    return np.asarray(by_group[random.integers(0, len(by_group), groups)].sum(axis=0))


def _index(then: Floats, now: Floats) -> float:
    """With half a part in ten thousand added, so that an empty bin counts much and not infinitely much."""
    p = then / then.sum() + 5e-5
    q = now / now.sum() + 5e-5
    return float(np.sum((q / q.sum() - p / p.sum()) * np.log((q / q.sum()) / (p / p.sum()))))
