"""The decision log: orders durable before they are acknowledged, many in one commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sluice_server.domain.errors import ConcurrentChange, SluiceError
from sluice_server.domain.orders.model import Order
from sluice_server.store.group_commit import GroupCommit
from sluice_server.store.order_write import OrderWrite, OrderWriter, changed_order, new_order
from sluice_server.store.unit_of_work import SqlUnitOfWork


class SqlDecisionLog:
    """Implements ``domain.orders.ports.DecisionLog``."""

    def __init__(self, commits: GroupCommit, writer: OrderWriter, read: Callable[[], SqlUnitOfWork]) -> None:
        self._commits = commits
        self._codec = writer.codec
        self._read = read

    async def record(self, order: Order) -> Order:
        """Stores a new order with its decisions and submissions and returns it, or the one that is stored already."""
        if await self._commits.commit(new_order(order, self._codec)):
            return order
        return await self._stored(order)

    async def record_all(self, orders: Sequence[Order]) -> Sequence[Order | Exception]:
        """What ``record`` does, for many in shared commits: in each place the order, or what ``record`` would raise."""
        results: dict[int, Order | Exception] = {}
        writes: dict[int, OrderWrite] = {}
        for place, order in enumerate(orders):
            try:
                writes[place] = new_order(order, self._codec)
            except Exception as error:  # noqa: BLE001 - an order that cannot be encoded fails alone
                results[place] = error
        answers = await self._commits.commit_all(list(writes.values()))
        for place, answer in zip(writes, answers, strict=True):
            if isinstance(answer, Exception):
                results[place] = answer
            elif answer:
                results[place] = orders[place]
            else:
                try:
                    results[place] = await self._stored(orders[place])
                except SluiceError as error:
                    results[place] = error
        return [results[place] for place in range(len(orders))]

    async def _stored(self, order: Order) -> Order:
        async with self._read() as work:
            stored = await work.orders.get(order.application_id)
        if stored is None:
            raise ConcurrentChange(
                f"application {order.application_id!r} was there and is gone; repeat the call",
                application_id=order.application_id,
            )
        return stored

    async def save(self, order: Order) -> None:
        """What ``OrderRepository.save`` does, in a shared commit; raises ConcurrentChange like it."""
        if not await self._commits.commit(changed_order(order, self._codec)):
            raise ConcurrentChange(
                f"application {order.application_id!r} was changed by somebody else; read it again and repeat",
                application_id=order.application_id,
            )
