"""``sluice risk fit``: a frequency model with relativities, held against what it was not fitted on."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table
from rich.text import Text

from sluice_server.cli.connection import AsJson, output
from sluice_server.cli.risk.answers import REFUSED, print_json, refusals
from sluice_server.cli.risk.tables import TableFile, day_of
from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.models.columns import Mask, ModelTable
from sluice_server.domain.risk.models.development import Development, given_development
from sluice_server.domain.risk.models.factors import FactorDefinition, parse_factor
from sluice_server.domain.risk.models.fit_model import FittedModel, ModelDefinition, fit_model
from sluice_server.domain.risk.models.glm import FittedGlm

FACTOR_HELP = (
    "A rating factor: COLUMN, or COLUMN:OPTION[:OPTION] with levels, bands, bands=20,30,50, number, log, ordinal, "
    "min=N, max=N, increasing, decreasing. Again for each factor."
)


def fit(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet.", exists=True, dir_okay=False, readable=True)],
    claims: Annotated[str, typer.Option(help="Column with the number of claims.")],
    exposure: Annotated[str, typer.Option(help="Column with the exposure, in policy-years.")],
    factor: Annotated[list[str], typer.Option(help=FACTOR_HELP)],
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
        source = TableFile(file)
        factors, violations = _factors(factor)
        names = [one.name for one in factors]
        violations += source.missing([claims, exposure, *names, group, time, split, amount])
        if violations:
            raise InvalidInput(violations)
        definition = ModelDefinition(factors, large_claim, allow_leakage, challenger, seed)
        table = ModelTable(
            claims=source.numbers(claims),
            exposure=source.numbers(exposure),
            factors={name: source.factor(name) for name in names},
            amount=source.numbers(amount, empty=0.0) if amount else None,
            group=source.codes(group) if group else None,
            time=source.days(time) if time else None,
        )
        learn = source.learn_mask(split) if split else None
        source.check()
        known = None
        if delays is not None:
            table, known = _developed(table, delays, as_of)
            learn = None if learn is None else learn[known]
        fitted = fit_model(table, definition, learn)
        stored = None
        if store:
            # Only here: the databases' drivers are not needed otherwise.
            from sluice_server.cli.risk.register import register, store_url

            stored = register(
                store_url(store),
                fitted,
                table,
                source,
                known,
                premium=premium,
                currency=currency,
                reason=reason,
                actor=actor,
            )
    if as_json:
        print_json(_answer(fitted, len(table)) | {"model_version": None if stored is None else stored.version})
    else:
        _show(fitted)
        if stored is not None:
            output.print(f"stored as model version {stored.version}, {stored.state}")
    if not fitted.validation.passed:
        raise typer.Exit(REFUSED)


def _factors(texts: list[str]) -> tuple[tuple[FactorDefinition, ...], list[Violation]]:
    """The factors that can be read, and what is wrong with the others."""
    found: list[FactorDefinition] = []
    violations: list[Violation] = []
    for text in texts:
        try:
            found.append(parse_factor(text))
        except InvalidInput as wrong:
            violations += wrong.violations
    return tuple(found), violations


def _developed(table: ModelTable, delays: Path, as_of: str) -> tuple[ModelTable, Mask]:
    """The table with the share of each row's claims that can be known, without rows of which none can."""
    day = day_of(as_of)
    violations = []
    if table.time is None:
        violations.append(Violation("time", "is needed with --delays: the claims of a row occur at its time"))
    if day is None:
        violations.append(Violation("as-of", "is needed with --delays: a date such as 2026-03-01"))
    if violations or day is None or table.time is None:
        raise InvalidInput(violations)
    development = _delay_table(delays)
    share = development.reported_share(day - table.time)
    known = share > 0
    if not known.any():
        raise InvalidInput([Violation("as-of", "no claim of any row can be reported by then")])
    return replace(table, reported_share=share).take(known), known


def _delay_table(path: Path) -> Development:
    source = TableFile(path)
    source.need(["delay_days", "share"])
    days, shares = source.numbers("delay_days"), source.numbers("share")
    source.check()
    return given_development([float(day) for day in days], [float(share) for share in shares])


