"""What decisions and watchers read."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from sluice_server.domain.breaker.board import BreakerBoard
from sluice_server.domain.breaker.model import BreakerState, Scope
from tests.unit.breaker.builders import SCREEN, START, B, at, breaker


class Stopped:
    """A clock that stands."""

    def now(self) -> datetime:
        return START


@pytest.fixture
def board() -> BreakerBoard:
    unused: Any = None
    return BreakerBoard(unused, Stopped())


async def test_a_decision_sees_the_stricter_of_insurer_and_product_line(board: BreakerBoard) -> None:
    await board.install([breaker(), breaker(SCREEN, BreakerState.OPEN)], [], START)
    seen = board.snapshot()
    assert seen.admission("insurer-b", "screen").admitted_basis_points == 0
    assert seen.admission("insurer-b", "tv").admitted_basis_points == 10_000
    assert seen.admission("insurer-z", "tv").admitted_basis_points == 10_000


async def test_a_read_that_was_overtaken_does_not_bring_the_past_back(board: BreakerBoard) -> None:
    past, present = breaker(), breaker(state=BreakerState.OPEN, version=2)
    await board.install([present], [], START)
    await board.install([past], [], START)
    assert board.breakers[B].state is BreakerState.OPEN


async def test_the_snapshots_version_grows_with_every_change(board: BreakerBoard) -> None:
    versions = []
    for number in range(1, 4):
        await board.install([breaker(version=number), breaker(Scope("insurer-a"))], [], START)
        versions.append(board.snapshot().version)
    assert versions == sorted(set(versions))


async def test_a_watcher_wakes_when_something_has_changed_and_only_then(board: BreakerBoard) -> None:
    first = breaker()
    await board.install([first], [], START)
    revision = board.revision
    waiting = asyncio.create_task(board.changed(revision))
    await board.install([first], [], START)
    await asyncio.sleep(0)
    assert not waiting.done()
    await board.install([replace(first, version=2)], [], START)
    assert await waiting == revision + 1


async def test_what_has_changed_is_added_to_what_it_shows(board: BreakerBoard) -> None:
    other = breaker(Scope("insurer-a"))
    await board.install([breaker(), breaker(SCREEN), other], [], START)
    await board.install([replace(breaker(SCREEN, BreakerState.OPEN), version=2)], [], at(1), revision=4)
    assert board.breakers[SCREEN].state is BreakerState.OPEN
    assert board.breakers[other.scope] is other
    assert board.snapshot().admission("insurer-b", "screen").admitted_basis_points == 0
    assert (board.snapshot().version, board.refreshed_at) == (4, at(1))


async def test_it_is_not_fresh_by_a_reading_of_which_it_has_only_a_part(board: BreakerBoard) -> None:
    await board.install([breaker()], [], START)
    await board.install([breaker(SCREEN)], [], at(1), revision=3)
    assert SCREEN in board.breakers
    assert board.refreshed_at == START
