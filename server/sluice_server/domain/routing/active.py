"""The active plan, compiled, in memory."""

from __future__ import annotations

import asyncio
import logging

from sluice_server.domain.errors import NoActivePlan, Unavailable
from sluice_server.domain.routing.limits import DEFAULT_LIMITS, PlanLimits
from sluice_server.domain.routing.plan import CompiledPlan, compile_plan
from sluice_server.domain.routing.ports import RiskFactsSource, StoredPlan
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
    """Serves the store's active version. Swapped as a whole: a decision sees one version, never a mixture."""

    def __init__(
        self, store: Store, limits: PlanLimits = DEFAULT_LIMITS, *, risk: RiskFactsSource | None = None
    ) -> None:
        self._store = store
        self._limits = limits
        self._risk = risk
        self._plan: CompiledPlan | None = None
        self._refreshing = asyncio.Lock()

    def current(self) -> CompiledPlan:
        """Raises NoActivePlan."""
        if self._plan is None:
            raise NoActivePlan
        return self._plan

    async def refresh(self) -> bool:
        """Takes over what the store says; whether that changed anything. A version already served costs one small read.

        Raises Unavailable, and InvalidPlan when the active text does not compile (the version served before stays).
        """
        # Two refreshes at once could otherwise end in the wrong order and put the older version back.
        async with self._refreshing:
            async with self._store.read() as uow:
                version = await uow.plans.active_version()
                if version is None or (self._plan is not None and self._plan.version == version):
                    return False
                active = await uow.plans.active()
            if active is None:
                return False
            self._plan = await compile_aside(active, self._limits, self._risk)
            return True


class PlanRefresh:
    """Worker: keeps ``ActivePlan`` in step with the store: every replica serves a new version within a second."""

    name = "plan-refresh"

    def __init__(self, active: ActivePlan, *, every_seconds: float = 0.5) -> None:
        self._active = active
        self._every_seconds = every_seconds

    async def run(self, stopping: asyncio.Event) -> None:
        """Until ``stopping`` is set. While the store does not answer, the plan that is served stays in force. What else
        a refresh raises ends it; the worker is then started again after a pause."""
        while not stopping.is_set():
            try:
                await self._active.refresh()
            except Unavailable as error:
                logger.warning("the active plan cannot be read, the one served stays in force: %s", error.message)
            try:
                await asyncio.wait_for(stopping.wait(), self._every_seconds)
            except TimeoutError:
                continue
