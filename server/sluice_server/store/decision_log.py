"""The decision log: orders durable before they are acknowledged, many in one commit."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sluice_server.domain.errors import ConcurrentChange, SluiceError
from sluice_server.domain.orders.history import stored
from sluice_server.domain.orders.model import Order
from sluice_server.domain.orders.open_order import OpenOrder
from sluice_server.domain.orders.ports import NewOrder
from sluice_server.domain.routing.frame import FirstDecision
from sluice_server.store.group_commit import GroupCommit
from sluice_server.store.order_write import (
    OpenWrite,
    OrderWriter,
    Write,
    changed_order,
    first_decision,
    new_order,
    open_order,
)
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

    async def record_all(self, orders: Sequence[NewOrder]) -> Sequence[Order | FirstDecision | Exception]:
        """What ``record`` does, for many in shared commits: in each place the order, or what ``record`` would raise."""
        writes: list[Write] = []
        failed: dict[int, Exception] = {}
        for place, order in enumerate(orders):
            try:
                writes.append(self._new(order))
            except Exception as error:  # noqa: BLE001 - an order that cannot be encoded fails alone
                failed[place] = error
        answers = iter(zip(writes, await self._commits.commit_all(writes), strict=True))
        results: list[Order | FirstDecision | Exception] = []
        for place, order in enumerate(orders):
            if failed and place in failed:
                results.append(failed[place])
                continue
            write, answer = next(answers)
            if answer is True and not isinstance(order, OpenOrder):
                results.append(order)
            elif isinstance(answer, Exception):
                results.append(answer)
            else:
                try:
                    results.append(await self._recorded(order, write, answer))
                except SluiceError as error:
                    results.append(error)
        return results

    def _new(self, order: NewOrder) -> Write:
        if isinstance(order, FirstDecision):
            return first_decision(order, self._codec)
        return new_order(order, self._codec) if isinstance(order, Order) else open_order(order)

    async def _recorded(self, order: NewOrder, write: Write, took_place: bool) -> Order:
        """``order`` as it is stored, settled if it was open; the one that was there if the write did not take place."""
        if took_place and isinstance(order, Order):
            return order
        if took_place and isinstance(write, OpenWrite) and write.settled is not None:
            return write.settled
        application_id = write.application_id
        async with self._read() as work:
            known = await work.orders.get(application_id)
        if known is None:
            raise ConcurrentChange(
                f"application {application_id!r} was there and is gone; repeat the call", application_id=application_id
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
