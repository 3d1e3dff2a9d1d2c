"""Reading orders: one with its history, many in stable pages."""

from __future__ import annotations

import base64

import pytest

from sluice_server.domain.errors import InvalidInput, InvalidPageToken, OrderNotFound
from sluice_server.domain.orders.model import OrderState
from sluice_server.domain.orders.ports import OrderFilter
from tests.integration.orders.world import A, World, application, context


async def _orders(world: World, count: int) -> list[str]:
    names = [f"app-{(7 * number) % 100:02d}" for number in range(count)]
    for name in names:
        await world.route(application(name), context())
        world.clock.move(0.25)
    return names


async def _pages(world: World, where: OrderFilter, size: int) -> list[list[str]]:
    pages, token = [], ""
    while True:
        page = await world.list(where, size, token)
        pages.append([order.application_id for order in page.orders])
        token = page.next_page_token
        if not token:
            return pages


async def test_an_order_shows_its_whole_history(world: World) -> None:
    world[A].script.append("fail")
    await world.submit(application(), context())
    order = await world.get("app-1")
    assert (len(order.decisions), len(order.submissions)) == (2, 2)


async def test_an_unknown_order_is_told(world: World) -> None:
    with pytest.raises(OrderNotFound):
        await world.get("nobody")


@pytest.mark.parametrize("size", [1, 3, 10, 11])
async def test_pages_hold_every_order_once_by_creation(world: World, size: int) -> None:
    names = await _orders(world, 10)
    pages = await _pages(world, OrderFilter(), size)
    assert [name for page in pages for name in page] == names
    assert all(len(page) == size for page in pages[:-1])


async def test_orders_of_one_moment_are_paged_too(world: World) -> None:
    for number in range(7):
        await world.route(application(f"app-{number}"), context())
    assert [name for page in await _pages(world, OrderFilter(), 3) for name in page] == [f"app-{n}" for n in range(7)]


async def test_pages_stay_stable_while_orders_are_added(world: World) -> None:
    names = await _orders(world, 6)
    first = await world.list(OrderFilter(), 3)
    await world.route(application("aaa-added-later"), context())
    rest = await world.list(OrderFilter(), 100, first.next_page_token)
    assert [o.application_id for o in first.orders] + [o.application_id for o in rest.orders] == [
        *names,
        "aaa-added-later",
    ]


async def test_filters_choose(world: World) -> None:
    await _orders(world, 3)
    world[A].script.append("decline")
    await world.submit(application("declined"), context())
    moment = world.clock.now()
    world.clock.move(1)
    await world.submit(application("insured"), context())
    await world.submit(application("other-product", line="solo"), context())

    async def found(where: OrderFilter) -> set[str]:
        return {order.application_id for order in (await world.list(where)).orders}

    assert await found(OrderFilter(states=(OrderState.REJECTED,))) == {"declined"}
    assert await found(OrderFilter(states=(OrderState.INSURED,), product_code="SOLO-12")) == {"other-product"}
    assert await found(OrderFilter(created_after=moment)) >= {"insured", "other-product"}
    assert "insured" not in await found(OrderFilter(created_before=moment))
    assert await found(OrderFilter(insurer_id="nobody")) == set()
    assert len(await found(OrderFilter(insurer_id=A))) == 6


async def test_a_token_belongs_to_its_filter(world: World) -> None:
    await _orders(world, 4)
    token = (await world.list(OrderFilter(insurer_id=A), 2)).next_page_token
    assert token
    with pytest.raises(InvalidPageToken):
        await world.list(OrderFilter(), 2, token)


@pytest.mark.parametrize(
    "token",
    ["x", "%%%", "e30", "W10", base64.urlsafe_b64encode(b'["a","2026-01-01T00:00:00+00:00","b"]').decode(), "é" * 5],
)
async def test_a_token_that_was_not_issued_is_refused(world: World, token: str) -> None:
    with pytest.raises(InvalidPageToken):
        await world.list(OrderFilter(), 2, token)


async def test_sizes_have_limits(world: World) -> None:
    await _orders(world, 2)
    with pytest.raises(InvalidInput):
        await world.list(OrderFilter(), -1)
    assert len((await world.list(OrderFilter(), 1_000_000)).orders) == 2
