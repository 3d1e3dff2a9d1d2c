"""GetOrder and ListOrders."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from sluice_server.domain.errors import InvalidInput, InvalidPageToken, OrderNotFound, Violation
from sluice_server.domain.identity import made_at
from sluice_server.domain.orders.model import Order
from sluice_server.domain.orders.ports import OrderFilter, OrderPosition
from sluice_server.domain.routing.model import plain
from sluice_server.domain.unit_of_work import Store

DEFAULT_PAGE_SIZE = 50
LARGEST_PAGE_SIZE = 1000
ID_IS_MADE_WITHIN = timedelta(seconds=2)


@dataclass(frozen=True, slots=True)
class OrderPage:
    """Some orders, and where the next ones begin."""

    orders: Sequence[Order]
    next_page_token: str
    """Empty on the last page."""


class GetOrder:
    """One order with its whole history."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, application_id: str) -> Order:
        """Raises OrderNotFound."""
        async with self._store.read() as uow:
            order = await uow.orders.get(application_id)
        if order is None:
            raise OrderNotFound(application_id)
        return order

    async def by_decision(self, decision_id: str) -> Order:
        """The order that has the decision, if that is its first or the one in force. Raises OrderNotFound."""
        made = made_at(decision_id)
        found: str | None = None
        if made is not None:
            # An id is made right after the moment of the decision is read.
            after, before = made - ID_IS_MADE_WITHIN, made + ID_IS_MADE_WITHIN
            async with self._store.read() as uow:
                found = await uow.orders.find_by_decision(decision_id, after=after, before=before)
        if found is None:
            raise OrderNotFound(decision_id=decision_id)
        return await self(found)


class ListOrders:
    """Orders by creation, filtered, in pages that neither repeat nor shift while orders are added."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, where: OrderFilter, page_size: int = 0, page_token: str = "") -> OrderPage:
        """``page_size`` 0 is 50; more than 1,000 gives 1,000. The orders show no history beyond the decision in force.

        Raises InvalidInput for a negative size, InvalidPageToken for a token of another list or other filters.
        """
        if page_size < 0:
            raise InvalidInput([Violation("page_size", "must not be negative")])
        size = min(page_size or DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE)
        after = _position(page_token, where) if page_token else None
        async with self._store.read() as uow:
            found = await uow.orders.list(where, after=after, limit=size + 1)
        orders = tuple(found[:size])
        more = len(found) > size
        return OrderPage(orders, _token(orders[-1], where) if more else "")


def _token(last: Order, where: OrderFilter) -> str:
    content = [_digest(where), last.created_at.isoformat(), last.application_id]
    return base64.urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")


def _position(token: str, where: OrderFilter) -> OrderPosition:
    try:
        content = orjson.loads(base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True))
        digest, at, application_id = content
        position = OrderPosition(datetime.fromisoformat(at), str(application_id))
    except (binascii.Error, ValueError, TypeError):
        raise InvalidPageToken from None
    if digest != _digest(where) or position.at.tzinfo is None:
        raise InvalidPageToken
    return position


def _digest(where: OrderFilter) -> str:
    """A token goes on with the list that it was issued for: it is bound to the filter."""
    return hashlib.sha256(orjson.dumps(plain(where), option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
