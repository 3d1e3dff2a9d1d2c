"""The ``sluice`` command."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(
    help="Sluice routes insurance applications to insurers, cuts a failing one, answers questions about risk.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.command()
def demo(
    data: Annotated[Path | None, typer.Option(help="Folder of freMTPL2: also runs the Flink job on it.")] = None,
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its files; emptied first.")] = Path("var/demo"),
) -> None:
    """Run the whole house end to end; exit 0 only if everything held."""
    from sluice_server.cli.demo import story

    console = Console()
    raise typer.Exit(0 if asyncio.run(story.run(folder, data, console)) else 1)


if __name__ == "__main__":
    app()
