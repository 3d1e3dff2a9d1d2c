"""Many tests at once: combining those of one entity, and controlling the false findings over all entities."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_SMALLEST = 1e-300
_GREATEST = 0.99
"""A p-value of exactly 1 (nothing was observed of a count) would drown every other one of its entity."""


def combined_p(p_values: Floats) -> Floats:
    """One p-value for each row of ``p_values`` (entities × tests); NaN where a test could not be done.

    Cauchy combination, which holds whatever the dependence between the tests: Liu and Xie, "Cauchy combination test: a
    powerful test with analytic p-value calculation under arbitrary dependency structures", JASA 115 (2020). A row
    without any test gets 1.
    """
    p = np.clip(p_values, _SMALLEST, _GREATEST)
    # tan((1/2 - p) π) loses all digits for small p, where it is 1/(p π).
    terms = np.where(p < 1e-12, 1 / (p * np.pi), np.tan((0.5 - p) * np.pi))
    tests = np.sum(~np.isnan(p), axis=1)
    mean = np.nansum(terms, axis=1) / np.maximum(tests, 1)
    combined = np.where(mean > 1e12, 1 / (np.maximum(mean, 1.0) * np.pi), 0.5 - np.arctan(mean) / np.pi)
    return np.where(tests > 0, combined, 1.0)


def q_values(p_values: Floats) -> Floats:
    """For each p-value the smallest false discovery rate at which it is a finding.

    Benjamini and Hochberg, "Controlling the false discovery rate", JRSS B 57 (1995): with the p-values sorted, the i-th
    of m gets the least of p(j) m / j over j ≥ i.
    """
    m = len(p_values)
    order = np.argsort(p_values, kind="stable")
    scaled = p_values[order] * m / np.arange(1, m + 1)
    least = np.minimum.accumulate(scaled[::-1])[::-1]
    result = np.empty(m)
    result[order] = np.minimum(least, 1.0)
    return np.maximum(result, p_values)  # m p / m may round below p.
