"""What a change of prices does to the portfolio, and whether it may be put to approval. Pure functions."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass

from sluice_server.domain.risk.intervals import Interval, compound_poisson
from sluice_server.domain.risk.pricing.model_version import DislocationBand, GateCheck, PortfolioCell
from sluice_server.domain.risk.pricing.tariff import Tariff, price

BAND_EDGES = (-0.2, -0.1, -0.05, 0.0, 0.05, 0.1, 0.2)
DEFAULT_MAXIMUM_CHANGE = 0.2
GREATEST_LOSS_RATIO = 1.0
_LEVEL = 0.95
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Prices:
    """A tariff with its loading."""

    tariff: Tariff
    loading: float

    def yearly(self, cell: PortfolioCell) -> float:
        """Premium of a policy-year of the cell. A factor that this tariff does not know is left out."""
        known = {factor.name for factor in self.tariff.factors}
        values = {name: value for name, value in cell.values.items() if name in known}
        return price(self.tariff, values, self.loading).premium_minor


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the gate found."""

    checks: tuple[GateCheck, ...]
    dislocation: tuple[DislocationBand, ...]
    expected_loss_ratio: float
    expected_loss_ratio_interval: Interval | None


def judge(
    portfolio: Sequence[PortfolioCell],
    proposed: Prices,
    present: Prices | None,
    maximum_change: float,
    validation_passed: bool,
    maximum_share: float = 0.0,
) -> Judgement:
    """Holds the proposed prices against the present ones, or against what was charged where no model is active.

    ``maximum_share`` of the policies may change by more than ``maximum_change``.
    """
    bands = [0] * (len(BAND_EDGES) + 1)
    policies = beyond = claims = 0
    incurred = premium = 0.0
    for cell in portfolio:
        new = proposed.yearly(cell)
        old = present.yearly(cell) if present is not None else cell.premium_minor / cell.exposure_years
        change = new / old - 1 if old > 0 else math.inf
        bands[sum(change >= edge for edge in BAND_EDGES)] += cell.policies
        policies += cell.policies
        beyond += cell.policies if abs(change) > maximum_change + _ROUNDING else 0
        claims += cell.claims
        incurred += cell.incurred_minor
        premium += new * cell.exposure_years
    loss_ratio = incurred / premium if premium > 0 else math.inf
    interval = compound_poisson(incurred, premium, claims, proposed.tariff.squared_variation, _LEVEL)
    share = beyond / policies if policies else 0.0
    ends = [None, *BAND_EDGES, None]
    return Judgement(
        (
            GateCheck(
                "validation",
                validation_passed,
                float(validation_passed),
                1.0,
                "the newest validation of the model passed" if validation_passed else "the newest validation failed",
            ),
            GateCheck(
                "maximum_change",
                share <= maximum_share,
                share,
                maximum_share,
                f"{beyond} of {policies} policies ({share:.1%}) would change by more than {maximum_change:.0%}; "
                f"{maximum_share:.1%} may",
            ),
            GateCheck(
                "loss_ratio",
                loss_ratio <= GREATEST_LOSS_RATIO,
                loss_ratio,
                GREATEST_LOSS_RATIO,
                f"the portfolio's claims are {loss_ratio:.1%} of the premium that it would pay",
            ),
        ),
        tuple(
            DislocationBand(low, high, count, count / policies if policies else 0.0)
            for (low, high), count in zip(itertools.pairwise(ends), bands, strict=True)
        ),
        loss_ratio,
        interval,
    )
