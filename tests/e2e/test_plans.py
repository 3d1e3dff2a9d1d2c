"""Plans through a real server: created, validated, activated, rolled back."""

from __future__ import annotations

import pytest

from sluice.client import AsyncSluice, errors
from sluice.insurer.v1 import insurer_control_pb2
from sluice.routing.v1 import routing_pb2 as pb
from tests.e2e.routing_calls import EXAMPLE, activate, application, create, route


async def test_a_plan_is_created_read_activated_and_rolled_back(client: AsyncSluice) -> None:
    created = (await create(client, EXAMPLE.replace("name: screens", "name: renamed"))).plan
    assert (created.version, created.active, created.creator, list(created.warnings)) == (2, False, "wang.li", [])
    read = (await client.routing.GetPlan(pb.GetPlanRequest(version=2))).plan
    assert read == created
    assert "name: renamed" in read.source
    activated = await activate(client, 2, etag=created.etag)
    assert (activated.plan.active, activated.previous_version) == (True, 1)
    assert (await route(client, application())).decision.rule == "renamed"
    back = await activate(client, 1, etag=activated.plan.etag)
    assert (back.plan.version, back.previous_version) == (1, 2)
    assert (await route(client, application("app-2"))).decision.rule == "screens"
    assert (await client.routing.GetPlan(pb.GetPlanRequest())).plan == back.plan
    page = await client.routing.ListPlans(pb.ListPlansRequest(page_size=1))
    assert [(p.version, p.active, p.source) for p in page.plans] == [(2, False, "")]
    rest = await client.routing.ListPlans(pb.ListPlansRequest(page_token=page.next_page_token))
    assert [(p.version, p.active) for p in rest.plans] == [(1, True)]
    assert rest.next_page_token == ""
    audit = await client.insurers.ListAuditEvents(insurer_control_pb2.ListAuditEventsRequest(subject="plans/2"))
    assert [(e.action, e.actor, e.reason) for e in audit.audit_events] == [
        ("ActivatePlan", "wang.li", "agreed"),
        ("CreatePlan", "wang.li", "agreed"),
    ]


async def test_control_calls_on_plans_are_idempotent_by_request_id(client: AsyncSluice) -> None:
    changed = EXAMPLE.replace("name: screens", "name: renamed")
    first = await create(client, changed, request_id="make-2")
    assert await create(client, changed, request_id="make-2") == first
    with pytest.raises(errors.AlreadyExists) as refused:
        await create(client, EXAMPLE, request_id="make-2")
    assert (refused.value.reason, refused.value.metadata["version"]) == ("REQUEST_ID_CONFLICT", "2")
    await activate(client, 2, request_id="go-2")
    await activate(client, 1)
    assert not (await activate(client, 2, request_id="go-2")).plan.active
    with pytest.raises(errors.AlreadyExists):
        await activate(client, 1, request_id="go-2")
    assert (await client.routing.GetPlan(pb.GetPlanRequest())).plan.version == 1


async def test_a_stale_etag_aborts_an_activation(client: AsyncSluice) -> None:
    version = (await create(client)).plan.version
    with pytest.raises(errors.Aborted) as refused:
        await activate(client, version, etag="0")
    assert refused.value.reason == "STALE_ETAG"
    assert (await client.routing.GetPlan(pb.GetPlanRequest())).plan.etag == refused.value.metadata["etag"]


async def test_an_invalid_plan_is_refused_with_every_line_and_path(client: AsyncSluice) -> None:
    source = EXAMPLE.replace("share: 7000", "share: 6000").replace("{factors.price_band}", "{factors.price}")
    with pytest.raises(errors.InvalidArgument) as refused:
        await create(client, source)
    assert refused.value.reason == "INVALID_PLAN"
    assert {v.field for v in refused.value.violations} == {
        "source.rules[0].allocations",
        "source.insurers.insurer-b.binding.parameters.band",
        *(f"source.rules[{n}].allocations[{m}].binding.parameters.band" for n, m in ((1, 1), (2, 0), (3, 1))),
    }
    assert all(v.description.startswith("line ") for v in refused.value.violations)
    assert len((await client.routing.ListPlans(pb.ListPlansRequest())).plans) == 1


async def test_hundreds_of_errors_in_a_plan_reach_the_caller_as_an_error_not_as_a_broken_call(
    client: AsyncSluice,
) -> None:
    source = EXAMPLE + "".join(f"\nunknown-key-{n}: {'很长' * 40}" for n in range(1000))
    with pytest.raises(errors.InvalidArgument) as refused:
        await create(client, source)
    assert refused.value.reason == "INVALID_PLAN"
    assert len(refused.value.violations) >= 5
    assert int(refused.value.metadata["violations_omitted"]) > 100
    checked = await client.routing.ValidatePlan(pb.ValidatePlanRequest(source=source))
    assert (checked.valid, len(checked.findings)) == (False, 201)


async def test_validating_answers_findings_and_stores_nothing(client: AsyncSluice) -> None:
    good = await client.routing.ValidatePlan(pb.ValidatePlanRequest(source=EXAMPLE))
    assert (good.valid, list(good.findings)) == (True, [])
    warned = await client.routing.ValidatePlan(pb.ValidatePlanRequest(source=EXAMPLE.replace("insurer-c", "insurer-z")))
    assert warned.valid
    assert [(f.severity, "no insurer 'insurer-z'" in f.message) for f in warned.findings] == [(2, True)]
    bad = await client.routing.ValidatePlan(pb.ValidatePlanRequest(source="plan: x\nrules: 1\n"))
    assert not bad.valid
    assert [(f.line, f.path) for f in bad.findings] == [(1, "products"), (2, "rules")]
    assert len((await client.routing.ListPlans(pb.ListPlansRequest())).plans) == 1


async def test_a_plan_with_an_unknown_insurer_is_stored_and_not_activatable(client: AsyncSluice) -> None:
    created = (await create(client, EXAMPLE.replace("insurer-c", "insurer-z"))).plan
    assert [(w.line > 0, w.path) for w in created.warnings] == [(True, "rules[0].allocations[1].insurer")]
    with pytest.raises(errors.FailedPrecondition) as refused:
        await activate(client, created.version)
    assert (refused.value.reason, refused.value.subject) == ("PLAN_NOT_ACTIVATABLE", f"plans/{created.version}")
    with pytest.raises(errors.NotFound):
        await activate(client, 99)
    assert (await client.routing.GetPlan(pb.GetPlanRequest())).plan.version == 1
