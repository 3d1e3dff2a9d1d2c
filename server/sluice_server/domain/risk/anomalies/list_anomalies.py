"""The use case ListAnomalies: stores and repair shops that stand out, cached by data version."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sluice_server.domain.context import CallContext
from sluice_server.domain.errors import DataVersionNotFound
from sluice_server.domain.risk.anomalies.claims_to_open import (
    REASON_OF,
    ClaimsByReason,
    ClaimToOpen,
    read_claims_to_open,
)
from sluice_server.domain.risk.anomalies.evidence import Evidence, FindEvidence, Place
from sluice_server.domain.risk.anomalies.screening import (
    Screened,
    ShopFaultSums,
    ShopPartSums,
    StoreSums,
    screen_shops,
    screen_stores,
)
from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.experience import check_entity, read_sums
from sluice_server.domain.risk.paging import Page, PageTokens
from sluice_server.domain.risk.ports import RiskReader
from sluice_server.domain.risk.result_rows import Kind
from sluice_server.domain.risk.semantic.semantic_model import SemanticModel
from sluice_server.domain.risk.variation import AmountVariation
from sluice_server.domain.risk.version_cache import VersionCache

DEFAULT_FALSE_DISCOVERY_RATE = 0.01
"""A store or shop that is named has to answer for it: at most one in a hundred of those named shall be ordinary."""


@dataclass(frozen=True, slots=True)
class ListAnomaliesParams:
    """Which findings to list. ``entity`` empty means every kind that is screened."""

    entity: str
    page: Page
    false_discovery_rate: float = DEFAULT_FALSE_DISCOVERY_RATE
    include_unflagged: bool = False
    entity_ids: tuple[str, ...] = ()
    data_version: int | None = None


@dataclass(frozen=True, slots=True)
class Anomaly:
    """A screened entity and whether it is flagged at the false discovery rate asked for."""

    entity: str
    screened: Screened
    flagged: bool
    places: Mapping[str, Sequence[Place]] = field(default_factory=dict)
    """Of a flagged one by indicator's name where its excess lies."""
    claims_to_open: Mapping[str, Sequence[ClaimToOpen]] = field(default_factory=dict)
    """Of a flagged one by indicator's name the claims that speak for it most."""


@dataclass(frozen=True, slots=True)
class AnomalyPage:
    """Findings, the strongest first; counts are by kind, over everything that was screened."""

    anomalies: tuple[Anomaly, ...]
    total_size: int
    next_page_token: str
    screened: Mapping[str, int]
    flagged: Mapping[str, int]
    currency_code: str
    stamp: DataStamp


