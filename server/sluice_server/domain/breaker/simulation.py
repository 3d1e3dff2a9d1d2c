"""Replays outcomes against a draft policy: what would have been cut, when, on which evidence.

The very code that judges live traffic (``ScopeEvidence``) at the speed of the data. A cut ends, as if a person had
restored traffic at the best moment, when nothing of the evidence trips any more and the sequential test is back at
zero.
"""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sluice_server.domain.breaker.commands import ALWAYS, new_breaker
from sluice_server.domain.breaker.evidence import ScopeEvidence
from sluice_server.domain.breaker.model import BreakerPolicy, Evidence, Scope
from sluice_server.domain.breaker.policy import policy_violations
from sluice_server.domain.breaker.ports import BacklogCount, OutcomeRecord
from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.orders.model import Outcome, SubmissionKind
from sluice_server.domain.unit_of_work import Store

MOST_STORED_OUTCOMES = 500_000
"""How many stored outcomes one replay takes; more are to be replayed by parts."""
PAGE = 5_000
TICK = timedelta(seconds=1)
FEW = 1_000


@dataclass(frozen=True, slots=True)
class ReplayedOrder:
    """One order to replay."""

    at: datetime
    """When the call ended; when it began, for one that never ended."""
    insurer_id: str
    outcome: Outcome | None
    """None: sent and never answered."""
    latency_seconds: float = 0.0
    product_line: str = ""
    count: int = 1
    """So many like it at the same moment."""

    @property
    def decided_at(self) -> datetime:
        return self.at if self.outcome is None else self.at - timedelta(seconds=self.latency_seconds)


@dataclass(frozen=True, slots=True)
class SimulatedTrip:
    """A cut that would have been made."""

    at: datetime
    evidence: Evidence
    orders_before: int
    """Orders of the scope seen up to it, the one that trips included."""


@dataclass(slots=True)
class Totals:
    """Of a whole replay."""

    orders: int = 0
    wrongly_diverted: int = 0
    """Orders that succeeded while their insurer would have been cut."""
    orders_saved: int = 0
    """Orders that failed while their insurer would have been cut, and so would have gone elsewhere."""


class Replay:
    """Replays orders in the order of time. ``totals`` grows with it."""

    def __init__(self, policy: BreakerPolicy) -> None:
        """Raises InvalidInput with every violation (``policy.<field>``)."""
        violations = [Violation(f"policy.{name}", text) for name, text in policy_violations(policy)]
        if violations:
            raise InvalidInput(violations)
        self._policy = policy
        self._scopes: dict[str, _Scope] = {}
        self.totals = Totals()

    def run(self, orders: Sequence[ReplayedOrder]) -> Iterator[SimulatedTrip]:
        """The trips, in the order of time."""
        grace = timedelta(seconds=self._policy.backlog_grace_seconds)
        moments: list[tuple[datetime, int, int, ReplayedOrder]] = []
        numbers = itertools.count()
        for order in _one_by_one(orders):
            number = next(numbers)
            late = order.outcome is None or order.latency_seconds > self._policy.backlog_grace_seconds
            if late:
                # It is backlog from the end of the grace until it ends, if it does.
                moments.append((order.decided_at, _BEGINS, number, order))
                moments.append((order.decided_at + grace, _IS_LATE, number, order))
            if order.outcome is not None:
                moments.append((order.at, _ENDS, number, order))
        moments.sort(key=lambda moment: moment[:3])
        for at, what, number, order in moments:
            scope = self._scopes.get(order.insurer_id)
            if scope is None:
                breaker = new_breaker(Scope(order.insurer_id), ALWAYS, self._policy)
                scope = self._scopes[order.insurer_id] = _Scope(ScopeEvidence(breaker), self.totals)
            trip = scope.live(at, what, number, order)
            if trip is not None:
                yield trip


_BEGINS, _IS_LATE, _ENDS = range(3)


