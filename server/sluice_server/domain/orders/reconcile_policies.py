"""ReconcilePolicies: an insurer's list of a day's policies against the store, in both directions.

Every listed policy is looked for in the store, whatever the day of its order. Every order that became INSURED on that
day and is not listed is inquired about before it counts as missing, because the insurer may have dated it otherwise.
Nothing is repaired: a person looks at what is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from sluice_server.domain.breaker.ports import Alarm
from sluice_server.domain.context import Clock
from sluice_server.domain.errors import (
    ConcurrentChange,
    InsurerNotConfigured,
    InvalidInput,
    ReconciliationNotFound,
    Violation,
)
from sluice_server.domain.orders.calls import InsurerCalls
from sluice_server.domain.orders.history import idempotency_key
from sluice_server.domain.orders.model import OrderState, Outcome
from sluice_server.domain.orders.policies import (
    MOST_ORPHANS_KEPT,
    OrderStanding,
    OrphanKind,
    PolicyOrphan,
    PolicyReconciliation,
)
from sluice_server.domain.orders.ports import (
    AdapterDirectory,
    ListedPolicy,
    OrderPosition,
    PolicyDay,
    PolicyLister,
    SubmissionResult,
)
from sluice_server.domain.unit_of_work import Store

CLAIM_LASTS = timedelta(hours=1)
PAGE = 1_000
MOST_INQUIRIES = 1_000
"""If more orders than this are not listed, the list itself is wrong; the others are not asked about."""
INQUIRIES_AT_ONCE = 8
_DENIED = frozenset({Outcome.BUSINESS_REJECTION, Outcome.TECHNICAL_FAILURE})


@dataclass(slots=True)
class _Findings:
    """What was counted so far."""

    policies: int = 0
    orders: int = 0
    orphan_count: int = 0
    orphans: list[PolicyOrphan] = field(default_factory=list)

    def add(self, orphan: PolicyOrphan) -> None:
        self.orphan_count += 1
        if len(self.orphans) < MOST_ORPHANS_KEPT:
            self.orphans.append(orphan)


class ReconcilePolicies:
    """Compares one insurer's day."""

    def __init__(self, *, adapters: AdapterDirectory, calls: InsurerCalls, store: Store, clock: Clock) -> None:
        self._adapters = adapters
        self._calls = calls
        self._store = store
        self._clock = clock

    def day_of(self, insurer_id: str, day: date | None = None) -> PolicyDay | None:
        """The day in the insurer's calendar (None: its yesterday); None when it gives no list. Raises
        InsurerNotConfigured."""
        adapter = self._adapters.get(insurer_id)
        return adapter.policy_day(day, now=self._clock.now()) if isinstance(adapter, PolicyLister) else None

    async def __call__(self, insurer_id: str, day: date | None) -> PolicyReconciliation:
        """What was found, stored. An alarm is raised when either side lacks something.

        Raises InsurerNotConfigured (also when it gives no list), InvalidInput (a day that has not begun),
        ConcurrentChange (somebody else compares it), InsurerUnavailable, Unavailable.
        """
        span = self.day_of(insurer_id, day)
        adapter = self._adapters.get(insurer_id)
        if span is None or not isinstance(adapter, PolicyLister):
            raise InsurerNotConfigured(
                f"insurer {insurer_id!r} gives no list of policies; add list to its adapter's configuration",
                subject=f"insurers/{insurer_id}",
                insurer_id=insurer_id,
            )
        now = self._clock.now()
        if span.start > now:
            raise InvalidInput([Violation("day", f"{span.day} has not begun for this insurer")])
        async with self._store.write() as uow:
            claim = await uow.reconciliations.claim(insurer_id, span.day, now=now, until=now + CLAIM_LASTS)
            await uow.commit()
        if claim is None:
            raise ConcurrentChange(f"the policies of {insurer_id!r} of {span.day} are being compared already")
        try:
            found = await self._compare(insurer_id, span, adapter)
        except BaseException:
            await self._release(claim)
            raise
        result = replace(
            claim,
            finished_at=self._clock.now(),
            policies=found.policies,
            orders=found.orders,
            orphan_count=found.orphan_count,
            orphans=tuple(found.orphans),
        )
        async with self._store.write() as uow:
            earlier = await uow.reconciliations.get(insurer_id, span.day)
            await uow.reconciliations.finish(result)
            if result.orphan_count or (earlier is not None and earlier.orphan_count):
                await uow.alarms.put(_alarm(result))
            await uow.commit()
        return result

    async def _release(self, claim: PolicyReconciliation) -> None:
        async with self._store.write() as uow:
            await uow.reconciliations.release(claim)
            await uow.commit()

    async def _compare(self, insurer_id: str, span: PolicyDay, adapter: PolicyLister) -> _Findings:
        found = _Findings()
        listed: set[str] = set()
        async for page in adapter.policies(span):
            fresh = [policy for policy in page if policy.policy_number not in listed]
            listed.update(policy.policy_number for policy in fresh)
            found.policies += len(fresh)
            await self._look_up(insurer_id, fresh, found)
        missing = await self._not_listed(insurer_id, span, listed, found)
        limit = asyncio.Semaphore(INQUIRIES_AT_ONCE)

        async def confirm(standing: OrderStanding, *, asked: bool) -> PolicyOrphan | None:
            async with limit:
                return await self._confirm(insurer_id, standing, asked=asked)

        for orphan in await asyncio.gather(
            *(confirm(standing, asked=number < MOST_INQUIRIES) for number, standing in enumerate(missing))
        ):
            if orphan is not None:
                found.add(orphan)
        return found

    async def _look_up(self, insurer_id: str, policies: Sequence[ListedPolicy], found: _Findings) -> None:
        """Every policy of a page in the store."""
        async with self._store.read() as uow:
            named: list[tuple[ListedPolicy, str]] = []
            for policy in policies:
                application_id = policy.application_id
                if not application_id:
                    application_id = await uow.reconciliations.application_of(insurer_id, policy.idempotency_key) or ""
                named.append((policy, application_id))
            standings = await uow.reconciliations.standings([name for _, name in named if name])
        for policy, application_id in named:
            orphan = _judge(insurer_id, policy, standings.get(application_id))
            if orphan is not None:
                found.add(orphan)

    async def _not_listed(
        self, insurer_id: str, span: PolicyDay, listed: set[str], found: _Findings
    ) -> Sequence[OrderStanding]:
        """The day's insured orders that the list lacks. Whatever became final on that day was updated then or later."""
        missing: dict[str, OrderStanding] = {}
        seen: set[str] = set()
        after: OrderPosition | None = None
        while True:
            async with self._store.read() as uow:
                page = await uow.reconciliations.updated_from(span.start, after=after, limit=PAGE)
            for order in page:
                of_the_day = order.finished_at is not None and span.start <= order.finished_at < span.end
                if order.state is not OrderState.INSURED or order.insurer_id != insurer_id or not of_the_day:
                    continue
                seen.add(order.application_id)
                if order.policy_number not in listed:
                    missing[order.application_id] = order
            if len(page) < PAGE:
                found.orders = len(seen)
                return list(missing.values())
            after = OrderPosition(page[-1].updated_at, page[-1].application_id)

    async def _confirm(self, insurer_id: str, standing: OrderStanding, *, asked: bool) -> PolicyOrphan | None:
        """None when the insurer knows the policy although it does not list it on this day."""
        async with self._store.read() as uow:
            order = await uow.orders.get(standing.application_id)
        answer = None
        if asked and order is not None:
            answer = await self._calls.confirm(order, insurer_id)
        kind = OrphanKind.POLICY_NOT_CONFIRMED
        number = ""
        if asked and (answer is None or (isinstance(answer, SubmissionResult) and answer.outcome in _DENIED)):
            kind = OrphanKind.POLICY_MISSING
        elif isinstance(answer, SubmissionResult) and answer.outcome is Outcome.SUCCESS:
            if answer.policy_number == standing.policy_number:
                return None
            kind, number = OrphanKind.OTHER_POLICY_NUMBER, answer.policy_number
        return PolicyOrphan(
            kind,
            standing.application_id,
            number,
            stored_policy_number=standing.policy_number,
            order_state=standing.state.value,
            stored_insurer_id=standing.insurer_id,
        )


