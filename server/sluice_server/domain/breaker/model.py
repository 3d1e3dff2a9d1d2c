"""熔断: an insurer's breaker, its policy, the evidence, and incidents."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class BreakerState(StrEnum):
    """Where a breaker is. Only CLOSED and RAMPING let new orders through."""

    CLOSED = "CLOSED"
    """The insurer takes its share."""
    OPEN = "OPEN"
    """切除: cut; its share goes to the others."""
    CONFIRMED = "CONFIRMED"
    """A named person has confirmed with the insurer that it works again; still no traffic."""
    RETRYING = "RETRYING"
    """The abnormal orders are retried; no other traffic."""
    RAMPING = "RAMPING"
    """恢复: traffic returns in steps, under tighter limits."""


class BreakerMode(StrEnum):
    """What the breaker may do."""

    ENFORCING = "ENFORCING"
    METRICS_ONLY = "METRICS_ONLY"
    """Records what would have been cut, cuts nothing."""
    FORCED_OPEN = "FORCED_OPEN"
    """No traffic, whatever the evidence."""
    FORCED_CLOSED = "FORCED_CLOSED"
    """All traffic, whatever the evidence."""


@dataclass(frozen=True, slots=True, order=True)
class Scope:
    """What one breaker guards: an insurer, or one of its product lines."""

    insurer_id: str
    product_line: str = ""
    """Empty: the insurer as a whole."""

    def __str__(self) -> str:
        return f"{self.insurer_id}/{self.product_line}" if self.product_line else self.insurer_id


@dataclass(frozen=True, slots=True)
class BreakerPolicy:
    """Every threshold, adjustable at run time."""

    window_seconds: float = 1800.0
    """How far back backlog looks (30 minutes)."""
    backlog_grace_seconds: float = 30.0
    """An unfinished order younger than this, counted from its decision, is not backlog."""
    backlog_count: int = 20
    """Backlog trips at this many orders past the grace …"""
    backlog_ratio: float = 0.3
    """… and, at the same time, at this part of the window's orders."""
    rate_window_seconds: float = 60.0
    """Window of the failure rate and of the slow rate."""
    minimum_volume: int = 20
    """The rates say nothing below this many outcomes in their window."""
    failure_rate: float = 0.5
    """Part of technical failures and unknown outcomes that trips."""
    slow_seconds: float = 10.0
    """An answer that takes longer is slow."""
    slow_rate: float = 0.8
    """Part of slow answers that trips."""
    normal_failure_rate: float = 0.02
    """Floor of p0 of the sequential test: technical failures in normal times."""
    highest_normal_failure_rate: float = 0.06
    """Up to here (and to half of outage_failure_rate) p0 is learned from normal times. At or below normal_failure_rate:
    nothing is learned, p0 is normal_failure_rate."""
    outage_failure_rate: float = 0.9
    """p1 of the sequential test: technical failures in an outage."""
    mean_orders_between_false_cuts: float = 1e10
    """False-alarm budget of the sequential test; its limit is derived from it."""
    hold_seconds: float = 0.0
    """A cut lasts at least this long before its recovery may be confirmed; doubled with each further trip in a row (at
    most 16 times)."""
    ramp_steps_basis_points: tuple[int, ...] = (1000, 2500, 5000)
    """Part of the normal share at each step of the way back; the step after the last is CLOSED."""
    ramp_dwell_seconds: float = 60.0
    """How long each step lasts at least."""
    ramp_minimum_outcomes: int = 5
    """How many contrasting outcomes (SUCCESS, failures) a step needs before the next."""
    ramp_failure_rate: float = 0.2
    """Tighter than failure_rate: trips while ramping, from ramp_minimum_outcomes and two failures on."""
    retry_first_cohort: int = 2
    """How many abnormal orders are retried at first; doubled after each cohort without technical failure."""
    retry_per_second: float = 20.0
    """At most this many retries a second."""
    maximum_cut_basis_points: int = 10_000
    """Panic rule: automatic cuts stop when what is already cut plus this would be more than this part of the traffic
    (``cut_limits``; 10,000: no limit)."""
    keep_last_insurer: bool = True
    """The only insurer still taking traffic is not cut automatically; it is alarmed instead."""


