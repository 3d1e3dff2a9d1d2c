"""The commands of ``sluice risk``."""

from __future__ import annotations

import typer

from sluice_server.cli.risk.fit import fit

app = typer.Typer(no_args_is_help=True, pretty_exceptions_enable=False)
app.command()(fit)


@app.callback()
def risk() -> None:
    """Fit, rate, screen and watch any table (CSV or Parquet)."""
