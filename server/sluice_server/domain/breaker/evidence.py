"""The evidence of one scope: what has been seen, counted so that memory is bounded.

A scope holds one bucket for each second of its rate window (at most 3,600), the sequential statistic (two integers),
what is normal for it (five numbers) and three counts of the backlog: 0.5 MB at the very most, 10 kB with the default
window while orders come every second, less than 2 kB without any. Windows slide by one second.

What counts: SUCCESS on one side, TECHNICAL_FAILURE and UNKNOWN on the other, of the normal stream. A business rejection
is an answer, a caller's fault says nothing about the insurer, and retried orders belong to the recovery.
"""

from __future__ import annotations

import math
from datetime import datetime, timedelta

from sluice_server.domain.breaker.backlog import no_backlog
from sluice_server.domain.breaker.evidence_source import BacklogCount, OutcomeRecord
from sluice_server.domain.breaker.model import Breaker, BreakerState, Evidence, EvidenceKind
from sluice_server.domain.breaker.normal_rate import NormalRate
from sluice_server.domain.breaker.outcome_window import OutcomeWindow
from sluice_server.domain.breaker.policy import LEAST_CONTRAST
from sluice_server.domain.breaker.sequential import SequentialDesign, SequentialStatistic, design_test
from sluice_server.domain.orders.model import Outcome, SubmissionKind

FAILURES = frozenset({Outcome.TECHNICAL_FAILURE, Outcome.UNKNOWN})
CONTRASTING = FAILURES | {Outcome.SUCCESS}
LEAST_FAILURES_WHILE_RAMPING = 2
"""One failure alone is jitter, also among very few outcomes."""


