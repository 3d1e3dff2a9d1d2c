"""Validates the active pricing model again on every data version that is published."""

from __future__ import annotations

import asyncio

import structlog

from sluice_server.domain.errors import ConcurrentChange, DataVersionNotFound, InvalidInput, RiskResourceNotFound
from sluice_server.domain.risk.pricing.validate_active import ValidateActiveModel
from sluice_server.runtime.order_workers import Rounds


class ModelValidationWorker:
    """Every replica runs one; what one has validated the others leave."""

    name = "model-validation"

    def __init__(self, validate: ValidateActiveModel, *, idle_seconds: float = 5.0) -> None:
        self._validate = validate
        self._rounds = Rounds(self.name, self.round, idle_seconds=idle_seconds)
        self._log = structlog.get_logger("sluice.worker")
        self._told = ""

    async def run(self, stopping: asyncio.Event) -> None:
        await self._rounds.run(stopping)

    async def round(self) -> bool:
        """Validates where that is due; False: there is nothing more to do at once."""
        try:
            found = await self._validate(again=False)
        except (RiskResourceNotFound, DataVersionNotFound):
            # No model is active, or nothing is published.
            return False
        except ConcurrentChange:
            # Another replica did it at the same moment.
            return False
        except InvalidInput as error:
            # The model has factors that no data version has: said once, not every few seconds.
            if error.message != self._told:
                self._log.warning("the active model cannot be validated on data versions", reason=error.message)
                self._told = error.message
            return False
        if found.is_new:
            failed = [check.name for check in found.validation.checks if not check.passed]
            log = self._log.warning if failed else self._log.info
            log("active model validated", model_version=found.model_version, failed=failed)
        return False
