"""An order whose insurer is chosen in the transaction that stores it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sluice_server.domain.orders.model import Order
from sluice_server.domain.routing.books import Books, OpenDecision, Settled
from sluice_server.domain.routing.model import Decision


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """A new order, or the change of one, with a last decision that the books have a say in."""

    order: Order
    """As it would be stored with the decision's draft; a new one's version is 0, a changed one's that at which it was
    read."""
    new: bool
    decision: OpenDecision
    complete: Callable[[Decision], Order | None]
    """The order with the settled decision; None when it is not to be stored (nor counted) with it. Pure: it may be
    asked more than once, and by another thread."""

    @property
    def application_id(self) -> str:
        return self.order.application_id

    def settle(self, books: Books) -> tuple[Order, Settled] | None:
        """The order to be stored and what it adds to the books; None when it is not to be stored."""
        settled = self.decision.settle(books)
        order = self.complete(settled.decision)
        return None if order is None else (order, settled)
