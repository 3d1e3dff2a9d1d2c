"""Breakers in a unit of work."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import RowMapping, func, literal, select, update

from sluice_server.domain.breaker.model import Breaker, BreakerMode, BreakerState, Scope
from sluice_server.domain.breaker.normal_rate import Learned
from sluice_server.store.content import POLICY
from sluice_server.store.notices import BREAKERS
from sluice_server.store.session import Session
from sluice_server.store.tables import breakers, insurers, learned_rates

_CUTS_LOCK = 0x536C75696366
"""Key of the advisory lock: any number that nobody else uses (migrate.py has the one before it)."""
_MOST_NAMED = 500
"""Where more insurers than this have changed, all are read."""
_SAME = ("state_since", "evidence_since", "incident_id", "ramp_step", "trips_in_a_row")
_LEARNED = tuple(field.name for field in fields(Learned))


class SqlBreakers:
    """Implements ``domain.breaker.ports.BreakerRepository``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def add(self, breaker: Breaker) -> bool:
        values = {
            "insurer_id": breaker.scope.insurer_id,
            "product_line": breaker.scope.product_line,
            "version": breaker.version,
            **_changeable(breaker),
        }
        self._session.announce(BREAKERS)
        return await self._session.insert_new(breakers, values, key=["insurer_id", "product_line"])

    async def serialise_cuts(self) -> None:
        # SQLite's one writer has the lock already. Held to the end of the transaction.
        if self._session.dialect == "postgresql":
            await self._session.execute(select(func.pg_advisory_xact_lock(_CUTS_LOCK)))

    async def get(self, scope: Scope) -> Breaker | None:
        statement = select(breakers).where(*_of(scope))
        row = (await self._session.execute(statement)).mappings().first()
        return None if row is None else _breaker(row)

    async def list(self) -> Sequence[Breaker]:
        statement = select(breakers).order_by(breakers.c.insurer_id, breakers.c.product_line)
        return [_breaker(row) for row in (await self._session.execute(statement)).mappings()]

    async def changed(self, known: Mapping[str, int]) -> Sequence[Breaker]:
        sums = select(breakers.c.insurer_id, func.sum(breakers.c.version)).group_by(breakers.c.insurer_id)
        rows: Sequence[Any] = (await self._session.execute(sums)).all()
        moved = [name for name, versions in rows if known.get(name) != versions]
        if len(moved) > _MOST_NAMED:
            return await self.list()
        statement = select(breakers).where(breakers.c.insurer_id.in_(moved))
        return [_breaker(row) for row in (await self._session.execute(statement)).mappings()] if moved else []

    async def revision(self) -> int:
        parts = (select(func.coalesce(func.sum(each.c.version), 0)).scalar_subquery() for each in (breakers, insurers))
        return int((await self._session.execute(select(sum(parts, literal(0))))).scalar_one())

    async def learned_rates(self) -> Mapping[Scope, Learned]:
        rows = (await self._session.execute(select(learned_rates))).mappings()
        return {
            Scope(row["insurer_id"], row["product_line"]): Learned(**{name: row[name] for name in _LEARNED})
            for row in rows
        }

    async def write_learned_rates(self, learned: Mapping[Scope, Learned]) -> None:
        insert = self._session.insert(learned_rates)
        statement = insert.on_conflict_do_update(
            index_elements=["insurer_id", "product_line"],
            set_={name: insert.excluded[name] for name in _LEARNED},
            where=learned_rates.c.through < insert.excluded.through,
        )
        rows = [
            {"insurer_id": scope.insurer_id, "product_line": scope.product_line, **asdict(learned[scope])}
            for scope in sorted(learned)
        ]
        await self._session.execute(statement, rows)

    async def save(self, breaker: Breaker) -> bool:
        self._session.announce(BREAKERS)
        met = await self._session.changed(
            update(breakers)
            .where(*_of(breaker.scope), breakers.c.version == breaker.version)
            .values(**_changeable(breaker), version=breakers.c.version + 1)
        )
        return met == 1


def _of(scope: Scope) -> tuple[Any, ...]:
    return breakers.c.insurer_id == scope.insurer_id, breakers.c.product_line == scope.product_line


def _changeable(breaker: Breaker) -> dict[str, Any]:
    return {
        "state": breaker.state.value,
        "mode": breaker.mode.value,
        "policy": POLICY.encode(breaker.policy),
        **{name: getattr(breaker, name) for name in _SAME},
    }


def _breaker(row: RowMapping) -> Breaker:
    return Breaker(
        scope=Scope(row["insurer_id"], row["product_line"]),
        state=BreakerState(row["state"]),
        mode=BreakerMode(row["mode"]),
        policy=POLICY.decode(row["policy"]),
        version=row["version"],
        **{name: row[name] for name in _SAME},
    )
