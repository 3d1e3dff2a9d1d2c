"""How the commands say what they found, and that they refuse."""

from __future__ import annotations

import dataclasses
import json
import math
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from enum import Enum
from typing import Any

import numpy as np
import typer
from rich.text import Text

from sluice_server.cli.connection import problems
from sluice_server.domain.errors import InvalidInput, SluiceError

BAD_INPUT = 2
"""Exit code for a table or an option that is wrong."""
REFUSED = 1
"""Exit code for an answer that a check refused."""


@contextmanager
def refusals(as_json: bool) -> Iterator[None]:
    """Bad input and refusals end the command; with ``as_json`` they are JSON on standard output too."""
    try:
        yield
    except InvalidInput as wrong:
        if as_json:
            fields = [{"field": v.field, "description": v.description} for v in wrong.violations]
            print_json({"error": wrong.reason, "violations": fields})
        for violation in wrong.violations:
            line = Text(f"{violation.field}: ", style="bold red") + Text(violation.description)
            problems.print(line, soft_wrap=True)
        raise typer.Exit(BAD_INPUT) from None
    except SluiceError as refused:
        if as_json:
            checks = getattr(refused, "checks", ())
            print_json({"error": refused.reason, "refused": True, "message": refused.message, "checks": checks})
        problems.print(Text("refused: ", style="bold red") + Text(refused.message), soft_wrap=True)
        raise typer.Exit(REFUSED) from None


def print_json(value: object) -> None:
    """Dataclasses, enums and arrays as JSON; what is no finite number is null."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, indent=2) + "\n")


def plain(value: Any) -> Any:
    """As JSON has it."""
    if isinstance(value, Enum):
        return plain(value.value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, np.generic | np.ndarray):
        return plain(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [plain(item) for item in value]
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
