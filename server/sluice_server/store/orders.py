"""Orders in a unit of work."""

from __future__ import annotations

import builtins
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, func, literal, or_, select, text, update

from sluice_server.domain.errors import ConcurrentChange
from sluice_server.domain.orders.export import ExportedOrder
from sluice_server.domain.orders.model import Order, OrderState, Submission
from sluice_server.domain.orders.ports import DecidedApplication, OrderFilter, OrderPosition, ReplayRange
from sluice_server.domain.routing.model import Decision
from sluice_server.store import exported, replay
from sluice_server.store.columns import (
    CHANGEABLE_COLUMNS,
    DECISION_COLUMNS,
    ORDER_COLUMNS,
    SUBMISSION_CHANGES,
    SUBMISSION_COLUMNS,
)
from sluice_server.store.counts import standing, standing_of
from sluice_server.store.rows import (
    SQLALCHEMY,
    change_row,
    decision_of,
    decision_row,
    named,
    order_of,
    order_row,
    submission_of,
    submission_row,
)
from sluice_server.store.session import Session
from sluice_server.store.tables import ABNORMAL, AWAITED, DUE, IN_INCIDENT, decisions, orders, submissions

_HISTORIES_AT_ONCE = 500
_WAITING_FOR_INSURER = (OrderState.ABNORMAL.value, OrderState.SUBMITTING.value)
_INDEXED_STATES = frozenset({OrderState.ABNORMAL, OrderState.PARKED})


