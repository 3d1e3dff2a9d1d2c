"""ReconcilePolicies and its command through the whole server, against a simulated insurer's own list."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from typer.testing import CliRunner

from sluice.client import AsyncSluice, errors
from sluice.insurer.v1 import insurer_control_pb2, insurer_pb2, reconciliation_pb2
from sluice.routing.v1 import order_pb2, routing_pb2
from sluice_server.cli.main import app
from sluice_server.insurers.simulated.ledger import Draft
from sluice_server.insurers.simulated.server import SimulatedInsurer
from sluice_server.runtime.lifecycle import Server
from tests.support.house import application

PLAN = """
plan: one-insurer
insurers: {insurer-a: }
products: [{product_line: screen}]
rules:
  - name: everything
    on_exhausted: PARK
    allocations: [{insurer: insurer-a, share: 10000, binding: {insurer_product_code: A-1}}]
"""


async def test_a_policy_that_nobody_ordered_is_found(
    whole_server: Server, whole_client: AsyncSluice, simulated_insurers: dict[str, SimulatedInsurer]
) -> None:
    client = whole_client
    await client.insurers.CreateInsurer(
        insurer_control_pb2.CreateInsurerRequest(
            insurer=insurer_pb2.Insurer(insurer_id="insurer-a", display_name="A"), reason="test"
        )
    )
    plan = (await client.routing.CreatePlan(routing_pb2.CreatePlanRequest(source=PLAN, reason="test"))).plan
    await client.routing.ActivatePlan(routing_pb2.ActivatePlanRequest(version=plan.version, reason="test"))
    for number in range(3):
        submitted = await client.routing.Submit(routing_pb2.SubmitRequest(application=application(number)))
        assert submitted.order.state == order_pb2.ORDER_STATE_INSURED
    today = datetime.now(UTC).date().isoformat()
    wanted = reconciliation_pb2.ReconcilePoliciesRequest(insurer_id="insurer-a", day=today)
    agreed = (await client.insurers.ReconcilePolicies(wanted)).reconciliation
    assert (agreed.policies, agreed.orders, agreed.orphan_count) == (3, 3, 0)

    received = datetime.now(UTC).isoformat()
    await simulated_insurers["insurer-a"]._ledger.record(Draft("k", "nobody", "f", "ISSUED", "{}", "", received))
    found = (await client.insurers.ReconcilePolicies(wanted)).reconciliation
    (orphan,) = found.orphans
    assert (orphan.kind, orphan.application_id) == (reconciliation_pb2.ORPHAN_KIND_ORDER_UNKNOWN, "nobody")
    kept = reconciliation_pb2.GetPolicyReconciliationRequest(insurer_id="insurer-a")
    assert (await client.insurers.GetPolicyReconciliation(kept)).reconciliation == found

    command = ["insurer", "reconcile", "insurer-a", "--date", today, "--address", f"127.0.0.1:{whole_server.port}"]
    shown = await asyncio.to_thread(CliRunner(env={"COLUMNS": "200"}).invoke, app, command)
    assert shown.exit_code == 2, "a difference"
    assert "4 policies listed, 3 orders insured, 1 without a partner" in shown.stdout
    assert "ORDER_UNKNOWN" in shown.stdout


async def test_every_wrong_field_is_named(whole_client: AsyncSluice) -> None:
    wrong = reconciliation_pb2.ReconcilePoliciesRequest(insurer_id="A!", day="1st of March")
    with pytest.raises(errors.InvalidArgument) as refused:
        await whole_client.insurers.ReconcilePolicies(wrong)
    assert {v.field for v in refused.value.violations} == {"insurer_id", "day"}
    with pytest.raises(errors.NotFound) as missing:
        await whole_client.insurers.GetPolicyReconciliation(
            reconciliation_pb2.GetPolicyReconciliationRequest(insurer_id="insurer-a")
        )
    assert missing.value.reason == "RECONCILIATION_NOT_FOUND"
