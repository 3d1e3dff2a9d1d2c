"""The commands of ``sluice risk``."""

from __future__ import annotations

import typer

from sluice_server.cli.risk.alerts import alerts
from sluice_server.cli.risk.anomalies import anomalies
from sluice_server.cli.risk.fit import fit
from sluice_server.cli.risk.groups import groups
from sluice_server.cli.risk.rate import rate
from sluice_server.cli.risk.rules import rules
from sluice_server.cli.risk.validate import validate

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.command()(anomalies)
app.command()(rate)
app.command()(groups)
app.command()(fit)
app.command()(validate)
app.command()(alerts)
app.command()(rules)


@app.callback()
def risk() -> None:
    """Screen, rate, search, fit and watch any table (CSV or Parquet)."""
