"""The decision log: orders durable before they are acknowledged, many in one commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sluice_server.domain.errors import ConcurrentChange, SluiceError
from sluice_server.domain.orders.history import stored
from sluice_server.domain.orders.model import Order
from sluice_server.domain.orders.open_order import OpenOrder
from sluice_server.store.group_commit import GroupCommit
from sluice_server.store.order_write import OpenWrite, OrderWriter, Write, changed_order, new_order, open_order
from sluice_server.store.unit_of_work import SqlUnitOfWork


class SqlDecisionLog:
    """Implements ``domain.orders.ports.DecisionLog``."""

    def __init__(self, commits: GroupCommit, writer: OrderWriter, read: Callable[[], SqlUnitOfWork]) -> None:
        self._commits = commits
        self._codec = writer.codec
        self._read = read
        self.turn = commits.turn
        """As the port says."""

    async def record(self, order: Order | OpenOrder) -> Order:
        """Stores a new order with its decisions and submissions and returns it, or the one that is stored already."""
        write = self._new(order)
        took_place = await self._commits.commit(write)
        # Nearly always: asked here, because another coroutine would cost more than the question.
        return order if took_place and isinstance(order, Order) else await self._recorded(order, write, took_place)

    async def record_all(self, orders: Sequence[Order | OpenOrder]) -> Sequence[Order | Exception]:
        """What ``record`` does, for many in shared commits: in each place the order, or what ``record`` would raise."""
        results: dict[int, Order | Exception] = {}
        writes: dict[int, Write] = {}
        for place, order in enumerate(orders):
            try:
                writes[place] = self._new(order)
            except Exception as error:  # noqa: BLE001 - an order that cannot be encoded fails alone
                results[place] = error
        answers = await self._commits.commit_all(list(writes.values()))
        for place, answer in zip(writes, answers, strict=True):
            order = orders[place]
            if isinstance(answer, Exception):
                results[place] = answer
            elif answer and isinstance(order, Order):
                results[place] = order
            else:
                try:
                    results[place] = await self._recorded(order, writes[place], answer)
                except SluiceError as error:
                    results[place] = error
        return [results[place] for place in range(len(orders))]

    def _new(self, order: Order | OpenOrder) -> Write:
        return new_order(order, self._codec) if isinstance(order, Order) else open_order(order)

    async def _recorded(self, order: Order | OpenOrder, write: Write, took_place: bool) -> Order:
        """``order`` as it is stored, settled if it was open; the one that was there if the write did not take place."""
        if took_place and isinstance(order, Order):
            return order
        if took_place and isinstance(write, OpenWrite) and write.settled is not None:
            return write.settled
        async with self._read() as work:
            known = await work.orders.get(order.application_id)
        if known is None:
            raise ConcurrentChange(
                f"application {order.application_id!r} was there and is gone; repeat the call",
                application_id=order.application_id,
            )
        return known

    async def save(self, order: Order) -> None:
        """What ``OrderRepository.save`` does, in a shared commit; raises ConcurrentChange like it."""
        if not await self._commits.commit(changed_order(order, self._codec)):
            raise _changed_since(order.application_id)

    async def settle(self, change: OpenOrder) -> Order | None:
        """``save`` with the insurer that the books give; None when the change is declined with that one."""
        write = open_order(change)
        if await self._commits.commit(write):
            assert write.settled is not None, "a write that took place is settled"
            return stored(write.settled)
        if write.declined:
            return None
        raise _changed_since(change.application_id)


def _changed_since(application_id: str) -> ConcurrentChange:
    return ConcurrentChange(
        f"application {application_id!r} was changed by somebody else; read it again and repeat",
        application_id=application_id,
    )
