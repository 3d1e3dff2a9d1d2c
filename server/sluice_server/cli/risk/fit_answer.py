"""How ``sluice risk fit`` tells what it fitted: as JSON, and as tables for people.

Deviances are means over rows of 2 (y ln(y/m) - (y - m)), with y claims where m were expected; 2 m where y is 0.
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np
from rich.table import Table
from rich.text import Text

from sluice_server.cli.connection import output
from sluice_server.domain.risk.models.fit_model import FittedModel
from sluice_server.domain.risk.models.glm import FittedGlm


def fit_json(fitted: FittedModel, rows: int) -> dict[str, object]:
    """Everything, by the names that the README gives."""
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


def show_fit(fitted: FittedModel) -> None:
    """Prints it."""
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
