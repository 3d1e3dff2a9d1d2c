"""The use case FindRiskGroups: searches one data version for groups, asks a language model too where there is one, and
stores what the gate says, with a permuted run beside it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np

from sluice_server.domain.context import Clock
from sluice_server.domain.errors import ConcurrentChange, DataVersionNotFound, Unavailable
from sluice_server.domain.identity import new_id
from sluice_server.domain.risk.groups.cells import DIMENSIONS, SPLIT, GroupCells, discovery_half, permuted
from sluice_server.domain.risk.groups.gate import judge
from sluice_server.domain.risk.groups.group import Candidate, GroupSearch, JudgedGroup, Side
from sluice_server.domain.risk.groups.ports import CellReader, GroupRun, LanguageModel, RiskGroup
from sluice_server.domain.risk.groups.proposals import Proposed, ask
from sluice_server.domain.risk.models.columns import Floats, Mask
from sluice_server.domain.risk.ports import RiskReader
from sluice_server.domain.risk.semantic.semantic_model import Label
from sluice_server.domain.unit_of_work import Store

CLAIM_LASTS = timedelta(seconds=30)
"""A search that was not heard of for so long is taken for dead, and another replica begins anew."""
HEARD_EVERY_SECONDS = 10.0

MOST_EFFECT = 1e6
"""Stands for infinity, which JSON cannot say: not one claim outside the group."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What the gate says of everything proposed, and of what the permuted control proposed."""

    groups: tuple[JudgedGroup, ...]
    tried: int
    permuted_proposed: int
    permuted_accepted: int


class FindRiskGroups:
    """``token_budget``: what one run may spend on the language model."""

    def __init__(
        self,
        store: Store,
        reader: CellReader,
        clock: Clock,
        *,
        model: LanguageModel | None = None,
        token_budget: int = 20_000,
        search: GroupSearch = GroupSearch(),  # noqa: B008 - frozen
    ) -> None:
        self._store = store
        self._reader = reader
        self._clock = clock
        self._model = model
        self._token_budget = token_budget
        self._search = search

    async def __call__(self, data_version: int | None = None) -> GroupRun | None:
        """The run, stored; None when another process is at it or has done it.

        Raises DataVersionNotFound, Unavailable.
        """
        cells = await self._reader.rating_cells(data_version)
        version, by = cells.stamp.data_version, new_id("run")
        now = self._clock.now()
        async with self._store.write() as uow:
            if not await uow.groups.claim(version, by, now, stale_before=now - CLAIM_LASTS):
                return None
            await uow.commit()
        alive = asyncio.create_task(self._stay_alive(version, by))
        try:
            run, groups = await self._find(cells)
        except BaseException:
            with contextlib.suppress(Unavailable):  # The claim then grows stale by itself; what failed is what is told.
                async with self._store.write() as uow:
                    await uow.groups.release(version, by)
                    await uow.commit()
            raise
        finally:
            alive.cancel()
            await asyncio.wait([alive])
            if not alive.cancelled():
                alive.result()  # Only a defect ends it by itself, and that is to be seen.
        async with self._store.write() as uow:
            if not await uow.groups.finish(by, run, groups):
                raise ConcurrentChange(f"the search of data version {version} took too long; another one has begun")
            await uow.commit()
        return run

    async def _stay_alive(self, version: int, by: str) -> None:
        """Says again and again that the search goes on: the language model may take its time."""
        while True:
            await asyncio.sleep(HEARD_EVERY_SECONDS)
            with contextlib.suppress(Unavailable):  # The claim outlives two that fail.
                async with self._store.write() as uow:
                    await uow.groups.renew(version, by, self._clock.now())
                    await uow.commit()

    async def _find(self, cells: GroupCells) -> tuple[GroupRun, Sequence[RiskGroup]]:
        search = self._search
        asked = Proposed((), {}, 0)
        judged = Judged((), 0, 0, 0)
        if len(cells) and cells.claims.sum() > 0:
            half = await asyncio.to_thread(discovery_half, cells, search.seed)
            if half.any() and (~half).any() and cells.claims[half].sum() > 0:
                if self._model is not None:
                    asked = await ask(self._model, cells, cells.claims, half, search, token_budget=self._token_budget)
                judged = await asyncio.to_thread(
                    search_and_judge, cells, half, asked.candidates, search, self._model is not None
                )
        run = GroupRun(
            stamp=cells.stamp,
            created_at=self._clock.now(),
            seed=search.seed,
            split=SPLIT,
            false_discovery_rate=search.false_discovery_rate,
            minimum_share=search.minimum_share,
            tried=judged.tried,
            proposed=len(judged.groups),
            accepted=sum(one.accepted for one in judged.groups),
            permuted_proposed=judged.permuted_proposed,
            permuted_accepted=judged.permuted_accepted,
            refused_proposals=asked.refused,
            llm_model=self._model.name if self._model is not None else "",
            llm_tokens=asked.tokens,
            llm_failure=asked.failure,
        )
        return run, [RiskGroup(new_id("grp"), one, sentence(one)) for one in judged.groups]


