"""A rule on a metric: which series it watches, when it warns, and who saved it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from sluice_server.domain.errors import Violation
from sluice_server.domain.risk.alerts.rule import AlertRule
from sluice_server.domain.risk.semantic.question import Filter

MAX_DIMENSIONS = 3
MAX_FILTERS = 20
MAX_HISTORY = 1_000
LEAST_HISTORY = 3
LONGEST = timedelta(days=3_660)
_ID = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)


class Evidence(StrEnum):
    """What must be beyond the limit."""

    VALUE = "VALUE"
    INTERVAL = "INTERVAL"
    """The end of the value's interval nearer to normal, so that small numbers do not warn."""


@dataclass(frozen=True, slots=True)
class MetricRule:
    """``condition`` is the very rule that ``sluice risk alerts`` replays; the rest says over which series."""

    alert_rule_id: str
    metric: str
    condition: AlertRule
    dimensions: tuple[str, ...] = ()
    """One series, and so one alert, for each of their values."""
    filters: tuple[Filter, ...] = ()
    evidence: Evidence = Evidence.VALUE
    time_dimension: str = ""
    """What the series runs along; empty: the finest that there is."""
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class StoredRule:
    """A rule with what the server keeps beside it."""

    rule: MetricRule
    version: int
    """Counts the saves, from 1; also the etag."""
    updated_at: datetime
    updated_by: str
    evaluated: str = ""
    """Names the data of the last evaluation (``Evaluation.key``); empty before the first."""
    problem: str = ""
    """Why the last evaluation could not be made."""

    @property
    def etag(self) -> str:
        return str(self.version)


@dataclass(slots=True)
class RuleCheck:
    """Collects what is wrong with a rule, whatever it watches."""

    found: list[Violation] = field(default_factory=list)

    def wrong(self, name: str, description: str) -> None:
        self.found.append(Violation(f"alert_rule.{name}", description))

    def rule(self, rule: MetricRule) -> None:
        """Everything that can be told without the data."""
        condition = rule.condition
        if not _ID.fullmatch(rule.alert_rule_id):
            self.wrong("alert_rule_id", "must have 1 to 63 lower-case letters, digits and hyphens, no hyphen at an end")
        if not rule.metric:
            self.wrong("metric", "is required; DescribeModel lists the metrics")
        if (condition.threshold is None) == (condition.baseline is None):
            self.wrong("threshold", "give exactly one of threshold and baseline_deviations")
        if condition.hysteresis < 0:
            self.wrong("hysteresis", "must be at least 0")
        if condition.minimum_volume < 0:
            self.wrong("minimum_exposure", "must be at least 0")
        if not timedelta(0) <= condition.for_duration <= LONGEST:
            self.wrong("for_duration", f"must be 0 to {LONGEST.days:,} days")
        baseline = condition.baseline
        if baseline is not None:
            if baseline.deviations <= 0:
                self.wrong("baseline_deviations", "must be above 0")
            if not LEAST_HISTORY <= baseline.history <= MAX_HISTORY:
                self.wrong("history", f"must be {LEAST_HISTORY} to {MAX_HISTORY:,}; 0 means 8")
            if baseline.season is not None and not timedelta(minutes=1) <= baseline.season <= LONGEST:
                self.wrong("season", f"must be 1 minute to {LONGEST.days:,} days")
        self._names(rule.dimensions)
        if len(rule.filters) > MAX_FILTERS:
            self.wrong("filters", f"at most {MAX_FILTERS} are allowed, not {len(rule.filters):,}")

    def _names(self, dimensions: Sequence[str]) -> None:
        if len(dimensions) > MAX_DIMENSIONS:
            self.wrong("dimensions", f"at most {MAX_DIMENSIONS} are allowed, not {len(dimensions):,}")
        for i, name in enumerate(dimensions):
            if name in dimensions[:i]:
                self.wrong(f"dimensions[{i}]", f"{name!r} is named twice")
