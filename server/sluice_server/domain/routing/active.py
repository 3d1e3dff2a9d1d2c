"""The active plan, compiled, in memory."""

from __future__ import annotations

import asyncio
import logging

from sluice_server.domain.errors import InvalidPlan, NoActivePlan, PlanNotFound, Unavailable
from sluice_server.domain.routing.plan import CompiledPlan
from sluice_server.domain.routing.ports import RiskFactsSource, StoredPlan
from sluice_server.domain.routing.source.compile import compile_plan
from sluice_server.domain.routing.source.limits import DEFAULT_LIMITS, PlanLimits
from sluice_server.domain.unit_of_work import Store

logger = logging.getLogger(__name__)

ASIDE_FROM_CHARACTERS = 20_000
"""A text from this length on is compiled in a thread, so that calls go on meanwhile."""


async def compile_aside(
    plan: StoredPlan | str, limits: PlanLimits = DEFAULT_LIMITS, risk: RiskFactsSource | None = None
) -> CompiledPlan:
    """``compile_plan`` that does not hold up the event loop, and asks for the risk data that the plan reads.

    Raises InvalidPlan.
    """
    if len(plan if isinstance(plan, str) else plan.source) < ASIDE_FROM_CHARACTERS:
        compiled = compile_plan(plan, limits=limits, risk=risk)
    else:
        compiled = await asyncio.to_thread(compile_plan, plan, limits=limits, risk=risk)
    if risk is not None and compiled.risk_needs:
        await risk.need(compiled.risk_needs)
    return compiled


class ActivePlan:
    """Serves the store's active version. Swapped as a whole: a decision sees one version, never a mixture.

    Compiling 50,000 rules takes seconds. So that going live and rolling back do not, two more versions are kept
    compiled: the one that was served before, and the one that was prepared last.
    """

    def __init__(
        self, store: Store, limits: PlanLimits = DEFAULT_LIMITS, *, risk: RiskFactsSource | None = None
    ) -> None:
        self._store = store
        self._limits = limits
        self._risk = risk
        self._plan: CompiledPlan | None = None
        self._before: CompiledPlan | None = None
        self._prepared: CompiledPlan | None = None
        self._refreshing = asyncio.Lock()
        self._preparing = asyncio.Lock()

    def current(self) -> CompiledPlan:
        """Raises NoActivePlan."""
        if self._plan is None:
            raise NoActivePlan
        return self._plan

    @property
    def version(self) -> int:
        """Of the plan that is served; 0: none."""
        return 0 if self._plan is None else self._plan.version

    async def refresh(self) -> bool:
        """Takes over what the store says; whether that changed anything. A version already served costs one small read.

        Raises Unavailable, and InvalidPlan when the active text does not compile (the version served before stays).
        """
        # Two refreshes at once could otherwise end in the wrong order and put the older version back.
        async with self._refreshing:
            async with self._store.read() as uow:
                version = await uow.plans.active_version()
            if version is None or version == self.version:
                return False
            plan = await self._compiled(version)
            self._before, self._plan = self._plan, plan
            return True

    async def prepare(self, version: int) -> CompiledPlan:
        """Compiles a version of the store, to be served at once when it is activated. Raises PlanNotFound, InvalidPlan,
        Unavailable."""
        # Whoever waits here most often finds compiled what it wants.
        async with self._preparing:
            self._prepared = await self._compiled(version)
        return self._prepared

    async def _compiled(self, version: int) -> CompiledPlan:
        for plan in (self._plan, self._before, self._prepared):
            # A version never changes, so its number is enough.
            if plan is not None and plan.version == version:
                return plan
        async with self._store.read() as uow:
            stored = await uow.plans.get(version)
        if stored is None:
            raise PlanNotFound(f"no plan has version {version}; ListPlans shows those that exist", version=str(version))
        return await compile_aside(stored, self._limits, self._risk)


class PlanRefresh:
    """Worker: keeps ``ActivePlan`` in step with the store: every replica serves a new version within a second."""

    name = "plan-refresh"

    def __init__(self, active: ActivePlan, *, every_seconds: float = 0.5) -> None:
        self._active = active
        self._every_seconds = every_seconds
        self._news = asyncio.Event()

    def notify(self) -> None:
        """Another plan is active: the worker looks at once."""
        self._news.set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Until ``stopping`` is set. While the store does not answer, the plan that is served stays in force. What else
        a refresh raises ends it; the worker is then started again after a pause."""
        while not stopping.is_set():
            # Before the look: what comes during it may not be in it.
            self._news.clear()
            try:
                await self._active.refresh()
            except Unavailable as error:
                logger.warning("the active plan cannot be read, the one served stays in force: %s", error.message)
            await _one_of(stopping, self._news, seconds=self._every_seconds)


class PlanPreparation:
    """Worker: compiles the newest version when it is stored, on every replica, because it is the one most likely to be
    activated next."""

    name = "plan-preparation"

    def __init__(self, active: ActivePlan, store: Store, *, every_seconds: float = 0.5) -> None:
        self._active = active
        self._store = store
        self._every_seconds = every_seconds

    async def run(self, stopping: asyncio.Event) -> None:
        """Until ``stopping`` is set."""
        seen = 0
        while not stopping.is_set():
            try:
                async with self._store.read() as uow:
                    newest = await uow.plans.newest_version()
                if newest is not None and newest != seen:
                    await self._active.prepare(newest)
                    seen = newest
            except Unavailable as error:
                logger.warning("the newest plan cannot be read: %s", error.message)
            except InvalidPlan as error:
                # A later release than the one that runs here has stored it; ActivatePlan says so to whoever wants it.
                logger.warning("version %s of the plans cannot be prepared: %s", newest, error.message)
                seen = newest or 0
            await _one_of(stopping, seconds=self._every_seconds)


async def _one_of(*events: asyncio.Event, seconds: float) -> None:
    """Returns when one of the events is set, or after so many seconds."""
    waiting = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in waiting:
            task.cancel()
