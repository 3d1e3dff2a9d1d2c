"""SimulatePlan: what a draft would do with applications that were decided already."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import datetime

from sluice_server.domain.context import Clock
from sluice_server.domain.errors import Exhausted, NoActivePlan, NoRuleMatches, PlanNotFound
from sluice_server.domain.money import Money
from sluice_server.domain.orders.ports import DecidedApplication, OrderPosition
from sluice_server.domain.routing.active import compile_aside
from sluice_server.domain.routing.books import Books
from sluice_server.domain.routing.model import Application
from sluice_server.domain.routing.plan import CompiledPlan
from sluice_server.domain.routing.ports import PlanSource, RiskFactsSource, TrafficSnapshot
from sluice_server.domain.routing.source.limits import DEFAULT_LIMITS, PlanLimits
from sluice_server.domain.unit_of_work import Store

DEFAULT_LIMIT = 100_000
LARGEST_LIMIT = 1_000_000
PAGE = 250
"""So many are decided at a stretch: other calls go on in between."""
READ_AT_ONCE = 1_000
"""So many are read in one transaction, which costs as much as deciding some hundred."""
SHARES_AT_ONCE = 1_000
MOST_AT_ONCE = 4
"""Simulations in one process: each takes what it can get of it."""

ALL_CLOSED = TrafficSnapshot(0, {})
"""Every breaker closed: every insurer takes all of its share."""


@dataclass(frozen=True, slots=True)
class Simulation:
    """What to replay through which draft."""

    source: str = ""
    """The draft's text; empty: a stored ``version``."""
    version: int = 0
    applications: tuple[Application, ...] = ()
    """To replay; empty: stored ones."""
    created_from: datetime | None = None
    created_before: datetime | None = None
    """None: now."""
    limit: int = 0
    """At most so many stored applications, the newest; 0: ``DEFAULT_LIMIT``."""


@dataclass(frozen=True, slots=True)
class ChangedApplication:
    """An application that would go elsewhere."""

    application_id: str
    insurer_id_before: str
    insurer_id: str
    rule: str
    rule_before: str


@dataclass(frozen=True, slots=True)
class SimulatedShare:
    """What the draft would give to an insurer by a rule, in one currency, beside what it got of that rule's
    applications."""

    rule: str
    """The draft's; empty for what it has no rule for."""
    insurer_id: str
    """Empty for parked, rejected or unmatched."""
    applications: int
    applications_before: int
    premium: Money
    premium_before: Money


@dataclass(frozen=True, slots=True)
class SimulationStep:
    """Progress; the shares come in the last steps alone."""

    replayed: int
    total: int
    changed_count: int
    unmatched_count: int
    changed: tuple[ChangedApplication, ...] = ()
    shares: tuple[SimulatedShare, ...] = ()


class SimulatePlan:
    """Replays applications through a draft. Memory is bounded by the draft's rules, not by the applications."""

    def __init__(
        self,
        *,
        store: Store,
        plans: PlanSource,
        clock: Clock,
        limits: PlanLimits = DEFAULT_LIMITS,
        risk: RiskFactsSource | None = None,
    ) -> None:
        self._store = store
        self._plans = plans
        self._clock = clock
        self._limits = limits
        self._risk = risk
        self._running = 0

    async def __call__(self, simulation: Simulation) -> AsyncGenerator[SimulationStep, None]:
        """Raises, before the first step, InvalidPlan with every error, PlanNotFound, or Exhausted while too many are
        under way; Unavailable at any time."""
        if self._running >= MOST_AT_ONCE:
            raise Exhausted(
                f"{self._running} simulations are under way; repeat when one has ended", retry_after_seconds=5.0
            )
        self._running += 1
        try:
            async with aclosing(self._replayed(simulation)) as steps:
                async for step in steps:
                    yield step
        finally:
            self._running -= 1

    async def _replayed(self, simulation: Simulation) -> AsyncGenerator[SimulationStep, None]:
        now = self._clock.now()
        draft = await self._draft(simulation)
        if simulation.applications:
            total = len(simulation.applications)
            pages = self._supplied(simulation.applications, now)
        else:
            before = min(simulation.created_before or now, now)
            limit = simulation.limit or DEFAULT_LIMIT
            async with self._store.read() as uow:
                chosen = await uow.orders.replay_range(
                    created_from=simulation.created_from, created_before=before, limit=limit
                )
            total = chosen.count
            pages = self._stored(simulation.created_from, before, chosen.after, total)
        replay = _Replay(draft, total)
        async for page in pages:
            yield await replay.take(page)
        for step in replay.shares():
            yield step

    async def _draft(self, simulation: Simulation) -> CompiledPlan:
        if simulation.source:
            return await compile_aside(simulation.source, self._limits, self._risk)
        async with self._store.read() as uow:
            stored = await uow.plans.get(simulation.version)
        if stored is None:
            raise PlanNotFound(
                f"no plan has version {simulation.version}; ListPlans shows those that exist",
                version=str(simulation.version),
            )
        return await compile_aside(stored, self._limits, self._risk)

    async def _stored(
        self, created_from: datetime | None, before: datetime, after: OrderPosition | None, total: int
    ) -> AsyncIterator[Sequence[DecidedApplication]]:
        left = total
        while left > 0:
            # A short transaction for each page: a long one would keep the database from tidying up.
            async with self._store.read() as uow:
                page = await uow.orders.first_decided(
                    created_from=created_from, created_before=before, after=after, limit=min(READ_AT_ONCE, left)
                )
            if not page:
                return
            for start in range(0, len(page), PAGE):
                yield page[start : start + PAGE]
                await asyncio.sleep(0)  # calls are served meanwhile
            left -= len(page)
            after = OrderPosition(page[-1].created_at, page[-1].application.application_id)

    async def _supplied(
        self, applications: Sequence[Application], now: datetime
    ) -> AsyncIterator[Sequence[DecidedApplication]]:
        try:
            active = self._plans.current()
        except NoActivePlan:
            active = None
        books = Books()
        for start in range(0, len(applications), PAGE):
            page = []
            for application in applications[start : start + PAGE]:
                rule, insurer_id = ("", "") if active is None else await _decide(active, application, now, books)
                page.append(DecidedApplication(application, now, now, insurer_id, rule))
            yield page
            await asyncio.sleep(0)  # calls are served meanwhile


