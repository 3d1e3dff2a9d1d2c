"""Claims that come on top of the usual ones: a surge of a category for two months, and a device model that got worse.

They are drawn with a generator of their own, so that everything else of a portfolio is the same with and without them.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SURGE_FACTOR = 1.8
SURGE_MONTHS = 2
DRIFT_FACTOR = 2.5
_OFTEN_CLAIMED_MODELS = 8
"""The drift is of one of so many: of a model with a claim a month nobody could tell."""


@dataclass(frozen=True)
class Surge:
    """A category's claims are `SURGE_FACTOR` times the usual ones from `since` to before `until`."""

    category: int
    since: dt.date
    until: dt.date


@dataclass(frozen=True)
class Drift:
    """A device model's claims are `DRIFT_FACTOR` times the usual ones from `since` on."""

    model: int
    since: dt.date


@dataclass(frozen=True)
class Planted:
    """What has changed in a portfolio in the course of time."""

    surge: Surge
    drift: Drift


def plant(rng: np.random.Generator, as_of: dt.date, expected: Floats, category: Ints) -> Planted:
    """Choose where and when, late enough for a year before to compare with, early enough for late reports to be in.

    `expected`: claims of each device model to the day of the portfolio; `category`: of each model.
    """
    by_category = np.bincount(category, weights=expected)
    surged = int(rng.choice(np.argsort(-by_category, kind="stable")[: len(by_category) // 2]))
    often = [int(model) for model in np.argsort(-expected, kind="stable") if category[model] != surged]
    first = int(rng.integers(6, 13))
    return Planted(
        Surge(surged, _months_before(as_of, first), _months_before(as_of, first - SURGE_MONTHS)),
        Drift(int(rng.choice(often[:_OFTEN_CLAIMED_MODELS])), _months_before(as_of, int(rng.integers(6, 13)))),
    )


def added_claims(
    rng: np.random.Generator, planted: Planted, yearly: Floats, start: Ints, end: Ints, model: Ints, category: Ints
) -> tuple[Ints, Ints]:
    """Policy and day of the claims on top; `yearly` is each policy's usual frequency, `end` the end of its time at risk
    as known now, days as in `Days`."""
    surge, drift = planted.surge, planted.drift
    never = int(end.max(initial=0))
    policies, days = [], []
    for of, since, until, factor in (
        (category == surge.category, _day(surge.since), _day(surge.until), SURGE_FACTOR),
        (model == drift.model, _day(drift.since), never, DRIFT_FACTOR),
    ):
        first = np.maximum(start, since)
        at_risk = np.where(of, (np.minimum(end, until) - first).clip(0), 0)
        policy = np.repeat(np.arange(len(start)), rng.poisson(yearly * (factor - 1) * at_risk / 365.25))
        policies.append(policy)
        days.append(first[policy] + (at_risk[policy] * rng.random(len(policy))).astype(np.int64))
    return np.concatenate(policies), np.concatenate(days)


def _months_before(day: dt.date, months: int) -> dt.date:
    """First day of the calendar month so many before that of `day`."""
    number = day.year * 12 + day.month - 1 - months
    return dt.date(number // 12, number % 12 + 1, 1)


def _day(date: dt.date) -> int:
    return (date - dt.date(1970, 1, 1)).days
