"""``sluice decision``: derive stored decisions again."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from sluice.client import Sluice, errors
from sluice.routing.v1 import decision_pb2, order_pb2, plan_pb2, routing_pb2
from sluice_server.api.routing import applications, recorded
from sluice_server.cli.connection import DEFAULT_ADDRESS, ActorName, Address, AsJson, output, problems, server
from sluice_server.domain.errors import SluiceError
from sluice_server.domain.identity import made_at
from sluice_server.domain.routing.plan import CompiledPlan
from sluice_server.domain.routing.ports import StoredPlan
from sluice_server.domain.routing.source.compile import compile_plan, content_hash
from sluice_server.domain.routing.verify import Difference, Verification, verify_decision
from sluice_server.domain.routing.weights import FAILED_BEFORE

app = typer.Typer(help="Derive stored decisions (分流结果) again.", no_args_is_help=True)


@app.callback()
def decision() -> None:
    """Stored decisions."""


@app.command()
def verify(
    identifier: Annotated[
        str, typer.Argument(metavar="ID", help="A decision's id, or an application's: then all of its decisions.")
    ],
    number: Annotated[int, typer.Option(min=0, help="Only this decision, 1 for the first; 0: all of them.")] = 0,
    address: Address = DEFAULT_ADDRESS,
    actor: ActorName = "",
    as_json: AsJson = False,
) -> None:
    """Recompute decisions from what is stored. Exit 0 when all are identical, 1 when one is not.

    Computed here, from the plan's text, the application and the record: the server is only read from.
    """
    with server(address, actor) as sluice:
        order = _order(sluice, identifier)
        application_id = order.application.application_id
        by_its_id = [d for d in order.decisions if d.decision_id == identifier]
        chosen = [d for d in by_its_id or order.decisions if number in (0, d.number)]
        if not chosen:
            problems.print(Text(f"application {application_id} has no decision number {number}", style="bold red"))
            raise typer.Exit(1)
        plans = {version: _plan(sluice, version) for version in dict.fromkeys(d.plan_version for d in chosen)}
    verified = []
    for each in chosen:
        plan, wrong = plans[each.plan_version]
        verified.append((each.number, each.plan_version, _verify(order, each, plan, wrong)))
    identical = all(found.identical for _, _, found in verified)
    if as_json:
        rows = [
            {"number": n, "plan_version": version, "identical": found.identical, **asdict(found)}
            for n, version, found in verified
        ]
        whole = {"application_id": application_id, "identical": identical, "decisions": rows}
        sys.stdout.write(json.dumps(whole, ensure_ascii=False) + "\n")
    else:
        for n, version, found in verified:
            _print(n, version, found)
    raise typer.Exit(0 if identical else 1)


def _order(sluice: Sluice, identifier: str) -> order_pb2.Order:
    """The order by a decision's id when it looks like one and is known, else by the application's."""
    if made_at(identifier) is not None:
        with suppress(errors.NotFound):
            return sluice.routing.GetOrder(routing_pb2.GetOrderRequest(decision_id=identifier)).order
    return sluice.routing.GetOrder(routing_pb2.GetOrderRequest(application_id=identifier)).order


def _plan(sluice: Sluice, version: int) -> tuple[CompiledPlan | None, Sequence[Difference]]:
    """The version, and what is wrong with its text."""
    stored: plan_pb2.Plan = sluice.routing.GetPlan(routing_pb2.GetPlanRequest(version=version)).plan
    digest = content_hash(stored.source)
    wrong = [] if digest == stored.content_hash else [Difference("plan.content_hash", stored.content_hash, digest)]
    try:
        return compile_plan(_stored(stored)), wrong
    except SluiceError as invalid:
        return None, [*wrong, Difference("plan.source", "a valid plan", invalid.message)]


def _stored(plan: plan_pb2.Plan) -> StoredPlan:
    return StoredPlan(
        name=plan.name,
        version=plan.version,
        source=plan.source,
        content_hash=plan.content_hash,
        activatable=True,
        warnings=(),
        description=plan.description,
        created_at=plan.create_time.ToDatetime(tzinfo=UTC),
        created_by=plan.creator,
        active=plan.active,
        etag=plan.etag,
    )


def _verify(
    order: order_pb2.Order,
    message: decision_pb2.Decision,
    plan: CompiledPlan | None,
    wrong: Sequence[Difference],
) -> Verification:
    stored = recorded.decision(message)
    found = Verification(stored.decision_id, (), ())
    if plan is not None:
        found = verify_decision(stored, applications.application(order.application), plan)
    called = {submission.insurer_id for submission in order.submissions}
    unfounded = [
        Difference(f"candidates[{c.insurer_id}].excluded_because", FAILED_BEFORE, "the order has no submission to it")
        for c in stored.candidates
        if c.excluded_because == FAILED_BEFORE and c.insurer_id not in called
    ]
    return Verification(found.decision_id, (*wrong, *found.differences, *unfounded), found.taken_over)


def _print(number: int, version: int, found: Verification) -> None:
    verdict = Text("identical", style="bold green") if found.identical else Text("NOT identical", style="bold red")
    output.print(Text(f"decision {number} ({found.decision_id}), plan version {version}: ") + verdict, soft_wrap=True)
    if found.differences:
        table = Table("field", "stored", "recomputed")
        for difference in found.differences:
            table.add_row(Text(difference.field), Text(difference.stored), Text(difference.recomputed))
        output.print(table)
    if found.taken_over:
        output.print(Text(f"taken from the record: {', '.join(found.taken_over)}", style="dim"), soft_wrap=True)
