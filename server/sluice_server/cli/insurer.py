"""``sluice insurer``: the insurers' traffic from a terminal."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Column, Table
from rich.text import Text

from sluice.insurer.v1 import breaker_pb2
from sluice.insurer.v1 import insurer_control_pb2 as pb
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
from sluice_server.cli.insurer_reconcile import reconcile

app = typer.Typer(no_args_is_help=True, help="Insurers and their breakers: list, cut, and the way back.")

app.command()(reconcile)

InsurerId = Annotated[str, typer.Argument(help="The insurer, such as insurer-b.")]
ProductLine = Annotated[str, typer.Option("--line", help="One product line instead of the whole insurer.")]

COLOURS = {"CLOSED": "green", "OPEN": "bold red", "CONFIRMED": "yellow", "RETRYING": "yellow", "RAMPING": "cyan"}


@app.command("list")
def list_insurers(address: Address = DEFAULT_ADDRESS, as_json: AsJson = False) -> None:
    """Show every insurer with its breaker and what the breaker sees."""
    with server(address) as sluice:
        answer = sluice.insurers.ListInsurers(pb.ListInsurersRequest())
    if as_json:
        print_json(answer)
        return
    table = Table(
        "insurer",
        "state",
        "mode",
        "admitted",
        "failures",
        "backlog",
        "since",
        id_column(),
        "adapter",
        box=None,
        padding=(0, 2, 0, 0),
    )
    for insurer in answer.insurers:
        for breaker in (insurer.breaker, *insurer.product_line_breakers):
            whole = not breaker.product_line
            seen = insurer.evidence
            table.add_row(
                insurer.insurer_id if whole else f"  / {breaker.product_line}",
                state_text(breaker.state),
                breaker_pb2.BreakerMode.Name(breaker.mode).removeprefix("BREAKER_MODE_"),
                f"{breaker.admitted_basis_points / 100:g} %",
                f"{seen.failures} of {seen.outcomes}" if whole else "",
                f"{seen.backlog} of {seen.orders}" if whole else "",
                f"{breaker.state_since.ToDatetime():%m-%d %H:%M:%S}",
                breaker.incident_id,
                ("yes" if insurer.adapter_configured else "[red]no[/red]") if whole else "",
            )
    output.print(table)


@app.command()
def cut(
    insurer_id: InsurerId,
    reason: Reason,
    line: ProductLine = "",
    actor: ActorName = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Take all traffic away from an insurer."""
    with server(address, actor) as sluice:
        request = pb.CutTrafficRequest(insurer_id=insurer_id, product_line=line, reason=reason)
        answer = sluice.insurers.CutTraffic(request)
    _print_breaker(answer.breaker)


@app.command()
def confirm(
    insurer_id: InsurerId,
    contact: Annotated[str, typer.Option(help="Whom you spoke to at the insurer.")],
    evidence: Annotated[str, typer.Option(help="What shows that it works again: a ticket, a link.")],
    reason: Reason,
    line: ProductLine = "",
    actor: ActorName = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """First key: record that the insurer has confirmed that it works again."""
    with server(address, actor) as sluice:
        request = pb.ConfirmRecoveryRequest(
            insurer_id=insurer_id, product_line=line, contact=contact, evidence=evidence, reason=reason
        )
        answer = sluice.insurers.ConfirmRecovery(request)
    _print_breaker(answer.breaker)
    output.print(f"{answer.abnormal_orders} abnormal orders to retry: sluice insurer retry {insurer_id}")


@app.command()
def retry(
    insurer_id: InsurerId,
    reason: Reason,
    line: ProductLine = "",
    actor: ActorName = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Retry the incident's abnormal orders. Exit code 2 when the insurer failed again."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    last = pb.RetryAbnormalOrdersResponse()
    with server(address, actor) as sluice, Progress(*columns, console=problems) as progress:
        task = progress.add_task("retrying", total=None)
        request = pb.RetryAbnormalOrdersRequest(insurer_id=insurer_id, product_line=line, reason=reason)
        for last in sluice.insurers.RetryAbnormalOrders(request):
            cohort = f", {last.cohort} at once" if last.cohort else ""
            description = f"{last.insured} insured, {last.rejected} rejected{cohort}"
            progress.update(task, description=description, completed=last.retried, total=last.retried + last.remaining)
    _print_breaker(last.breaker)
    output.print(f"{last.retried} retried, {last.insured} insured, {last.rejected} rejected, {last.remaining} left")
    if last.stopped_because:
        problems.print(Text(last.stopped_because, style="bold red"))
        raise typer.Exit(2)
    output.print(f"a second person may now: sluice insurer restore {insurer_id}")


@app.command()
def restore(
    insurer_id: InsurerId,
    reason: Reason,
    line: ProductLine = "",
    override: Annotated[bool, typer.Option("--override", help="Although abnormal orders are left.")] = False,
    actor: ActorName = "",
    address: Address = DEFAULT_ADDRESS,
) -> None:
    """Second key: let the traffic return in steps. Not by the person who confirmed."""
    with server(address, actor) as sluice:
        request = pb.RestoreTrafficRequest(insurer_id=insurer_id, product_line=line, override=override, reason=reason)
        answer = sluice.insurers.RestoreTraffic(request)
    _print_breaker(answer.breaker)


def id_column() -> Column:
    """A table's column of incident ids, whole: they are there to be copied."""
    return Column("incident", no_wrap=True, min_width=36)


def state_text(state: breaker_pb2.BreakerState) -> Text:
    """A breaker's state, in its colour."""
    name = breaker_pb2.BreakerState.Name(state).removeprefix("BREAKER_STATE_")
    return Text(name, style=COLOURS.get(name, ""))


def _print_breaker(breaker: breaker_pb2.Breaker) -> None:
    name = f"{breaker.insurer_id}/{breaker.product_line}" if breaker.product_line else breaker.insurer_id
    line = Text(f"{name} is ") + state_text(breaker.state)
    line.append(f", {breaker.admitted_basis_points / 100:g} % of its share admitted")
    if breaker.incident_id:
        line.append(f", incident {breaker.incident_id}")
    output.print(line)
