"""``sluice demo``."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path
from typing import Annotated

import typer

PLAIN_WIDTH = 140
"""Columns where the output is no terminal: a log or a file."""

MARK = ".sluice-demo"
"""Lies in a folder that a demo has made: only such a one is emptied."""


def demo(
    data: Annotated[Path | None, typer.Option(help="Folder of freMTPL2: also runs the Flink job on it.")] = None,
    folder: Annotated[Path, typer.Option(help="Where the demo keeps its files; emptied first.")] = Path("var/demo"),
) -> None:
    """Run the whole house end to end; exit 0 only if everything held."""
    from rich.console import Console

    from sluice_server.cli.demo import story
    from sluice_server.cli.demo.processes import ProcessFailed

    if data is not None and not data.is_dir():
        raise typer.BadParameter(f"{data} is no folder", param_hint="--data")
    if folder.exists() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise typer.BadParameter(f"{folder} holds files that are not a demo's; name another", param_hint="--folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / MARK).touch()
    try:
        console = Console()
        if not console.is_terminal:
            console = Console(width=PLAIN_WIDTH)
        held = asyncio.run(story.run(folder.resolve(), data, console))
    except ProcessFailed as error:
        print(f"sluice demo: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    raise typer.Exit(0 if held else 1)
