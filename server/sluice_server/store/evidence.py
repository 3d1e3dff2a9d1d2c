"""What the breaker judges by, pooled over the replicas because it is read from what all of them have stored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, Text, and_, case, func, literal, literal_column, select

from sluice_server.domain.breaker.evidence_source import BacklogCount, OutcomeRecord, ParkedCount
from sluice_server.domain.breaker.model import Scope
from sluice_server.domain.orders.model import OrderState, Outcome, SubmissionKind
from sluice_server.store.columns import BUCKET_MICROSECONDS
from sluice_server.store.counts import bucket_of
from sluice_server.store.session import Session
from sluice_server.store.tables import ABNORMAL, BACKLOG, FINISHED, decisions, order_counts, orders, submissions
from sluice_server.store.types import from_microseconds


@dataclass(slots=True)
class _Tally:
    orders: int = 0
    unfinished: int = 0
    oldest: datetime | None = None

    def add(self, row: RowMapping) -> None:
        self.orders += int(row["orders"] or 0)
        self.unfinished += int(row["unfinished"] or 0)
        if row["oldest"] is not None and (self.oldest is None or row["oldest"] < self.oldest):
            self.oldest = row["oldest"]


class SqlEvidence:
    """Implements ``domain.breaker.evidence_source.EvidenceSource``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def outcomes(self, *, finished_from: datetime, limit: int) -> Sequence[OutcomeRecord]:
        statement = (
            select(*_OUTCOME)
            .where(FINISHED, submissions.c.finished_at >= finished_from, submissions.c.outcome.is_not(None))
            .order_by(submissions.c.finished_at, submissions.c.submission_id)
            .limit(limit)
        )
        rows: Sequence[Any] = (await self._session.execute(statement)).all()
        return [_outcome(*row) for row in rows]

    async def backlog(self, *, decided_from: datetime, decided_until: datetime) -> Sequence[BacklogCount]:
        await self._session.flush_counts()
        first = _bucket_not_before(decided_from)
        last = max(bucket_of(decided_until), first)  # not included
        tallies: defaultdict[Scope, _Tally] = defaultdict(_Tally)
        await self._whole_buckets(tallies, first, last, decided_from, decided_until)
        # What the window cuts off of a bucket: all orders at its lower end, the unfinished ones at both ends.
        edge = _start_of(first)
        await self._rows(tallies, and_(orders.c.decided_at >= decided_from, orders.c.decided_at < edge), decided_until)
        if decided_until >= _start_of(last):
            await self._unfinished_rows(tallies, _start_of(last), decided_until)
        return [
            BacklogCount(scope, tally.orders, tally.unfinished, tally.oldest)
            for scope, tally in sorted(tallies.items())
        ]

    async def parked(self, *, limit: int) -> Sequence[ParkedCount]:
        waiting = (
            select(orders.c.order_seq, orders.c.product_line, orders.c.created_at)
            .where(ABNORMAL, orders.c.state == OrderState.PARKED.value)
            .order_by(orders.c.created_at)
            .limit(limit)
            .subquery()
        )
        every = decisions.alias("every_decision")
        last = select(func.max(every.c.number)).where(every.c.order_seq == waiting.c.order_seq)
        rule = literal_column(_RULE[self._session.dialect], Text)
        statement = (
            select(
                rule.label("rule"),
                waiting.c.product_line,
                func.count().label("orders"),
                func.min(waiting.c.created_at).label("oldest_at"),
            )
            .select_from(waiting.join(decisions, decisions.c.order_seq == waiting.c.order_seq))
            .where(decisions.c.number == last.scalar_subquery())
            .group_by(rule, waiting.c.product_line)
        )
        by_rule: dict[str, list[RowMapping]] = {}
        for row in (await self._session.execute(statement)).mappings():
            by_rule.setdefault(row["rule"] or "", []).append(row)
        return [
            ParkedCount(
                rule=name,
                orders=sum(row["orders"] for row in rows),
                oldest_at=min(row["oldest_at"] for row in rows),
                product_lines=tuple(sorted(row["product_line"] for row in rows)),
            )
            for name, rows in sorted(by_rule.items())
        ]

    async def shares(self, *, decided_from: datetime, decided_until: datetime) -> Mapping[str, int]:
        counted = await self._routed(("insurer_id",), decided_from, decided_until)
        return {insurer_id: count for (insurer_id,), count in counted.items()}

    async def traffic(self, *, decided_from: datetime, decided_until: datetime) -> Mapping[Scope, int]:
        counted = await self._routed(("insurer_id", "product_line"), decided_from, decided_until)
        return {Scope(*names): count for names, count in counted.items()}

    async def _routed(
        self, names: tuple[str, ...], decided_from: datetime, decided_until: datetime
    ) -> dict[tuple[str, ...], int]:
        """Routed orders by these columns, the insurer's first."""
        await self._session.flush_counts()
        first, last = _bucket_not_before(decided_from), bucket_of(decided_until)
        counted: defaultdict[tuple[str, ...], int] = defaultdict(int)
        decided = orders.c.decided_at
        rows: Sequence[Any]
        if first >= last:
            edges = [and_(decided >= decided_from, decided <= decided_until)]
        else:
            columns = [order_counts.c[name] for name in names]
            whole = (
                select(*columns, func.sum(order_counts.c.routed))
                .where(order_counts.c.bucket >= first, order_counts.c.bucket < last)
                .group_by(*columns)
            )
            rows = (await self._session.execute(whole)).all()
            for row in rows:
                counted[tuple(row[:-1])] += int(row[-1])
            edges = [
                and_(decided >= decided_from, decided < _start_of(first)),
                and_(decided >= _start_of(last), decided <= decided_until),
            ]
        for edge in edges:
            columns = [orders.c[name] for name in names]
            rows = (await self._session.execute(select(*columns, func.count()).where(edge).group_by(*columns))).all()
            for row in rows:
                counted[tuple(row[:-1])] += row[-1]
        return {key: count for key, count in sorted(counted.items()) if key[0] and count}

    async def _whole_buckets(
        self, tallies: Mapping[Scope, _Tally], first: int, last: int, decided_from: datetime, decided_until: datetime
    ) -> None:
        columns = order_counts.c
        unfinished = case((columns.bucket < last, columns.submitted - columns.finished), else_=0)
        counts = (
            select(
                columns.insurer_id,
                columns.product_line,
                func.sum(columns.submitted).label("orders"),
                func.sum(unfinished).label("unfinished"),
            )
            .where(columns.bucket >= first)
            .group_by(columns.insurer_id, columns.product_line)
            .subquery()
        )
        oldest = (
            select(func.min(orders.c.decided_at))
            .where(
                BACKLOG,
                orders.c.insurer_id == counts.c.insurer_id,
                orders.c.product_line == counts.c.product_line,
                orders.c.decided_at >= decided_from,
                orders.c.decided_at <= decided_until,
            )
            .scalar_subquery()
        )
        statement = select(counts, oldest.label("oldest")).where(counts.c.orders != 0)
        await self._tally(tallies, statement)

    async def _rows(self, tallies: Mapping[Scope, _Tally], where: ColumnElement[bool], decided_until: datetime) -> None:
        waits = and_(orders.c.finished_at.is_(None), orders.c.decided_at <= decided_until)
        statement = (
            select(
                orders.c.insurer_id,
                orders.c.product_line,
                func.count().label("orders"),
                func.sum(case((waits, 1), else_=0)).label("unfinished"),
                func.min(case((waits, orders.c.decided_at))).label("oldest"),
            )
            .where(where, orders.c.submit_requested, orders.c.insurer_id != "")
            .group_by(orders.c.insurer_id, orders.c.product_line)
        )
        await self._tally(tallies, statement)

    async def _unfinished_rows(
        self, tallies: Mapping[Scope, _Tally], decided_from: datetime, decided_until: datetime
    ) -> None:
        statement = (
            select(
                orders.c.insurer_id,
                orders.c.product_line,
                literal(0).label("orders"),
                func.count().label("unfinished"),
                func.min(orders.c.decided_at).label("oldest"),
            )
            .where(
                orders.c.decided_at >= decided_from,
                orders.c.decided_at <= decided_until,
                orders.c.finished_at.is_(None),
                orders.c.submit_requested,
                orders.c.insurer_id != "",
            )
            .group_by(orders.c.insurer_id, orders.c.product_line)
        )
        await self._tally(tallies, statement)

    async def _tally(self, tallies: Mapping[Scope, _Tally], statement: Any) -> None:
        for row in (await self._session.execute(statement)).mappings():
            tallies[Scope(row["insurer_id"], row["product_line"])].add(row)