class ListAnomalies:
    """Screens all entities of a kind against each other, then shows those asked for."""

    def __init__(self, model: SemanticModel, reader: RiskReader, variation: AmountVariation) -> None:
        self._model = model
        self._reader = reader
        self._variation = variation
        self._evidence = FindEvidence(model, reader)
        self._tokens = PageTokens("anomalies")
        self._cache: VersionCache[tuple[Screened, ...]] = VersionCache(32)

    async def __call__(self, params: ListAnomaliesParams, context: CallContext) -> AnomalyPage:
        """Raises InvalidInput for an unknown kind, InvalidPageToken, DataVersionNotFound, Unavailable."""
        if params.entity:
            check_entity(params.entity, self._model.screened)
        subject = (
            params.entity, params.false_discovery_rate, params.include_unflagged, params.entity_ids, params.data_version
        )  # fmt: skip
        position = self._tokens.read(params.page.token, subject, {"version": int, "offset": int})
        stamp = await self._reader.stamp(position.get("version", params.data_version))
        kinds = [kind for kind in self._model.screened if params.entity in ("", kind)]
        judged = [
            Anomaly(kind, screened, screened.q_value <= params.false_discovery_rate)
            for kind in kinds
            for screened in await self.all(kind, stamp)
        ]
        judged.sort(key=lambda a: (a.screened.p_value, a.entity, a.screened.entity_id))
        wanted = set(params.entity_ids)
        found = [
            anomaly
            for anomaly in judged
            if (anomaly.flagged or params.include_unflagged) and (not wanted or anomaly.screened.entity_id in wanted)
        ]
        offset = position.get("offset", 0)
        end = offset + params.page.size
        return AnomalyPage(
            anomalies=await self._with_evidence(found[offset:end], stamp),
            total_size=len(found),
            next_page_token=(
                self._tokens.write(subject, version=stamp.data_version, offset=end) if end < len(found) else ""
            ),
            screened={kind: sum(a.entity == kind for a in judged) for kind in kinds},
            flagged={kind: sum(a.entity == kind and a.flagged for a in judged) for kind in kinds},
            currency_code=stamp.currency or self._model.currency_code,
            stamp=stamp,
        )

    async def _with_evidence(self, page: Sequence[Anomaly], stamp: DataStamp) -> tuple[Anomaly, ...]:
        places: dict[str, Evidence] = {}
        claims: dict[str, ClaimsByReason] = {}
        for kind in {one.entity for one in page}:
            flagged = [one.screened for one in page if one.flagged and one.entity == kind]
            places[kind] = await self._evidence.of(kind, flagged, stamp.data_version)
            ids = [one.entity_id for one in flagged]
            claims[kind] = await read_claims_to_open(self._reader, kind, ids, stamp.data_version)
        return tuple(
            replace(
                one,
                places=places[one.entity].get(one.screened.entity_id, {}),
                claims_to_open={
                    indicator.name: claims[one.entity].get((one.screened.entity_id, reason), ())
                    for indicator in one.screened.indicators
                    if (reason := REASON_OF.get(indicator.name))
                },
            )
            for one in page
        )

    async def all(self, entity: str, stamp: DataStamp) -> tuple[Screened, ...]:
        """Every entity of the kind, the strongest evidence first. Raises DataVersionNotFound, Unavailable."""
        screen = {"store": self._stores, "repair_shop": self._shops}[entity]
        return await self._cache.get(stamp.data_version, entity, lambda: screen(stamp.data_version))

    async def _stores(self, data_version: int) -> tuple[Screened, ...]:
        measures = ("exposure_years", "claims", "incurred", "early_claims")
        sums = await read_sums(self._model, self._reader, ("store", "channel"), measures, data_version)
        variation = await self._variation_of("severity", sums.table.name, data_version)
        stores = [
            StoreSums(
                store_id=group.keys["store"],
                channel_id=group.keys["channel"],
                exposure_years=float(group.sums["exposure_years"]),
                claims=int(group.sums["claims"]),
                incurred=int(group.sums["incurred"]),
                early_claims=int(group.sums["early_claims"]),
            )
            for group in sums.groups
        ]
        return tuple(await asyncio.to_thread(screen_stores, stores, variation))

    async def _shops(self, data_version: int) -> tuple[Screened, ...]:
        measures = (
            "shop_claims", "shop_denied", "shop_incurred", "shop_expected_incurred", "shop_repeat_claims",
            "shop_early_claims",
        )  # fmt: skip
        sums = await read_sums(self._model, self._reader, ("repair_shop", "part"), measures, data_version)
        variation = await self._variation_of("shop_cost_ratio", sums.table.name, data_version)
        parts = [
            ShopPartSums(
                repair_shop_id=group.keys["repair_shop"],
                part=group.keys["part"],
                claims=int(group.sums["shop_claims"]),
                denied=int(group.sums["shop_denied"]),
                incurred=int(group.sums["shop_incurred"]),
                expected_incurred=int(group.sums["shop_expected_incurred"]),
                repeat_claims=int(group.sums["shop_repeat_claims"]),
                early_claims=int(group.sums["shop_early_claims"]),
            )
            for group in sums.groups
        ]
        faults = await self._faults(data_version)
        return tuple(await asyncio.to_thread(screen_shops, parts, variation, faults))

    async def _faults(self, data_version: int) -> list[ShopFaultSums]:
        """Sums over all months; none where an older job filled the store."""
        columns: dict[str, Kind] = {"repair_shop_id": str, "fault_code": str, "claims": int}
        rows = await self._reader.rows("repair_shop_fault", columns, data_version)
        if rows is None:
            return []
        claims: Counter[tuple[str, str]] = Counter()
        for shop, fault, number in zip(
            rows.strings("repair_shop_id"), rows.strings("fault_code"), rows.whole_numbers("claims"), strict=True
        ):
            claims[shop, fault] += number
        return [ShopFaultSums(shop, fault, number) for (shop, fault), number in claims.items()]

    async def _variation_of(self, metric: str, table: str, data_version: int) -> float:
        rule = self._model.metrics[metric].interval
        if rule is None:
            raise DataVersionNotFound(f"the semantic model gives {metric} no interval")
        return await self._variation.of(self._model.tables[table], rule, data_version)
