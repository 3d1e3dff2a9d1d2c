"""Comparisons with insurers' lists of policies, in a unit of work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import RowMapping, Select, or_, select, update

from sluice_server.domain.errors import ConcurrentChange
from sluice_server.domain.orders.model import OrderState
from sluice_server.domain.orders.policies import OrderStanding, PolicyReconciliation
from sluice_server.domain.orders.ports import OrderPosition
from sluice_server.store.content import Content
from sluice_server.store.orders import SqlOrders, above
from sluice_server.store.session import Session
from sluice_server.store.tables import orders, policy_reconciliations

_CONTENT = Content(PolicyReconciliation, columns=("insurer_id", "day", "started_at", "finished_at", "version"))
_IDS_AT_ONCE = 500
_STANDING: Select[Any] = select(
    orders.c.application_id,
    orders.c.state,
    orders.c.insurer_id,
    orders.c.policy_number,
    orders.c.finished_at,
    orders.c.updated_at,
)


class SqlReconciliations:
    """Implements ``domain.orders.policies.PolicyReconciliations``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def claim(self, insurer_id: str, day: date, *, now: datetime, until: datetime) -> PolicyReconciliation | None:
        table = policy_reconciliations
        key = {"insurer_id": insurer_id, "day": day.isoformat()}
        begun = {"started_at": now, "claimed_until": until}
        new = {**key, **begun, "content": {}, "version": 1}
        if not await self._session.insert_new(table, new, key=["insurer_id", "day"]):
            met = await self._session.changed(
                update(table)
                .where(
                    table.c.insurer_id == insurer_id,
                    table.c.day == day.isoformat(),
                    or_(table.c.claimed_until.is_(None), table.c.claimed_until <= now),
                )
                .values(**begun, version=table.c.version + 1)
            )
            if met == 0:
                return None
        statement = select(table.c.version).where(table.c.insurer_id == insurer_id, table.c.day == day.isoformat())
        version: int = (await self._session.execute(statement)).scalar_one()
        return PolicyReconciliation(insurer_id, day, now, version=version)

    async def finish(self, reconciliation: PolicyReconciliation) -> None:
        met = await self._end(
            reconciliation,
            finished_at=reconciliation.finished_at,
            content=_CONTENT.encode(reconciliation),
        )
        if met == 0:
            raise ConcurrentChange(
                f"the policies of {reconciliation.insurer_id!r} of {reconciliation.day} are compared by somebody else"
            )

    async def release(self, reconciliation: PolicyReconciliation) -> None:
        await self._end(reconciliation)

    async def get(self, insurer_id: str, day: date | None) -> PolicyReconciliation | None:
        table = policy_reconciliations
        statement = select(table).where(table.c.insurer_id == insurer_id, table.c.finished_at.is_not(None))
        if day is not None:
            statement = statement.where(table.c.day == day.isoformat())
        row = (await self._session.execute(statement.order_by(table.c.day.desc()).limit(1))).mappings().first()
        if row is None:
            return None
        return _CONTENT.decode(
            row["content"],
            insurer_id=row["insurer_id"],
            day=row["day"],
            started_at=row["started_at"],
            finished_at=row["finished_at"],
            version=row["version"],
        )

    async def application_of(self, insurer_id: str, idempotency_key: str) -> str | None:
        return await SqlOrders(self._session).find_by_key(insurer_id, idempotency_key)

    async def standings(self, application_ids: Sequence[str]) -> Mapping[str, OrderStanding]:
        found: dict[str, OrderStanding] = {}
        for start in range(0, len(application_ids), _IDS_AT_ONCE):
            part = application_ids[start : start + _IDS_AT_ONCE]
            rows = await self._session.execute(_STANDING.where(orders.c.application_id.in_(part)))
            found.update((row["application_id"], _standing(row)) for row in rows.mappings())
        return found

    async def updated_from(
        self, moment: datetime, *, after: OrderPosition | None, limit: int
    ) -> Sequence[OrderStanding]:
        statement = (
            _STANDING.where(orders.c.updated_at >= moment, *above(orders.c.updated_at, after))
            .order_by(orders.c.updated_at, orders.c.application_id)
            .limit(limit)
        )
        return [_standing(row) for row in (await self._session.execute(statement)).mappings()]

    async def _end(self, reconciliation: PolicyReconciliation, **values: Any) -> int:
        table = policy_reconciliations
        return await self._session.changed(
            update(table)
            .where(
                table.c.insurer_id == reconciliation.insurer_id,
                table.c.day == reconciliation.day.isoformat(),
                table.c.version == reconciliation.version,
            )
            .values(**values, claimed_until=None)
        )


def _standing(row: RowMapping) -> OrderStanding:
    return OrderStanding(
        application_id=row["application_id"],
        state=OrderState(row["state"]),
        insurer_id=row["insurer_id"],
        policy_number=row["policy_number"],
        finished_at=row["finished_at"],
        updated_at=row["updated_at"],
    )
