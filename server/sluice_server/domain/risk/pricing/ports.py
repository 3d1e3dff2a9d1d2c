"""What pricing needs from the store."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sluice_server.domain.risk.pricing.model_version import (
    ModelState,
    ModelTarget,
    ModelValidation,
    ModelVersion,
    PriceProposal,
)


class ModelRepository(Protocol):
    """Model versions, validations and proposals in a unit of work."""

    async def lock(self) -> None:
        """Other changes of models wait until this unit of work ends."""
        ...

    async def add(self, model: ModelVersion, validation: ModelValidation) -> ModelVersion:
        """Stores a new version with its first validation and gives it its number. Call under the lock."""
        ...

    async def get(self, version: int) -> ModelVersion | None: ...

    async def active(self) -> ModelVersion | None:
        """The one in use."""
        ...

    async def by_request(self, request_id: str) -> ModelVersion | None:
        """The version that this request id stored; None for an empty one."""
        ...

    async def list(
        self, target: ModelTarget | None, states: Sequence[ModelState], *, before: int | None, limit: int
    ) -> Sequence[ModelVersion]:
        """Newest first, numbers below ``before``, without their portfolios; empty filters do not filter."""
        ...

    async def set_state(self, model: ModelVersion) -> ModelVersion:
        """Writes state, activation, loading and proposal; the etag becomes another."""
        ...

    async def validation(self, version: int, number: int | None) -> ModelValidation | None:
        """One validation of a version, the newest for None."""
        ...

    async def add_validation(self, version: int, validation: ModelValidation) -> ModelValidation:
        """Stores another validation of a version and gives it its number. Call under the lock."""
        ...

    async def add_proposal(self, proposal: PriceProposal) -> None: ...

    async def proposal(self, proposal_id: str) -> PriceProposal | None: ...

    async def proposal_by_request(self, request_id: str) -> PriceProposal | None: ...
