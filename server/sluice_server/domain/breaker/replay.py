"""Replays outcomes against a draft policy: what would have been cut, when, on which evidence.

The very code that judges live traffic (``EvidenceBook``) at the speed of the data: each order is judged when it ends,
or when it is late. There is a breaker for every insurer and for every product line that the orders name; a policy's
rules about the last insurer and about panic are left out. A cut ends, as if a person had restored traffic at the best
moment, when nothing trips any more, the sequential test is back at zero and new orders do not hang. (Live a cut insurer
is asked nothing; here what it would have answered is known.)
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from operator import attrgetter

from sluice_server.domain.breaker.commands import ALWAYS, new_breaker
from sluice_server.domain.breaker.evidence import FAILURES, ScopeEvidence
from sluice_server.domain.breaker.evidence_book import EvidenceBook
from sluice_server.domain.breaker.evidence_source import OutcomeRecord
from sluice_server.domain.breaker.machine import BreakerEvent, Facts, advance
from sluice_server.domain.breaker.model import Breaker, BreakerPolicy, BreakerState, Evidence, EvidenceKind, Scope
from sluice_server.domain.breaker.policy import policy_violations
from sluice_server.domain.breaker.waiting import WaitingOrders
from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.orders.model import Outcome, SubmissionKind

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)
"""Between these a replay can count with moments."""
LONGEST_LATENCY_SECONDS = 30 * 86_400.0


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
    """Orders that succeeded while their insurer (or their product line there) would have been cut."""
    orders_saved: int = 0
    """Orders that failed while it would have been cut, and so would have gone elsewhere."""


_BEGINS, _IS_LATE, _ENDS = range(3)
Moment = tuple[datetime, int, int, ReplayedOrder]
"""When, which of these three, the number of the order, the order."""
BREATH = 100
"""Moments that take one or two milliseconds together."""


class Replay:
    """Replays orders in the order of time. ``totals`` grows with it."""

    def __init__(self, policy: BreakerPolicy) -> None:
        """Raises InvalidInput with every violation (``policy.<field>``)."""
        violations = [Violation(f"policy.{name}", text) for name, text in policy_violations(policy)]
        if violations:
            raise InvalidInput(violations)
        self._policy = policy
        self._grace = timedelta(seconds=policy.backlog_grace_seconds)
        self._book = EvidenceBook()
        self._breakers: dict[Scope, Breaker] = {}
        self._scopes: dict[tuple[str, str], tuple[_Scope, ...]] = {}
        self.totals = Totals()

    def run(self, orders: Sequence[ReplayedOrder]) -> Iterator[SimulatedTrip]:
        """The trips, in the order of time."""
        return (trip for trip in self.steps(self.moments(orders)) if trip is not None)

    def steps(self, moments: Iterable[Moment]) -> Iterator[SimulatedTrip | None]:
        """The trips, and None after every BREATH moments for who has something else to do between."""
        for count, (at, what, number, order) in enumerate(moments, 1):
            key = order.insurer_id, order.product_line
            scopes = self._scopes.get(key)
            if scopes is None:
                scopes = self._scopes[key] = self._make(*key)
            if what == _BEGINS:
                self._count(order, scopes, cut=any(scope.cut for scope in scopes))
            else:
                self._happens(what, number, order, scopes)
                yield from self._judge(at, scopes)
            if count % BREATH == 0:
                yield None

    def moments(self, orders: Iterable[ReplayedOrder]) -> list[Moment]:
        """What happens to the orders, in the order of time."""
        moments: list[Moment] = []
        grace_seconds = self._policy.backlog_grace_seconds
        for number, order in enumerate(_one_by_one(orders)):
            at, outcome = order.at, order.outcome
            if outcome is None or order.latency_seconds > grace_seconds:
                # It is backlog from the end of the grace until it ends, if it does.
                decided_at = order.decided_at
                moments.append((decided_at, _BEGINS, number, order))
                moments.append((decided_at + self._grace, _IS_LATE, number, order))
            if outcome is not None:
                moments.append((at, _ENDS, number, order))
        # Numbers are different: orders are never compared.
        moments.sort()
        return moments

    def _make(self, insurer_id: str, line: str) -> tuple[_Scope, ...]:
        """The scopes that an order counts for, its product line first."""
        names = dict.fromkeys((Scope(insurer_id, line), Scope(insurer_id)))
        self._breakers.update(
            {scope: new_breaker(scope, ALWAYS, self._policy) for scope in names if scope not in self._breakers}
        )
        self._book.follow(list(self._breakers.values()))
        known = {each.known.breaker.scope: each for scopes in self._scopes.values() for each in scopes}
        return tuple(known.get(scope) or _Scope(self._book.scopes()[scope]) for scope in names)

    def _count(self, order: ReplayedOrder, scopes: tuple[_Scope, ...], *, cut: bool) -> None:
        """The order is decided."""
        self.totals.orders += 1
        line, whole = scopes[0], scopes[-1]
        decided_at, name = order.decided_at, order.product_line
        line.orders += 1
        line.waiting.begins(decided_at, name)
        if whole is not line:
            whole.orders += 1
            if not line.cut:
                whole.waiting.begins(decided_at, name)
        if cut and order.outcome is None:
            self.totals.orders_saved += 1

    def _happens(self, what: int, number: int, order: ReplayedOrder, scopes: tuple[_Scope, ...]) -> None:
        """The order is late, or it ends."""
        line, whole = scopes[0], scopes[-1]
        if what == _IS_LATE:
            line.waiting.is_late(number, order.decided_at, order.product_line)
            if whole is not line and not line.cut:
                whole.waiting.is_late(number, order.decided_at, order.product_line)
            return
        cut, outcome = line.cut or whole.cut, order.outcome
        assert outcome is not None, "it ends"
        if order.latency_seconds > self._policy.backlog_grace_seconds:
            line.waiting.ends(number)
            whole.waiting.ends(number)
        else:
            # It was not worth two moments.
            self._count(order, scopes, cut=cut)
        if cut:
            self.totals.wrongly_diverted += outcome is Outcome.SUCCESS
            self.totals.orders_saved += outcome in FAILURES
        self._book.observe(_record(number, order, outcome))

    def _judge(self, at: datetime, scopes: tuple[_Scope, ...]) -> Iterator[SimulatedTrip]:
        for scope in scopes:
            scope.waiting.tell(at)
        for scope in scopes:
            if scope.cut:
                self._end_cut(scope, at)
        suspects = [scope.known for scope in scopes if scope.known.suspicious]
        if not suspects:
            return
        to_cut = self._book.insurer(scopes[0].known.breaker.scope.insurer_id).to_cut(suspects, at)
        for scope in scopes:
            if scope.known in to_cut:
                yield SimulatedTrip(at, scope.known.evidence(at), scope.orders)
                self._cut(scope, at, scopes[-1])

    def _cut(self, scope: _Scope, at: datetime, whole: _Scope) -> None:
        scope.cut = True
        breaker = scope.known.breaker
        self._change(advance(breaker, BreakerEvent.TRIP, Facts(), at, incident_id="replayed"))
        if scope is not whole:
            whole.waiting.drop(breaker.scope.product_line)

    def _end_cut(self, scope: _Scope, at: datetime) -> None:
        known = scope.known
        # Orders that hung before have been retried by then; whether new ones do is looked at by itself.
        if known.has_run or {*known.tripped(at)} - {EvidenceKind.BACKLOG} or scope.waiting.still_hangs(at):
            return
        scope.cut = False
        name = known.breaker.scope
        for each in self._scopes.values():
            for part in each:
                if part is scope or (part.known.breaker.scope.insurer_id == name.insurer_id and not name.product_line):
                    part.waiting.forget()
        closed = replace(known.breaker, state=BreakerState.CLOSED, state_since=at, evidence_since=at, incident_id="")
        self._change(closed)

    def _change(self, breaker: Breaker) -> None:
        self._breakers[breaker.scope] = replace(breaker, version=breaker.version + 1)
        self._book.follow(list(self._breakers.values()))


class _Scope:
    """A breaker in a replay."""

    __slots__ = ("cut", "known", "orders", "waiting")

    def __init__(self, known: ScopeEvidence) -> None:
        self.known = known
        self.waiting = WaitingOrders(known)
        self.orders = 0
        self.cut = False


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


_MOMENT = attrgetter("at", "insurer_id")


def _one_by_one(orders: Iterable[ReplayedOrder]) -> Iterator[ReplayedOrder]:
    """Counts of one moment are mixed evenly: 95 successes and 5 failures in the same minute were not 5 in a row."""
    for _, group in itertools.groupby(sorted(orders, key=_MOMENT), key=_MOMENT):
        rows = list(group)
        if len(rows) == 1 and rows[0].count == 1:
            yield rows[0]
            continue
        placed = [((n + 0.5) / row.count, index) for index, row in enumerate(rows) for n in range(row.count)]
        for _, index in sorted(placed):
            yield rows[index]
