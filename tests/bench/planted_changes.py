"""What alert rules find of the surge and the drift in a generated portfolio, and what they fire on beside them."""

from __future__ import annotations

import datetime as dt
import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from sluice_flink.generate.portfolio import Portfolio, days
from sluice_server.domain.risk.alerts.replay import Moment, RaisedAlert, replay
from sluice_server.domain.risk.alerts.rule import AlertRule, Baseline
from sluice_server.domain.risk.models.columns import Codes, Floats

_USUAL = Baseline(deviations=0.5, history=12)
SURGE_RULE = AlertRule("surge", baseline=_USUAL, minimum_volume=60, for_duration=dt.timedelta(days=28))
"""On claim_frequency by category and month against the year before, with the lower end of its interval for evidence;
two months in a row."""
DRIFT_RULE = AlertRule("drift", baseline=_USUAL, minimum_volume=30, for_duration=dt.timedelta(days=80))
"""Likewise by device model; four months in a row."""
_LEVEL = 0.95


@dataclass(frozen=True)
class ChangesFound:
    """Of one portfolio."""

    surge: bool
    surge_false: int
    """Alerts of other categories, or of this one at other times; but for the drifting model's category since then."""
    drift: bool
    drift_false: int
    """Alerts of other device models, or of this one before."""
    series: tuple[int, int]
    """Categories and device models that were watched."""


def changes_found(portfolio: Portfolio) -> ChangesFound:
    """Replays both rules over all months."""
    planted, models = portfolio.planted, portfolio.models
    months = _months(portfolio)
    model = portfolio.devices.model[portfolio.policies.device]
    years, claims = _by_month(portfolio, model, len(models.weight), months)
    categories = int(models.category.max()) + 1
    of_category = np.zeros((categories, len(models.weight)))
    of_category[models.category, np.arange(len(models.weight))] = 1.0
    surges = _alerts(SURGE_RULE, of_category @ years, of_category @ claims, months)
    drifts = _alerts(DRIFT_RULE, years, claims, months)
    surge_hits = [
        planted.surge.since <= one.start.date() < planted.surge.until for one in surges[planted.surge.category]
    ]
    by_drift = [one.start.date() >= planted.drift.since for one in surges[models.category[planted.drift.model]]]
    drift_hits = [one.start.date() >= planted.drift.since for one in drifts[planted.drift.model]]
    return ChangesFound(
        any(surge_hits),
        sum(map(len, surges)) - sum(surge_hits) - sum(by_drift),
        any(drift_hits),
        sum(map(len, drifts)) - sum(drift_hits),
        (len(surges), len(drifts)),
    )


def _months(portfolio: Portfolio) -> list[dt.date]:
    """First days of the whole months from the first cover to the portfolio's day, and that of the next."""
    first = dt.date(1970, 1, 1) + dt.timedelta(days=int(portfolio.policies.start.min()))
    last = portfolio.as_of.year * 12 + portfolio.as_of.month - 1
    return [dt.date(n // 12, n % 12 + 1, 1) for n in range(first.year * 12 + first.month - 1, last + 1)]


def _by_month(portfolio: Portfolio, model: Codes, models: int, months: Sequence[dt.date]) -> tuple[Floats, Floats]:
    """Policy-years and claims by device model and month."""
    policies, claims = portfolio.policies, portfolio.claims
    end = np.minimum(np.where(policies.cancelled >= 0, policies.cancelled, policies.end), days(portfolio.as_of))
    edges = np.array([days(month) for month in months])
    years, counts = np.zeros((models, len(edges) - 1)), np.zeros((models, len(edges) - 1))
    for i, (first, last) in enumerate(itertools.pairwise(edges)):
        at_risk = (np.minimum(end, last) - np.maximum(policies.start, first)).clip(0) / 365.25
        years[:, i] = np.bincount(model, weights=at_risk, minlength=models)
        now = (claims.occurred >= first) & (claims.occurred < last)
        counts[:, i] = np.bincount(model[claims.policy[now]], minlength=models)
    return years, counts


def _alerts(rule: AlertRule, years: Floats, claims: Floats, months: Sequence[dt.date]) -> list[list[RaisedAlert]]:
    """Of each series those that fired. Evidence is the lower end of the exact Poisson interval."""
    least = np.where(claims > 0, stats.chi2.ppf((1 - _LEVEL) / 2, 2 * np.maximum(claims, 1)) / 2, 0.0)
    found = []
    for exposure, count, lower in zip(years, claims, least, strict=True):
        series = [
            Moment(
                dt.datetime(month.year, month.month, 1, tzinfo=dt.UTC),
                float(count[i] / exposure[i]),
                float(exposure[i]),
                float(lower[i] / exposure[i]),
            )
            for i, month in enumerate(months[:-1])
            if exposure[i] > 0
        ]
        found.append([one for one in replay(rule, series).alerts if one.fired is not None])
    return found
