"""``sluice plan``: check, store, activate and read plans."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.syntax import Syntax
from rich.table import Table
from rich.text import Text

from sluice.client import Sluice
from sluice.insurer.v1 import insurer_control_pb2
from sluice.routing.v1 import plan_pb2, routing_pb2
from sluice_server.cli import plan_diff, plan_simulate
from sluice_server.cli.connection import (
    DEFAULT_ADDRESS,
    ActorName,
    Address,
    AsJson,
    Reason,
    output,
    print_json,
    problems,
    server,
)
from sluice_server.cli.files import read_text
from sluice_server.domain.routing.source.compile import check_plan
from sluice_server.domain.routing.source.findings import Finding, Severity, errors, warnings
from sluice_server.domain.routing.source.schema import plan_schema

app = typer.Typer(help="Check, store, activate and read plans (分流配置).", no_args_is_help=True)

PlanFile = Annotated[Path, typer.Argument(help="The plan's YAML.", exists=True, dir_okay=False, readable=True)]
PATIENCE_SECONDS = 120.0
"""A plan of 50,000 rules takes seconds to check, and more on a busy machine."""

RequestId = Annotated[str, typer.Option(help="Makes a repeat harmless.")]


@app.command()
def validate(
    file: PlanFile,
    on_server: Annotated[
        bool, typer.Option("--server", help="Also hold it against the server: its limits, insurers, adapters, ratings.")
    ] = False,
    address: Address = DEFAULT_ADDRESS,
    actor: ActorName = "",
    as_json: AsJson = False,
) -> None:
    """Check a plan, without a server unless --server is given. Exit 0 when it is valid, 1 when it is not; warnings do
    not count."""
    source = read_text(file)
    if on_server:
        with server(address, actor) as sluice:
            answer = sluice.routing.ValidatePlan(
                routing_pb2.ValidatePlanRequest(source=source), timeout=PATIENCE_SECONDS
            )
        findings = tuple(_finding(found) for found in answer.findings)
    else:
        _, findings = check_plan(source)
    found, warned = errors(findings), warnings(findings)
    if as_json:
        rows = [{"severity": f.severity, "line": f.line, "path": f.path, "message": f.message} for f in findings]
        sys.stdout.write(
            json.dumps({"file": str(file), "valid": not found, "findings": rows}, ensure_ascii=False) + "\n"
        )
    else:
        for finding in findings:
            output.print(_finding_line(str(file), finding), soft_wrap=True)
        verdict = "valid" if not found else "not valid"
        summary = f"{file}: {verdict} ({_counted(len(found), 'error')}, {_counted(len(warned), 'warning')})"
        output.print(Text(summary, style="bold red" if found else "bold green"), soft_wrap=True)
    raise typer.Exit(1 if found else 0)


@app.command()
def schema() -> None:
    """Print the JSON Schema of plans, for editors: # yaml-language-server: $schema=FILE in the first line of a plan."""
    sys.stdout.write(json.dumps(plan_schema(), ensure_ascii=False, indent=2) + "\n")


app.command()(plan_diff.diff)
app.command()(plan_simulate.simulate)


@app.command()
def create(
    file: PlanFile,
    reason: Reason,
    request_id: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    actor: ActorName = "",
    as_json: AsJson = False,
) -> None:
    """Store a plan as a new version. It does not decide anything before it is activated."""
    with server(address, actor) as sluice:
        created = sluice.routing.CreatePlan(
            routing_pb2.CreatePlanRequest(source=read_text(file), reason=reason, request_id=request_id),
            timeout=PATIENCE_SECONDS,
        )
    _print_plan(created.plan, as_json, with_source=False)


@app.command()
def show(
    version: Annotated[int, typer.Argument(help="The version; 0 is the active one.")] = 0,
    address: Address = DEFAULT_ADDRESS,
    actor: ActorName = "",
    as_json: AsJson = False,
) -> None:
    """Show a version with its text."""
    with server(address, actor) as sluice:
        found = sluice.routing.GetPlan(routing_pb2.GetPlanRequest(version=version))
    _print_plan(found.plan, as_json, with_source=True)


