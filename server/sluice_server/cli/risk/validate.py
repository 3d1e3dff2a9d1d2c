"""``sluice risk validate``: the active model on the newest data."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer
from rich.text import Text

from sluice_server.cli.connection import AsJson, output
from sluice_server.cli.risk.answers import REFUSED, print_json, refusals
from sluice_server.cli.risk.stores import RISK_STORE_HELP, STORE_HELP, store_url
from sluice_server.domain.context import SystemClock
from sluice_server.domain.risk.pricing.validate_active import ValidateActiveModel, ValidatedAgain


def validate(
    store: Annotated[str, typer.Option(envvar="SLUICE_STORE_URL", help=STORE_HELP)] = "var/sluice.db",
    risk_store: Annotated[str, typer.Option(envvar="SLUICE_RISK_STORE_URL", help=RISK_STORE_HELP)] = "var/risk.db",
    data_version: Annotated[int | None, typer.Option(min=1, help="Instead of the active data version.")] = None,
    as_json: AsJson = False,
) -> None:
    """Validate the active model again on the newest years of the rating cells, and keep the result with it.

    A server does the same after each publication. Drift raises a warning, which ends when the model fits again. Exit 0
    when it fits, 1 when it drifts, 2 for bad input.
    """
    with refusals(as_json):
        found = asyncio.run(_validate(store_url(store), store_url(risk_store), data_version))
    validation = found.validation
    if as_json:
        print_json({"model_version": found.model_version, "drift": not validation.passed, **_plain(found)})
    else:
        stamp = validation.data
        where = "" if stamp is None else f" on data version {stamp.data_version}"
        output.print(f"model version {found.model_version}, validation {validation.number}{where}")
        for check in validation.checks:
            style, word = ("green", "passed") if check.passed else ("bold red", "failed")
            output.print(Text(f"{word} ", style=style) + Text(f"{check.name}: {check.explanation}"), soft_wrap=True)
    if not validation.passed:
        raise typer.Exit(REFUSED)


def _plain(found: ValidatedAgain) -> dict[str, object]:
    validation = found.validation
    return {
        "number": validation.number,
        "data_version": None if validation.data is None else validation.data.data_version,
        "checks": validation.checks,
        "figures": validation.figures,
        "lift": validation.lift,
    }


async def _validate(store: str, risk_store: str, data_version: int | None) -> ValidatedAgain:
    # Only here: the other commands need no database.
    from sluice_server.domain.risk.semantic.model_yaml import shipped_model
    from sluice_server.store import open_store
    from sluice_server.store.risk import RiskStoreReader

    reader = RiskStoreReader(risk_store, shipped_model())
    try:
        async with open_store(store) as opened:
            return await ValidateActiveModel(opened, reader, SystemClock())(data_version)
    finally:
        await reader.close()
