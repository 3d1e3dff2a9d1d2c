"""The proof: the insurers' own ledgers against the store, order by order."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import aiohttp

from sluice.client import AsyncSluice
from sluice.routing.v1 import order_pb2, routing_pb2

PAGE = 1000


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was found; everything but the first three is a defect."""

    orders: int
    """Orders in the store."""
    insured: int
    """Of these INSURED."""
    policies: int
    """Policies in the insurers' ledgers."""
    lost: tuple[str, ...]
    """Acknowledged to a caller, not in the store."""
    doubly_insured: tuple[str, ...]
    """In the ledgers more than once."""
    disagreeing: tuple[str, ...]
    """INSURED in the store and not in that insurer's ledger under that policy number, or the other way round."""
    not_final: tuple[str, ...]
    """Neither insured nor rejected at the end."""

    @property
    def clean(self) -> bool:
        """Whether nothing was lost, doubled, left over or in dispute."""
        return not (self.lost or self.doubly_insured or self.disagreeing or self.not_final)


async def orders(client: AsyncSluice) -> AsyncIterator[order_pb2.Order]:
    """Every order of the store, page by page."""
    token = ""
    while True:
        page = await client.routing.ListOrders(routing_pb2.ListOrdersRequest(page_size=PAGE, page_token=token))
        for order in page.orders:
            yield order
        token = page.next_page_token
        if not token:
            return


async def ledger(base_url: str) -> list[dict[str, object]]:
    """All policies of a simulated insurer."""
    async with aiohttp.ClientSession() as session, session.get(f"{base_url}/admin/ledger") as answer:
        answer.raise_for_status()
        return [json.loads(line) for line in (await answer.text()).splitlines() if line]


async def compare(client: AsyncSluice, insurers: Mapping[str, str], acknowledged: Mapping[str, str]) -> Comparison:
    """Reads the store through ListOrders and every insurer's ledger (by id, its base URL), and compares them."""
    stored = {order.application.application_id: order async for order in orders(client)}
    held: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for insurer_id, base_url in insurers.items():
        for entry in await ledger(base_url):
            if entry["status"] != "ISSUED":
                continue
            held[str(entry["application_id"])].append((insurer_id, str(entry["policy_number"])))
    expected = {
        application_id: (order.decisions[-1].insurer_id, order.policy_number)
        for application_id, order in stored.items()
        if order.state == order_pb2.ORDER_STATE_INSURED
    }
    final = {order_pb2.ORDER_STATE_INSURED, order_pb2.ORDER_STATE_REJECTED, order_pb2.ORDER_STATE_CANCELLED}
    return Comparison(
        orders=len(stored),
        insured=len(expected),
        policies=sum(map(len, held.values())),
        lost=tuple(sorted(set(acknowledged) - set(stored))),
        doubly_insured=tuple(sorted(key for key, policies in held.items() if len(policies) > 1)),
        disagreeing=tuple(
            sorted(
                application_id
                for application_id in expected.keys() | held.keys()
                if expected.get(application_id) not in held.get(application_id, [None])
            )
        ),
        not_final=tuple(sorted(key for key, order in stored.items() if order.state not in final)),
    )