class SqlOrders:
    """Implements ``domain.orders.ports.OrderRepository``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def add(self, order: Order) -> bool:
        values = named(ORDER_COLUMNS, order_row(order, SQLALCHEMY))
        if not await self._session.insert_new(orders, values, key=["application_id"]):
            return False
        where = orders.c.application_id == order.application_id
        order_seq = (await self._session.execute(select(orders.c.order_seq).where(where))).scalar_one()
        await self._add_history(order_seq, order)
        self._session.counts.move(None, standing_of(order))
        return True

    async def get(self, application_id: str) -> Order | None:
        found = await self._read(select(orders).where(orders.c.application_id == application_id))
        return found[0] if found else None

    async def get_all(self, application_ids: Sequence[str]) -> Sequence[Order]:
        """Those of them that are stored, with their whole histories, in no order."""
        return await self._read(select(orders).where(orders.c.application_id.in_(application_ids)))

    async def find_by_decision(self, decision_id: str, *, after: datetime, before: datetime) -> str | None:
        # decision_id has no index: it would cost every insert. The two moments have one each.
        created, decided = orders.c.created_at, orders.c.decided_at
        statement = (
            select(orders.c.application_id)
            .join(decisions, decisions.c.order_seq == orders.c.order_seq)
            .where(
                or_(created.between(after, before), decided.between(after, before)),
                decisions.c.decision_id == decision_id,
            )
            .limit(1)
        )
        found: str | None = (await self._session.execute(statement)).scalar_one_or_none()
        return found

    async def find_by_key(self, insurer_id: str, idempotency_key: str) -> str | None:
        statement = (
            select(orders.c.application_id)
            .join(submissions, submissions.c.order_seq == orders.c.order_seq)
            .where(
                text(f"({AWAITED.text})"),
                submissions.c.idempotency_key == idempotency_key,
                submissions.c.insurer_id == insurer_id,
            )
            .limit(1)
        )
        found: str | None = (await self._session.execute(statement)).scalar_one_or_none()
        return found

    async def save(self, order: Order) -> None:
        columns = orders.c
        stored = (
            await self._session.execute(
                select(
                    columns.order_seq,
                    columns.insurer_id,
                    columns.product_line,
                    columns.decided_at,
                    columns.submit_requested,
                    columns.state,
                ).where(columns.application_id == order.application_id, columns.version == order.version)
            )
        ).first()
        if stored is None:
            raise _changed(order.application_id)
        values = named(CHANGEABLE_COLUMNS, change_row(order, SQLALCHEMY))
        if values["finished_at"] is not None:
            # It became final then, and not again with a later remark in its history.
            values["finished_at"] = func.coalesce(
                columns.finished_at, literal(order.updated_at, columns.finished_at.type)
            )
        met = await self._session.changed(
            update(orders)
            .where(columns.order_seq == stored.order_seq, columns.version == order.version)
            .values(**values, version=columns.version + 1)
        )
        if met == 0:
            raise _changed(order.application_id)
        await self._add_history(stored.order_seq, order)
        before = standing(
            insurer_id=stored.insurer_id,
            product_line=stored.product_line,
            decided_at=stored.decided_at,
            submit_requested=stored.submit_requested,
            state=stored.state,
        )
        self._session.counts.move(before, standing_of(order))

    async def list(self, where: OrderFilter, *, after: OrderPosition | None, limit: int) -> Sequence[Order]:
        statement = select(orders).where(*_conditions(where), *above(orders.c.created_at, after))
        statement = statement.order_by(orders.c.created_at, orders.c.application_id).limit(limit)
        return await self._read(statement, whole=False)

    async def replay_range(self, *, created_from: datetime | None, created_before: datetime, limit: int) -> ReplayRange:
        return await replay.replay_range(self._session, created_from, created_before, limit)

    async def first_decided(
        self, *, created_from: datetime | None, created_before: datetime, after: OrderPosition | None, limit: int
    ) -> Sequence[DecidedApplication]:
        return await replay.first_decided(self._session, created_from, created_before, after, limit)

    async def due(self, *, states: Sequence[OrderState], at: datetime, limit: int) -> Sequence[str]:
        statement = (
            select(orders.c.application_id)
            .where(DUE, orders.c.state.in_([s.value for s in states]), orders.c.next_attempt_at <= at)
            .order_by(orders.c.next_attempt_at, orders.c.application_id)
            .limit(limit)
        )
        return (await self._session.execute(statement)).scalars().all()

    async def exported(self, *, after: OrderPosition | None, until: datetime, limit: int) -> Sequence[ExportedOrder]:
        return await exported.exported(self._session, after=after, until=until, limit=limit)

    async def abnormal_of(self, incident_id: str, *, limit: int) -> Sequence[Order]:
        statement = select(orders).where(*_abnormal(incident_id))
        return await self._read(statement.order_by(orders.c.created_at, orders.c.application_id).limit(limit))

    async def count_abnormal_of(self, incident_id: str) -> int:
        statement = select(func.count()).select_from(orders).where(*_abnormal(incident_id))
        count: int = (await self._session.execute(statement)).scalar_one()
        return count

    async def attach_to_incident(self, incident_id: str, insurer_id: str, product_line: str) -> int:
        statement = update(orders).where(
            ABNORMAL,
            orders.c.state == OrderState.ABNORMAL.value,
            orders.c.insurer_id == insurer_id,
            orders.c.submit_requested,
            orders.c.incident_id == "",
        )
        if product_line:
            statement = statement.where(orders.c.product_line == product_line)
        # The version grows, so that somebody who has read the order before does not write the incident away.
        return await self._session.changed(statement.values(incident_id=incident_id, version=orders.c.version + 1))

    async def _add_history(self, order_seq: int, order: Order) -> None:
        if order.decisions:
            rows = [
                {"order_seq": order_seq, **named(DECISION_COLUMNS, decision_row(decision, SQLALCHEMY))}
                for decision in order.decisions
            ]
            await self._session.execute(self._session.insert(decisions).on_conflict_do_nothing(), rows)
        if order.submissions:
            rows = [
                {"order_seq": order_seq, **named(SUBMISSION_COLUMNS, submission_row(submission, SQLALCHEMY))}
                for submission in order.submissions
            ]
            insert = self._session.insert(submissions)
            upsert = insert.on_conflict_do_update(
                index_elements=["order_seq", "number"],
                set_={name: insert.excluded[name] for name in SUBMISSION_CHANGES},
            )
            await self._session.execute(upsert, rows)

    async def _read(self, statement: Select[Any], *, whole: bool = True) -> Sequence[Order]:
        rows = (await self._session.execute(statement)).mappings().all()
        found: builtins.list[Order] = []
        for start in range(0, len(rows), _HISTORIES_AT_ONCE):
            found += await self._with_histories(rows[start : start + _HISTORIES_AT_ONCE], whole=whole)
        return found

    async def _with_histories(self, rows: Sequence[RowMapping], *, whole: bool) -> Sequence[Order]:
        names = {row["order_seq"]: row["application_id"] for row in rows}
        decided: defaultdict[int, list[Decision]] = defaultdict(list)
        statement = select(decisions).where(decisions.c.order_seq.in_(list(names))).order_by(decisions.c.number)
        for row in (await self._session.execute(statement)).mappings():
            decided[row["order_seq"]].append(decision_of(row, names[row["order_seq"]]))
        submitted: defaultdict[int, list[Submission]] = defaultdict(list)
        if whole:
            statement = select(submissions).where(submissions.c.order_seq.in_(list(names)))
            for row in (await self._session.execute(statement.order_by(submissions.c.number))).mappings():
                submitted[row["order_seq"]].append(submission_of(row, names[row["order_seq"]]))
        return [
            order_of(
                row,
                decided[row["order_seq"]] if whole else decided[row["order_seq"]][-1:],
                submitted[row["order_seq"]],
            )
            for row in rows
        ]


def _changed(application_id: str) -> ConcurrentChange:
    return ConcurrentChange(
        f"application {application_id!r} was changed by somebody else; read it again and repeat",
        application_id=application_id,
    )


def above(moment: ColumnElement[datetime], after: OrderPosition | None) -> tuple[ColumnElement[bool], ...]:
    """Behind a position; the first condition is what an index over the moment alone can search by."""
    if after is None:
        return ()
    beyond = and_(moment == after.at, orders.c.application_id > after.application_id)
    return moment >= after.at, or_(moment > after.at, beyond)


def _abnormal(incident_id: str) -> tuple[Any, ...]:
    return IN_INCIDENT, orders.c.incident_id == incident_id, orders.c.state.in_(_WAITING_FOR_INSURER)


def _conditions(where: OrderFilter) -> Sequence[Any]:
    columns = orders.c
    conditions: list[Any] = []
    if where.states:
        conditions.append(columns.state.in_([s.value for s in where.states]))
        if _INDEXED_STATES.issuperset(where.states):
            conditions.append(ABNORMAL)
    if where.insurer_id:
        conditions.append(columns.insurer_id == where.insurer_id)
    if where.product_code:
        conditions.append(columns.product_code == where.product_code)
    if where.incident_id:
        conditions += [IN_INCIDENT, columns.incident_id == where.incident_id]
    if where.created_before is not None:
        conditions.append(columns.created_at < where.created_before)
    if where.created_after is not None:
        conditions.append(columns.created_at >= where.created_after)
    return conditions
