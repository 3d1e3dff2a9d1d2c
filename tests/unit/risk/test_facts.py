"""The ratings that plans read, kept in memory by data version."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from sluice_server.domain.errors import Unavailable
from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.facts import RiskFactsBoard
from sluice_server.domain.risk.paging import Page
from sluice_server.domain.risk.ratings.get_risk_score import GetRiskScoreParams
from sluice_server.domain.risk.ratings.grades import RatingBasis
from sluice_server.domain.risk.ratings.list_ratings import ListRatingsParams
from sluice_server.domain.risk.semantic.model_yaml import shipped_model
from sluice_server.domain.risk.use_cases import RiskUseCases, build_risk_use_cases
from tests.unit.risk.fake_reader import CONTEXT, FakeRiskReader
from tests.unit.risk.test_use_cases import portfolio

CHANNELS = frozenset({("rating", "channel")})
STORES = frozenset({("score", "store")})
LONG = 60.0


def board(reader: FakeRiskReader, **more: Any) -> tuple[RiskFactsBoard, RiskUseCases]:
    risk = build_risk_use_cases(shipped_model(), reader)
    more = {"patience_seconds": LONG} | more
    return RiskFactsBoard(shipped_model(), reader, risk.list_ratings, risk.get_risk_score, **more), risk


async def test_what_is_held_is_what_list_ratings_and_get_risk_score_answer() -> None:
    facts, risk = board(FakeRiskReader(portfolio()))
    await facts.need(CHANNELS | STORES)
    held = facts.snapshot()
    assert held.data_version == 1
    listed = await risk.list_ratings(ListRatingsParams("channel", RatingBasis.LOSS_RATIO, Page(50)), CONTEXT)
    assert held.ratings == {("channel", r.entity_id): r.grade.value for r in listed.ratings}
    assert len(held.scores) == 40
    for store in ("S00", "S39"):
        answered = await risk.get_risk_score(GetRiskScoreParams("store", store), CONTEXT)
        assert held.scores["store", store] == pytest.approx(answered.score)


async def test_a_kind_that_is_only_screened_has_scores_too() -> None:
    facts, risk = board(FakeRiskReader(portfolio()))
    await facts.need(frozenset({("score", "repair_shop")}))
    answered = await risk.get_risk_score(GetRiskScoreParams("repair_shop", "R19"), CONTEXT)
    assert facts.snapshot().scores["repair_shop", "R19"] == pytest.approx(answered.score)


async def test_only_what_a_plan_asks_for_is_computed_and_only_once() -> None:
    reader = FakeRiskReader(portfolio())
    facts, _ = board(reader)
    await facts.refresh()
    assert reader.selects == 0
    await facts.need(CHANNELS)
    assert reader.selects == 1
    await facts.need(CHANNELS)
    await facts.refresh()
    assert reader.selects == 1
    assert facts.snapshot().scores == {}


async def test_a_new_data_version_replaces_the_old_one_as_a_whole() -> None:
    reader = FakeRiskReader(portfolio())
    facts, _ = board(reader)
    await facts.need(CHANNELS | STORES)
    before = facts.snapshot()
    await reader.publish({**portfolio(), "channel_month": [], "store_month": portfolio()["store_month"][:10]})
    assert facts.snapshot() is before
    await facts.refresh()
    after = facts.snapshot()
    assert (after.data_version, after.ratings, len(after.scores)) == (2, {}, 10)
    assert before.data_version == 1


async def test_without_data_nothing_is_rated_until_there_is() -> None:
    reader = FakeRiskReader()
    facts, _ = board(reader)
    await facts.need(CHANNELS)
    assert (facts.snapshot().data_version, facts.snapshot().ratings) == (0, {})
    await reader.publish(portfolio())
    await facts.refresh()
    assert len(facts.snapshot().ratings) == 4


async def test_kinds_that_are_not_rated_are_passed_over() -> None:
    reader = FakeRiskReader(portfolio())
    facts, _ = board(reader)
    assert "repair_shop" in facts.kinds("score")
    assert "repair_shop" not in facts.kinds("rating")
    await facts.need(frozenset({("rating", "repair_shop"), ("rating", "planet"), ("colour", "channel")}))
    assert reader.selects == 0


class Failing(FakeRiskReader):
    """Does not answer while ``down``."""

    down = False

    async def stamp(self, data_version: int | None) -> DataStamp:
        if self.down:
            raise Unavailable("the risk store does not answer")
        return await super().stamp(data_version)


async def test_while_the_store_does_not_answer_the_last_snapshot_stays(caplog: pytest.LogCaptureFixture) -> None:
    reader = Failing(portfolio())
    facts, _ = board(reader)
    await facts.need(CHANNELS)
    held = facts.snapshot()
    reader.down = True
    await facts.refresh()
    await facts.refresh()
    assert facts.snapshot() is held
    assert [r.message for r in caplog.records if "stays in force" in r.message] == [
        "the risk data cannot be read, what is known stays in force: the risk store does not answer"
    ]
    await reader.publish(portfolio())
    reader.down = False
    await facts.refresh()
    assert facts.snapshot().data_version == 2


class Slow(FakeRiskReader):
    """Answers when ``release`` is set."""

    def __init__(self, *versions: Any) -> None:
        super().__init__(*versions)
        self.release = asyncio.Event()

    async def stamp(self, data_version: int | None) -> DataStamp:
        await self.release.wait()
        return await super().stamp(data_version)


async def test_whoever_needs_a_kind_does_not_wait_for_ever_and_gets_it_later(
    caplog: pytest.LogCaptureFixture,
) -> None:
    reader = Slow(portfolio())
    facts, _ = board(reader, patience_seconds=0.01)
    await facts.need(CHANNELS)
    assert facts.snapshot().ratings == {}
    assert "plans take their defaults until then" in caplog.text
    reader.release.set()
    await facts.refresh()  # waits for the load under way
    assert len(facts.snapshot().ratings) == 4


async def test_closing_gives_up_what_is_being_loaded() -> None:
    facts, _ = board(Slow(portfolio()), patience_seconds=0.01)
    await facts.need(CHANNELS)
    await facts.close()
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "risk-facts-load"]


async def test_the_worker_takes_over_what_is_published_and_stops_when_told() -> None:
    reader = FakeRiskReader(portfolio())
    facts, _ = board(reader, every_seconds=0.001)
    await facts.need(CHANNELS)
    stopping = asyncio.Event()
    running = asyncio.create_task(facts.run(stopping))
    await reader.publish(portfolio())
    async with asyncio.timeout(LONG):
        while facts.snapshot().data_version != 2:  # noqa: ASYNC110 - nobody is told of a swap
            await asyncio.sleep(0)
        stopping.set()
        await running
