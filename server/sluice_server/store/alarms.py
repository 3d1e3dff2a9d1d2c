"""The alarm outbox in a unit of work. Of each key there is at most one alarm that waits and one that was delivered."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import RowMapping, and_, delete, exists, or_, select, update

from sluice_server.domain.breaker.ports import Alarm, PendingAlarm
from sluice_server.domain.identity import new_id
from sluice_server.store.content import ALARM
from sluice_server.store.session import Session
from sluice_server.store.tables import DELIVERED, UNDELIVERED, alarm_outbox


class SqlAlarms:
    """Implements ``domain.breaker.ports.AlarmOutbox``."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._pending: dict[str, Alarm] = {}

    async def put(self, alarm: Alarm) -> None:
        self._pending[alarm.key] = alarm

    async def flush(self) -> None:
        """Writes what was put, by key: two transactions that put the same alarms do not wait for each other in a
        ring."""
        for _, alarm in sorted(self._pending.items()):
            await self._write(alarm)
        self._pending.clear()

    async def _write(self, alarm: Alarm) -> None:
        insert = self._session.insert(alarm_outbox).values(
            outbox_id=new_id("alm"),
            key=alarm.key,
            alarm=ALARM.encode(alarm),
            attempts=0,
            next_attempt_at=alarm.starts_at,
            last_error="",
            resolved_at=alarm.resolved_at,
        )
        # A new id, so that a delivery that is under way does not mark what it has not seen as delivered. The back-off
        # stays: it belongs to the alarm platform, not to this alarm.
        await self._session.execute(
            insert.on_conflict_do_update(
                index_elements=["key"],
                index_where=UNDELIVERED,
                set_={name: insert.excluded[name] for name in ("outbox_id", "alarm", "resolved_at")},
            )
        )

    async def latest(self, key: str) -> Alarm | None:
        if key in self._pending:
            return self._pending[key]
        statement = (
            select(alarm_outbox)
            .where(alarm_outbox.c.key == key)
            .order_by(alarm_outbox.c.delivered_at.is_not(None))
            .limit(1)
        )
        row = (await self._session.execute(statement)).mappings().first()
        return None if row is None else _alarm(row)

    async def due(self, *, now: datetime, limit: int) -> Sequence[PendingAlarm]:
        await self.flush()
        statement = (
            select(alarm_outbox)
            .where(UNDELIVERED, alarm_outbox.c.next_attempt_at <= now)
            .order_by(alarm_outbox.c.next_attempt_at, alarm_outbox.c.outbox_id)
            .limit(limit)
        )
        return [
            PendingAlarm(row["outbox_id"], _alarm(row), row["attempts"], row["next_attempt_at"])
            for row in (await self._session.execute(statement)).mappings()
        ]

    async def waiting(self, *, limit: int) -> Sequence[str]:
        await self.flush()
        statement = select(alarm_outbox.c.key).where(UNDELIVERED).limit(limit)
        return list((await self._session.execute(statement)).scalars())

    async def active(self, *, now: datetime, limit: int) -> Sequence[Alarm]:
        await self.flush()
        waiting = alarm_outbox.alias()
        statement = (
            select(alarm_outbox)
            .where(
                alarm_outbox.c.delivered_at.is_not(None),
                or_(alarm_outbox.c.resolved_at.is_(None), alarm_outbox.c.resolved_at > now),
                ~exists().where(and_(waiting.c.key == alarm_outbox.c.key, waiting.c.delivered_at.is_(None))),
            )
            .order_by(alarm_outbox.c.key)
            .limit(limit)
        )
        return [_alarm(row) for row in (await self._session.execute(statement)).mappings()]

    async def delivered(self, outbox_id: str, at: datetime) -> None:
        key = select(alarm_outbox.c.key).where(alarm_outbox.c.outbox_id == outbox_id, UNDELIVERED)
        found = (await self._session.execute(key)).scalar_one_or_none()
        if found is None:
            return
        await self._session.execute(delete(alarm_outbox).where(DELIVERED, alarm_outbox.c.key == found))
        await self._session.execute(
            update(alarm_outbox).where(UNDELIVERED, alarm_outbox.c.outbox_id == outbox_id).values(delivered_at=at)
        )

    async def postpone(self, outbox_id: str, *, until: datetime, error: str) -> None:
        await self._session.execute(
            update(alarm_outbox)
            .where(UNDELIVERED, alarm_outbox.c.outbox_id == outbox_id)
            .values(attempts=alarm_outbox.c.attempts + 1, next_attempt_at=until, last_error=error)
        )


def _alarm(row: RowMapping) -> Alarm:
    return ALARM.decode(row["alarm"], key=row["key"], resolved_at=row["resolved_at"])
