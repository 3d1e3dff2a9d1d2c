"""``sluice plan diff``: what two versions say differently, rule by rule."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from sluice.client import Sluice
from sluice.routing.v1 import routing_pb2
from sluice_server.cli.connection import DEFAULT_ADDRESS, ActorName, Address, AsJson, output, problems, server
from sluice_server.cli.files import read_text
from sluice_server.domain.errors import InvalidPlan
from sluice_server.domain.routing.source.compare import ChangeKind, PartChange, compare_plans, document_of
from sluice_server.domain.routing.source.document import PlanDocument

_PLACE = "FILE|VERSION"
_SIGNS = {ChangeKind.ADDED: "+", ChangeKind.REMOVED: "-", ChangeKind.CHANGED: "~", ChangeKind.MOVED: "↕"}
_STYLES = {
    ChangeKind.ADDED: "bold green",
    ChangeKind.REMOVED: "bold red",
    ChangeKind.CHANGED: "bold yellow",
    ChangeKind.MOVED: "bold cyan",
}


def diff(
    before: Annotated[
        str, typer.Argument(metavar=_PLACE, help="A plan's YAML or a stored version; 0: the active one.")
    ],
    after: Annotated[str, typer.Argument(metavar=_PLACE, help="The other one.")],
    address: Address = DEFAULT_ADDRESS,
    actor: ActorName = "",
    as_json: AsJson = False,
) -> None:
    """Say how a plan differs from another, rule by rule. Files alone need no server."""
    with ExitStack() as opened:
        stored = before.isdecimal() or after.isdecimal()
        sluice = opened.enter_context(server(address, actor)) if stored else None
        documents = [_document(place, sluice) for place in (before, after)]
    changes = compare_plans(documents[0], documents[1])
    if as_json:
        rows = {"before": before, "after": after, "changes": [asdict(change) for change in changes]}
        sys.stdout.write(json.dumps(rows, ensure_ascii=False) + "\n")
    else:
        _print(changes)


def _document(place: str, sluice: Sluice | None) -> PlanDocument:
    if place.isdecimal():
        assert sluice is not None, "opened when one of the two is a version"
        source = sluice.routing.GetPlan(routing_pb2.GetPlanRequest(version=int(place))).plan.source
    else:
        source = read_text(Path(place))
    try:
        return document_of(source)
    except InvalidPlan as invalid:
        for violation in invalid.violations:
            problems.print(f"{place}: {violation.field}: {violation.description}", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None


def _print(changes: Sequence[PartChange]) -> None:
    if not changes:
        output.print(Text("no difference that matters", style="bold green"))
    for change in changes:
        name = change.part if change.part == "plan" and change.name == "plan" else f"{change.part} {change.name}"
        output.print(Text(f"{_SIGNS[change.kind]} {name}", style=_STYLES[change.kind]), soft_wrap=True)
        for each in change.fields:
            line = Text(f"    {each.path}: ")
            match change.kind:
                case ChangeKind.ADDED:
                    line.append(each.after, style="green")
                case ChangeKind.REMOVED:
                    line.append(each.before, style="red")
                case _:
                    line.append(each.before or "(nothing)", style="red").append(" → ")
                    line.append(each.after or "(nothing)", style="green")
            output.print(line, soft_wrap=True)
