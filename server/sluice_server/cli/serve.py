"""``sluice serve``: the server, until SIGTERM."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def serve(
    config: Annotated[
        Path | None, typer.Option(help="TOML or YAML file with settings; SLUICE_CONFIG names it as well.")
    ] = None,
) -> None:
    """Run the server until SIGTERM. Settings come from SLUICE_* and the file; `sluice settings` lists them."""
    from sluice_server.domain.errors import SluiceError
    from sluice_server.runtime.compose import build
    from sluice_server.runtime.lifecycle import run
    from sluice_server.runtime.settings import SettingsError, load_settings

    try:
        run(build, load_settings(config))
    except (SettingsError, SluiceError) as error:
        print(f"sluice serve: {error}", file=sys.stderr)
        raise typer.Exit(2) from None


def settings() -> None:
    """List every setting with its meaning and default."""
    from rich.console import Console
    from rich.table import Table

    from sluice_server.runtime.settings import PREFIX, Settings

    table = Table("setting", "default", "meaning", box=None, padding=(0, 2, 0, 0))
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else str(field.default)
        table.add_row(PREFIX + name.upper(), default, " ".join((field.description or "").split()))
    Console().print(table)