@app.command(name="list")
def list_plans(
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most this many.")] = 20,
    address: Address = DEFAULT_ADDRESS,
    actor: ActorName = "",
    as_json: AsJson = False,
) -> None:
    """List versions, newest first."""
    with server(address, actor) as sluice:
        page = sluice.routing.ListPlans(routing_pb2.ListPlansRequest(page_size=limit))
    if as_json:
        print_json(page)
        return
    table = Table("version", "plan", "active", "created", "by", "warnings", "description")
    for plan in page.plans:
        table.add_row(
            str(plan.version),
            Text(plan.name),
            Text("active", style="bold green") if plan.active else "",
            _time(plan),
            Text(plan.creator),
            str(len(plan.warnings) or ""),
            Text(plan.description),
        )
    output.print(table)
    if page.next_page_token:
        output.print(Text("there are older versions; --limit shows more", style="dim"))


@app.command()
def activate(
    version: Annotated[int, typer.Argument(help="The version to make active.")],
    reason: Reason,
    etag: Annotated[str, typer.Option(help="Refuse when the activation has changed since this etag was read.")] = "",
    request_id: RequestId = "",
    address: Address = DEFAULT_ADDRESS,
    actor: ActorName = "",
    as_json: AsJson = False,
) -> None:
    """Make a version the one that decides."""
    with server(address, actor) as sluice:
        _activate(sluice, version, reason, etag, request_id, as_json)


@app.command()
def rollback(
    reason: Reason,
    to: Annotated[int, typer.Option(help="The version to go back to; 0: the one that was active before.")] = 0,
    address: Address = DEFAULT_ADDRESS,
    actor: ActorName = "",
    as_json: AsJson = False,
) -> None:
    """Go back to the version that was active before the present one."""
    with server(address, actor) as sluice:
        active = sluice.routing.GetPlan(routing_pb2.GetPlanRequest()).plan
        target = to or _version_before(sluice, active.version)
        if not target:
            problems.print(f"version {active.version} is the first that was ever active; --to names another one")
            raise typer.Exit(1)
        # The etag holds the rollback to what was just read: two people rolling back at once do not go back twice.
        _activate(sluice, target, reason, active.etag, "", as_json)


def _version_before(sluice: Sluice, version: int) -> int:
    """What the newest activation of ``version`` replaced, by the audit trail; 0 when it replaced none."""
    token = ""
    while True:
        page = sluice.insurers.ListAuditEvents(
            insurer_control_pb2.ListAuditEventsRequest(subject=f"plans/{version}", page_token=token)
        )
        for event in page.audit_events:
            if event.action == "ActivatePlan":
                return int(event.before.fields["active_version"].number_value)
        token = page.next_page_token
        if not token:
            return 0


def _activate(sluice: Sluice, version: int, reason: str, etag: str, request_id: str, as_json: bool) -> None:
    answer = sluice.routing.ActivatePlan(
        routing_pb2.ActivatePlanRequest(version=version, etag=etag, reason=reason, request_id=request_id),
        timeout=PATIENCE_SECONDS,
    )
    if as_json:
        print_json(answer)
        return
    before = f"version {answer.previous_version} was before" if answer.previous_version else "none was before"
    output.print(Text(f"plan {answer.plan.name} version {answer.plan.version} is active; {before}", style="bold green"))


def _print_plan(plan: plan_pb2.Plan, as_json: bool, *, with_source: bool) -> None:
    if as_json:
        print_json(plan)
        return
    table = Table(show_header=False)
    table.add_row("plan", Text(plan.name))
    table.add_row("version", f"{plan.version}{' (active)' if plan.active else ''}")
    table.add_row("description", Text(plan.description))
    table.add_row("created", Text(f"{_time(plan)} by {plan.creator}"))
    table.add_row("content hash", plan.content_hash)
    table.add_row("etag", plan.etag)
    output.print(table)
    for warning in plan.warnings:
        output.print(_finding_line(f"version {plan.version}", _finding(warning)), soft_wrap=True)
    if with_source:
        output.print(Syntax(plan.source, "yaml", line_numbers=True))


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _finding(message: plan_pb2.PlanFinding) -> Finding:
    name = plan_pb2.PlanFinding.Severity.Name(message.severity).removeprefix("SEVERITY_")
    return Finding(Severity(name), message.line, message.path, message.message)


def _time(plan: plan_pb2.Plan) -> str:
    return plan.create_time.ToDatetime().strftime("%Y-%m-%d %H:%M:%S UTC")


def _finding_line(place: str, finding: Finding) -> Text:
    style = "bold red" if finding.severity is Severity.ERROR else "bold yellow"
    where = f"{place}:{finding.line}" if finding.line else place
    path = f"{finding.path}: " if finding.path else ""
    return Text(f"{where}: ") + Text(f"{finding.severity.lower()}: ", style=style) + Text(f"{path}{finding.message}")