def _answer(fitted: FittedModel, rows: int) -> dict[str, object]:
    validation = fitted.validation
    return {
        "rows": rows,
        "split": {
            "kind": fitted.split.kind,
            "learn_rows": int(fitted.split.learn.sum()),
            "held_out_rows": {name: int(mask.sum()) for name, mask in fitted.split.parts.items()},
            "cut": fitted.split.cut,
        },
        "leakage": {"passed": all(check.passed for check in fitted.leakage), "checks": fitted.leakage},
        "deviances": {
            one.data_set: {"null": one.null_deviance, "glm": one.deviance, "challenger": one.challenger_deviance}
            for one in validation.figures
        },
        "gini": {one.data_set: {"glm": one.gini, "challenger": one.challenger_gini} for one in validation.figures},
        "frequency": _glm(fitted.frequency),
        "severity": None
        if fitted.severity is None
        else {
            **_glm(fitted.severity.glm),
            "large_claims": {
                "threshold": fitted.severity.large_claims.threshold,
                "claims": fitted.severity.large_claims.claims,
                "excess": fitted.severity.large_claims.excess,
                "loading": fitted.severity.large_claims.loading,
            },
            "deviance": validation.severity_deviance,
        },
        "challenger": None
        if fitted.challenger is None
        else {"method": "lightgbm-poisson", "trees": fitted.challenger.trees},
        "figures": validation.figures,
        "lift": validation.lift,
        "double_lift": validation.double_lift,
        "calibration": [{**asdict(segment), "off": segment.off} for segment in validation.segments],
        "stability": {"psi": validation.stability.index, "limit": validation.stability.limit},
        "unseen_rows": fitted.unseen,
        "checks": validation.checks,
        "passed": validation.passed,
    }


def _glm(glm: FittedGlm) -> dict[str, object]:
    return {
        "method": f"{glm.family}-glm",
        "base": float(np.exp(glm.intercept)),
        "dispersion": glm.dispersion,
        "cells": glm.cells,
        "aliased": [f"{term.factor}={term.level}" if term.level else term.factor for term in glm.aliased],
        "relativities": glm.relativities(),
    }


def _show(fitted: FittedModel) -> None:
    validation = fitted.validation
    figures = Table("data", "rows", "claims", "null", "GLM", "challenger", "Gini", "Gini ch.", "A/E", box=None)
    figures.title, figures.title_justify = f"Poisson deviance × 100, split: {fitted.split.kind}", "left"
    for one in validation.figures:
        figures.add_row(
            one.data_set,
            f"{one.rows:,}",
            f"{one.claims:,.0f}",
            f"{100 * one.null_deviance:.5f}",
            f"{100 * one.deviance:.5f}",
            "" if one.challenger_deviance is None else f"{100 * one.challenger_deviance:.5f}",
            f"{one.gini:.4f}",
            "" if one.challenger_gini is None else f"{one.challenger_gini:.4f}",
            f"{one.actual_to_expected:.3f}",
        )
    output.print(figures)
    _show_relativities("frequency", fitted.frequency)
    if fitted.severity is not None:
        large = fitted.severity.large_claims
        _show_relativities("amount of a claim", fitted.severity.glm)
        output.print(f"{large.claims} claims capped at {large.threshold:,.2f}; loading {large.loading:.4f}")
    lift = Table("bin", "exposure", "predicted", "observed", "interval", box=None, title="Lift, held out")
    lift.title_justify = "left"
    for part in validation.lift:
        upper = "∞" if part.interval.upper is None else f"{part.interval.upper:.4f}"
        lift.add_row(
            str(part.number),
            f"{part.exposure:,.1f}",
            f"{part.predicted:.4f}",
            f"{part.observed:.4f}",
            f"{part.interval.lower:.4f} to {upper}",
        )
    output.print(lift)
    for check in validation.checks:
        style, word = ("green", "passed") if check.passed else ("bold red", "failed")
        output.print(Text(f"{word} ", style=style) + Text(f"{check.name}: {check.explanation}"), soft_wrap=True)
    verdict = "the model passes" if validation.passed else "the model does not pass"
    output.print(Text(verdict, style="bold green" if validation.passed else "bold red"))


def _show_relativities(title: str, glm: FittedGlm) -> None:
    table = Table("factor", "level", "relativity", "std. error", "interval", "weight", box=None, title=title)
    table.title_justify = "left"
    for one in glm.relativities():
        base = one.standard_error == 0
        table.add_row(
            Text(one.factor),
            Text(one.level),
            "said by others" if one.aliased else f"{one.relativity:.4f}",
            "" if base else f"{one.standard_error:.4f}",
            "" if base else f"{one.lower:.4f} to {one.upper:.4f}",
            f"{one.weight:,.1f}",
        )
    output.print(table)
