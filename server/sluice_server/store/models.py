"""Risk models in a unit of work: immutable versions whose state changes, their validations, proposals of prices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import RowMapping, Select, func, insert, literal, select, update

from sluice_server.domain.errors import StaleEtag
from sluice_server.domain.risk.pricing.model_version import (
    ModelState,
    ModelTarget,
    ModelValidation,
    ModelVersion,
    PriceProposal,
)
from sluice_server.store.content import MODEL, PROPOSAL, VALIDATION
from sluice_server.store.session import Session
from sluice_server.store.tables import price_proposals, risk_model_lock, risk_model_validations, risk_models


class SqlModels:
    """Implements ``domain.risk.pricing.ports.ModelRepository``."""

    def __init__(self, session: Session) -> None:
        self._session = session

    async def lock(self) -> None:
        # SQLite has the write lock already and ignores FOR UPDATE.
        await self._session.execute(select(risk_model_lock.c.only_row).with_for_update())

    async def add(self, model: ModelVersion, validation: ModelValidation) -> ModelVersion:
        newest = (await self._session.execute(select(func.max(risk_models.c.version)))).scalar_one()
        version = (newest or 0) + 1
        await self._session.execute(
            insert(risk_models).values(
                version=version,
                target=model.content.target,
                content=MODEL.encode(model.content),
                portfolio=list(model.content.portfolio),
                content_hash=model.content_hash,
                created_at=model.created_at,
                created_by=model.created_by,
                request_id=model.request_id,
                revision=1,
                **_changing(model),
            )
        )
        await self._session.execute(
            insert(risk_model_validations).values(
                version=version, number=1, created_at=validation.created_at, content=VALIDATION.encode(validation)
            )
        )
        return await self._existing(version)

    async def get(self, version: int) -> ModelVersion | None:
        return await self._one(select(risk_models).where(risk_models.c.version == version))

    async def active(self) -> ModelVersion | None:
        return await self._one(select(risk_models).where(risk_models.c.state == ModelState.ACTIVE))

    async def by_request(self, request_id: str) -> ModelVersion | None:
        if not request_id:
            return None
        return await self._one(select(risk_models).where(risk_models.c.request_id == request_id).limit(1))

    async def list(
        self, target: ModelTarget | None, states: Sequence[ModelState], *, before: int | None, limit: int
    ) -> Sequence[ModelVersion]:
        statement = _WITHOUT_PORTFOLIO.order_by(risk_models.c.version.desc()).limit(limit)
        if target is not None:
            statement = statement.where(risk_models.c.target == target)
        if states:
            statement = statement.where(risk_models.c.state.in_(states))
        if before is not None:
            statement = statement.where(risk_models.c.version < before)
        return [_model(row) for row in (await self._session.execute(statement)).mappings()]

    async def set_state(self, model: ModelVersion) -> ModelVersion:
        changed = await self._session.changed(
            update(risk_models)
            .where(risk_models.c.version == model.version, risk_models.c.revision == int(model.etag))
            .values(revision=risk_models.c.revision + 1, **_changing(model))
        )
        stored = await self._existing(model.version)
        if not changed:
            raise StaleEtag(f"models/{model.version}", stored.etag)
        return stored

    async def validation(self, version: int, number: int | None) -> ModelValidation | None:
        columns = risk_model_validations.c
        statement = select(risk_model_validations).where(columns.version == version)
        if number is not None:
            statement = statement.where(columns.number == number)
        statement = statement.order_by(columns.number.desc()).limit(1)
        row = (await self._session.execute(statement)).mappings().first()
        return (
            None
            if row is None
            else VALIDATION.decode(row["content"], number=row["number"], created_at=row["created_at"])
        )

    async def add_validation(self, version: int, validation: ModelValidation) -> ModelValidation:
        columns = risk_model_validations.c
        newest = await self._session.execute(select(func.max(columns.number)).where(columns.version == version))
        number = (newest.scalar_one() or 0) + 1
        await self._session.execute(
            insert(risk_model_validations).values(
                version=version, number=number, created_at=validation.created_at, content=VALIDATION.encode(validation)
            )
        )
        return replace(validation, number=number)

    async def add_proposal(self, proposal: PriceProposal) -> None:
        await self._session.execute(
            insert(price_proposals).values(
                proposal_id=proposal.proposal_id,
                version=proposal.model_version,
                proposed_by=proposal.proposed_by,
                created_at=proposal.created_at,
                request_id=proposal.request_id,
                content=PROPOSAL.encode(proposal),
            )
        )

    async def proposal(self, proposal_id: str) -> PriceProposal | None:
        return await self._proposal(select(price_proposals).where(price_proposals.c.proposal_id == proposal_id))

    async def proposal_by_request(self, request_id: str) -> PriceProposal | None:
        if not request_id:
            return None
        return await self._proposal(select(price_proposals).where(price_proposals.c.request_id == request_id).limit(1))

    async def _proposal(self, statement: Select[Any]) -> PriceProposal | None:
        row = (await self._session.execute(statement)).mappings().first()
        if row is None:
            return None
        columns = {name: row[name] for name in ("proposal_id", "proposed_by", "created_at", "request_id")}
        return PROPOSAL.decode(row["content"], model_version=row["version"], **columns)

    async def _existing(self, version: int) -> ModelVersion:
        model = await self.get(version)
        assert model is not None, "read or written in this transaction"
        return model

    async def _one(self, statement: Select[Any]) -> ModelVersion | None:
        row = (await self._session.execute(statement)).mappings().first()
        return None if row is None else _model(row)


_WITHOUT_PORTFOLIO = select(
    *(column for column in risk_models.c if column is not risk_models.c.portfolio),
    literal(None).label("portfolio"),
)


def _changing(model: ModelVersion) -> dict[str, Any]:
    return {
        "state": model.state,
        "activated_at": model.activated_at,
        "activated_by": model.activated_by,
        "loading": model.loading,
        "proposal_id": model.proposal_id,
    }


def _model(row: RowMapping) -> ModelVersion:
    return ModelVersion(
        version=row["version"],
        state=ModelState(row["state"]),
        content=MODEL.decode(row["content"], target=row["target"], portfolio=tuple(row["portfolio"] or ())),
        content_hash=row["content_hash"],
        created_at=row["created_at"],
        created_by=row["created_by"],
        request_id=row["request_id"],
        activated_at=row["activated_at"],
        activated_by=row["activated_by"],
        loading=row["loading"],
        proposal_id=row["proposal_id"],
        etag=str(row["revision"]),
    )