async def _decide(plan: CompiledPlan, application: Application, now: datetime, books: Books) -> tuple[str, str]:
    """Rule and insurer; the rule is empty when none matches or something cannot be computed. ``books`` are those of the
    replay: share ledgers that were empty when it began."""
    try:
        decision = await plan.decide(application, ALL_CLOSED, now=now, books=books)
    except NoRuleMatches:
        return "", ""
    return decision.rule, decision.insurer_id


@dataclass(slots=True)
class _Tally:
    applications: int = 0
    applications_before: int = 0
    premium_minor: int = 0
    premium_before_minor: int = 0


class _Replay:
    """One replay as it goes on."""

    def __init__(self, draft: CompiledPlan, total: int) -> None:
        self._draft = draft
        self._books = Books()
        self._progress = SimulationStep(0, total, 0, 0)
        self._tallies: dict[tuple[str, str, str], _Tally] = {}
        """By rule, insurer and currency."""

    async def take(self, page: Sequence[DecidedApplication]) -> SimulationStep:
        """Replays a page."""
        changed: list[ChangedApplication] = []
        unmatched = 0
        tallies = self._tallies
        for decided in page:
            application = decided.application
            rule, insurer_id = await _decide(self._draft, application, decided.decided_at, self._books)
            unmatched += not rule
            premium = application.premium
            key = (rule, insurer_id, premium.currency_code)
            tally = tallies.get(key)
            if tally is None:
                tally = tallies[key] = _Tally()
            tally.applications += 1
            tally.premium_minor += premium.amount_minor
            if decided.insurer_id != insurer_id:
                changed.append(
                    ChangedApplication(application.application_id, decided.insurer_id, insurer_id, rule, decided.rule)
                )
                tally = tallies.setdefault((rule, decided.insurer_id, premium.currency_code), _Tally())
            tally.applications_before += 1
            tally.premium_before_minor += premium.amount_minor
        before = self._progress
        self._progress = replace(
            before,
            replayed=before.replayed + len(page),
            changed_count=before.changed_count + len(changed),
            unmatched_count=before.unmatched_count + unmatched,
        )
        return replace(self._progress, changed=tuple(changed))

    def shares(self) -> list[SimulationStep]:
        """What came out: by the draft's rules in their order, what has none at the end. At least one step."""
        places = {rule.rule.text.name: place for place, rule in enumerate(self._draft.rules)}
        ordered = sorted(self._tallies.items(), key=lambda item: (places.get(item[0][0], len(places)), *item[0][1:]))
        shares = [
            SimulatedShare(
                rule=rule,
                insurer_id=insurer_id,
                applications=tally.applications,
                applications_before=tally.applications_before,
                premium=Money(tally.premium_minor, currency),
                premium_before=Money(tally.premium_before_minor, currency),
            )
            for (rule, insurer_id, currency), tally in ordered
        ]
        return [
            replace(self._progress, shares=tuple(shares[start : start + SHARES_AT_ONCE]))
            for start in range(0, len(shares) or 1, SHARES_AT_ONCE)
        ]
