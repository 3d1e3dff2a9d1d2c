"""``sluice audit``: who changed what and why, and whether the trail is whole."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import UTC
from typing import Annotated

import typer
from google.protobuf import json_format
from rich.table import Table
from rich.text import Text

from sluice.client import Sluice
from sluice.insurer.v1 import audit_pb2
from sluice.insurer.v1 import insurer_control_pb2 as pb
from sluice_server.cli.connection import DEFAULT_ADDRESS, Address, AsJson, output, print_json, problems, server
from sluice_server.domain.audit.chain import ChainCheck, ChainHead
from sluice_server.domain.audit.event import AuditEvent, ChainLink

app = typer.Typer(no_args_is_help=True, help="The audit trail: who changed what and why, chained by hashes.")

PAGE = 1_000


@app.command("list")
def list_events(
    subject: Annotated[str, typer.Option(help="Only of this: insurers/insurer-b, plans/12.")] = "",
    by: Annotated[str, typer.Option("--by", help="Only by this actor.")] = "",
    limit: Annotated[int, typer.Option(min=1, max=1000, help="At most so many, newest first.")] = 20,
    address: Address = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Show changes, newest first."""
    with server(address) as sluice:
        answer = sluice.insurers.ListAuditEvents(pb.ListAuditEventsRequest(subject=subject, actor=by, page_size=limit))
    if as_json:
        print_json(answer)
        return
    table = Table("row", "time (UTC)", "who", "what", "of", "why", "change")
    for event in answer.audit_events:
        who = Text(event.actor)
        if not event.actor_verified:
            who.append(" (declared)", style="dim")
        before, after = (json_format.MessageToDict(each) for each in (event.before, event.after))
        change = "\n".join(f"{name}: {before.get(name, '–')} → {after.get(name, '–')}" for name in {**before, **after})
        at = f"{event.event_time.ToDatetime():%Y-%m-%d %H:%M:%S}"
        table.add_row(str(event.sequence), at, who, event.action, event.subject, Text(event.reason), Text(change))
    output.print(table)


@app.command()
def verify(
    anchor: Annotated[
        list[str] | None,
        typer.Option(help="SEQUENCE:HASH as an earlier run printed it; may be given several times."),
    ] = None,
    address: Address = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Compute the hash of every row anew. Exit code 2 when a row was changed or is missing.

    The head that it prints is worth writing down elsewhere: given later as --anchor it proves that the rows up to it
    are the same, also against somebody who can compute the whole chain anew.
    """
    anchors = [_anchor(text) for text in anchor or ()]
    with server(address) as sluice:
        check = _check(sluice, anchors)
    if as_json:
        answer = {
            "rows": check.rows,
            "head": str(check.head),
            "problems": [
                {"sequence": each.sequence, "audit_id": each.audit_id, "what": each.what} for each in check.problems
            ],
        }
        sys.stdout.write(json.dumps(answer) + "\n")
    else:
        for each in reversed(check.problems):
            name = f" ({each.audit_id})" if each.audit_id else ""
            problems.print(Text(f"row {each.sequence}{name} {each.what}", style="bold red"))
        if not check.problems:
            output.print(f"{check.rows} rows, whole and unchanged")
        output.print(Text(f"head {check.head}"), soft_wrap=True)
    if check.problems:
        raise typer.Exit(2)


def _check(sluice: Sluice, anchors: list[ChainHead]) -> ChainCheck:
    check: ChainCheck | None = None
    for page in _pages(sluice):
        if check is None:
            check = ChainCheck(ChainHead(page.chain_head.sequence, page.chain_head.hash), anchors)
        for event in page.audit_events:
            check.follow(_event(event))
    assert check is not None, "there is a page, if an empty one"
    check.end()
    return check


def _pages(sluice: Sluice) -> Iterator[pb.ListAuditEventsResponse]:
    token = ""
    while True:
        page = sluice.insurers.ListAuditEvents(pb.ListAuditEventsRequest(page_size=PAGE, page_token=token))
        yield page
        token = page.next_page_token
        if not token:
            return


def _event(event: audit_pb2.AuditEvent) -> AuditEvent:
    return AuditEvent(
        audit_id=event.audit_id,
        at=event.event_time.ToDatetime(UTC),
        actor=event.actor,
        actor_verified=event.actor_verified,
        action=event.action,
        subject=event.subject,
        reason=event.reason,
        request_id=event.request_id,
        trace_id=event.trace_id,
        before=json_format.MessageToDict(event.before),
        after=json_format.MessageToDict(event.after),
        link=ChainLink(event.sequence, event.previous_hash, event.hash),
    )


def _anchor(text: str) -> ChainHead:
    sequence, colon, digest = text.partition(":")
    if not (colon and sequence.isascii() and sequence.isdecimal() and len(digest) == 64):
        raise typer.BadParameter(f"--anchor {text!r}: must be SEQUENCE:HASH with 64 hexadecimal digits")
    return ChainHead(int(sequence), digest.lower())
