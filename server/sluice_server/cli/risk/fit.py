"""``sluice risk fit``: a frequency model with relativities, held against what it was not fitted on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sluice_server.cli.connection import AsJson, output
from sluice_server.cli.risk.answers import REFUSED, print_json, refusals
from sluice_server.cli.risk.fit_answer import fit_json, show_fit
from sluice_server.cli.risk.fit_input import FileColumns, FitInput, read_data_version, read_factors, read_file
from sluice_server.cli.risk.stores import RISK_STORE_HELP, store_url
from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.models.fit_model import ModelDefinition, fit_model

FACTOR_HELP = (
    "A rating factor: COLUMN, or COLUMN:OPTION[:OPTION] with levels, bands, bands=20,30,50, number, log, ordinal, "
    "min=N, max=N, increasing, decreasing. Again for each factor."
)


def fit(
    factor: Annotated[list[str], typer.Option(help=FACTOR_HELP)],
    file: Annotated[
        Path | None, typer.Argument(help="CSV or Parquet; or give --data-version.", exists=True, dir_okay=False)
    ] = None,
    claims: Annotated[str, typer.Option(help="Column with the number of claims.")] = "",
    exposure: Annotated[str, typer.Option(help="Column with the exposure, in policy-years.")] = "",
    data_version: Annotated[
        str, typer.Option(help="Fit on the rating cells of a data version instead of a file: its number, or active.")
    ] = "",
    risk_store: Annotated[str, typer.Option(envvar="SLUICE_RISK_STORE_URL", help=RISK_STORE_HELP)] = "var/risk.db",
    group: Annotated[
        str, typer.Option(help="Column saying what rows are about the same thing, such as a device.")
    ] = "",
    time: Annotated[
        str, typer.Option(help="Column with a date, time or number; the last part of it is held out.")
    ] = "",
    split: Annotated[str, typer.Option(help="Column saying learn or test, instead of a split by group and time.")] = "",
    amount: Annotated[str, typer.Option(help="Column with the incurred amount: also fit the amount of a claim.")] = "",
    large_claim: Annotated[
        float | None, typer.Option(help="Amount of a claim above which it is capped; by default that of 1 % of them.")
    ] = None,
    delays: Annotated[
        Path | None,
        typer.Option(
            help="Table with delay_days and share: part of the claims reported by then. Needs --time, --as-of."
        ),
    ] = None,
    as_of: Annotated[str, typer.Option(help="Day the table was drawn, for --delays.")] = "",
    challenger: Annotated[bool, typer.Option(help="Fit the boosted challenger beside it.")] = True,
    allow_leakage: Annotated[
        bool, typer.Option(help="Go on although the held-out rows repeat learned ones; the model does not pass.")
    ] = False,
    seed: Annotated[int, typer.Option(min=0, help="For the split, the trees and the resamples.")] = 1,
    store: Annotated[
        str,
        typer.Option(help="The server's store (URL, or SQLite file): keep the model there. Amounts in minor units."),
    ] = "",
    premium: Annotated[str, typer.Option(help="Column with the earned premium, in minor units, for --store.")] = "",
    currency: Annotated[str, typer.Option(help="Currency of the amounts, such as CNY, for --store.")] = "",
    reason: Annotated[str, typer.Option(help="Why the model is stored, for the audit trail.")] = "",
    actor: Annotated[str, typer.Option(envvar="SLUICE_ACTOR", help="Who you are; your login by default.")] = "",
    as_json: AsJson = False,
) -> None:
    """Fit claim frequencies by rating factors and validate them on rows that were held out.

    A leakage check runs first. Exit 0 when the model passes every check, 1 when it does not, 2 for bad input.
    """
    with refusals(as_json):
        given = _read(
            file,
            data_version,
            risk_store,
            FileColumns(claims, exposure, group, time, split, amount, premium, delays, as_of),
            factor,
        )
        factors, _ = read_factors(factor)
        fitted = fit_model(
            given.table, ModelDefinition(factors, large_claim, allow_leakage, challenger, seed), given.learn
        )
        stored = None
        if store:
            # Only here: the databases' drivers are not needed otherwise.
            from sluice_server.cli.risk.register import register

            stored = register(store_url(store), fitted, given, currency=currency, reason=reason, actor=actor)
    if as_json:
        version = None if given.data is None else given.data.data_version
        more = {"data_version": version, "model_version": None if stored is None else stored.version}
        print_json(fit_json(fitted, len(given.table)) | more)
    else:
        show_fit(fitted)
        if stored is not None:
            output.print(f"stored as model version {stored.version}, {stored.state}")
    if not fitted.validation.passed:
        raise typer.Exit(REFUSED)


def _read(file: Path | None, data_version: str, risk_store: str, columns: FileColumns, factors: list[str]) -> FitInput:
    if (file is None) == (not data_version):
        raise InvalidInput([Violation("file", "give either a file or --data-version")])
    if file is not None:
        return read_file(file, columns, factors)
    if data_version != "active" and not (data_version.isdecimal() and int(data_version) > 0):
        raise InvalidInput([Violation("data-version", "must be a number from 1, or active")])
    unused = [
        name
        for name in ("claims", "exposure", "group", "time", "split", "amount", "premium", "delays", "as_of")
        if getattr(columns, name)
    ]
    if unused:
        text = "names a column of a file; a data version has its own"
        raise InvalidInput([Violation(name.replace("_", "-"), text) for name in unused])
    return read_data_version(store_url(risk_store), None if data_version == "active" else int(data_version), factors)
