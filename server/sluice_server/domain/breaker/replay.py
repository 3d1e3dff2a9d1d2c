"""Replays outcomes against a draft policy: what would have been cut, when, on which evidence.

The very code that judges live traffic (``EvidenceBook``) at the speed of the data: each order is judged when it ends,
or when it is late; of a run of like orders those are left out whose judgement is certain to change nothing. There is a
breaker for every insurer and for every product line that the orders name. The rules about the last insurer and about
panic hold among the insurers that the orders have named so far, where these are more than one. A cut ends, as if a
person had restored traffic at the best moment, when nothing trips any more, the sequential test is back at zero and new
orders do not hang. (Live a cut insurer is asked nothing; here what it would have answered is known.)
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sluice_server.domain.breaker.commands import ALWAYS, new_breaker
from sluice_server.domain.breaker.cut_limits import limits_traffic
from sluice_server.domain.breaker.evidence import CONTRASTING, FAILURES, ScopeEvidence
from sluice_server.domain.breaker.evidence_book import EvidenceBook
from sluice_server.domain.breaker.evidence_source import OutcomeRecord
from sluice_server.domain.breaker.machine import BreakerEvent, Facts, advance
from sluice_server.domain.breaker.model import Breaker, BreakerPolicy, BreakerState, Evidence, EvidenceKind, Scope
from sluice_server.domain.breaker.policy import policy_violations
from sluice_server.domain.breaker.replayed_order import BEGINS, IS_LATE, Moment, ReplayedOrder, sorted_moments
from sluice_server.domain.breaker.replayed_traffic import ReplayedTraffic
from sluice_server.domain.breaker.waiting import WaitingOrders
from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.orders.model import Outcome, SubmissionKind


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


BREATH = 100
"""Steps that take one or two milliseconds together."""


class Replay:
    """Replays orders in the order of time. ``totals`` grows with it."""

    def __init__(self, policy: BreakerPolicy, own: Mapping[Scope, BreakerPolicy] | None = None) -> None:
        """``own``: of insurers and product lines that have another policy; a product line without has its insurer's.
        Raises InvalidInput with every violation (``policy.<field>``)."""
        self._own = own or {}
        violations = [Violation(f"policy.{name}", text) for name, text in policy_violations(policy)]
        for scope, each in self._own.items():
            violations += [Violation(f"policy.scopes.{scope}.{name}", text) for name, text in policy_violations(each)]
            if each.backlog_grace_seconds != policy.backlog_grace_seconds:
                # An order is late at one moment.
                text = "must be the same for all in a replay"
                violations.append(Violation(f"policy.scopes.{scope}.backlog_grace_seconds", text))
        if violations:
            raise InvalidInput(violations)
        self.policy = policy
        self._limited = any(limits_traffic(each) for each in (policy, *self._own.values()))
        self._traffic = ReplayedTraffic()
        self._book = EvidenceBook()
        self._scopes: dict[tuple[str, str], tuple[_Scope, ...]] = {}
        self.totals = Totals()

    def run(self, orders: Iterable[ReplayedOrder]) -> Iterator[SimulatedTrip]:
        """The trips, in the order of time; the orders may come in any."""
        moments = sorted_moments(orders, self.policy.backlog_grace_seconds)
        return (trip for trip in self.steps(moments) if trip is not None)

    def steps(self, moments: Iterable[Moment]) -> Iterator[SimulatedTrip | None]:
        """The trips, and None after every BREATH steps for who has something else to do between."""
        steps = 0
        for at, what, number, order, count in moments:
            key = order.insurer_id, order.product_line
            scopes = self._scopes.get(key)
            if scopes is None:
                scopes = self._scopes[key] = self._make(*key)
            if what == BEGINS:
                self._count(order, 1, scopes, cut=any(scope.cut for scope in scopes))
                steps += 1
            elif what == IS_LATE:
                self._is_late(number, order, scopes)
                yield from self._judge(at, scopes)
                steps += 1
            else:
                looked = False
                while count:
                    certain = min(count, self._without_effect(at, order, scopes, looked=looked))
                    self._ends(number, order, certain or 1, scopes)
                    count -= certain or 1
                    if certain:
                        for scope in scopes:
                            scope.waiting.tell(at)
                    else:
                        cuts = [scope.cut for scope in scopes]
                        yield from self._judge(at, scopes)
                        looked = cuts == [scope.cut for scope in scopes]
                    steps += 1
                    if steps % BREATH == 0:
                        yield None
                continue
            if steps % BREATH == 0:
                yield None

    def _make(self, insurer_id: str, line: str) -> tuple[_Scope, ...]:
        """The scopes that an order counts for, its product line first."""
        self._traffic.insurers.add(insurer_id)
        names = dict.fromkeys((Scope(insurer_id, line), Scope(insurer_id)))
        known = self._book.scopes()
        self._book.follow([new_breaker(scope, ALWAYS, self._policy_of(scope)) for scope in names if scope not in known])
        made = {each.name: each for scopes in self._scopes.values() for each in scopes}
        return tuple(made.get(scope) or _Scope(known[scope]) for scope in names)

    def _policy_of(self, scope: Scope) -> BreakerPolicy:
        return self._own.get(scope) or self._own.get(Scope(scope.insurer_id)) or self.policy

    def _count(self, order: ReplayedOrder, count: int, scopes: tuple[_Scope, ...], *, cut: bool) -> None:
        """So many like orders are decided."""
        self.totals.orders += count
        line, whole, name = scopes[0], scopes[-1], order.product_line
        decided_at = order.decided_at
        line.orders += count
        line.waiting.begins(decided_at, name, count)
        if whole is not line:
            whole.orders += count
            if not line.cut:
                whole.waiting.begins(decided_at, name, count)
        if cut and order.outcome is None:
            self.totals.orders_saved += count
        if self._limited:
            self._traffic.count(decided_at, line.name, count)

    def _is_late(self, number: int, order: ReplayedOrder, scopes: tuple[_Scope, ...]) -> None:
        line, whole = scopes[0], scopes[-1]
        line.waiting.is_late(number, order.decided_at, order.product_line)
        if whole is not line and not line.cut:
            whole.waiting.is_late(number, order.decided_at, order.product_line)

    def _ends(self, number: int, order: ReplayedOrder, count: int, scopes: tuple[_Scope, ...]) -> None:
        """So many like orders end."""
        line, whole = scopes[0], scopes[-1]
        cut, outcome = line.cut or whole.cut, order.outcome
        assert outcome is not None, "it ends"
        if order.latency_seconds > self.policy.backlog_grace_seconds:
            line.waiting.ends(number)
            whole.waiting.ends(number)
        else:
            # It was not worth two moments.
            self._count(order, count, scopes, cut=cut)
        if cut:
            self.totals.wrongly_diverted += count * (outcome is Outcome.SUCCESS)
            self.totals.orders_saved += count * (outcome in FAILURES)
        self._book.observe(_record(line.name, order, outcome), count)

    def _without_effect(self, at: datetime, order: ReplayedOrder, scopes: tuple[_Scope, ...], *, looked: bool) -> int:
        """How many orders like this end without anything that their judgement would change; fewer where that is not
        certain. ``looked``: everything was judged at this very moment, and nothing changed by it."""
        line, whole, outcome = scopes[0], scopes[-1], order.outcome
        cut = line.cut or whole.cut
        if not looked and (cut or not line.waiting.quiet or not whole.waiting.quiet):
            return 0
        if outcome not in CONTRASTING:
            return order.count if looked or not (line.known.suspicious or whole.known.suspicious) else 0
        failed = outcome in FAILURES
        # What is not counted for the insurer does not change it.
        counted = [line] if line.cut or whole is line else [line, whole]
        certain = math.inf
        for scope in counted:
            if scope.cut:
                certain = min(certain, scope.orders_that_leave_it_cut(at, failed=failed))
            elif not whole.cut and not (looked and scope.kept):
                # (While all of the insurer is cut, nothing else of it can be.)
                slow = order.latency_seconds > scope.known.breaker.policy.slow_seconds
                certain = min(certain, scope.known.orders_without_effect(at, failed=failed, slow=slow))
        return int(min(certain, order.count))

    def _judge(self, at: datetime, scopes: tuple[_Scope, ...]) -> Iterator[SimulatedTrip]:
        for scope in scopes:
            scope.waiting.tell(at)
        for scope in scopes:
            if scope.cut:
                self._end_cut(scope, at)
            scope.kept = False
        suspects = [scope.known for scope in scopes if scope.known.suspicious]
        if not suspects:
            return
        to_cut = self._book.insurer(scopes[0].name.insurer_id).to_cut(suspects, at)
        kept = False
        for scope in scopes:
            if scope.known not in to_cut:
                continue
            if self._keeps(scope):
                kept = True
            else:
                yield SimulatedTrip(at, scope.known.evidence(at), scope.orders)
                self._cut(scope, at, scopes[-1])
        for scope in scopes:
            # More orders like these make its share no smaller.
            scope.kept = kept and self._keeps(scope)

    def _keeps(self, scope: _Scope) -> bool:
        return self._traffic.keeps(scope.known.breaker, (each.breaker for each in self._book.scopes().values()))

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
                if part is scope or (part.name.insurer_id == name.insurer_id and not name.product_line):
                    part.waiting.forget()
        closed = replace(known.breaker, state=BreakerState.CLOSED, state_since=at, evidence_since=at, incident_id="")
        self._change(closed)

    def _change(self, breaker: Breaker) -> None:
        self._book.follow([replace(breaker, version=breaker.version + 1)])
        cut = any(scope.cut for scopes in self._scopes.values() for scope in scopes)
        self._traffic.cuts_stand(any_stands=cut)


class _Scope:
    """A breaker in a replay."""

    __slots__ = ("cut", "kept", "known", "name", "orders", "waiting")

    def __init__(self, known: ScopeEvidence) -> None:
        self.known = known
        self.name = known.breaker.scope
        self.waiting = WaitingOrders(known)
        self.orders = 0
        self.cut = False
        self.kept = False
        """A rule kept it in this moment, although it trips."""

    def orders_that_leave_it_cut(self, at: datetime, *, failed: bool) -> float:
        """How many further outcomes do not end the cut, which was looked at in this moment."""
        return math.inf if self.waiting.was_seen_hanging(at) else self.known.orders_with_run(failed=failed)


def _record(scope: Scope, order: ReplayedOrder, outcome: Outcome) -> OutcomeRecord:
    return OutcomeRecord(
        submission_id="",
        scope=scope,
        kind=SubmissionKind.SUBMIT,
        outcome=outcome,
        started_at=order.decided_at,
        finished_at=order.at,
        latency_seconds=order.latency_seconds,
    )
