"""``sluice risk anomalies``: entities whose rows stand out."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.table import Table
from rich.text import Text

from sluice_server.cli.connection import AsJson, output
from sluice_server.cli.risk.answers import print_json, refusals
from sluice_server.cli.risk.tables import TableFile
from sluice_server.domain.risk.any_table.abnormal import DEFAULT_RATE, AbnormalEntity, Rows, find_abnormal
from sluice_server.domain.risk.models.columns import MISSING


def anomalies(
    file: Annotated[
        Path, typer.Argument(help="CSV or Parquet, one row for each claim.", exists=True, dir_okay=False, readable=True)
    ],
    entity: Annotated[str, typer.Option(help="Column with the shop, store or whatever is screened.")],
    amount: Annotated[str, typer.Option(help="Column with the amount of the row.")],
    time: Annotated[str, typer.Option(help="Column with a date or time: bursts are looked for.")] = "",
    peer: Annotated[
        list[str] | None,
        typer.Option(help="Column whose equal values make rows alike, such as the part. Again for more."),
    ] = None,
    subject: Annotated[str, typer.Option(help="Column with the device or policy: repeats are looked for.")] = "",
    fdr: Annotated[
        float, typer.Option(min=0.0001, max=0.5, help="Share of false findings tolerated among the flagged.")
    ] = DEFAULT_RATE,
    limit: Annotated[int, typer.Option(min=1, help="Show at most this many in the table; JSON has all.")] = 25,
    as_json: AsJson = False,
) -> None:
    """Screen entities by cost against peers, large, equal and repeated claims, bursts and concentration.

    Each is compared with what the others' rows would give for as many rows, so size alone is not abnormal.
    """
    peers = peer or []
    with refusals(as_json):
        source = TableFile(file)
        source.need([entity, amount, time, subject, *peers])
        rows = Rows(
            entity=source.levels(entity),
            amount=source.numbers(amount, empty=np.nan),
            day=source.days(time) if time else None,
            peers={name: source.levels(name) for name in peers},
            subject=source.codes(subject) if subject else None,
            dated=bool(time) and not source.is_number(time),
        )
        source.check()
        # A claim without a shop says nothing of any, one without an amount nothing of its cost: both are counted.
        named = np.array([level != MISSING for level in rows.entity.levels])[rows.entity.codes]
        priced = ~np.isnan(rows.amount)
        used = named & priced
        found = find_abnormal(rows if used.all() else rows.take(used), fdr)
    flagged = sum(one.flagged for one in found)
    if as_json:
        print_json(
            {
                "rows": source.rows,
                "rows_without_entity": int((~named).sum()),
                "rows_without_amount": int((named & ~priced).sum()),
                "false_discovery_rate": fdr,
                "screened": len(found),
                "flagged": flagged,
                "entities": [_json(one) for one in found],
            }
        )
        return
    table = Table("entity", "volume", "expected", "observed", "score", "p", "q", "flagged", "reasons", box=None)
    for one in found[:limit]:
        table.add_row(
            Text(one.entity),
            f"{one.volume:,}",
            f"{one.expected:,.0f}",
            f"{one.observed:,.0f}",
            f"{one.score:.2f}",
            f"{one.p_value:.2g}",
            f"{one.q_value:.2g}",
            Text("yes", style="bold red") if one.flagged else "",
            Text("\n".join(f"{reason.indicator}: {reason.text}" for reason in one.reasons)),
        )
    output.print(table)
    output.print(f"{len(found):,} screened, {flagged:,} flagged at a false discovery rate of {fdr:g}")
    if not used.all():
        output.print(f"{int((~used).sum()):,} of {source.rows:,} rows left out: they have no entity or no amount")


def _json(one: AbnormalEntity) -> dict[str, object]:
    """The names that people use for probabilities; the rest as it is called in the code."""
    plain = asdict(one)
    p, q = plain.pop("p_value"), plain.pop("q_value")
    reasons = [{"p": reason.pop("p_value"), **reason} for reason in plain.pop("reasons")]
    return {**plain, "p": p, "q": q, "reasons": reasons}
