"""A rule held against a series, moment by moment: what it would have raised. Pure functions."""

from __future__ import annotations

import bisect
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sluice_server.domain.risk.alerts.rule import AlertRule, Baseline, Comparison

_LEAST_HISTORY = 3
_MAD_TO_DEVIATION = 1.4826
"""Median absolute deviation of a normal distribution to its standard deviation."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One value of the series."""

    at: datetime
    value: float
    volume: float | None = None
    """What the value rests on; None where it is not known."""
    evidence: float | None = None
    """What is held against the limit where that is not the value itself, such as the end of its interval."""

    @property
    def judged(self) -> float:
        """What must be beyond the limit."""
        return self.value if self.evidence is None else self.evidence


class AlertState(StrEnum):
    """What has become of an alert."""

    PENDING = "PENDING"
    """The condition holds, not yet for long enough."""
    FIRING = "FIRING"
    RESOLVED = "RESOLVED"


@dataclass(frozen=True, slots=True)
class RaisedAlert:
    """A warning. Times are those of the moments at which it was seen."""

    state: AlertState
    start: datetime
    """The condition first held."""
    fired: datetime | None
    resolved: datetime | None
    value: float
    """The value that raised it: at the firing, or the first one while pending."""
    limit: float
    """What it was held against then."""
    worst: float
    """The value farthest beyond the limit while it lasted."""
    moments: int
    """Number of values while it lasted."""


@dataclass(frozen=True, slots=True)
class Replay:
    """All that a rule would have raised over a series."""

    alerts: tuple[RaisedAlert, ...]
    """Those that fired, in order; one that is pending at the end comes last."""
    moments: int
    without_volume: int
    """Moments on less than the minimum volume; nothing was decided there."""
    without_limit: int
    """Moments before the baseline had enough history."""
    nearly: int
    """Times the condition held, but not for long enough."""

    @property
    def fired(self) -> int:
        return sum(alert.fired is not None for alert in self.alerts)


def replay(rule: AlertRule, series: Sequence[Moment]) -> Replay:
    """Goes through ``series`` in the order of time.

    An alert begins when a value is beyond the limit, fires once that has held for ``for_duration``, and is resolved by
    the first value that is back within the limit by the hysteresis. Values in between keep a firing one firing; a
    pending one ends at the first value within the limit.
    """
    ordered = sorted(series, key=lambda moment: moment.at)
    alerts: list[RaisedAlert] = []
    current: RaisedAlert | None = None
    thin = unknown = nearly = 0
    usable: list[Moment] = []
    for moment in ordered:
        if not _says_something(rule, moment):
            thin += 1
            continue
        limit = _limit(rule, moment, usable)
        usable.append(moment)
        if limit is None:
            unknown += 1
            continue
        beyond = _beyond(rule, moment.judged, limit)
        if current is None:
            if beyond > 0:
                current = _begun(rule, moment, limit)
        elif current.state is AlertState.PENDING and beyond <= 0:
            nearly, current = nearly + 1, None
        elif current.state is AlertState.FIRING and beyond <= 0 and beyond <= -rule.hysteresis:
            alerts.append(replace(current, state=AlertState.RESOLVED, resolved=moment.at))
            current = None
        else:
            current = _continued(rule, current, moment, limit)
    if current is not None:
        alerts.append(current)
    return Replay(tuple(alerts), len(ordered), thin, unknown, nearly)


def _says_something(rule: AlertRule, moment: Moment) -> bool:
    if moment.volume is not None and moment.volume < rule.minimum_volume:
        return False
    return math.isfinite(moment.value) and math.isfinite(moment.judged)


def _begun(rule: AlertRule, moment: Moment, limit: float) -> RaisedAlert:
    at_once = rule.for_duration <= timedelta(0)
    return RaisedAlert(
        AlertState.FIRING if at_once else AlertState.PENDING,
        moment.at,
        moment.at if at_once else None,
        None,
        moment.value,
        limit,
        moment.value,
        1,
    )


def _continued(rule: AlertRule, current: RaisedAlert, moment: Moment, limit: float) -> RaisedAlert:
    worse = max if rule.comparison is Comparison.ABOVE else min
    after = replace(current, worst=worse(current.worst, moment.value), moments=current.moments + 1)
    if current.state is AlertState.PENDING and moment.at - current.start >= rule.for_duration:
        return replace(after, state=AlertState.FIRING, fired=moment.at, value=moment.value, limit=limit)
    return after


def _beyond(rule: AlertRule, value: float, limit: float) -> float:
    """How far the value is on the alarming side; not above 0 when it is not."""
    return value - limit if rule.comparison is Comparison.ABOVE else limit - value


def _limit(rule: AlertRule, moment: Moment, before: Sequence[Moment]) -> float | None:
    """The threshold, or what the baseline makes of the moments before; None without enough of them."""
    if rule.baseline is None:
        return rule.threshold
    usual = _usual(rule.baseline, moment, before)
    if len(usual) < _LEAST_HISTORY:
        return None
    middle = statistics.median(usual)
    spread = _MAD_TO_DEVIATION * statistics.median(abs(value - middle) for value in usual)
    # Equal values have no spread: then a millionth of the level, so that any change is beyond.
    spread = max(spread, 1e-6 * max(abs(middle), 1.0))
    sign = 1 if rule.comparison is Comparison.ABOVE else -1
    return middle + sign * rule.baseline.deviations * spread


def _usual(baseline: Baseline, moment: Moment, before: Sequence[Moment]) -> list[float]:
    """The values at the same point of the seasons before, within a fiftieth of a season; or the last ones."""
    if baseline.season is None:
        return [one.value for one in before[-baseline.history :]]
    values = []
    for back in range(1, baseline.history + 1):
        wanted = moment.at - back * baseline.season
        place = bisect.bisect_left(before, wanted, key=lambda one: one.at)
        near = [before[i] for i in (place - 1, place) if 0 <= i < len(before)]
        closest = min(near, key=lambda one: abs(one.at - wanted), default=None)
        if closest is not None and abs(closest.at - wanted) <= baseline.season / 50:
            values.append(closest.value)
    return values
