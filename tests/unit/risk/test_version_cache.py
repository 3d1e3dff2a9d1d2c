"""What is kept for a data version: computed once, dropped when unused, not lost with a caller that gives up."""

from __future__ import annotations

import asyncio

import pytest

from sluice_server.domain.risk.version_cache import VersionCache


class Computation:
    """A computation that a test lets end."""

    def __init__(self, result: int = 7, error: Exception | None = None) -> None:
        self.begun = 0
        self.may_end = asyncio.Event()
        self._result = result
        self._error = error

    async def __call__(self) -> int:
        self.begun += 1
        await self.may_end.wait()
        if self._error is not None:
            raise self._error
        return self._result


async def test_callers_at_once_share_one_computation() -> None:
    cache: VersionCache[int] = VersionCache(4)
    compute = Computation()
    waiting = [asyncio.create_task(cache.get(1, "key", compute)) for _ in range(3)]
    await asyncio.sleep(0)
    compute.may_end.set()
    assert await asyncio.gather(*waiting) == [7, 7, 7]
    assert await cache.get(1, "key", compute) == 7
    assert compute.begun == 1


async def test_a_caller_that_gives_up_does_not_stop_it_for_the_others() -> None:
    cache: VersionCache[int] = VersionCache(4)
    compute = Computation()
    first, second = (asyncio.create_task(cache.get(1, "key", compute)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await asyncio.wait([first])
    compute.may_end.set()
    assert await second == 7
    assert compute.begun == 1


async def test_a_failure_reaches_every_caller_and_is_not_kept() -> None:
    cache: VersionCache[int] = VersionCache(4)
    failing = Computation(error=ValueError("broken"))
    failing.may_end.set()
    found = await asyncio.gather(*(cache.get(1, "key", failing) for _ in range(2)), return_exceptions=True)
    assert [type(error) for error in found] == [ValueError, ValueError]
    working = Computation()
    working.may_end.set()
    assert await cache.get(1, "key", working) == 7


@pytest.mark.parametrize("other", [(2, "key"), (1, "another")])
async def test_versions_and_keys_are_kept_apart(other: tuple[int, str]) -> None:
    cache: VersionCache[int] = VersionCache(4)
    cache.keep(1, "key", 1)
    cache.keep(*other, 2)
    assert (cache.peek(1, "key"), cache.peek(*other)) == (1, 2)


def test_the_one_not_used_for_longest_is_dropped() -> None:
    cache: VersionCache[int] = VersionCache(2)
    cache.keep(1, "a", 1)
    cache.keep(1, "b", 2)
    cache.peek(1, "a")
    cache.keep(1, "c", 3)
    assert [cache.peek(1, key) for key in "abc"] == [1, None, 3]


def test_results_are_kept_up_to_their_weight_together_and_none_that_is_too_heavy() -> None:
    cache = VersionCache[str](10, len)
    cache.keep(1, "a", "four")
    cache.keep(1, "b", "sixsix")
    assert (cache.peek(1, "a"), cache.peek(1, "b")) == ("four", "sixsix")
    cache.keep(1, "a", "five!")
    assert (cache.peek(1, "a"), cache.peek(1, "b")) == ("five!", None), "a result that replaces another weighs anew"
    cache.keep(1, "c", "eleven bytes")
    assert [cache.peek(1, key) for key in "abc"] == ["five!", None, None]
