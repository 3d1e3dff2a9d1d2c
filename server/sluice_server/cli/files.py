"""Files that commands are given."""

from __future__ import annotations

from pathlib import Path

import typer

from sluice_server.cli.connection import problems


def read_text(file: Path) -> str:
    """The file's text; ends the command when it is not UTF-8."""
    try:
        return file.read_text(encoding="utf-8")
    except (UnicodeDecodeError, OSError) as error:
        problems.print(f"{file}: cannot be read: {error}", markup=False)
        raise typer.Exit(1) from None
