"""Large claims: capped, so that one fire does not make a factor, and paid for by everybody through a loading."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sluice_server.domain.risk.models.columns import Floats

DEFAULT_SHARE = 0.01
"""Share of the claims that counts as large where no threshold is given."""


@dataclass(frozen=True, slots=True)
class LargeClaims:
    """Mean amounts of claims cut at a threshold."""

    threshold: float
    capped: Floats
    """Amount of each row after the cut."""
    loading: float
    """Whole amount over the capped amount: what every prediction is multiplied by."""
    claims: int
    """Number of claims above the threshold."""
    excess: float
    """Amount above the threshold."""


def cap_large_claims(amount: Floats, claims: Floats, threshold: float | None = None) -> LargeClaims:
    """Cuts the mean amount of each row's claims at ``threshold``; without one at that of the greatest hundredth.

    A row of n claims is cut at n thresholds: the single amounts are not known.
    """
    with_claims = claims > 0
    if threshold is None:
        means = amount[with_claims] / claims[with_claims]
        threshold = float(np.quantile(means, 1 - DEFAULT_SHARE)) if means.size else 0.0
    limit = threshold * claims
    capped = np.minimum(amount, limit)
    whole, kept = float(amount.sum()), float(capped.sum())
    large = with_claims & (amount > limit)
    return LargeClaims(threshold, capped, whole / kept if kept > 0 else 1.0, int(claims[large].sum()), whole - kept)
