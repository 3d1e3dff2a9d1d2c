"""What a plan's simulation reads: many applications with their first decisions, without building whole orders."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, func, literal, literal_column, select, tuple_

from sluice_server.domain.orders.ports import DecidedApplication, OrderPosition, ReplayRange
from sluice_server.store.content import APPLICATION
from sluice_server.store.session import Session
from sluice_server.store.tables import decisions, orders

# Both databases take a text out of a JSON object by this operator (SQLite from 3.38 on).
_RULE = decisions.c.content.op("->>", return_type=Text())(literal("rule", Text()))


async def replay_range(
    session: Session, created_from: datetime | None, created_before: datetime, limit: int
) -> ReplayRange:
    """See ``OrderRepository.replay_range``."""
    within = _created(created_from, created_before)
    newest = select(literal_column("1")).select_from(orders).where(*within).limit(limit).subquery()
    count = (await session.execute(select(func.count()).select_from(newest))).scalar_one()
    below = (
        await session.execute(
            select(orders.c.created_at, orders.c.application_id)
            .where(*within)
            .order_by(orders.c.created_at.desc(), orders.c.application_id.desc())
            .limit(1)
            .offset(limit)
        )
    ).first()
    return ReplayRange(count, None if below is None else OrderPosition(below.created_at, below.application_id))


async def first_decided(
    session: Session,
    created_from: datetime | None,
    created_before: datetime,
    after: OrderPosition | None,
    limit: int,
) -> Sequence[DecidedApplication]:
    """See ``OrderRepository.first_decided``."""
    columns = orders.c
    conditions = _created(created_from, created_before)
    if after is not None:
        # The first condition is what the index over the moment alone can search by.
        conditions += (
            columns.created_at >= after.at,
            tuple_(columns.created_at, columns.application_id)
            > tuple_(literal(after.at, columns.created_at.type), literal(after.application_id)),
        )
    first = and_(decisions.c.order_seq == columns.order_seq, decisions.c.number == 1)
    result = await session.execute(
        select(
            columns.application_id,
            columns.product_code,
            columns.product_line,
            columns.application,
            columns.created_at,
            decisions.c.decided_at,
            decisions.c.insurer_id,
            _RULE,
        )
        .select_from(orders.outerjoin(decisions, first))
        .where(*conditions)
        .order_by(columns.created_at, columns.application_id)
        .limit(limit)
    )
    rows: Sequence[Any] = result.all()
    return [
        DecidedApplication(
            application=APPLICATION.decode(
                content, application_id=application_id, product_code=product_code, product_line=product_line
            ),
            created_at=created_at,
            decided_at=decided_at or created_at,
            insurer_id=insurer_id or "",
            rule=rule or "",
        )
        for application_id, product_code, product_line, content, created_at, decided_at, insurer_id, rule in rows
    ]


def _created(created_from: datetime | None, created_before: datetime) -> tuple[ColumnElement[bool], ...]:
    before = orders.c.created_at < created_before
    return (before,) if created_from is None else (before, orders.c.created_at >= created_from)
