"""What dashboards need from the store."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from sluice_server.domain.risk.charts.definition import Dashboard


class DashboardRepository(Protocol):
    """Saved dashboards in a unit of work. Every version is kept, those of deleted dashboards too."""

    async def get(self, dashboard_id: str) -> Dashboard | None:
        """As it was saved last; None where there is none or it was deleted."""
        ...

    async def version(self, dashboard_id: str, version: int) -> Dashboard | None:
        """As it was in that version, whatever has become of it."""
        ...

    async def list(self) -> Sequence[Dashboard]:
        """All that are not deleted, by id."""
        ...

    async def save(
        self, dashboard: Dashboard, *, expected: int, saved_by: str, saved_at: datetime, reason: str
    ) -> Dashboard:
        """Stores the next version. ``expected``: the version that it replaces, 0 where there is none. Raises StaleEtag
        where another was stored meanwhile."""
        ...

    async def delete(self, dashboard: Dashboard) -> None:
        """Takes it from lists. Raises StaleEtag where another version was stored meanwhile."""
        ...
