"""``sluice incident``: what happened, as a table and as a timeline."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Annotated

import typer
from google.protobuf.duration_pb2 import Duration
from rich.table import Table
from rich.text import Text

from sluice.insurer.v1 import breaker_pb2, incident_pb2
from sluice.insurer.v1 import insurer_control_pb2 as pb
from sluice_server.cli.connection import DEFAULT_ADDRESS, Address, AsJson, output, print_json, server
from sluice_server.cli.insurer import id_column, state_text

app = typer.Typer(no_args_is_help=True, help="Incidents: each cut from its trip to its restoration.")

COLLAPSE_FROM = 6
"""So many retried orders in a row are shown as one line."""


@app.command("list")
def list_incidents(
    insurer: Annotated[str, typer.Option(help="Only of this insurer.")] = "",
    open_only: Annotated[bool, typer.Option("--open", help="Only those that are not over.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, newest first.")] = 20,
    address: Address = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Show incidents, newest first."""
    with server(address) as sluice:
        request = pb.ListIncidentsRequest(insurer_id=insurer, open_only=open_only, page_size=limit)
        answer = sluice.insurers.ListIncidents(request)
    if as_json:
        print_json(answer)
        return
    table = Table(
        id_column(),
        "insurer",
        "state",
        "cut at",
        "evidence",
        "to cut",
        "to recover",
        "orders",
        "left",
        box=None,
        padding=(0, 2, 0, 0),
    )
    for incident in answer.incidents:
        table.add_row(
            incident.incident_id,
            _scope(incident),
            state_text(incident.state),
            f"{incident.open_time.ToDatetime():%Y-%m-%d %H:%M:%S}",
            _tripped(incident.evidence),
            span(incident.time_to_cut) if incident.HasField("time_to_cut") else "by hand",
            span(incident.time_to_recover),
            str(incident.affected_orders),
            str(incident.abnormal_orders_left),
        )
    output.print(table)


@app.command()
def show(
    incident_id: Annotated[str, typer.Argument(help="The incident: sluice incident list.")],
    address: Address = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Show one incident whole: evidence, numbers, shares, timeline."""
    with server(address) as sluice:
        answer = sluice.insurers.GetIncident(pb.GetIncidentRequest(incident_id=incident_id))
    if as_json:
        print_json(answer)
        return
    incident = answer.incident
    output.print(Text(f"{incident.incident_id}  {_scope(incident)}  ", style="bold") + state_text(incident.state))
    output.print(_numbers(incident))
    if incident.shares_before or incident.shares_after:
        output.print(_shares(incident))
    output.print(_timeline(incident))


def _scope(incident: incident_pb2.Incident) -> str:
    line = incident.product_line
    return f"{incident.insurer_id}/{line}" if line else incident.insurer_id


def _tripped(evidence: breaker_pb2.Evidence) -> str:
    names = (breaker_pb2.EvidenceKind.Name(kind) for kind in evidence.tripped)
    return ", ".join(name.removeprefix("EVIDENCE_KIND_").lower() for name in names)


def _numbers(incident: incident_pb2.Incident) -> Table:
    seen = incident.evidence
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    table.add_row("evidence", _tripped(seen))
    table.add_row("", f"{seen.failures} of {seen.outcomes} outcomes failed, {seen.slow} slow")
    table.add_row("", f"{seen.backlog} of {seen.orders} orders unfinished past the grace")
    limit = f"{seen.sequential_statistic:.1f} of {seen.sequential_limit:.1f}"
    normal = f", {100 * seen.normal_failure_rate:.3g} % failures being normal" if seen.normal_failure_rate else ""
    table.add_row("", f"sequential test at {limit} after {seen.orders_since_first_failure} orders{normal}")
    if incident.HasField("time_to_detect"):
        table.add_row("time to detect", f"{span(incident.time_to_detect)} after the first failure")
    cut_after = span(incident.time_to_cut) if incident.HasField("time_to_cut") else "by hand"
    table.add_row("time to cut", cut_after)
    if incident.HasField("time_to_confirm"):
        table.add_row("time to confirm", f"{span(incident.time_to_confirm)}, by {incident.confirmed_by}")
    over = "" if incident.HasField("close_time") else " so far"
    table.add_row("time to recover", span(incident.time_to_recover) + over)
    table.add_row(
        "orders",
        f"{incident.affected_orders} affected, {incident.retried_orders} retries, {incident.insured_by_retry} insured "
        f"by them, {incident.abnormal_orders_left} left, {incident.leaked_orders} leaked after the cut",
    )
    return table


def _shares(incident: incident_pb2.Incident) -> Table:
    before = {share.insurer_id: share for share in incident.shares_before}
    after = {share.insurer_id: share for share in incident.shares_after}
    table = Table("insurer", "share before", "share while cut", title="Shares", title_justify="left")
    for insurer_id in sorted(before.keys() | after.keys()):
        table.add_row(insurer_id, _share(before.get(insurer_id)), _share(after.get(insurer_id)))
    return table


def _share(share: incident_pb2.InsurerShare | None) -> str:
    return "0 %" if share is None else f"{share.basis_points / 100:.1f} % ({share.orders} orders)"


def _timeline(incident: incident_pb2.Incident) -> Table:
    start = incident.open_time.ToDatetime()
    table = Table("time (UTC)", "after", "what", "who", "why and how", title="Timeline", title_justify="left")
    for event, count in _collapsed(incident.events):
        at = event.event_time.ToDatetime()
        kind = incident_pb2.IncidentEventKind.Name(event.kind).removeprefix("INCIDENT_EVENT_KIND_")
        told = [event.reason] if event.reason else []
        if count == 1:
            told += [f"{name}: {value}" for name, value in sorted(event.details.items()) if value]
        what = kind.replace("_", " ").lower() + (f" ({count} orders)" if count > 1 else "")
        table.add_row(f"{at:%H:%M:%S}", _after(at, start), what, event.actor, Text("\n".join(told)))
    return table


def _collapsed(
    events: Iterable[incident_pb2.IncidentEvent],
) -> Iterable[tuple[incident_pb2.IncidentEvent, int]]:
    """Long runs of retried orders with the same outcome as one line with their number."""
    run: list[incident_pb2.IncidentEvent] = []
    for event in events:
        if run and (event.kind != run[0].kind or event.details.get("outcome") != run[0].details.get("outcome")):
            yield from _lines(run)
            run = []
        run.append(event)
    yield from _lines(run)


def _lines(run: list[incident_pb2.IncidentEvent]) -> list[tuple[incident_pb2.IncidentEvent, int]]:
    if len(run) >= COLLAPSE_FROM and run[0].kind == incident_pb2.INCIDENT_EVENT_KIND_ORDER_RETRIED:
        return [(run[-1], len(run))]
    return [(event, 1) for event in run]


def _after(at: datetime, start: datetime) -> str:
    return f"+{_seconds((at - start).total_seconds())}"


def span(duration: Duration) -> str:
    """A duration for people: 850 ms, 12.3 s, 4 min 05 s, 2 h 10 min."""
    return _seconds(duration.ToTimedelta().total_seconds())


def _seconds(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"
