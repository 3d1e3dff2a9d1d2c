"""When to warn. One rule, and how it is read from YAML."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from sluice_server.domain.errors import InvalidInput, Violation


class Comparison(StrEnum):
    """Which side of the limit alarms."""

    ABOVE = "ABOVE"
    BELOW = "BELOW"


class Severity(StrEnum):
    """How serious it is."""

    INFO = "INFO"
    WARNING = "WARNING"
    CRITICAL = "CRITICAL"


@dataclass(frozen=True, slots=True)
class Baseline:
    """A limit from the series itself: so many standard deviations from what is usual at this point of the season."""

    deviations: float
    season: timedelta | None = None
    """Length of the season, such as a week; None: the moments just before are what is usual."""
    history: int = 8
    """How many seasons (or moments) back make up what is usual."""


@dataclass(frozen=True, slots=True)
class AlertRule:
    """A threshold or a baseline, and how long and on how much a value must be beyond it."""

    title: str = ""
    comparison: Comparison = Comparison.ABOVE
    threshold: float | None = None
    """The limit; exactly one of this and ``baseline``."""
    baseline: Baseline | None = None
    hysteresis: float = 0.0
    """It resolves only when the value is back within the limit by this much, in the value's unit."""
    minimum_volume: float = 0.0
    """Values on less volume say nothing: they neither raise nor resolve."""
    for_duration: timedelta = timedelta(0)
    """It fires only when the condition held for so long."""
    severity: Severity = Severity.WARNING
    owner: str = ""


_UNITS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}
_KEYS = {
    "alert_rule_id", "title", "metric", "comparison", "threshold", "baseline_deviations", "season", "history",
    "hysteresis", "minimum_volume", "for_duration", "severity", "owner", "enabled", "dimensions", "filters", "evidence",
    "time_dimension",
}  # fmt: skip
_OTHER_NAMES = {"for": "for_duration", "minimum_exposure": "minimum_volume", "min_volume": "minimum_volume"}


def parse_duration(text: object) -> timedelta:
    """``90s``, ``30m``, ``2h``, ``1d``, ``1w``, or several together: ``1d12h``. Raises ValueError."""
    if not isinstance(text, str) or not re.fullmatch(r"(\d+(\.\d+)?[smhdw])+", text):
        raise ValueError("must be a duration with its unit, such as 90s, 30m, 2h, 1d, 1w")
    parts = re.findall(r"(\d+(?:\.\d+)?)([smhdw])", text)
    return timedelta(seconds=sum(float(number) * _UNITS[unit] for number, unit in parts))


def rule_from(document: object) -> AlertRule:
    """A rule from what YAML or JSON gave. Raises InvalidInput naming every wrong field."""
    if not isinstance(document, Mapping):
        raise InvalidInput([Violation("rule", "must be a mapping, such as 'threshold: 0.8'")])
    given = {_OTHER_NAMES.get(str(key), str(key)): value for key, value in document.items()}
    wrong: list[Violation] = [
        Violation(key, f"unknown; there are: {', '.join(sorted(_KEYS))}") for key in given if key not in _KEYS
    ]

    def number(key: str, least: float | None = None) -> float | None:
        value = given.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            wrong.append(Violation(key, "must be a number"))
            return None
        if least is not None and value < least:
            wrong.append(Violation(key, f"must be at least {least:g}"))
        return float(value)

    def duration(key: str) -> timedelta | None:
        try:
            return None if given.get(key) is None else parse_duration(given[key])
        except ValueError as error:
            wrong.append(Violation(key, str(error)))
            return None

    def word(key: str, kind: type[StrEnum], default: StrEnum) -> StrEnum:
        text = str(given.get(key, default)).upper()
        if text not in set(kind):
            wrong.append(Violation(key, f"must be one of {', '.join(kind)}"))
            return default
        return kind(text)

    threshold, deviations = number("threshold"), number("baseline_deviations", 0)
    season, history = duration("season"), number("history", 3)
    if ("threshold" in given) == ("baseline_deviations" in given):
        wrong.append(Violation("threshold", "give exactly one of threshold and baseline_deviations"))
    if "baseline_deviations" not in given:
        wrong += [Violation(key, "goes with baseline_deviations only") for key in ("season", "history") if key in given]
    rule = AlertRule(
        title=str(given.get("title", "")),
        comparison=Comparison(word("comparison", Comparison, Comparison.ABOVE)),
        threshold=threshold,
        baseline=None if deviations is None else Baseline(deviations, season, int(history or 8)),
        hysteresis=number("hysteresis", 0) or 0.0,
        minimum_volume=number("minimum_volume", 0) or 0.0,
        for_duration=duration("for_duration") or timedelta(0),
        severity=Severity(word("severity", Severity, Severity.WARNING)),
        owner=str(given.get("owner", "")),
    )
    if wrong:
        raise InvalidInput(wrong)
    return rule
