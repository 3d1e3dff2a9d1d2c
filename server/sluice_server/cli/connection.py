"""How the commands that talk to a server reach it, and how they say that it refused."""

from __future__ import annotations

import getpass
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from rich.console import Console
from rich.text import Text

from sluice.client import Sluice, SluiceError

Address = Annotated[str, typer.Option(envvar="SLUICE_ADDRESS", help="HOST:PORT of the server.")]
ActorName = Annotated[
    str, typer.Option("--actor", envvar="SLUICE_ACTOR", help="Who you are, for the audit trail; your login by default.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
Reason = Annotated[str, typer.Option(help="Why, for the audit trail.")]
DEFAULT_ADDRESS = "127.0.0.1:7350"

PIPED_WIDTH = 200
"""Columns where the output is no terminal: what is read by grep must not be cut."""

output = Console()
if not output.is_terminal:
    output = Console(width=PIPED_WIDTH)
problems = Console(stderr=True)


@contextmanager
def server(address: str, actor: str = "") -> Iterator[Sluice]:
    """A connection; a refused call ends the command with exit code 1 and says every wrong field."""
    try:
        with Sluice(address, actor=actor or getpass.getuser()) as connection:
            yield connection
    except SluiceError as refused:
        reason = f" ({refused.reason})" if refused.reason else ""
        several = refused.violations if len(refused.violations) > 1 else ()
        message = f"{len(several)} things are wrong" if several else refused.message
        problems.print(Text(f"{refused.code.name}{reason}: ", style="bold red") + Text(message), soft_wrap=True)
        for violation in several:
            problems.print(Text(f"  {violation.field}: ", style="bold") + Text(violation.description), soft_wrap=True)
        if refused.request_id:
            problems.print(Text(f"request id {refused.request_id}", style="dim"))
        raise typer.Exit(1) from None


def print_json(message: Message) -> None:
    """A message as JSON, names as in the contract, to standard output."""
    sys.stdout.write(
        MessageToJson(message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True) + "\n"
    )