class GetPolicyReconciliation:
    """The kept result of a comparison."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, insurer_id: str, day: date | None) -> PolicyReconciliation:
        """Of the day, or of the newest one that was compared. Raises ReconciliationNotFound."""
        async with self._store.read() as uow:
            found = await uow.reconciliations.get(insurer_id, day)
        if found is None:
            raise ReconciliationNotFound(
                f"the policies of {insurer_id!r}{f' of {day}' if day else ''} were not compared yet",
                insurer_id=insurer_id,
            )
        return found


def _judge(insurer_id: str, policy: ListedPolicy, standing: OrderStanding | None) -> PolicyOrphan | None:
    foreign = (
        standing is not None
        and policy.idempotency_key != ""
        and policy.application_id != ""
        and policy.idempotency_key != idempotency_key(policy.application_id, insurer_id)
    )
    if standing is None or foreign:
        return PolicyOrphan(OrphanKind.ORDER_UNKNOWN, policy.application_id, policy.policy_number)
    if standing.state is not OrderState.INSURED:
        kind = OrphanKind.ORDER_NOT_INSURED
    elif standing.insurer_id != insurer_id:
        kind = OrphanKind.INSURED_ELSEWHERE
    elif standing.policy_number != policy.policy_number:
        kind = OrphanKind.OTHER_POLICY_NUMBER
    else:
        return None
    return PolicyOrphan(
        kind,
        standing.application_id,
        policy.policy_number,
        stored_policy_number=standing.policy_number,
        order_state=standing.state.value,
        stored_insurer_id=standing.insurer_id,
    )


def _alarm(result: PolicyReconciliation) -> Alarm:
    finished = result.finished_at or result.started_at
    return Alarm(
        key=f"reconciliation/{result.insurer_id}/{result.day}",
        name="PoliciesDoNotAgree",
        severity="critical",
        summary=(
            f"{result.orphan_count} of {result.policies} policies and {result.orders} orders of {result.insurer_id} of "
            f"{result.day} have no partner on the other side; GetPolicyReconciliation names them"
        ),
        labels={"insurer_id": result.insurer_id},
        annotations={"day": str(result.day)},
        starts_at=result.started_at,
        resolved_at=None if result.orphan_count else finished,
    )
