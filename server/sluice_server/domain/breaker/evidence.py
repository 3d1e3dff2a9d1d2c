"""The evidence of one scope and of all: what has been seen, counted so that memory is bounded.

A scope holds one bucket for each second of its rate window (at most 3,600), the sequential statistic (two integers),
what is normal for it (four numbers) and three counts of the backlog: about 0.3 MB at the very most, 6 kB with the
default window. Windows slide by one second.

What counts: SUCCESS on one side, TECHNICAL_FAILURE and UNKNOWN on the other, of the normal stream. A business rejection
is an answer, a caller's fault says nothing about the insurer, and retried orders belong to the recovery.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter

from sluice_server.domain.breaker.model import Breaker, BreakerState, Evidence, EvidenceKind, Scope
from sluice_server.domain.breaker.normal_rate import NormalRate
from sluice_server.domain.breaker.policy import LEAST_CONTRAST
from sluice_server.domain.breaker.ports import BacklogCount, OutcomeRecord
from sluice_server.domain.breaker.sequential import SequentialDesign, SequentialStatistic, design_test
from sluice_server.domain.orders.model import Outcome, SubmissionKind

VERSION = attrgetter("version")
_INSURER = attrgetter("scope.insurer_id")

FAILURES = frozenset({Outcome.TECHNICAL_FAILURE, Outcome.UNKNOWN})
CONTRASTING = FAILURES | {Outcome.SUCCESS}
LEAST_FAILURES_WHILE_RAMPING = 2
"""One failure alone is jitter, also among very few outcomes."""


@dataclass(slots=True)
class _Bucket:
    """One second."""

    second: int
    outcomes: int = 0
    failures: int = 0
    slow: int = 0


class ScopeEvidence:
    """What is known about one breaker's scope."""

    def __init__(self, breaker: Breaker) -> None:
        self._breaker = breaker
        self._buckets: deque[_Bucket] = deque()
        self._outcomes = self._failures = self._slow = 0
        self._normal = NormalRate(breaker.policy.normal_failure_rate, _highest_normal_rate(breaker))
        self._sequential = SequentialStatistic(_design(breaker, self._normal.value))
        self._insurer: ScopeEvidence | None = None
        self._run_began: datetime | None = None
        self._step_outcomes = 0
        self._backlog = _nothing(breaker.scope)
        self._silent = 0
        self._first_silent: datetime | None = None
        self.last_success_began: datetime | None = None
        """When the newest successful submission started."""

    @property
    def breaker(self) -> Breaker:
        return self._breaker

    def borrow_from(self, insurer: ScopeEvidence) -> None:
        """Of a product line: its insurer's evidence, by which little of its own is judged."""
        self._insurer, self._normal.prior = insurer, insurer._normal

    @property
    def step_outcomes(self) -> int:
        """Contrasting outcomes since the present step of the ramp began."""
        return self._step_outcomes

    def follow(self, breaker: Breaker) -> None:
        """Takes over the breaker as it is now: another policy, another step, evidence that no longer counts."""
        before, self._breaker = self._breaker, breaker
        self._normal.bound(breaker.policy.normal_failure_rate, _highest_normal_rate(breaker))
        if breaker.evidence_since != before.evidence_since:
            self._forget()
        elif (design := _design(breaker, self._normal.value)) != self._sequential.design:
            # Another test: the sum of the old weights means nothing to it.
            self._sequential = SequentialStatistic(design)
            self._run_began = None
        if (breaker.state, breaker.state_since) != (before.state, before.state_since):
            self._step_outcomes = 0

    def observe(self, record: OutcomeRecord) -> None:
        """Counts one finished submission, if it is evidence."""
        if record.kind is SubmissionKind.RETRY or record.outcome not in CONTRASTING:
            return
        if record.started_at < self._breaker.evidence_since:
            return
        failed = record.outcome in FAILURES
        bucket = self._bucket(int(record.finished_at.timestamp()))
        slow = record.latency_seconds > self._breaker.policy.slow_seconds
        bucket.outcomes += 1
        bucket.failures += failed
        bucket.slow += slow
        self._outcomes += 1
        self._failures += failed
        self._slow += slow
        if record.finished_at >= self._breaker.state_since:
            self._step_outcomes += 1
        if self._sequential.observe(failed=failed):
            self._run_began = record.started_at
        self._learn(record, failed=failed)
        if not failed and (self.last_success_began is None or record.started_at > self.last_success_began):
            self.last_success_began = record.started_at

    def _learn(self, record: OutcomeRecord, *, failed: bool) -> None:
        """What is normal is learned outside of incidents; a new p0 is used from the next clean start of the test on."""
        if self._breaker.state is not BreakerState.CLOSED or self._sequential.tripped:
            return
        self._normal.observe(failed=failed, timestamp=record.finished_at.timestamp())
        normal = self._normal.value
        if self._sequential.value == 0 and normal != self._sequential.design.normal_failure_rate:
            self._sequential = SequentialStatistic(_design(self._breaker, normal))

    def set_backlog(self, backlog: BacklogCount | None) -> None:
        """The backlog as it was just read; None when there are no orders. Ends a run without an answer until it is set
        anew."""
        self._backlog = backlog or _nothing(self._breaker.scope)
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
        return bool(self._sequential.value or self._failures or self._slow or self._silent or self._backlog.unfinished)

    def tripped(self, now: datetime) -> tuple[EvidenceKind, ...]:
        """What trips at ``now``; the cheap part of ``evidence``."""
        self._slide(now.timestamp())
        return tuple(self._tripped())

    def evidence(self, now: datetime) -> Evidence:
        """The numbers at ``now`` with those that trip."""
        self._slide(now.timestamp())
        sequential = self._sequential
        design = sequential.design
        silent_units = self._silent * design.failure_weight
        silence_leads = silent_units > sequential.value
        oldest = self._backlog.oldest_decided_at
        return Evidence(
            scope=self._breaker.scope,
            at=now,
            orders=self._backlog.orders,
            backlog=self._backlog.unfinished,
            oldest_unfinished_seconds=0.0 if oldest is None else max(0.0, (now - oldest).total_seconds()),
            outcomes=self._outcomes,
            failures=self._failures,
            slow=self._slow,
            sequential_statistic=max(sequential.value, silent_units) * design.unit,
            sequential_limit=design.limit * design.unit,
            normal_failure_rate=design.normal_failure_rate,
            orders_since_first_failure=self._silent if silence_leads else sequential.orders,
            first_failure_at=self._first_silent if silence_leads else (self._run_began if sequential.value else None),
            tripped=tuple(self._tripped()),
        )

    def _tripped(self) -> Iterable[EvidenceKind]:
        policy, ramping = self._breaker.policy, self._breaker.state is BreakerState.RAMPING
        backlog = self._backlog
        if backlog.unfinished >= policy.backlog_count and backlog.unfinished >= policy.backlog_ratio * backlog.orders:
            yield EvidenceKind.BACKLOG
        if self._rate_trips(ramping=ramping):
            yield EvidenceKind.FAILURE_RATE
        if self._outcomes >= policy.minimum_volume and self._slow >= policy.slow_rate * self._outcomes:
            yield EvidenceKind.SLOW_RATE
        # So many unanswered orders in a row are what so many failures in a row would be.
        if self._sequential.tripped or self._silent >= self._sequential.design.failures_in_a_row:
            yield EvidenceKind.SEQUENTIAL

    def _rate_trips(self, *, ramping: bool) -> bool:
        policy = self._breaker.policy
        if self._outcomes >= policy.minimum_volume and self._failures >= policy.failure_rate * self._outcomes:
            return True
        if self._fails_with_its_insurer():
            return True
        return (
            ramping
            and self._outcomes >= policy.ramp_minimum_outcomes
            and self._failures >= max(LEAST_FAILURES_WHILE_RAMPING, policy.ramp_failure_rate * self._outcomes)
        )

    def _fails_with_its_insurer(self) -> bool:
        """Whether a product line with too few outcomes for the rate fails, and so does the rest of its insurer.

        Its own outcomes are filled up to the minimum volume with the rate of the insurer's other ones (shrinkage); that
        alone never trips it: what it has of its own must be at the limit too.
        """
        policy, insurer = self._breaker.policy, self._insurer
        own, failures = self._outcomes, self._failures
        if insurer is None or not failures or own >= policy.minimum_volume or failures < policy.failure_rate * own:
            return False
        others = insurer._outcomes - own
        borrowed = policy.minimum_volume - own
        if others < borrowed:
            return False
        rate = (insurer._failures - failures) / others
        return failures + borrowed * rate >= policy.failure_rate * policy.minimum_volume

    def _bucket(self, second: int) -> _Bucket:
        """The bucket of that second. Records come nearly in order, so it is at or near the right end."""
        for bucket in reversed(self._buckets):
            if bucket.second == second:
                return bucket
            if bucket.second < second:
                break
        fresh = _Bucket(second)
        if not self._buckets or self._buckets[-1].second < second:
            # Here as well as before judging: a scope that is well is not judged, and must not grow.
            self._slide(second)
            self._buckets.append(fresh)
        else:
            place = next(i for i, b in enumerate(self._buckets) if b.second > second)
            self._buckets.insert(place, fresh)
        return fresh

    def _slide(self, timestamp: float) -> None:
        if self._insurer is not None and self._outcomes:
            self._insurer._slide(timestamp)
        oldest = timestamp - self._breaker.policy.rate_window_seconds
        while self._buckets and self._buckets[0].second + 1 <= oldest:
            gone = self._buckets.popleft()
            self._outcomes -= gone.outcomes
            self._failures -= gone.failures
            self._slow -= gone.slow

    def _forget(self) -> None:
        self._buckets.clear()
        self._outcomes = self._failures = self._slow = self._step_outcomes = self._silent = 0
        # What is normal for it stays known.
        self._sequential = SequentialStatistic(_design(self._breaker, self._normal.value))
        self._run_began = self._first_silent = self.last_success_began = None
        self._backlog = _nothing(self._breaker.scope)