class ScopeEvidence:
    """What is known about one breaker's scope."""

    def __init__(self, breaker: Breaker) -> None:
        self.breaker = breaker
        """As it is now; ``follow`` changes it."""
        self.since = breaker.evidence_since
        """What began before it is no evidence."""
        self.normal = NormalRate(breaker.policy.normal_failure_rate, _highest_normal_rate(breaker))
        self.step_outcomes = 0
        """Contrasting outcomes since the present step of the ramp began."""
        self.last_success_began: datetime | None = None
        """When the newest successful submission started."""
        self._window = OutcomeWindow()
        self._sequential = SequentialStatistic(_design(breaker, self.normal.value))
        self._insurer: ScopeEvidence | None = None
        self._run_began: datetime | None = None
        self._backlog = no_backlog(breaker.scope)
        self._silent = 0
        self._first_silent: datetime | None = None

    def borrow_from(self, insurer: ScopeEvidence) -> None:
        """Of a product line: its insurer's evidence, by which little of its own is judged. What is void for the insurer
        is void for the line too."""
        self._insurer, self.normal.prior = insurer, insurer.normal
        self._begin_at(max(self.breaker.evidence_since, insurer.breaker.evidence_since))

    def follow(self, breaker: Breaker) -> None:
        """Takes over the breaker as it is now: another policy, another step, evidence that no longer counts."""
        before, self.breaker = self.breaker, breaker
        self.normal.bound(breaker.policy.normal_failure_rate, _highest_normal_rate(breaker))
        if breaker.evidence_since != before.evidence_since:
            self._begin_at(breaker.evidence_since)
        elif (design := _design(breaker, self.normal.value)) != self._sequential.design:
            # Another test: the sum of the old weights means nothing to it.
            self._sequential = SequentialStatistic(design)
            self._run_began = None
        if (breaker.state, breaker.state_since) != (before.state, before.state_since):
            self.step_outcomes = 0

    def disregard(self, line: ScopeEvidence) -> None:
        """Of an insurer: one of its product lines is cut, and what it has shown against itself is no longer held
        against the others."""
        self._window.take_out(line._window)
        self._sequential.clear()
        self._run_began = None
        self.set_backlog(None)

    def alike(self, record: OutcomeRecord, count: int) -> bool:
        """Whether so many submissions like this can be counted at once, because what is normal does not change between
        them (False also where that is not certain)."""
        if self.breaker.state is not BreakerState.CLOSED or record.outcome not in CONTRASTING:
            return True
        if record.outcome in FAILURES:
            return self._sequential.tripped
        return not self._sequential.tripped and not self.normal.moves(record.finished_at.timestamp(), count)

    def observe(self, record: OutcomeRecord, count: int = 1) -> None:
        """Counts finished submissions, if they are evidence: one, or several that are ``alike``."""
        outcome = record.outcome
        if outcome not in CONTRASTING or record.kind is SubmissionKind.RETRY or record.started_at < self.since:
            return
        breaker, finished_at = self.breaker, record.finished_at
        policy, timestamp, failed = breaker.policy, finished_at.timestamp(), outcome in FAILURES
        # Here as well as before judging: a scope that is well is not judged, and must not grow.
        self._window.slide(timestamp - policy.rate_window_seconds)
        slow = record.latency_seconds > policy.slow_seconds
        self._window.add(int(timestamp), failed=failed, slow=slow, count=count)
        if finished_at >= breaker.state_since:
            self.step_outcomes += count
        if self._sequential.observe(failed=failed, count=count):
            self._run_began = record.started_at
        if breaker.state is BreakerState.CLOSED and not self._sequential.tripped:
            self._learn(timestamp, failed=failed, count=count)
        if not failed and (self.last_success_began is None or record.started_at > self.last_success_began):
            self.last_success_began = record.started_at

    def _learn(self, timestamp: float, *, failed: bool, count: int) -> None:
        """What is normal is learned outside of incidents; a new p0 is used from the next clean start of the test on."""
        self.normal.observe(failed=failed, timestamp=timestamp, count=count)
        if self._sequential.value == 0:
            self.use_normal_rate()

    def use_normal_rate(self) -> None:
        """Judges by what is normal now, unless a run is under way."""
        if self._sequential.value == 0 and self.normal.value != self._sequential.design.normal_failure_rate:
            self._sequential = SequentialStatistic(_design(self.breaker, self.normal.value))

    def set_backlog(self, backlog: BacklogCount | None) -> None:
        """The backlog as it was just read; None when there are no orders. Ends a run without an answer until it is set
        anew."""
        self._backlog = backlog or no_backlog(self.breaker.scope)
        self._silent, self._first_silent = 0, None

    def set_silence(self, silent: BacklogCount | None) -> None:
        """Orders decided after the last success began and unfinished past the grace: a run without an answer."""
        if silent is not None:
            self._silent, self._first_silent = silent.unfinished, silent.oldest_decided_at

    @property
    def may_be_silent(self) -> bool:
        """Whether the backlog is large enough that the run without an answer must be counted."""
        return self._backlog.unfinished >= self._sequential.design.failures_in_a_row

    @property
    def suspicious(self) -> bool:
        """False: nothing at all speaks against it, so that nothing can trip."""
        window = self._window
        return bool(
            self._sequential.value or window.failures or window.slow or self._silent or self._backlog.unfinished
        )

    @property
    def has_run(self) -> bool:
        """Whether the sequential test is under way: not back at zero since a failure."""
        return self._sequential.value > 0

    def orders_without_effect(self, now: datetime, *, failed: bool, slow: bool) -> float:
        """How many further outcomes like this, all of them at ``now``, trip nothing; fewer where that is not certain.
        The backlog is left out."""
        self._slide(now)
        policy, window = self.breaker.policy, self._window
        if self.breaker.state is BreakerState.RAMPING or self._silent or self._sequential.tripped:
            return 0
        borrows = self._insurer is not None and window.outcomes + 1 < policy.minimum_volume
        if borrows and (failed or window.failures):
            return 0
        if not failed and not slow:
            # The rates are at their highest right when there are enough outcomes to judge by.
            volume = max(window.outcomes + 1, policy.minimum_volume)
            trips = window.failures >= policy.failure_rate * volume or window.slow >= policy.slow_rate * volume
            return 0 if trips else math.inf
        return min(
            self._sequential.orders_short_of_limit() if failed else math.inf,
            _short_of(policy.failure_rate, window.failures, window.outcomes, policy.minimum_volume, grows=failed),
            _short_of(policy.slow_rate, window.slow, window.outcomes, policy.minimum_volume, grows=slow),
        )

    def orders_with_run(self, *, failed: bool) -> float:
        """How many further outcomes like this leave the sequential test under way."""
        return math.inf if failed else self._sequential.orders_short_of_zero()

    def tripped(self, now: datetime) -> tuple[EvidenceKind, ...]:
        """What trips at ``now``; the cheap part of ``evidence``."""
        self._slide(now)
        policy, window, backlog, found = self.breaker.policy, self._window, self._backlog, []
        if backlog.unfinished >= policy.backlog_count and backlog.unfinished >= policy.backlog_ratio * backlog.orders:
            found.append(EvidenceKind.BACKLOG)
        if window.failures and self._rate_trips():
            found.append(EvidenceKind.FAILURE_RATE)
        if window.outcomes >= policy.minimum_volume and window.slow >= policy.slow_rate * window.outcomes:
            found.append(EvidenceKind.SLOW_RATE)
        # So many unanswered orders in a row are what so many failures in a row would be.
        if self._sequential.tripped or (self._silent and self._silent >= self._sequential.design.failures_in_a_row):
            found.append(EvidenceKind.SEQUENTIAL)
        return tuple(found)

    def evidence(self, now: datetime) -> Evidence:
        """The numbers at ``now`` with those that trip."""
        tripped = self.tripped(now)
        sequential = self._sequential
        design = sequential.design
        silent_units = self._silent * design.failure_weight
        silence_leads = silent_units > sequential.value
        oldest = self._backlog.oldest_decided_at
        return Evidence(
            scope=self.breaker.scope,
            at=now,
            orders=self._backlog.orders,
            backlog=self._backlog.unfinished,
            oldest_unfinished_seconds=0.0 if oldest is None else max(0.0, (now - oldest).total_seconds()),
            outcomes=self._window.outcomes,
            failures=self._window.failures,
            slow=self._window.slow,
            sequential_statistic=max(sequential.value, silent_units) * design.unit,
            sequential_limit=design.limit * design.unit,
            normal_failure_rate=design.normal_failure_rate,
            orders_since_first_failure=self._silent if silence_leads else sequential.orders,
            first_failure_at=self._first_silent if silence_leads else (self._run_began if sequential.value else None),
            tripped=tripped,
        )

    def works_without(self, lines: list[ScopeEvidence], now: datetime) -> bool:
        """Of an insurer: whether its other lines answer well while these fail."""
        self._slide(now)
        outcomes = self._window.outcomes - sum(line._window.outcomes for line in lines)
        failures = self._window.failures - sum(line._window.failures for line in lines)
        if failures and failures >= self.breaker.policy.failure_rate * outcomes:
            return False
        # A success since the trouble began that is none of theirs; with a few orders a day there is no other in the
        # window of the rates.
        newest = self.last_success_began
        return newest is not None and all(
            newest >= line._trouble_began(now) and (line.last_success_began is None or newest > line.last_success_began)
            for line in lines
        )

    def _trouble_began(self, now: datetime) -> datetime:
        moments = [moment for moment in (self._run_began, self._first_silent) if moment is not None]
        return min(moments, default=now - timedelta(seconds=self.breaker.policy.rate_window_seconds))

    def _rate_trips(self) -> bool:
        policy, window = self.breaker.policy, self._window
        if window.outcomes >= policy.minimum_volume and window.failures >= policy.failure_rate * window.outcomes:
            return True
        if self._insurer is not None and self._fails_with(self._insurer._window):
            return True
        return (
            self.breaker.state is BreakerState.RAMPING
            and window.outcomes >= policy.ramp_minimum_outcomes
            and window.failures >= max(LEAST_FAILURES_WHILE_RAMPING, policy.ramp_failure_rate * window.outcomes)
        )

    def _fails_with(self, insurer: OutcomeWindow) -> bool:
        """Whether a product line with too few outcomes for the rate fails, and so does the rest of its insurer.

        Its own outcomes are filled up to the minimum volume with the rate of the insurer's other ones (shrinkage); that
        alone never trips it: what it has of its own must be at the limit too.
        """
        policy = self.breaker.policy
        own, failures = self._window.outcomes, self._window.failures
        if own >= policy.minimum_volume or failures < policy.failure_rate * own:
            return False
        others, borrowed = insurer.outcomes - own, policy.minimum_volume - own
        if others < borrowed:
            return False
        rate = (insurer.failures - failures) / others
        return failures + borrowed * rate >= policy.failure_rate * policy.minimum_volume

    def _slide(self, now: datetime) -> None:
        oldest = now.timestamp() - self.breaker.policy.rate_window_seconds
        self._window.slide(oldest)
        if self._insurer is not None and self._window.failures:
            self._insurer._slide(now)

    def _begin_at(self, since: datetime) -> None:
        """Evidence counts from this moment on; what was seen before is forgotten, but what is normal stays known."""
        if since == self.since:
            return
        self.since = since
        self._window.clear()
        self.step_outcomes = 0
        self._sequential = SequentialStatistic(_design(self.breaker, self.normal.value))
        self._run_began = self.last_success_began = None
        self.set_backlog(None)


def _short_of(part: float, of_these: int, outcomes: int, minimum_volume: int, *, grows: bool) -> float:
    """How many further outcomes leave a rate below its limit: each adds to it (``grows``), or none does."""
    if not grows:
        return 0 if of_these and of_these >= part * max(outcomes + 1, minimum_volume) else math.inf
    room = part * outcomes - of_these
    by_rate = math.inf if part == 1 and room > 0 else math.floor(room / (1 - part)) - 1 if part < 1 else 0
    return max(0, by_rate, minimum_volume - 1 - outcomes)


def _design(breaker: Breaker, normal_failure_rate: float) -> SequentialDesign:
    policy = breaker.policy
    return design_test(normal_failure_rate, policy.outage_failure_rate, policy.mean_orders_between_false_cuts)


def _highest_normal_rate(breaker: Breaker) -> float:
    policy = breaker.policy
    return min(policy.highest_normal_failure_rate, policy.outage_failure_rate / LEAST_CONTRAST)
