"""What plans read of the active risk data version, in memory: grades and scores by entity."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Set

from sluice_server.domain.errors import DataVersionNotFound, Unavailable
from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.ports import RiskReader
from sluice_server.domain.risk.ratings.get_risk_score import GetRiskScore
from sluice_server.domain.risk.ratings.grades import RatingBasis, RatingGrade
from sluice_server.domain.risk.ratings.list_ratings import ListRatings
from sluice_server.domain.risk.semantic.semantic_model import SemanticModel
from sluice_server.domain.routing.ports import NO_RISK_FACTS, RiskFacts, RiskNeed

logger = logging.getLogger(__name__)

RATING, SCORE = "rating", "score"


class RiskFactsBoard:
    """Implements ``domain.routing.ports.RiskFactsSource`` over the risk room, and is the worker that keeps it fresh.

    Only kinds that a plan has asked for are computed and held. A snapshot belongs wholly to one data version. While the
    risk store does not answer, the last snapshot stays in force.
    """

    name = "risk-facts"

    def __init__(
        self,
        model: SemanticModel,
        reader: RiskReader,
        ratings: ListRatings,
        scores: GetRiskScore,
        *,
        every_seconds: float = 0.3,
        patience_seconds: float = 0.5,
    ) -> None:
        """``every_seconds``: how often the active data version is looked up. ``patience_seconds``: how long ``need``
        waits for what is not there yet: an activation must not wait for the statistics of a million stores."""
        self._reader = reader
        self._ratings = ratings
        self._scores = scores
        self._every_seconds = every_seconds
        self._patience_seconds = patience_seconds
        self._kinds = {RATING: frozenset(model.rated), SCORE: frozenset(model.scored)}
        self._facts = NO_RISK_FACTS
        self._needs: frozenset[RiskNeed] = frozenset()
        self._held: frozenset[RiskNeed] = frozenset()
        self._refreshing = asyncio.Lock()
        self._loading: set[asyncio.Task[None]] = set()
        self._answers = True

    def snapshot(self) -> RiskFacts:
        return self._facts

    def kinds(self, function: str) -> frozenset[str]:
        return self._kinds.get(function, frozenset())

    async def need(self, needs: Set[RiskNeed]) -> None:
        known = {(function, kind) for function, kind in needs if kind in self.kinds(function)}
        if known <= self._needs:
            return
        self._needs |= known
        task = asyncio.create_task(self.refresh(), name=f"{self.name}-load")
        self._loading.add(task)
        task.add_done_callback(self._loading.discard)
        done, _ = await asyncio.wait({task}, timeout=self._patience_seconds)
        for finished in done:
            finished.result()
        if not done:
            logger.warning("%s: not computed yet, plans take their defaults until then", sorted(known))

    async def refresh(self) -> None:
        """Takes over the active data version, or what is newly needed of it; otherwise one small read."""
        async with self._refreshing:
            needs = self._needs
            if not needs:
                return
            try:
                stamp = await self._reader.stamp(None)
                if stamp.data_version != self._facts.data_version or needs != self._held:
                    self._facts = await self._load(stamp, needs)
                    self._held = needs
            except DataVersionNotFound:
                # Nothing was ever published, or the version was replaced while it was read: the next look finds out.
                return
            except Unavailable as error:
                if self._answers:
                    logger.warning("the risk data cannot be read, what is known stays in force: %s", error.message)
                self._answers = False
                return
            self._answers = True

    async def run(self, stopping: asyncio.Event) -> None:
        """Until ``stopping`` is set. A data version is in force well within a second of its publication, beside the
        time that its ratings take to compute."""
        while not stopping.is_set():
            await self.refresh()
            try:
                await asyncio.wait_for(stopping.wait(), self._every_seconds)
            except TimeoutError:
                continue

    async def close(self) -> None:
        """Gives up what is still being loaded."""
        loading = tuple(self._loading)
        for task in loading:
            task.cancel()
        await asyncio.gather(*loading, return_exceptions=True)

    async def _load(self, stamp: DataStamp, needs: Set[RiskNeed]) -> RiskFacts:
        ratings: dict[tuple[str, str], str] = {}
        scores: dict[tuple[str, str], float] = {}
        for function, kind in sorted(needs):
            if function == RATING:
                all_of = await self._ratings.all(kind, RatingBasis.LOSS_RATIO, stamp.data_version)
                ratings |= {
                    (kind, rating.entity_id): rating.grade.value
                    for rating in all_of.ratings
                    if rating.grade is not RatingGrade.UNRATED
                }
            else:
                found = await self._scores.all(kind, stamp)
                scores |= {(kind, entity_id): score for entity_id, score in found.items()}
        return RiskFacts(stamp.data_version, ratings, scores)
