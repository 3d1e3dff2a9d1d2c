"""``sluice risk rate``: grades A to E, raw and adjusted for the mix."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from sluice_server.cli.connection import AsJson, output
from sluice_server.cli.risk.answers import print_json, refusals
from sluice_server.cli.risk.tables import TableFile
from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.any_table.rated import RatingRows, rate_entities


def rate(
    file: Annotated[Path, typer.Argument(help="CSV or Parquet.", exists=True, dir_okay=False, readable=True)],
    entity: Annotated[str, typer.Option(help="Column with the channel, store or whatever is rated.")],
    exposure: Annotated[str, typer.Option(help="Column with the exposure, in policy-years.")],
    claims: Annotated[str, typer.Option(help="Column with the number of claims.")],
    amount: Annotated[str, typer.Option(help="Column with the incurred amount.")] = "",
    premium: Annotated[str, typer.Option(help="Column with the earned premium: the loss ratio is rated.")] = "",
    mix: Annotated[
        list[str] | None, typer.Option(help="Column of the mix to adjust for, such as the product. Again for more.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Rate entities by claim frequency, or by loss ratio where amount and premium are given.

    E and D are worse than the portfolio with a stated probability, A and B better, C cannot be told from it.
    """
    names = mix or []
    with refusals(as_json):
        source = TableFile(file)
        source.need([entity, exposure, claims, amount, premium, *names])
        if bool(amount) != bool(premium):
            raise InvalidInput(
                [Violation("premium" if amount else "amount", "a loss ratio needs both amount and premium")]
            )
        rows = RatingRows(
            entity=source.levels(entity),
            exposure=source.numbers(exposure),
            claims=source.numbers(claims),
            amount=source.numbers(amount, empty=0.0) if amount else None,
            premium=source.numbers(premium) if premium else None,
            mix={name: source.levels(name) for name in names},
        )
        source.check()
        rated = rate_entities(rows)
    if as_json:
        entities = [
            {**asdict(one), "interval": {"lower": one.lower, "upper": one.upper, "level": 0.95}}
            for one in rated.entities
        ]
        print_json({"rows": source.rows, "basis": rated.basis, "portfolio": rated.portfolio, "entities": entities})
        return
    table = Table(
        "entity", "rating", "estimate", "interval", "raw", "adjusted", "claims", "exposure", "warnings", box=None
    )
    for one in rated.entities:
        table.add_row(
            Text(one.entity),
            one.rating,
            f"{one.estimate:.4g}",
            f"{one.lower:.4g} to {one.upper:.4g}",
            "" if one.raw is None else f"{one.raw:.4g}",
            "" if one.adjusted is None else f"{one.adjusted:.4g}",
            f"{one.claims:,}",
            f"{one.exposure:,.1f}",
            Text("\n".join(one.warnings), style="yellow"),
        )
    table.title, table.title_justify = f"{rated.basis}, portfolio {rated.portfolio:.4g}", "left"
    output.print(table)
