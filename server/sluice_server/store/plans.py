"""Plans in a unit of work: immutable versions, and one row that says which is active."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, Select, func, insert, literal, select, update

from sluice_server.domain.errors import PlanNotFound, StaleEtag
from sluice_server.domain.routing.ports import StoredPlan
from sluice_server.store.notices import PLANS
from sluice_server.store.session import Session
from sluice_server.store.tables import plan_activation, plans


class SqlPlans:
    """Implements ``domain.routing.ports.PlanRepository``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def lock(self) -> None:
        # SQLite has the write lock already and ignores FOR UPDATE.
        await self._session.execute(select(plan_activation.c.only_row).with_for_update())

    async def add(self, plan: StoredPlan) -> StoredPlan:
        # Versions are counted under the lock: without gaps, also with replicas.
        await self.lock()
        version = (await self.newest_version() or 0) + 1
        await self._session.execute(
            insert(plans).values(
                version=version,
                name=plan.name,
                source=plan.source,
                content_hash=plan.content_hash,
                activatable=plan.activatable,
                warnings=list(plan.warnings),
                description=plan.description,
                created_at=plan.created_at,
                created_by=plan.created_by,
                request_id=plan.request_id,
            )
        )
        return await self._existing(version)

    async def get(self, version: int) -> StoredPlan | None:
        return await self._one(_PLANS.where(plans.c.version == version))

    async def by_request(self, request_id: str) -> StoredPlan | None:
        if not request_id:
            return None
        return await self._one(_PLANS.where(plans.c.request_id == request_id).order_by(plans.c.version).limit(1))

    async def list(self, *, after_version: int | None, limit: int) -> Sequence[StoredPlan]:
        statement = _WITHOUT_SOURCE.order_by(plans.c.version.desc()).limit(limit)
        if after_version is not None:
            statement = statement.where(plans.c.version < after_version)
        return [_plan(row) for row in (await self._session.execute(statement)).mappings()]

    async def active(self) -> StoredPlan | None:
        return await self._one(_PLANS.where(plans.c.version == plan_activation.c.version))

    async def active_version(self) -> int | None:
        statement = select(plan_activation.c.version)
        version: int | None = (await self._session.execute(statement)).scalar_one()
        return version

    async def newest_version(self) -> int | None:
        newest: int | None = (await self._session.execute(select(func.max(plans.c.version)))).scalar_one()
        return newest

    async def activate(self, version: int, *, expected_etag: str) -> StoredPlan:
        self._session.announce(PLANS)
        statement = select(plan_activation.c.revision).with_for_update()
        stored_etag = str((await self._session.execute(statement)).scalar_one())
        if expected_etag and expected_etag != stored_etag:
            raise StaleEtag("the activation of plans", stored_etag)
        if await self.get(version) is None:
            raise PlanNotFound(f"no plan version {version}; ListPlans shows those that exist", version=str(version))
        await self._session.execute(
            update(plan_activation).values(version=version, revision=plan_activation.c.revision + 1)
        )
        return await self._existing(version)

    async def _existing(self, version: int) -> StoredPlan:
        plan = await self.get(version)
        assert plan is not None, "written in this transaction"
        return plan

    async def _one(self, statement: Select[Any]) -> StoredPlan | None:
        row = (await self._session.execute(statement)).mappings().first()
        return None if row is None else _plan(row)


_ACTIVATION = (plan_activation.c.version.label("active_version"), plan_activation.c.revision.label("revision"))
_PLANS = select(plans, *_ACTIVATION).join_from(plans, plan_activation, plan_activation.c.only_row == 1)
_WITHOUT_SOURCE = select(
    *(column for column in plans.c if column is not plans.c.source), literal("").label("source"), *_ACTIVATION
).join_from(plans, plan_activation, plan_activation.c.only_row == 1)


def _plan(row: RowMapping) -> StoredPlan:
    return StoredPlan(
        name=row["name"],
        version=row["version"],
        source=row["source"],
        content_hash=row["content_hash"],
        activatable=row["activatable"],
        warnings=tuple(row["warnings"]),
        description=row["description"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        active=row["version"] == row["active_version"],
        etag=str(row["revision"]),
        request_id=row["request_id"],
    )