_RULE = {
    "sqlite": "json_extract(decisions.content, '$.rule')",
    "postgresql": "decisions.content ->> 'rule'",
}
"""A decision's rule, which has no column of its own."""


def _bucket_not_before(moment: datetime) -> int:
    bucket = bucket_of(moment)
    return bucket if _start_of(bucket) == moment else bucket + 1


def _start_of(bucket: int) -> datetime:
    return from_microseconds(bucket * BUCKET_MICROSECONDS)


_OUTCOME = (
    submissions.c.submission_id,
    submissions.c.insurer_id,
    submissions.c.product_line,
    submissions.c.kind,
    submissions.c.outcome,
    submissions.c.started_at,
    submissions.c.finished_at,
    submissions.c.latency_seconds,
    submissions.c.error_code,
)


def _outcome(
    submission_id: str,
    insurer_id: str,
    product_line: str,
    kind: str,
    outcome: str,
    started_at: datetime,
    finished_at: datetime,
    measured: float | None,
    error_code: str,
) -> OutcomeRecord:
    return OutcomeRecord(
        submission_id=submission_id,
        scope=Scope(insurer_id, product_line),
        kind=SubmissionKind(kind),
        outcome=Outcome(outcome),
        started_at=started_at,
        finished_at=finished_at,
        latency_seconds=(finished_at - started_at).total_seconds() if measured is None else measured,
        error_code=error_code,
    )