class RiskGroupsDue:
    """Searches the active data version once. Call it again and again: what is done costs one small read."""

    def __init__(self, store: Store, reader: RiskReader, find: FindRiskGroups) -> None:
        self._store = store
        self._reader = reader
        self._find = find
        self._done: int | None = None

    async def __call__(self) -> GroupRun | None:
        """The run that was made now. Raises Unavailable, ConcurrentChange."""
        try:
            version = (await self._reader.stamp(None)).data_version
        except DataVersionNotFound:
            return None
        if version == self._done:
            return None
        async with self._store.read() as uow:
            there = await uow.groups.run(version)
        run = None if there is not None else await self._find(version)
        # Where another replica is at it, it is looked again: it may die.
        if there is not None or run is not None:
            self._done = version
        return run


def search_and_judge(
    cells: GroupCells, half: Mask, asked: tuple[Candidate, ...], search: GroupSearch, with_model: bool
) -> Judged:
    """Everything proposed through one gate, and the same on permuted claims."""
    # It comes with the extra `models`; a server without it serves what others have found.
    from sluice_server.domain.risk.groups.search import propose

    budget = search.proposals * (2 if with_model else 1)

    def through_gate(claims: Floats) -> tuple[list[JudgedGroup], int]:
        found, tried = propose(cells.dimensions, claims, cells.exposure, half, search)
        both = together(asked, found)
        return judge(both, cells.dimensions, claims, cells.exposure, ~half, search, budget), tried

    judged, tried = through_gate(cells.claims)
    control, _ = through_gate(permuted(cells.claims, cells.exposure, search.seed))
    judged = [
        replace(one, effect=min(one.effect, MOST_EFFECT), discovery_effect=min(one.discovery_effect, MOST_EFFECT))
        for one in judged
    ]
    ordered = sorted(judged, key=lambda one: (not one.accepted, -abs(np.log(max(one.effect, 1e-9))), one.p_value))
    return Judged(tuple(ordered), tried, len(control), sum(one.accepted for one in control))


def together(asked: Sequence[Candidate], found: Sequence[Candidate]) -> list[Candidate]:
    """Both sources, each group once: what the language model proposed is marked as its own, and that the search found
    it too."""
    by_search = {(one.key, one.side) for one in found}
    by_model = {(one.key, one.side) for one in asked}
    marked = [replace(one, also_by_search=(one.key, one.side) in by_search) for one in asked]
    return [*marked, *(one for one in found if (one.key, one.side) not in by_model)]


def sentence(group: JudgedGroup) -> Label:
    """Filled in from the hold-out half; no language model has a part in it."""
    interval = group.effect_interval
    upper = "∞" if interval.upper is None else f"{interval.upper:.2f}"
    range_en, range_zh = f"{interval.lower:.2f} to {upper}", f"{interval.lower:.2f} 至 {upper}"
    which_en = " and ".join(f"{DIMENSIONS[one.dimension].en} {one.value}" for one in group.conditions)
    which_zh = "、".join(f"{DIMENSIONS[one.dimension].zh} {one.value}" for one in group.conditions)
    rests_en = f"{group.outcomes:,.0f} claims on {group.exposure:,.0f} policy-years of the hold-out half"
    rests_zh = f"留出半样本 {group.exposure:,.0f} 保单年 {group.outcomes:,.0f} 件理赔"
    if not group.accepted:
        return Label(
            zh=f"{which_zh}：未获证实，{group.refusal}（倍数 {group.effect:.2f}，{rests_zh}）",
            en=f"Policies with {which_en}: not confirmed, {group.refusal} ({group.effect:.2f} times; {rests_en})",
        )
    more_en, more_zh = ("more", "高") if group.side is Side.HIGHER else ("fewer", "低")
    return Label(
        zh=f"{which_zh}的保单出险频率为其余保单的 {group.effect:.2f} 倍（{interval.level:.0%} 区间 {range_zh}），"
        f"偏{more_zh}；{rests_zh}，q {group.q_value:.2g}",
        en=f"Policies with {which_en} have {group.effect:.2f} times the claims of the rest "
        f"({interval.level:.0%} interval {range_en}), {more_en} than chance gives: {rests_en}, q {group.q_value:.2g}",
    )
