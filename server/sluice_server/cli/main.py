"""The ``sluice`` command."""

from __future__ import annotations

import typer

from sluice_server.cli import alarm_sink, breaker, incident, insurer, plan, route, simulated_insurer
from sluice_server.cli.demo.command import demo
from sluice_server.cli.serve import serve, settings

app = typer.Typer(
    help="Sluice routes insurance applications to insurers, cuts a failing one, answers questions about risk.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
app.command()(serve)
app.command()(settings)
app.command()(demo)
app.add_typer(plan.app, name="plan")
app.add_typer(route.app, name="route")
app.add_typer(insurer.app, name="insurer")
app.add_typer(incident.app, name="incident")
app.add_typer(breaker.app, name="breaker")
app.add_typer(simulated_insurer.app, name="simulated-insurer")
app.add_typer(alarm_sink.app, name="alarm-sink")

if __name__ == "__main__":
    app()
