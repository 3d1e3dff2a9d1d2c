"""SimulateBreaker: a draft policy against outcomes that are given, or that are stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime

from sluice_server.domain.breaker.commands import ALWAYS
from sluice_server.domain.breaker.evidence_source import OutcomeRecord
from sluice_server.domain.breaker.model import BreakerPolicy
from sluice_server.domain.breaker.replay import Replay, SimulatedTrip, Totals
from sluice_server.domain.breaker.replayed_order import ReplayedOrder, sorted_moments
from sluice_server.domain.errors import InsurerNotFound, InvalidInput, Violation
from sluice_server.domain.orders.model import SubmissionKind
from sluice_server.domain.unit_of_work import Store

MOST_OUTCOMES = 500_000
"""How many outcomes one call replays; more are to be replayed by parts."""
PAGE = 5_000


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
        outcomes of the insurer ("" for all) between the two moments are replayed. Raises InsurerNotFound."""
        replay = Replay(policy)
        if sum(order.count for order in orders) > MOST_OUTCOMES:
            raise InvalidInput([Violation("outcomes", f"at most {MOST_OUTCOMES} in one call, their counts added")])
        replayed = orders or await self._stored(insurer_id, start or ALWAYS, until)
        # Orders are to be served meanwhile: in a thread what cannot be interrupted, and else with pauses.
        moments = await asyncio.to_thread(sorted_moments, replayed, policy.backlog_grace_seconds)
        for trip in replay.steps(moments):
            if trip is None:
                await asyncio.sleep(0)
            else:
                yield trip, replay.totals
        yield None, replay.totals

    async def _stored(self, insurer_id: str, start: datetime, until: datetime | None) -> list[ReplayedOrder]:
        found: dict[str, ReplayedOrder] = {}
        limit = PAGE
        async with self._store.read() as uow:
            if insurer_id and await uow.insurers.get(insurer_id) is None:
                raise InsurerNotFound(insurer_id)
            while True:
                page = await uow.evidence.outcomes(finished_from=start, limit=limit)
                for record in page:
                    if insurer_id in ("", record.scope.insurer_id) and record.kind is not SubmissionKind.RETRY:
                        found[record.submission_id] = _stored_order(record)
                ended = len(page) < limit or (until is not None and page[-1].finished_at >= until)
                if len(found) > MOST_OUTCOMES:
                    text = f"more than {MOST_OUTCOMES} outcomes are stored from there on; choose a shorter time"
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
