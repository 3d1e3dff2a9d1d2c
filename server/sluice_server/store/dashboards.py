"""Dashboards in a unit of work: every version is kept, and one row says which one counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from sqlalchemy import RowMapping, and_, insert, select, update

from sluice_server.domain.errors import StaleEtag
from sluice_server.domain.risk.charts.definition import Dashboard
from sluice_server.store.content import DASHBOARD
from sluice_server.store.session import Session
from sluice_server.store.tables import dashboard_versions, dashboards

_PRESENT = (
    select(dashboard_versions)
    .join(
        dashboards,
        and_(
            dashboards.c.dashboard_id == dashboard_versions.c.dashboard_id,
            dashboards.c.version == dashboard_versions.c.version,
        ),
    )
    .where(~dashboards.c.deleted)
)


class SqlDashboards:
    """Implements ``domain.risk.charts.ports.DashboardRepository``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def get(self, dashboard_id: str) -> Dashboard | None:
        statement = _PRESENT.where(dashboard_versions.c.dashboard_id == dashboard_id)
        row = (await self._session.execute(statement)).mappings().first()
        return None if row is None else _dashboard(row)

    async def version(self, dashboard_id: str, version: int) -> Dashboard | None:
        columns = dashboard_versions.c
        statement = select(dashboard_versions).where(columns.dashboard_id == dashboard_id, columns.version == version)
        row = (await self._session.execute(statement)).mappings().first()
        return None if row is None else _dashboard(row)

    async def list(self) -> Sequence[Dashboard]:
        statement = _PRESENT.order_by(dashboard_versions.c.dashboard_id)
        return [_dashboard(row) for row in (await self._session.execute(statement)).mappings()]

    async def save(
        self, dashboard: Dashboard, *, expected: int, saved_by: str, saved_at: datetime, reason: str
    ) -> Dashboard:
        version = await self._next(dashboard.dashboard_id, expected)
        saved = replace(dashboard, version=version, updated_at=saved_at, shipped=False)
        await self._session.execute(
            insert(dashboard_versions).values(
                dashboard_id=saved.dashboard_id,
                version=version,
                owner=saved.owner,
                content=DASHBOARD.encode(saved),
                saved_at=saved_at,
                saved_by=saved_by,
                reason=reason,
            )
        )
        return saved

    async def delete(self, dashboard: Dashboard) -> None:
        row = dashboards.c
        same = (row.dashboard_id == dashboard.dashboard_id, row.version == dashboard.version, ~row.deleted)
        if not await self._session.changed(update(dashboards).where(*same).values(deleted=True)):
            raise StaleEtag(f"dashboards/{dashboard.dashboard_id}", "")

    async def _next(self, dashboard_id: str, expected: int) -> int:
        """The number of the next version, which is the present one from here on. One that was deleted counts on."""
        row = dashboards.c
        if not expected:
            first = {"dashboard_id": dashboard_id, "version": 1, "deleted": False}
            if await self._session.insert_new(dashboards, first, key=["dashboard_id"]):
                return 1
        unchanged = row.deleted if not expected else and_(row.version == expected, ~row.deleted)
        statement = (
            update(dashboards)
            .where(row.dashboard_id == dashboard_id, unchanged)
            .values(version=row.version + 1, deleted=False)
            .returning(row.version)
        )
        version = (await self._session.execute(statement)).scalar()
        if version is None:
            present = await self.get(dashboard_id)
            raise StaleEtag(f"dashboards/{dashboard_id}", present.etag if present else "")
        return int(version)


def _dashboard(row: RowMapping) -> Dashboard:
    return DASHBOARD.decode(
        row["content"],
        dashboard_id=row["dashboard_id"],
        version=row["version"],
        owner=row["owner"],
        updated_at=row["saved_at"],
        shipped=False,
    )
