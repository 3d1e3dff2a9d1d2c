"""Insurers in a unit of work."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, select, update

from sluice_server.domain.breaker.ports import Insurer
from sluice_server.domain.errors import ConcurrentChange
from sluice_server.store.content import CAPACITY
from sluice_server.store.notices import BREAKERS
from sluice_server.store.session import Session
from sluice_server.store.tables import insurers


class SqlInsurers:
    """Implements ``domain.breaker.ports.InsurerRepository``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def add(self, insurer: Insurer) -> bool:
        values = {"insurer_id": insurer.insurer_id, "version": insurer.version, **_changeable(insurer)}
        values["created_at"] = insurer.created_at
        self._session.announce(BREAKERS)
        return await self._session.insert_new(insurers, values, key=["insurer_id"])

    async def get(self, insurer_id: str) -> Insurer | None:
        statement = select(insurers).where(insurers.c.insurer_id == insurer_id)
        row = (await self._session.execute(statement)).mappings().first()
        return None if row is None else _insurer(row)

    async def list(self) -> Sequence[Insurer]:
        rows = (await self._session.execute(select(insurers).order_by(insurers.c.insurer_id))).mappings()
        return [_insurer(row) for row in rows]

    async def save(self, insurer: Insurer) -> None:
        self._session.announce(BREAKERS)
        met = await self._session.changed(
            update(insurers)
            .where(insurers.c.insurer_id == insurer.insurer_id, insurers.c.version == insurer.version)
            .values(**_changeable(insurer), version=insurers.c.version + 1)
        )
        if met == 0:
            raise ConcurrentChange(
                f"insurer {insurer.insurer_id!r} was changed by somebody else; read it again and repeat",
                insurer_id=insurer.insurer_id,
            )


def _changeable(insurer: Insurer) -> dict[str, Any]:
    return {
        "display_name": insurer.display_name,
        "description": insurer.description,
        "capacity": CAPACITY.encode(insurer.capacity),
        "contact": insurer.contact,
        "updated_at": insurer.updated_at,
    }


def _insurer(row: RowMapping) -> Insurer:
    return Insurer(**{**row, "capacity": CAPACITY.decode(row["capacity"])})