class EvidenceKind(StrEnum):
    """What a trip rests on."""

    BACKLOG = "BACKLOG"
    FAILURE_RATE = "FAILURE_RATE"
    SLOW_RATE = "SLOW_RATE"
    SEQUENTIAL = "SEQUENTIAL"
    RETRY_FAILED = "RETRY_FAILED"
    """A retried abnormal order failed technically."""
    MANUAL = "MANUAL"
    """An operator's CutTraffic."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """The numbers at one moment, and those that trip."""

    scope: Scope
    at: datetime
    orders: int = 0
    """Orders decided for the scope in the backlog window."""
    backlog: int = 0
    """Of these unfinished past the grace."""
    oldest_unfinished_seconds: float = 0.0
    outcomes: int = 0
    """Contrasting outcomes in the rate window: SUCCESS, TECHNICAL_FAILURE, UNKNOWN."""
    failures: int = 0
    """Of these TECHNICAL_FAILURE and UNKNOWN."""
    slow: int = 0
    sequential_statistic: float = 0.0
    sequential_limit: float = 0.0
    normal_failure_rate: float = 0.0
    """p0 that the test uses now: learned for this scope, or set."""
    orders_since_first_failure: int = 0
    """Length of the run that the sequential test judges."""
    first_failure_at: datetime | None = None
    """When that run began."""
    tripped: tuple[EvidenceKind, ...] = ()
    """Empty: nothing trips."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """The state of one scope, as stored."""

    scope: Scope
    state: BreakerState
    mode: BreakerMode
    policy: BreakerPolicy
    version: int
    """Compared and set by every write; also the etag. It grows with every change."""
    state_since: datetime
    """When it came into this state; while RAMPING, to this step."""
    evidence_since: datetime
    """Outcomes and orders that began before it are no evidence any more (set when traffic returns)."""
    incident_id: str = ""
    """The incident that is not closed yet; empty when there is none."""
    ramp_step: int = 0
    """Index into ramp_steps_basis_points while RAMPING."""
    trips_in_a_row: int = 0
    """Trips since the last return to CLOSED."""


class IncidentEventKind(StrEnum):
    """What happens in an incident."""

    TRIPPED = "TRIPPED"
    CUT_MANUALLY = "CUT_MANUALLY"
    RECOVERY_CONFIRMED = "RECOVERY_CONFIRMED"
    RETRY_STARTED = "RETRY_STARTED"
    ORDER_RETRIED = "ORDER_RETRIED"
    RETRY_FAILED = "RETRY_FAILED"
    RETRY_COMPLETED = "RETRY_COMPLETED"
    TRAFFIC_RESTORED = "TRAFFIC_RESTORED"
    RAMP_STEP = "RAMP_STEP"
    TRIPPED_AGAIN = "TRIPPED_AGAIN"
    OVERRIDDEN = "OVERRIDDEN"
    CLOSED = "CLOSED"


@dataclass(frozen=True, slots=True)
class IncidentEvent:
    """One line of an incident's timeline."""

    kind: IncidentEventKind
    at: datetime
    actor: str
    """Who: a person, or ``sluice`` for what the breaker does by itself."""
    reason: str = ""
    details: Mapping[str, str] = field(default_factory=dict)
    """contact, evidence, application_id, outcome, share … by kind."""


@dataclass(frozen=True, slots=True)
class Incident:
    """事件: one cut from its trip to its restoration."""

    incident_id: str
    scope: Scope
    opened_at: datetime
    evidence: Evidence
    """What tripped it."""
    shares_before: Mapping[str, int]
    """Orders decided for each insurer in the minutes before the cut."""
    events: tuple[IncidentEvent, ...] = ()
    shares_after: Mapping[str, int] = field(default_factory=dict)
    """The same from the cut until traffic returned; while it has not, until the incident was read."""
    affected_orders: int = 0
    """Abnormal orders attached to it."""
    retried_orders: int = 0
    insured_by_retry: int = 0
    leaked_orders: int = 0
    """Submissions to the insurer that began after the cut, other than retries."""
    confirmed_at: datetime | None = None
    confirmed_by: str = ""
    restored_at: datetime | None = None
    """When the first traffic returned (RAMPING)."""
    closed_at: datetime | None = None
    version: int = 0

    @property
    def seconds_to_detect(self) -> float | None:
        """From the first failure of the run that tripped to the look that found it; None for a manual cut."""
        first = self.evidence.first_failure_at
        return None if first is None else (self.evidence.at - first).total_seconds()

    @property
    def seconds_to_cut(self) -> float | None:
        """From the first failure of the run that tripped to the cut; None for a manual cut."""
        first = self.evidence.first_failure_at
        return None if first is None else (self.opened_at - first).total_seconds()
