"""What the export reads of orders: many as one value, because thousands a second are exported beside the calls.

The database puts them together as JSON. To fetch a row for each order, and to build whole orders from these,
takes the event loop ten times as long; on SQLite the interpreter's lock is given away and won back for every row.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import BindParameter, Integer, Text, bindparam, select, text

from sluice_server.domain.orders.export import ExportedOrder
from sluice_server.domain.orders.model import OrderState, Submission
from sluice_server.domain.orders.ports import OrderPosition
from sluice_server.store.rows import submission_of
from sluice_server.store.session import Session
from sluice_server.store.tables import submissions
from sluice_server.store.types import UtcTime, from_microseconds

_moment = lru_cache(maxsize=4_096)(from_microseconds)
"""Kept, because most orders hold the same moment three times."""


async def exported(
    session: Session, *, after: OrderPosition | None, until: datetime, limit: int
) -> Sequence[ExportedOrder]:
    """See ``OrderRepository.exported``."""
    parameters = {"until": until, "limit": limit}
    if after is None:
        statement = _FROM_THE_BEGINNING[session.dialect]
    else:
        statement = _AFTER[session.dialect]
        parameters |= {"at": after.at, "application_id": after.application_id}
    found = (await session.execute(statement, parameters)).scalar_one()
    rows: list[list[Any]] = orjson.loads(found) if found else []
    called = await _submissions(session, {row[0]: row[1] for row in rows if row[-1]})
    orders = [
        ExportedOrder(
            application_id=application_id,
            product_code=product_code,
            product_line=product_line,
            application=application,
            state=OrderState(state),
            insurer_id=insurer_id,
            first_decided_at=None if first is None else _moment(first),
            last_decided_at=None if last is None else _moment(last),
            insurers_named=insurers,
            submissions=called.get(order_seq, ()),
            incident_id=incident_id,
            policy_number=policy_number,
            updated_at=_moment(updated_at),
        )
        for (
            order_seq,
            application_id,
            product_code,
            product_line,
            application,
            state,
            insurer_id,
            incident_id,
            policy_number,
            updated_at,
            (first, last, insurers),
            _,
        ) in rows
    ]
    return sorted(orders, key=lambda order: (order.updated_at, order.application_id))


async def _submissions(session: Session, names: dict[int, str]) -> dict[int, tuple[Submission, ...]]:
    """By order_seq, each order's by number."""
    if not names:
        return {}
    found: defaultdict[int, list[Submission]] = defaultdict(list)
    statement = select(submissions).where(submissions.c.order_seq.in_(list(names))).order_by(submissions.c.number)
    for row in (await session.execute(statement)).mappings():
        found[row["order_seq"]].append(submission_of(row, names[row["order_seq"]]))
    return {order_seq: tuple(rows) for order_seq, rows in found.items()}


_SQLITE = {"all": "json_group_array({})", "array": "json_array", "json": "json({})", "microseconds": "{}"}
_POSTGRES = {
    "all": "CAST(json_agg({}) AS text)",
    "array": "json_build_array",
    "json": "{}",
    "microseconds": "CAST(extract(epoch FROM {}) * 1000000 AS bigint)",
}


def _select(words: dict[str, str], behind: str) -> Any:
    """``behind``: a condition on where the part begins."""
    array, microseconds = words["array"], words["microseconds"].format
    history = f"""
        SELECT {array}({microseconds("min(d.decided_at)")}, {microseconds("max(d.decided_at)")},
            count(DISTINCT nullif(d.insurer_id, '')))
        FROM decisions AS d WHERE d.order_seq = part.order_seq
    """  # noqa: S608 - own names
    order = f"""
        {array}(part.order_seq, part.application_id, part.product_code, part.product_line,
            {words["json"].format("part.application")},
            part.state, part.insurer_id, part.incident_id, part.policy_number, {microseconds("part.updated_at")},
            {words["json"].format(f"({history})")},
            (SELECT count(*) FROM submissions AS s WHERE s.order_seq = part.order_seq))
    """  # noqa: S608 - own names
    statement = f"""
        SELECT {words["all"].format(order)} AS orders FROM (
            SELECT * FROM orders WHERE updated_at < :until {behind} ORDER BY updated_at, application_id LIMIT :limit
        ) AS part
    """  # noqa: S608 - own names
    bound: list[BindParameter[Any]] = [bindparam("until", type_=UtcTime()), bindparam("limit", type_=Integer())]
    if behind:
        bound += [bindparam("at", type_=UtcTime()), bindparam("application_id", type_=Text())]
    return text(statement).bindparams(*bound)


# The first condition is what the index over the moment alone can search by.
_BEHIND = "AND updated_at >= :at AND (updated_at > :at OR application_id > :application_id)"
_WORDS = {"sqlite": _SQLITE, "postgresql": _POSTGRES}
_FROM_THE_BEGINNING = {dialect: _select(words, "") for dialect, words in _WORDS.items()}
_AFTER = {dialect: _select(words, _BEHIND) for dialect, words in _WORDS.items()}
