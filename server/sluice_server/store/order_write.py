"""One order's write as the decision log passes it to a database: encoded where it is asked for, so that an order that
cannot be encoded fails its own call and nobody else's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from sluice_server.domain.orders.model import Order
from sluice_server.domain.orders.open_order import OpenOrder
from sluice_server.domain.routing.frame import FirstDecision
from sluice_server.store.counts import Standing, standing_of
from sluice_server.store.rows import (
    Codec,
    Row,
    change_row,
    decision_row,
    first_decision_row,
    first_row,
    is_first,
    order_row,
    submission_row,
)


class FirstWrite:
    """A new order with its first decision and nothing else: what nearly every call of Route writes. It takes half the
    values of the general write, because most columns follow from others."""

    __slots__ = ("application_id", "row")

    new: ClassVar[bool] = True

    def __init__(self, application_id: str, row: Row) -> None:
        self.application_id = application_id
        self.row = row
        """By FIRST_COLUMNS."""


@dataclass(frozen=True, slots=True)
class OrderWrite:
    """A new order, or the change of one."""

    application_id: str
    new: bool
    version: int
    """Of a change: the one the order was read at."""
    row: Row
    """By ORDER_COLUMNS for a new order, by CHANGEABLE_COLUMNS for a change."""
    decisions: tuple[Row, ...]
    submissions: tuple[Row, ...]
    standing: Standing


@dataclass(slots=True)
class OpenWrite:
    """An order whose insurer is chosen by the writer, in its transaction."""

    application_id: str
    new: bool
    version: int
    open: OpenOrder
    settled: Order | None = None
    """The order with its insurer, as the last attempt has chosen; it stands when the write took place."""
    declined: bool = False
    """The order is not to be stored with the insurer that the books give: that is why the write did not take place."""


PlainWrite = FirstWrite | OrderWrite
Write = PlainWrite | OpenWrite


class OrderWriter(Protocol):
    """Writes many orders in one transaction."""

    @property
    def codec(self) -> Codec: ...

    async def write(self, writes: Sequence[Write]) -> Sequence[bool]:
        """Durable when it returns, or raises and nothing is written (or it cannot be known, when the connection broke
        during the commit). For each write whether it took place: False for a new order whose application_id is known
        (the first of several in ``writes`` takes place), and for a change of an order that is not at its version any
        more (and an open one that is declined). An application_id has at most one change in ``writes``."""
        ...

    async def close(self) -> None: ...


def new_order(order: Order, codec: Codec) -> PlainWrite:
    """Stores the order, unless its application_id is known."""
    if is_first(order):
        return FirstWrite(order.application.application_id, first_row(order, codec))
    return _write(order, codec, order_row(order, codec), new=True)


def first_decision(first: FirstDecision, codec: Codec) -> FirstWrite:
    """Stores the order of a first decision, unless its application_id is known."""
    return FirstWrite(first.application.application_id, first_decision_row(first, codec))


def changed_order(order: Order, codec: Codec) -> OrderWrite:
    """Changes the order, if it is stored at ``order.version``."""
    return _write(order, codec, change_row(order, codec), new=False)


def open_order(order: OpenOrder) -> OpenWrite:
    """A new order or a change, as above, with the insurer that the books give."""
    return OpenWrite(order.application_id, order.new, order.order.version, order)


def _write(order: Order, codec: Codec, row: Row, *, new: bool) -> OrderWrite:
    return OrderWrite(
        application_id=order.application_id,
        new=new,
        version=order.version,
        row=row,
        decisions=tuple(decision_row(decision, codec) for decision in order.decisions),
        submissions=tuple(submission_row(submission, codec) for submission in order.submissions),
        standing=standing_of(order),
    )