class EvidenceBook:
    """The evidence of all breakers. It knows which of them something speaks against: only those need to be judged."""

    def __init__(self) -> None:
        self._scopes: dict[Scope, ScopeEvidence] = {}
        self._versions = (0, 0)
        self.suspects: set[Scope] = set()
        """Those that something may speak against."""
        self.ramping: tuple[Scope, ...] = ()
        self.windows: frozenset[Window] = frozenset()
        """The different windows of the backlog."""

    def follow(self, breakers: Sequence[Breaker]) -> None:
        """Takes over the breakers as they are now; a new one starts without evidence."""
        versions = len(breakers), sum(map(VERSION, breakers))
        if versions == self._versions:
            return
        self._versions = versions
        for breaker in breakers:
            scope = self._scopes.get(breaker.scope)
            if scope is None:
                self._scopes[breaker.scope] = ScopeEvidence(breaker)
            elif scope.breaker.version != breaker.version:
                scope.follow(breaker)
                self.suspects.add(breaker.scope)
        for breaker in breakers:
            whole = self._scopes.get(Scope(breaker.scope.insurer_id))
            if breaker.scope.product_line and whole is not None:
                self._scopes[breaker.scope].borrow_from(whole)
        self.ramping = tuple(b.scope for b in breakers if b.state is BreakerState.RAMPING)
        self.windows = frozenset(window_of(breaker) for breaker in breakers)

    def observe(self, record: OutcomeRecord) -> None:
        """Counts an outcome for its product line's breaker, where there is one, and for its insurer's."""
        for key in (record.scope, Scope(record.scope.insurer_id)):
            scope = self._scopes.get(key)
            if scope is not None:
                scope.observe(record)
                if scope.suspicious:
                    self.suspects.add(key)
            if not record.scope.product_line:
                # Both keys are the same.
                return

    def suspect(self, counts: BacklogCounts) -> None:
        """Looks for those with a backlog."""
        for line in counts.unfinished():
            self.suspects.update(key for key in (line, Scope(line.insurer_id)) if key in self._scopes)

    def scopes(self) -> Mapping[Scope, ScopeEvidence]:
        return self._scopes


