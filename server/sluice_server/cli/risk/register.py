"""Storing a fitted model as a version that may be proposed and activated."""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import json

from sluice_server.cli.risk.answers import plain
from sluice_server.cli.risk.fit_input import FitInput
from sluice_server.domain.context import Actor, CallContext, SystemClock
from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.identity import new_id
from sluice_server.domain.risk.models.fit_model import FittedModel
from sluice_server.domain.risk.pricing.change import ModelDraft, RegisterModel
from sluice_server.domain.risk.pricing.from_fit import model_content, model_validation
from sluice_server.domain.risk.pricing.model_version import ModelVersion
from sluice_server.store import open_store


def register(
    url: str, fitted: FittedModel, given: FitInput, *, currency: str, reason: str, actor: str = ""
) -> ModelVersion:
    """Stores the model in the server's store. Raises InvalidInput, Unavailable."""
    currency = currency or (given.data.currency or "" if given.data is not None else "")
    violations = [
        Violation(option, "is needed with --store")
        for option, value in (("currency", currency), ("reason", reason))
        if not value
    ]
    if given.premium is None:
        text = (
            "is needed with --store" if given.data is None else "is not in the data version: it does not tell the mix"
        )
        violations.append(Violation("premium", text))
    if violations or given.premium is None:
        raise InvalidInput(violations)
    content = model_content(fitted, given.table, given.premium, currency, given.data, given.policies)
    validation = model_validation(fitted.validation, given.data)
    draft = ModelDraft(content, _digest(plain(content)), validation, reason)
    context = CallContext(Actor(actor or getpass.getuser()), new_id("cli"))

    async def store() -> ModelVersion:
        async with open_store(url) as opened:
            return await RegisterModel(opened, SystemClock())(draft, context)

    return asyncio.run(store())


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
