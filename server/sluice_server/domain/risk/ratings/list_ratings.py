"""The use case ListRatings: grades A to E of one kind of entity, cached by data version."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sluice_server.domain.context import CallContext
from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.experience import check_entity
from sluice_server.domain.risk.paging import Page, PageTokens
from sluice_server.domain.risk.ports import RiskReader
from sluice_server.domain.risk.ratings.grades import Rating, RatingBasis, RatingGrade, beside_mix, rate
from sluice_server.domain.risk.ratings.portfolio_mix import MixOfVersion
from sluice_server.domain.risk.ratings.rated_experience import RatedExperience, listed_kinds
from sluice_server.domain.risk.ratings.repair_costs import (
    REPAIR_SHOP,
    check_basis,
    rate_repair_shops,
    read_repair_costs,
)
from sluice_server.domain.risk.semantic.semantic_model import SemanticModel
from sluice_server.domain.risk.variation import AmountVariation
from sluice_server.domain.risk.version_cache import VersionCache


@dataclass(frozen=True, slots=True)
class ListRatingsParams:
    """Which ratings to list. Empty tuples do not restrict; ``data_version`` None means the active one."""

    entity: str
    basis: RatingBasis
    page: Page
    grades: tuple[RatingGrade, ...] = ()
    entity_ids: tuple[str, ...] = ()
    data_version: int | None = None
    interval_level: float = 0.95


@dataclass(frozen=True, slots=True)
class RatingPage:
    """Ratings, the most probably worse first."""

    entity: str
    ratings: tuple[Rating, ...]
    total_size: int
    next_page_token: str
    stamp: DataStamp


@dataclass(frozen=True, slots=True)
class RatingsOfVersion:
    """All ratings of one kind and basis in one data version."""

    stamp: DataStamp
    ratings: tuple[Rating, ...]


class ListRatings:
    """Rates all entities of a kind against each other, then shows those asked for."""

    def __init__(self, model: SemanticModel, reader: RiskReader, variation: AmountVariation) -> None:
        self._model = model
        self._reader = reader
        self._variation = variation
        self._experience = RatedExperience(model, reader, variation)
        self._mix = MixOfVersion(model, reader)
        self._tokens = PageTokens("ratings")
        self._cache: VersionCache[RatingsOfVersion] = VersionCache(64)

    async def __call__(self, params: ListRatingsParams, context: CallContext) -> RatingPage:
        """Raises InvalidInput for an unknown kind, InvalidPageToken, DataVersionNotFound, Unavailable."""
        check_entity(params.entity, listed_kinds(self._model))
        check_basis(params.entity, params.basis)
        subject = (
            params.entity, params.basis, params.grades, params.entity_ids, params.data_version, params.interval_level
        )  # fmt: skip
        position = self._tokens.read(params.page.token, subject, {"version": int, "offset": int})
        version = position.get("version", params.data_version)
        all_of = await self.all(params.entity, params.basis, version, params.interval_level)
        wanted = set(params.entity_ids)
        found = [
            rating
            for rating in all_of.ratings
            if (not params.grades or rating.grade in params.grades) and (not wanted or rating.entity_id in wanted)
        ]
        offset = position.get("offset", 0)
        end = offset + params.page.size
        token = self._tokens.write(subject, version=all_of.stamp.data_version, offset=end) if end < len(found) else ""
        return RatingPage(params.entity, tuple(found[offset:end]), len(found), token, all_of.stamp)

    async def all(
        self, entity: str, basis: RatingBasis, data_version: int | None, level: float = 0.95
    ) -> RatingsOfVersion:
        """Every rating of the kind. Raises DataVersionNotFound, Unavailable."""
        stamp = await self._reader.stamp(data_version)

        async def compute() -> RatingsOfVersion:
            if entity == REPAIR_SHOP:
                costs = await read_repair_costs(self._model, self._reader, self._variation, stamp)
                return RatingsOfVersion(stamp, tuple(await asyncio.to_thread(rate_repair_shops, costs, level)))
            experiences, variation = await self._experience.of(entity, basis, stamp)
            ratings = await asyncio.to_thread(rate, experiences, basis, variation, level)
            mix = await self._mix.of(entity, basis, experiences, stamp)
            if mix is not None and ratings:
                adjusted = await asyncio.to_thread(rate, mix.experiences, basis, variation, level)
                ratings = beside_mix(ratings, adjusted, mix.nested)
            return RatingsOfVersion(stamp, tuple(ratings))

        return await self._cache.get(stamp.data_version, (entity, basis, level), compute)
