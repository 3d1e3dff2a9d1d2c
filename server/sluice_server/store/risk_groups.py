"""Searches for risk groups in a unit of work."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import delete, insert, select, update

from sluice_server.domain.risk.groups.ports import GroupRun, RiskGroup, RunState
from sluice_server.store.content import GROUP_RUN, RISK_GROUP
from sluice_server.store.session import Session
from sluice_server.store.tables import risk_group_runs, risk_groups


class SqlRiskGroups:
    """Implements ``domain.risk.groups.ports.RiskGroupRepository``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def claim(self, data_version: int, by: str, now: datetime, *, stale_before: datetime) -> bool:
        values = {"state": RunState.RUNNING, "claimed_at": now, "claimed_by": by}
        if await self._session.insert_new(
            risk_group_runs, {"data_version": data_version, **values}, key=["data_version"]
        ):
            return True
        columns = risk_group_runs.c
        dead = (
            columns.data_version == data_version,
            columns.state == RunState.RUNNING,
            columns.claimed_at < stale_before,
        )
        return await self._session.changed(update(risk_group_runs).where(*dead).values(**values)) == 1

    async def renew(self, data_version: int, by: str, now: datetime) -> None:
        columns = risk_group_runs.c
        own = (columns.data_version == data_version, columns.claimed_by == by, columns.state == RunState.RUNNING)
        await self._session.execute(update(risk_group_runs).where(*own).values(claimed_at=now))

    async def release(self, data_version: int, by: str) -> None:
        columns = risk_group_runs.c
        await self._session.execute(
            delete(risk_group_runs).where(
                columns.data_version == data_version, columns.claimed_by == by, columns.state == RunState.RUNNING
            )
        )

    async def finish(self, by: str, run: GroupRun, groups: Sequence[RiskGroup]) -> bool:
        columns = risk_group_runs.c
        version = run.stamp.data_version
        own = (columns.data_version == version, columns.claimed_by == by, columns.state == RunState.RUNNING)
        done = update(risk_group_runs).where(*own).values(state=RunState.DONE, content=GROUP_RUN.encode(run))
        if not await self._session.changed(done):
            return False
        rows = [
            {
                "risk_group_id": one.risk_group_id,
                "data_version": version,
                "position": position,
                "source": one.judged.source,
                "accepted": one.judged.accepted,
                "content": RISK_GROUP.encode(one),
            }
            for position, one in enumerate(groups)
        ]
        if rows:
            await self._session.execute(insert(risk_groups), rows)
        return True

    async def run(self, data_version: int) -> tuple[GroupRun, Sequence[RiskGroup]] | None:
        columns = risk_group_runs.c
        done = select(columns.content).where(columns.data_version == data_version, columns.state == RunState.DONE)
        content = (await self._session.execute(done)).scalar_one_or_none()
        if content is None:
            return None
        statement = (
            select(risk_groups).where(risk_groups.c.data_version == data_version).order_by(risk_groups.c.position)
        )
        rows = (await self._session.execute(statement)).mappings()
        groups = [RISK_GROUP.decode(row["content"], risk_group_id=row["risk_group_id"]) for row in rows]
        return GROUP_RUN.decode(content), groups