@dataclass(slots=True)
class _Scope:
    """One insurer in a replay."""

    known: ScopeEvidence
    totals: Totals
    decided: deque[datetime] = field(default_factory=deque)
    unanswered: dict[int, datetime] = field(default_factory=dict)
    """Orders that have begun and not ended, by number: when they were decided. In the order of time."""
    orders: int = 0
    cut: bool = False
    counted_at: datetime = ALWAYS
    """When the backlog was counted last: with many unanswered orders once a second, as live."""
    waited: bool = False
    """Whether an order was unanswered then."""

    def live(self, at: datetime, what: int, number: int, order: ReplayedOrder) -> SimulatedTrip | None:
        """What happens at this moment; the trip, if it trips."""
        if what == _BEGINS or (what == _ENDS and number not in self.unanswered):
            self.orders += 1
            self.totals.orders += 1
            self.decided.append(order.decided_at)
        if what == _BEGINS:
            self.unanswered[number] = at
            if self.cut and order.outcome is None:
                self.totals.orders_saved += 1
            return None
        if what == _ENDS:
            self.unanswered.pop(number, None)
            assert order.outcome is not None
            if self.cut:
                self.totals.wrongly_diverted += order.outcome is Outcome.SUCCESS
                self.totals.orders_saved += order.outcome in (Outcome.TECHNICAL_FAILURE, Outcome.UNKNOWN)
            self.known.observe(_record(number, order, order.outcome))
        if at - self.counted_at >= TICK or len(self.unanswered) < FEW:
            self._count_backlog(at)
        if not self.known.suspicious:
            self.cut = False
            return None
        tripped = self.known.tripped(at)
        if self.cut:
            self.cut = bool(tripped) or self.known.evidence(at).sequential_statistic > 0
            return None
        if not tripped:
            return None
        self.cut = True
        return SimulatedTrip(at, self.known.evidence(at), self.orders)

    def _count_backlog(self, at: datetime) -> None:
        self.counted_at = at
        policy, scope = self.known.breaker.policy, self.known.breaker.scope
        start = at - timedelta(seconds=policy.window_seconds)
        while self.decided and self.decided[0] < start:
            self.decided.popleft()
        if not self.unanswered:
            if self.waited:
                self.known.set_backlog(BacklogCount(scope, 0, 0, None))
                self.known.set_silence(BacklogCount(scope, 0, 0, None))
                self.waited = False
            return
        self.waited = True
        until = at - timedelta(seconds=policy.backlog_grace_seconds)
        late = [decided for decided in self.unanswered.values() if start <= decided <= until]
        self.known.set_backlog(BacklogCount(scope, len(self.decided), len(late), min(late, default=None)))
        success = self.known.last_success_began
        silent = [decided for decided in late if success is None or decided >= success]
        self.known.set_silence(BacklogCount(scope, len(silent), len(silent), min(silent, default=None)))


class SimulateBreaker:
    """Replays given or stored outcomes; stores nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(
        self,
        policy: BreakerPolicy,
        orders: Sequence[ReplayedOrder],
        *,
        insurer_id: str = "",
        start: datetime | None = None,
        until: datetime | None = None,
    ) -> AsyncIterator[tuple[SimulatedTrip | None, Totals]]:
        """The trips with the totals up to them, then None with the totals of all. Without ``orders`` the stored
        outcomes of the insurer ("" for all) between the two moments are replayed."""
        replay = Replay(policy)
        replayed = orders or await self._stored(insurer_id, start or ALWAYS, until)
        for trip in replay.run(replayed):
            yield trip, replay.totals
        yield None, replay.totals

    async def _stored(self, insurer_id: str, start: datetime, until: datetime | None) -> list[ReplayedOrder]:
        found: dict[str, ReplayedOrder] = {}
        limit = PAGE
        async with self._store.read() as uow:
            while True:
                page = await uow.evidence.outcomes(finished_from=start, limit=limit)
                for record in page:
                    if insurer_id in ("", record.scope.insurer_id) and record.kind is not SubmissionKind.RETRY:
                        found[record.submission_id] = _stored_order(record)
                ended = len(page) < limit or (until is not None and page[-1].finished_at >= until)
                if len(found) > MOST_STORED_OUTCOMES:
                    text = f"more than {MOST_STORED_OUTCOMES} outcomes are stored from there on; choose a shorter time"
                    raise InvalidInput([Violation("until_time", text)])
                if ended:
                    return [order for order in found.values() if until is None or order.at < until]
                if page[-1].finished_at > start:
                    start, limit = page[-1].finished_at, PAGE
                else:
                    limit *= 2


def _stored_order(record: OutcomeRecord) -> ReplayedOrder:
    scope = record.scope
    return ReplayedOrder(
        record.finished_at, scope.insurer_id, record.outcome, record.latency_seconds, scope.product_line
    )


def _record(number: int, order: ReplayedOrder, outcome: Outcome) -> OutcomeRecord:
    return OutcomeRecord(
        submission_id=str(number),
        scope=Scope(order.insurer_id, order.product_line),
        kind=SubmissionKind.SUBMIT,
        outcome=outcome,
        started_at=order.decided_at,
        finished_at=order.at,
        latency_seconds=order.latency_seconds,
    )


def _one_by_one(orders: Iterable[ReplayedOrder]) -> Iterator[ReplayedOrder]:
    """Counts of one moment are mixed evenly: 95 successes and 5 failures in the same minute were not 5 in a row."""
    for _, group in itertools.groupby(
        sorted(orders, key=lambda order: (order.at, order.insurer_id)), key=lambda order: (order.at, order.insurer_id)
    ):
        rows = list(group)
        if all(row.count == 1 for row in rows):
            yield from rows
            continue
        placed = [((n + 0.5) / row.count, index) for index, row in enumerate(rows) for n in range(row.count)]
        for _, index in sorted(placed):
            yield rows[index]
