"""Storing a fitted model as a version that may be proposed and activated."""

from __future__ import annotations

import asyncio
import getpass
import hashlib
import json
from pathlib import Path

from sluice_server.cli.risk.answers import plain
from sluice_server.cli.risk.tables import TableFile
from sluice_server.domain.context import Actor, CallContext, SystemClock
from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.identity import new_id
from sluice_server.domain.risk.models.columns import Mask, ModelTable
from sluice_server.domain.risk.models.fit_model import FittedModel
from sluice_server.domain.risk.pricing.change import ModelDraft, RegisterModel
from sluice_server.domain.risk.pricing.from_fit import model_content, model_validation
from sluice_server.domain.risk.pricing.model_version import ModelVersion
from sluice_server.store import open_store


def register(
    url: str,
    fitted: FittedModel,
    table: ModelTable,
    source: TableFile,
    rows: Mask | None,
    *,
    premium: str,
    currency: str,
    reason: str,
    actor: str = "",
) -> ModelVersion:
    """Stores the model in the server's store. ``rows``: those of the file that the table kept, None for all.

    Raises InvalidInput, Unavailable.
    """
    violations = [
        Violation(option, "is needed with --store")
        for option, value in (("premium", premium), ("currency", currency), ("reason", reason))
        if not value
    ]
    if violations:
        raise InvalidInput(violations)
    source.need([premium])
    earned = source.numbers(premium)
    source.check()
    content = model_content(fitted, table, earned if rows is None else earned[rows], currency)
    draft = ModelDraft(content, _digest(plain(content)), model_validation(fitted.validation), reason)
    context = CallContext(Actor(actor or getpass.getuser()), new_id("cli"))

    async def store() -> ModelVersion:
        async with open_store(url) as opened:
            return await RegisterModel(opened, SystemClock())(draft, context)

    return asyncio.run(store())


def store_url(path_or_url: str) -> str:
    """A file's path is taken for SQLite's."""
    return path_or_url if "://" in path_or_url else f"sqlite+aiosqlite:///{Path(path_or_url)}"


def _digest(content: object) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()
