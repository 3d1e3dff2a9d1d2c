"""The ``sluice`` command: a table of its commands, each loaded when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

COMMANDS = {
    "serve": "sluice_server.cli.serve:serve",
    "settings": "sluice_server.cli.serve:settings",
    "demo": "sluice_server.cli.demo.command:demo",
    "plan": "sluice_server.cli.plan:app",
    "route": "sluice_server.cli.route:app",
    "decision": "sluice_server.cli.decision:app",
    "insurer": "sluice_server.cli.insurer:app",
    "incident": "sluice_server.cli.incident:app",
    "breaker": "sluice_server.cli.breaker:app",
    "audit": "sluice_server.cli.audit:app",
    "risk": "sluice_server.cli.risk.command:app",
    "chart": "sluice_server.cli.chart:app",
    "simulated-insurer": "sluice_server.cli.simulated_insurer:app",
    "alarm-sink": "sluice_server.cli.alarm_sink:app",
}
"""Name of the command → module:attribute, which is a Typer or a function."""


class OnDemand(TyperGroup):
    """Imports a command when it is asked for: an alarm sink need not wait for the statistics of the risk room."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, attribute = place.partition(":")
        found = getattr(import_module(module), attribute)
        if not isinstance(found, typer.Typer):
            alone = typer.Typer(pretty_exceptions_enable=False)
            alone.command()(found)
            found = alone
        command = typer.main.get_command(found)
        command.name = cmd_name
        return command


app = typer.Typer(cls=OnDemand, no_args_is_help=True, pretty_exceptions_enable=False)


@app.callback()
def sluice() -> None:
    """Sluice routes insurance applications to insurers, cuts a failing one, answers questions about risk."""


if __name__ == "__main__":
    app()
