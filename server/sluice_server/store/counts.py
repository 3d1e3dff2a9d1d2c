"""How many orders were decided when, kept with the orders.

The breaker asks several times a second how many of the last half hour's orders are unfinished, by insurer and product
line. At 200 orders a second that are 360,000 rows; so every transaction that writes orders also adds to
``order_counts``, which has a row for each few seconds, and the question costs some hundreds of rows.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sluice_server.domain.orders.model import FINAL_STATES, Order
from sluice_server.store.columns import BUCKET_MICROSECONDS
from sluice_server.store.types import to_microseconds


def bucket_of(moment: datetime) -> int:
    """The bucket that a moment is in."""
    return to_microseconds(moment) // BUCKET_MICROSECONDS


@dataclass(frozen=True, slots=True)
class Standing:
    """What of an order is counted, and where."""

    insurer_id: str
    """Empty: the order is not counted."""
    product_line: str
    bucket: int
    submitted: bool
    finished: bool


def standing_of(order: Order) -> Standing:
    """Of an order as it will be stored."""
    return standing(
        insurer_id=order.insurer_id,
        product_line=order.application.product_line,
        decided_at=order.decisions[-1].decided_at if order.decisions else None,
        submit_requested=order.submit_requested,
        state=order.state.value,
    )


def standing(
    *, insurer_id: str, product_line: str, decided_at: datetime | None, submit_requested: bool, state: str
) -> Standing:
    """Of an order's columns."""
    if decided_at is None:
        return Standing("", product_line, 0, submitted=False, finished=False)
    return Standing(
        insurer_id,
        product_line,
        bucket_of(decided_at),
        submitted=submit_requested,
        finished=submit_requested and state in FINAL_STATES,
    )


class CountChanges:
    """What a transaction adds to the counts; written once, at its end, sorted: two transactions that change the same
    rows wait for each other instead of deadlocking."""

    def __init__(self) -> None:
        self._changes: defaultdict[tuple[int, str, str], list[int]] = defaultdict(lambda: [0, 0, 0])

    def move(self, before: Standing | None, after: Standing) -> None:
        """An order's change; ``before`` is None for a new one."""
        if before == after:
            return
        if before is not None:
            self._add(before, -1)
        self._add(after, 1)

    def rows(self, shard: int) -> Sequence[tuple[Any, ...]]:
        """In the order of ``columns.COUNT_COLUMNS``."""
        return [(*key, shard, *change) for key, change in sorted(self._changes.items()) if any(change)]

    def clear(self) -> None:
        self._changes.clear()

    def _add(self, standing: Standing, sign: int) -> None:
        if standing.insurer_id:
            change = self._changes[(standing.bucket, standing.insurer_id, standing.product_line)]
            change[0] += sign
            change[1] += sign * standing.submitted
            change[2] += sign * standing.finished
