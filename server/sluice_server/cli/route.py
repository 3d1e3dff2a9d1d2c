"""``sluice route``: what would be decided, and why."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from google.protobuf.json_format import MessageToDict, Parse, ParseError
from rich.table import Table
from rich.text import Text

from sluice.routing.v1 import application_pb2, decision_pb2, routing_pb2
from sluice_server.cli.connection import (
    DEFAULT_ADDRESS,
    ActorName,
    Address,
    AsJson,
    output,
    print_json,
    problems,
    server,
)
from sluice_server.cli.files import read_text

app = typer.Typer(help="What would be decided for an application, and why.", no_args_is_help=True)


@app.callback()
def route() -> None:
    """Routing of applications."""


@app.command()
def explain(
    file: Annotated[
        Path, typer.Argument(help="An application as JSON, as grpcurl takes it.", exists=True, dir_okay=False)
    ],
    version: Annotated[int, typer.Option(help="Version of the plan; 0 is the active one.")] = 0,
    address: Address = DEFAULT_ADDRESS,
    actor: ActorName = "",
    as_json: AsJson = False,
) -> None:
    """Explain a decision without taking it: every rule tried, the factors, the insurers. Exit 0 when a rule matches."""
    application = _read(file)
    with server(address, actor) as sluice:
        answer = sluice.routing.ExplainRoute(
            routing_pb2.ExplainRouteRequest(application=application, plan_version=version)
        )
    if as_json:
        print_json(answer)
    else:
        _print(answer)
    raise typer.Exit(0 if answer.HasField("decision") else 1)


def _read(file: Path) -> application_pb2.Application:
    """The application, or the request around it: {"application": {…}}."""
    text = read_text(file)
    try:
        try:
            return Parse(text, application_pb2.Application())
        except ParseError:
            return Parse(text, routing_pb2.RouteRequest()).application
    except ParseError as error:
        problems.print(f"{file}: not an application: {error}", markup=False)
        raise typer.Exit(1) from None


def _print(answer: routing_pb2.ExplainRouteResponse) -> None:
    rules = Table(
        "rule", "matched", "because", title=f"rules of version {answer.plan_version}, up to the first that matches"
    )
    for trace in answer.rules:
        matched = Text("yes", style="bold green") if trace.matched else Text("no", style="dim")
        rules.add_row(Text(trace.rule or "-"), matched, Text(trace.because))
    output.print(rules)
    if answer.factors.fields:
        factors = Table("factor", "value")
        for name, value in sorted(MessageToDict(answer.factors).items()):
            factors.add_row(name, Text(_factor(value)))
        output.print(factors)
    if not answer.HasField("decision"):
        output.print(Text("no rule decides", style="bold red"))
        return
    _print_decision(answer.decision)
    if answer.HasField("stored_decision"):
        stored = answer.stored_decision
        output.print(
            Text(
                f"stored: {stored.insurer_id or 'no insurer'} by {stored.rule}, plan version {stored.plan_version}; "
                "Route answers with this one",
                style="bold yellow",
            )
        )


def _factor(value: object) -> str:
    """As in a plan: true and not True; a whole number without the fraction that its transport gives it."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value)


def _print_decision(decision: decision_pb2.Decision) -> None:
    insurers = Table("insurer", "share", "weight now", "excluded because", "chosen")
    for candidate in decision.candidates:
        chosen = candidate.insurer_id == decision.insurer_id
        insurers.add_row(
            candidate.insurer_id,
            f"{candidate.share_basis_points / 100:.2f} %",
            f"{candidate.weight_basis_points / 100:.2f} %",
            Text(candidate.excluded_because),
            Text("chosen", style="bold green") if chosen else "",
        )
    output.print(insurers)
    disposition = decision_pb2.Disposition.Name(decision.disposition).removeprefix("DISPOSITION_")
    how = f"sticky key {decision.split_key}"
    if decision.HasField("ledger_position"):
        how = f"position {decision.ledger_position} of the rule's share ledger"
    output.print(Text(f"{disposition} {decision.insurer_id}", style="bold"), Text(how, style="dim"))
    if decision.HasField("binding"):
        binding = Table("binding", "value")
        binding.add_row("insurer_product_code", Text(decision.binding.insurer_product_code))
        binding.add_row("insurer_plan_code", Text(decision.binding.insurer_plan_code))
        binding.add_row("endpoint", Text(decision.binding.endpoint or "(default)"))
        for key, value in sorted(decision.binding.parameters.items()):
            binding.add_row(Text(f"parameters.{key}"), Text(value))
        output.print(binding)
