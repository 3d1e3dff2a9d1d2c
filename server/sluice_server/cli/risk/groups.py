"""``sluice risk groups``: groups of rows whose risk differs, confirmed on rows that did not suggest them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table
from rich.text import Text

from sluice_server.cli.connection import AsJson, output
from sluice_server.cli.risk.answers import print_json, refusals
from sluice_server.cli.risk.published_groups import show_published
from sluice_server.cli.risk.stores import RISK_STORE_HELP, STORE_HELP, store_url
from sluice_server.cli.risk.tables import TableFile
from sluice_server.domain.risk.any_table.groups import GroupFindings, find_groups
from sluice_server.domain.risk.groups.group import GroupSearch, JudgedGroup
from sluice_server.domain.risk.models.columns import NumberColumn, TextColumn
from sluice_server.domain.risk.models.factors import as_levels


def groups(
    file: Annotated[
        Path | None,
        typer.Argument(help="CSV or Parquet; none with --data-version.", exists=True, dir_okay=False, readable=True),
    ] = None,
    outcome: Annotated[str, typer.Option(help="Column with whole numbers: claims, or 0 and 1.")] = "",
    dimension: Annotated[
        list[str] | None,
        typer.Option(help="Column that may describe a group; numbers are cut into bands. Again for each."),
    ] = None,
    exposure: Annotated[str, typer.Option(help="Column with what the outcomes are counted per; 1 a row without.")] = "",
    subject: Annotated[str, typer.Option(help="Column with the device or customer: its rows stay in one half.")] = "",
    seed: Annotated[int, typer.Option(min=0, help="Deals the halves and shuffles the control.")] = 1,
    depth: Annotated[int, typer.Option(min=1, max=3, help="Most conditions of a group.")] = 2,
    fdr: Annotated[float, typer.Option(min=0.0001, max=0.5, help="Tolerated share of false findings.")] = 0.01,
    minimum_share: Annotated[
        float, typer.Option(min=0, max=0.5, help="Least share of the exposure of a group.")
    ] = 0.01,
    data_version: Annotated[
        int | None, typer.Option(min=0, help="Search this published data version instead of a file; 0: the active one.")
    ] = None,
    store: Annotated[str, typer.Option(envvar="SLUICE_STORE_URL", help=STORE_HELP)] = "var/sluice.db",
    risk_store: Annotated[str, typer.Option(envvar="SLUICE_RISK_STORE_URL", help=RISK_STORE_HELP)] = "var/risk.db",
    as_json: AsJson = False,
) -> None:
    """Search one half of the rows for groups whose risk differs, and let the other half decide.

    The same search runs over shuffled outcomes beside it: what it accepts there is false, and must be nothing. With
    --data-version the rating cells of a published version are searched as the server does, and what is found is stored.
    """
    if data_version is not None:
        if file is not None or outcome or dimension:
            raise typer.BadParameter("goes without a file and its columns", param_hint="--data-version")
        show_published(store_url(store), store_url(risk_store), data_version, as_json=as_json)
        return
    missing = [
        name for name, given in (("FILE", file), ("--outcome", outcome), ("--dimension", dimension)) if not given
    ]
    if file is None or not dimension or missing:
        raise typer.BadParameter("needed, or --data-version", param_hint=", ".join(missing))
    with refusals(as_json):
        source = TableFile(file)
        source.need([outcome, exposure, subject, *dimension])
        seen = source.numbers(outcome)
        years = source.numbers(exposure) if exposure else np.ones(source.rows)
        columns: dict[str, TextColumn] = {}
        for name in dimension:
            column = source.factor(name)
            columns[name] = as_levels(column) if isinstance(column, NumberColumn) else column
        numbers = source.codes(subject) if subject else None
        source.check()
        search = GroupSearch(depth=depth, minimum_share=minimum_share, false_discovery_rate=fdr, seed=seed)
        found = find_groups(columns, seen, years, search, numbers)
    accepted = [one for one in found.groups if one.accepted]
    if as_json:
        print_json(
            {
                "rows": source.rows,
                "tried": found.tried,
                "proposed": len(found.groups),
                "accepted": [_plain(one) for one in accepted],
                "refused": [_plain(one) for one in found.groups if not one.accepted],
                "permuted": {"proposed": found.permuted_proposed, "accepted": found.permuted_accepted},
            }
        )
        return
    _show(found, accepted)


def _plain(group: JudgedGroup) -> dict[str, object]:
    return {
        "group": _words(group),
        "conditions": [{"dimension": one.dimension, "value": one.value} for one in group.conditions],
        "side": group.side,
        "effect": group.effect,
        "effect_interval": group.effect_interval,
        "discovery_effect": group.discovery_effect,
        "p_value": group.p_value,
        "q_value": group.q_value,
        "exposure": group.exposure,
        "outcomes": group.outcomes,
        "accepted": group.accepted,
        "refusal": group.refusal,
    }


def _words(group: JudgedGroup) -> str:
    return " and ".join(f"{one.dimension} = {one.value}" for one in group.conditions)


def _show(found: GroupFindings, accepted: list[JudgedGroup]) -> None:
    table = Table("group", "effect", "interval", "when found", "outcomes", "exposure", "p", "q", box=None)
    for one in accepted:
        upper = one.effect_interval.upper
        table.add_row(
            Text(_words(one)),
            f"{one.effect:.2f}",
            f"{one.effect_interval.lower:.2f} to {'∞' if upper is None else f'{upper:.2f}'}",
            f"{one.discovery_effect:.2f}",
            f"{one.outcomes:,.0f}",
            f"{one.exposure:,.1f}",
            f"{one.p_value:.2g}",
            f"{one.q_value:.2g}",
        )
    output.print(table)
    output.print(f"{found.tried:,} tried, {len(found.groups)} proposed, {len(accepted)} accepted on the hold-out half")
    style = "green" if found.permuted_accepted == 0 else "bold red"
    text = f"shuffled outcomes: {found.permuted_proposed} proposed, {found.permuted_accepted} accepted"
    output.print(Text(text, style=style))
