"""How far predictions are from what happened."""

from __future__ import annotations

import numpy as np
from scipy import special

from sluice_server.domain.risk.models.columns import Floats


def poisson_deviances(claims: Floats, expected: Floats) -> Floats:
    """Unit deviances of counts with the given expectations (above 0): 2 (n ln(n/m) - n + m); 2 m where n is 0.

    McCullagh and Nelder, "Generalized Linear Models", 2nd edition (1989), section 2.3.
    """
    return np.asarray(2 * (special.xlogy(claims, claims / expected) - claims + expected))


def poisson_deviance(claims: Floats, expected: Floats) -> float:
    """Mean unit deviance over the rows: the loss that published tables give, there times 100."""
    return float(np.mean(poisson_deviances(claims, expected)))


def gamma_deviances(mean_amounts: Floats, predicted: Floats, claims: Floats) -> Floats:
    """Deviances of mean amounts over ``claims`` claims each: 2 n (y/m - 1 - ln(y/m)); all above 0."""
    ratio = mean_amounts / predicted
    return np.asarray(2 * claims * (ratio - 1 - np.log(ratio)))


def gamma_deviance(mean_amounts: Floats, predicted: Floats, claims: Floats) -> float:
    """Deviance for each claim."""
    return float(gamma_deviances(mean_amounts, predicted, claims).sum() / claims.sum())