Window = tuple[float, float]
"""Length and grace of the backlog, seconds."""


def window_of(breaker: Breaker) -> Window:
    """The window in which the breaker counts its backlog."""
    return breaker.policy.window_seconds, breaker.policy.backlog_grace_seconds


class BacklogCounts:
    """One reading of the backlog, by scope."""

    def __init__(self, counts: Sequence[BacklogCount]) -> None:
        self._counts = counts
        self._by_insurer: dict[str, list[BacklogCount]] | None = None

    def unfinished(self) -> list[Scope]:
        """The product lines with a backlog."""
        return [count.scope for count in self._counts if count.unfinished]

    def waiting(self) -> list[BacklogCount]:
        """Of the product lines with a backlog."""
        return [count for count in self._counts if count.unfinished]

    def of(self, scope: Scope) -> BacklogCount | None:
        """Of one product line, or of all of an insurer's; None where there are no orders."""
        if self._by_insurer is None:
            self._by_insurer = {}
            # They come by insurer, nearly always: one look-up for each of them instead of one for each line.
            for insurer_id, run in itertools.groupby(self._counts, _INSURER):
                self._by_insurer.setdefault(insurer_id, []).extend(run)
        lines = self._by_insurer.get(scope.insurer_id, [])
        if scope.product_line:
            return next((count for count in lines if count.scope == scope), None)
        return _sum(scope, lines) if lines else None


def _design(breaker: Breaker, normal_failure_rate: float) -> SequentialDesign:
    policy = breaker.policy
    return design_test(normal_failure_rate, policy.outage_failure_rate, policy.mean_orders_between_false_cuts)


def _highest_normal_rate(breaker: Breaker) -> float:
    policy = breaker.policy
    return min(policy.highest_normal_failure_rate, policy.outage_failure_rate / LEAST_CONTRAST)


def _nothing(scope: Scope) -> BacklogCount:
    return BacklogCount(scope, 0, 0, None)


def _sum(scope: Scope, counts: list[BacklogCount]) -> BacklogCount:
    orders = unfinished = 0
    oldest: datetime | None = None
    for count in counts:
        orders += count.orders
        if count.unfinished:
            unfinished += count.unfinished
            began = count.oldest_decided_at
            oldest = began if oldest is None else min(oldest, began or oldest)
    return BacklogCount(scope, orders, unfinished, oldest)
