"""``sluice insurer reconcile``: an insurer's list of policies against the store."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from sluice.insurer.v1 import reconciliation_pb2 as pb
from sluice_server.cli.connection import DEFAULT_ADDRESS, Address, AsJson, output, print_json, problems, server

SECONDS = 3600.0
"""A long list takes its time."""


def reconcile(
    insurer_id: Annotated[str, typer.Argument(help="The insurer, such as insurer-b.")],
    date: Annotated[str, typer.Option("--date", help="The day, such as 2026-03-01; its yesterday if not given.")] = "",
    kept: Annotated[bool, typer.Option("--kept", help="Show the kept result; compare nothing.")] = False,
    address: Address = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Compare an insurer's policies of a day with the store. Exit code 2 when either side lacks something."""
    with server(address) as sluice:
        if kept:
            asked = pb.GetPolicyReconciliationRequest(insurer_id=insurer_id, day=date)
            found = sluice.insurers.GetPolicyReconciliation(asked).reconciliation
        else:
            wanted = pb.ReconcilePoliciesRequest(insurer_id=insurer_id, day=date)
            found = sluice.insurers.ReconcilePolicies(wanted, timeout=SECONDS).reconciliation
    if as_json:
        print_json(found)
    else:
        output.print(
            f"{found.insurer_id} {found.day}: {found.policies} policies listed, {found.orders} orders insured, "
            f"{found.orphan_count} without a partner"
        )
        if found.orphans:
            output.print(_table(found))
    if found.orphan_count:
        problems.print(Text("ask the insurer about each of them", style="bold red"))
        raise typer.Exit(2)


def _table(found: pb.PolicyReconciliation) -> Table:
    table = Table("what", "application", "policy", "in the store", "state", "insurer")
    for orphan in found.orphans:
        table.add_row(
            pb.OrphanKind.Name(orphan.kind).removeprefix("ORPHAN_KIND_"),
            orphan.application_id,
            orphan.policy_number,
            orphan.stored_policy_number,
            orphan.order_state,
            orphan.stored_insurer_id,
        )
    return table
