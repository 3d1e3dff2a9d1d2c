"""Searches each published data version for risk groups."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import structlog

from sluice_server.domain.context import Clock
from sluice_server.domain.errors import ConcurrentChange, DataVersionNotFound
from sluice_server.domain.risk.groups.find import FindRiskGroups, RiskGroupsDue
from sluice_server.domain.risk.groups.group import GroupSearch
from sluice_server.domain.risk.groups.ports import CellReader
from sluice_server.domain.unit_of_work import Store
from sluice_server.llm.openai_compatible import OpenAiCompatible
from sluice_server.runtime.order_workers import Rounds
from sluice_server.runtime.settings import Settings


class RiskGroupWorker:
    """Every replica runs one; the first that sees a data version searches it."""

    name = "risk-groups"

    def __init__(self, due: RiskGroupsDue, *, idle_seconds: float = 5.0) -> None:
        self._due = due
        self._rounds = Rounds(self.name, self.round, idle_seconds=idle_seconds)
        self._log = structlog.get_logger("sluice.worker")

    async def run(self, stopping: asyncio.Event) -> None:
        await self._rounds.run(stopping)

    async def round(self) -> bool:
        """Searches what is due; False: there is nothing more to do at once."""
        try:
            run = await self._due()
        except (ConcurrentChange, DataVersionNotFound) as error:
            self._log.warning("risk groups not stored", error=error.message)
            return False
        if run is not None:
            log = self._log.error if run.permuted_accepted else self._log.info
            log(
                "risk groups sought",
                data_version=run.stamp.data_version,
                proposed=run.proposed,
                accepted=run.accepted,
                permuted_accepted=run.permuted_accepted,
                llm_failure=run.llm_failure or None,
            )
        return False


def build_risk_group_search(
    settings: Settings, store: Store, reader: CellReader, clock: Clock, opened: AsyncExitStack
) -> FindRiskGroups:
    """The search with the language model of the settings; what it opens is closed with ``opened``."""
    model = None
    if settings.llm_url is not None:
        file = settings.llm_api_key_file
        model = OpenAiCompatible(
            str(settings.llm_url),
            settings.llm_model,
            api_key="" if file is None else file.read_text(encoding="utf-8").strip(),
            timeout_seconds=settings.llm_timeout_seconds,
            attempts=settings.llm_attempts,
        )
        opened.push_async_callback(model.close)
    search = GroupSearch(seed=settings.risk_group_seed)
    return FindRiskGroups(store, reader, clock, model=model, token_budget=settings.llm_token_budget, search=search)
