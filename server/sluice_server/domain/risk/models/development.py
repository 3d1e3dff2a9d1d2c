"""Late claims: how many of those that occurred are known after a delay."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.models.columns import Floats


@dataclass(frozen=True, slots=True)
class Development:
    """Shares of the claims that are reported within so many days, rising to 1."""

    days: tuple[float, ...]
    """From the claim to its report, rising, at least 0."""
    shares: tuple[float, ...]

    def reported_share(self, elapsed_days: Floats) -> Floats:
        """Share that is known so many days after the claim: straight between the table's days, 0 before day 0."""
        days = np.concatenate([[0.0], self.days]) if self.days[0] > 0 else np.array(self.days)
        shares = np.concatenate([[0.0], self.shares]) if self.days[0] > 0 else np.array(self.shares)
        return np.asarray(np.interp(elapsed_days, days, shares, left=0.0, right=1.0))

    def factor(self, elapsed_days: float) -> float:
        """What the claims that are known after so many days are multiplied by to have all of them."""
        share = float(self.reported_share(np.array([elapsed_days]))[0])
        return float("inf") if share <= 0 else 1 / share


def given_development(days: Sequence[float], shares: Sequence[float]) -> Development:
    """A delay table as given. Raises InvalidInput unless both rise, up to a share of 1."""
    violations = []
    if not days or len(days) != len(shares):
        violations.append(Violation("delays", "needs a share for each number of days"))
    if any(not b > a for a, b in itertools.pairwise(days)) or any(day < 0 for day in days):
        violations.append(Violation("delays.days", "must rise from 0 or more"))
    if any(b < a for a, b in itertools.pairwise(shares)) or any(not 0 <= s <= 1 for s in shares):
        violations.append(Violation("delays.share", "must be from 0 to 1 and never fall"))
    elif shares and shares[-1] != 1:
        violations.append(Violation("delays.share", "must end at 1: the delay within which every claim is reported"))
    if violations:
        raise InvalidInput(violations)
    return Development(tuple(days), tuple(shares))


def estimate_development(delay_days: Floats, observable_days: Floats) -> Development:
    """Learns the shares from reported claims.

    ``delay_days``: from the claim to its report. ``observable_days``: from the claim to the day the table was drawn; a
    claim with a longer delay than that is not in it yet. So plain shares would be too quick; the chain of conditional
    shares is not: among claims that could be seen with a delay of d, the part that came before d. Kalbfleisch and
    Lawless, "Inference based on retrospective ascertainment", JASA 84 (1989), the reverse-time hazard; it equals the
    chain ladder on days. Delays longer than anything observable are not seen: the last share is taken for 1.

    Raises InvalidInput without claims, or for a report after the day of the table.
    """
    if delay_days.size == 0:
        raise InvalidInput([Violation("delays", "there are no claims to learn from")])
    if (delay_days < 0).any() or (delay_days > observable_days).any():
        raise InvalidInput([Violation("delays", "a report lies before its claim, or after the day of the table")])
    days = np.unique(delay_days)
    own = np.searchsorted(np.sort(delay_days), days, side="right").astype(np.float64)
    # At risk at d: delay ≤ d ≤ observable. Of those, the ones with exactly d are the hazard.
    left = np.searchsorted(np.sort(observable_days), days, side="left")
    at_risk = own - left
    exactly = np.diff(np.concatenate([[0.0], own]))
    hazard = np.clip(exactly / np.maximum(at_risk, 1), 0.0, 1.0)
    # F(d-) = F(d) (1 - hazard(d)), from the last day backwards.
    shares = np.ones(len(days))
    for i in range(len(days) - 1, 0, -1):
        shares[i - 1] = shares[i] * (1 - hazard[i])
    return Development(tuple(float(day) for day in days), tuple(float(share) for share in shares))
