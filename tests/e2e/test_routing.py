"""Every RPC of Routing through a real server, its interceptors, its store and simulated insurers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp

from sluice.client import AsyncSluice, errors
from sluice.insurer.v1 import insurer_control_pb2, insurer_pb2
from sluice.routing.v1 import application_pb2, decision_pb2, order_pb2
from sluice.routing.v1 import routing_pb2 as pb
from sluice.type.v1.money_pb2 import Money
from tests.e2e.conftest import INSURERS

EXAMPLE = (Path(__file__).parents[2] / "docs" / "example-plan.yaml").read_text()
ROUTED = order_pb2.ORDER_STATE_ROUTED


def application(application_id: str = "app-1", **changes: Any) -> application_pb2.Application:
    """A screen cover of 12 months for a phone of the lowest price band."""
    content: dict[str, Any] = {
        "application_id": application_id,
        "product_code": "screen-12m",
        "product_line": "screen",
        "device": application_pb2.Device(
            device_ref="dev-1",
            model_id="aurora-12",
            category="phone",
            brand="Aurora",
            price=Money(amount_minor=99_900, currency_code="CNY"),
            purchased_on="2026-03-01",
        ),
        "channel": application_pb2.Channel(channel_id="online", store_id="store-7", tier="gold"),
        "customer_ref": f"customer-{application_id}",
        "premium": Money(amount_minor=12_900, currency_code="CNY"),
        "term_months": 12,
        "attributes": {"campaign": "春季"},
    }
    return application_pb2.Application(**content | changes)


async def know_insurers(client: AsyncSluice) -> None:
    for name in INSURERS:
        await client.insurers.CreateInsurer(
            insurer_control_pb2.CreateInsurerRequest(
                insurer=insurer_pb2.Insurer(insurer_id=name, display_name=name, contact="night desk"), reason="test"
            )
        )


async def create(client: AsyncSluice, source: str = EXAMPLE, **more: str) -> pb.CreatePlanResponse:
    return await client.routing.CreatePlan(pb.CreatePlanRequest(source=source, reason="agreed", **more))


async def activate(client: AsyncSluice, version: int, **more: str) -> pb.ActivatePlanResponse:
    return await client.routing.ActivatePlan(pb.ActivatePlanRequest(version=version, reason="agreed", **more))


async def route(client: AsyncSluice, wanted: application_pb2.Application) -> pb.RouteResponse:
    return await client.routing.Route(pb.RouteRequest(application=wanted))


async def submit(client: AsyncSluice, wanted: application_pb2.Application) -> pb.SubmitResponse:
    return await client.routing.Submit(pb.SubmitRequest(application=wanted))


async def orders(client: AsyncSluice, **where: Any) -> list[order_pb2.Order]:
    return list((await client.routing.ListOrders(pb.ListOrdersRequest(**where))).orders)


@pytest.fixture
async def client(whole_client: AsyncSluice) -> AsyncSluice:
    """A client of a server that knows the insurers and decides by the documented example."""
    await know_insurers(whole_client)
    await activate(whole_client, (await create(whole_client)).plan.version)
    return whole_client


async def test_a_decision_is_answered_stored_and_repeated(client: AsyncSluice) -> None:
    first = await route(client, application())
    decision = first.decision
    assert (first.state, first.replayed, decision.number) == (ROUTED, False, 1)
    assert (decision.plan_name, decision.plan_version, decision.rule) == ("device-protection", 1, "screens")
    assert MessageToDict(decision.factors) == {"price_band": "low", "new_device": False}
    assert decision.split_key == "customer-app-1"
    assert [(c.insurer_id, c.share_basis_points, c.weight_basis_points) for c in decision.candidates] == [
        ("insurer-a", 5000, 5000),
        ("insurer-b", 3000, 3000),
        ("insurer-c", 2000, 2000),
    ]
    assert decision.binding.insurer_product_code
    again = await route(client, application())
    assert (again.replayed, again.decision) == (True, decision)
    order = (await client.routing.GetOrder(pb.GetOrderRequest(application_id="app-1"))).order
    assert list(order.decisions) == [decision]
    assert (order.application, order.state) == (application(), ROUTED)
    assert [o.application.application_id for o in await orders(client)] == ["app-1"]


async def test_other_content_under_a_known_id_is_a_conflict(client: AsyncSluice) -> None:
    first = await route(client, application())
    for changed in (application(term_months=24), application(attributes={}), application(customer_ref="other")):
        for call in (route, submit):
            with pytest.raises(errors.AlreadyExists) as refused:
                await call(client, changed)
            assert (refused.value.reason, refused.value.metadata["application_id"]) == (
                "APPLICATION_CONFLICT",
                "app-1",
            )
    assert (await route(client, application())).decision == first.decision


async def test_calls_at_the_same_time_get_one_decision(client: AsyncSluice) -> None:
    answers = await asyncio.gather(*(route(client, application()) for _ in range(20)))
    assert len({answer.decision.decision_id for answer in answers}) == 1
    assert sum(not answer.replayed for answer in answers) == 1


async def test_what_the_plan_does_not_serve_is_refused_and_not_stored(client: AsyncSluice) -> None:
    for call in (route, submit):
        with pytest.raises(errors.FailedPrecondition) as refused:
            await call(client, application(product_line="travel"))
        assert (refused.value.reason, refused.value.subject) == ("NO_RULE_MATCHES", "plans/1")
    assert await orders(client) == []


async def test_without_an_active_plan_nothing_is_decided(whole_client: AsyncSluice) -> None:
    with pytest.raises(errors.FailedPrecondition) as refused:
        await route(whole_client, application())
    assert refused.value.reason == "NO_ACTIVE_PLAN"
    with pytest.raises(errors.FailedPrecondition):
        await whole_client.routing.ExplainRoute(pb.ExplainRouteRequest(application=application()))
    with pytest.raises(errors.NotFound) as missing:
        await whole_client.routing.GetPlan(pb.GetPlanRequest())
    assert missing.value.reason == "PLAN_NOT_FOUND"
    assert await orders(whole_client) == []


# --- batches ---------------------------------------------------------------------------------------------------------


async def test_one_bad_application_of_a_batch_fails_alone(client: AsyncSluice) -> None:
    known = await route(client, application("known"))
    answer = await client.routing.RouteBatch(
        pb.RouteBatchRequest(
            applications=[
                application("good-1"),
                application("bad", term_months=0, product_code=""),
                application("known"),
                application("known-2", product_line="travel"),
                application("good-2"),
            ]
        )
    )
    good, bad, replayed, unserved, other = answer.results
    assert [r.application_id for r in answer.results] == ["good-1", "bad", "known", "known-2", "good-2"]
    assert (good.response.state, other.response.state) == (ROUTED, ROUTED)
    assert (bad.failure.code, bad.failure.reason) == (3, "INVALID_FIELD")
    assert "applications[1].term_months" in bad.failure.message
    assert "applications[1].product_code" in bad.failure.message
    assert (replayed.response.replayed, replayed.response.decision) == (True, known.decision)
    assert (unserved.failure.code, unserved.failure.reason) == (9, "NO_RULE_MATCHES")
    assert {o.application.application_id for o in await orders(client)} == {"good-1", "known", "good-2"}


async def test_a_conflict_within_a_batch_fails_alone(client: AsyncSluice) -> None:
    first = await route(client, application("known"))
    answer = await client.routing.RouteBatch(
        pb.RouteBatchRequest(applications=[application("known", term_months=24), application("new")])
    )
    assert (answer.results[0].failure.code, answer.results[0].failure.reason) == (6, "APPLICATION_CONFLICT")
    assert answer.results[1].response.state == ROUTED
    assert (await route(client, application("known"))).decision == first.decision


async def test_a_whole_thousand_is_routed_and_repeated(client: AsyncSluice) -> None:
    request = pb.RouteBatchRequest(applications=[application(f"app-{n}") for n in range(1000)])
    first = await client.routing.RouteBatch(request)
    assert [r.WhichOneof("result") for r in first.results] == ["response"] * 1000
    again = await client.routing.RouteBatch(request)
    assert all(r.response.replayed for r in again.results)
    assert [r.response.decision for r in again.results] == [r.response.decision for r in first.results]


async def test_a_stream_answers_each_chunk_in_order_and_bad_applications_fail_alone(client: AsyncSluice) -> None:
    async def chunks() -> AsyncIterator[pb.RouteStreamRequest]:
        yield pb.RouteStreamRequest(chunk_id=7, applications=[application("s-1"), application("s-2", device=None)])
        yield pb.RouteStreamRequest(chunk_id=3, applications=[application("s-3"), application("s-1")])

    answers = [answer async for answer in client.routing.RouteStream(chunks())]
    assert [answer.chunk_id for answer in answers] == [7, 3]
    one, two = answers
    assert (one.results[0].response.replayed, one.results[1].failure.code) == (False, 3)
    assert "applications[1].device: required" in one.results[1].failure.message
    assert (two.results[0].response.replayed, two.results[1].response.replayed) == (False, True)
    assert {o.application.application_id for o in await orders(client)} == {"s-1", "s-3"}


async def test_a_chunk_that_is_wrong_as_a_whole_ends_the_stream_after_the_answers_before_it(
    client: AsyncSluice,
) -> None:
    async def chunks() -> AsyncIterator[pb.RouteStreamRequest]:
        yield pb.RouteStreamRequest(chunk_id=1, applications=[application("s-1")])
        yield pb.RouteStreamRequest(chunk_id=2, applications=[application("s-2"), application("s-2")])

    answers = aiter(client.routing.RouteStream(chunks()))
    assert (await anext(answers)).chunk_id == 1
    with pytest.raises(errors.InvalidArgument) as refused:
        await anext(answers)
    assert [v.field for v in refused.value.violations] == ["applications[1].application_id"]
    assert {o.application.application_id for o in await orders(client)} == {"s-1"}


# --- explaining ------------------------------------------------------------------------------------------------------


async def test_explaining_says_what_route_then_answers_and_stores_nothing(client: AsyncSluice) -> None:
    request = pb.ExplainRouteRequest(application=application())
    explained = await client.routing.ExplainRoute(request)
    assert await orders(client) == []
    assert [(t.rule, t.matched) for t in explained.rules] == [("expensive-screens", False), ("screens", True)]
    assert "factors.price_band: 'low' is not 'high'" in explained.rules[0].because
    assert (explained.plan_version, explained.HasField("stored_decision")) == (1, False)
    assert MessageToDict(explained.factors) == {"price_band": "low", "new_device": False}
    routed = await route(client, application())
    assert (explained.decision.insurer_id, explained.decision.binding, explained.decision.decision_id) == (
        *(routed.decision.insurer_id, routed.decision.binding),
        "",
    )
    assert (await client.routing.ExplainRoute(request)).stored_decision == routed.decision


async def test_explaining_by_a_version_that_is_not_active(client: AsyncSluice) -> None:
    draft = (await create(client, EXAMPLE.replace("name: screens", "name: renamed"))).plan.version
    explained = await client.routing.ExplainRoute(pb.ExplainRouteRequest(application=application(), plan_version=draft))
    assert (explained.decision.rule, explained.plan_version) == ("renamed", draft)
    nothing = await client.routing.ExplainRoute(
        pb.ExplainRouteRequest(application=application(product_line="travel"), plan_version=draft)
    )
    assert not nothing.HasField("decision")
    assert "does not serve" in nothing.rules[0].because
    with pytest.raises(errors.NotFound) as missing:
        await client.routing.ExplainRoute(pb.ExplainRouteRequest(application=application(), plan_version=99))
    assert missing.value.reason == "PLAN_NOT_FOUND"


# --- submitting and reporting ----------------------------------------------------------------------------------------


async def test_a_submitted_application_is_insured_by_the_insurer_decided_once(client: AsyncSluice) -> None:
    first = await submit(client, application())
    order = first.order
    assert (order.state, first.replayed) == (order_pb2.ORDER_STATE_INSURED, False)
    (submission,) = order.submissions
    assert (submission.outcome, submission.policy_number) == (order_pb2.OUTCOME_SUCCESS, order.policy_number)
    assert submission.insurer_id == order.decisions[0].insurer_id
    again = await submit(client, application())
    assert (again.replayed, again.order) == (True, order)
    stored = (await client.routing.GetOrder(pb.GetOrderRequest(application_id="app-1"))).order
    assert stored == order


async def test_a_reported_outcome_finishes_the_order(client: AsyncSluice) -> None:
    insurer = (await route(client, application())).decision.insurer_id
    report = pb.ReportOutcomeRequest(
        application_id="app-1",
        insurer_id=insurer,
        outcome=order_pb2.OUTCOME_SUCCESS,
        policy_number="P-1",
        latency=Duration(nanos=250_000_000),
        request_id="report-1",
    )
    order = (await client.routing.ReportOutcome(report)).order
    assert (order.state, order.policy_number) == (order_pb2.ORDER_STATE_INSURED, "P-1")
    assert [(s.kind, s.latency.nanos) for s in order.submissions] == [(order_pb2.SUBMISSION_KIND_REPORTED, 250_000_000)]
    assert (await client.routing.ReportOutcome(report)).order == order
    report.policy_number = "P-2"
    with pytest.raises(errors.AlreadyExists) as refused:
        await client.routing.ReportOutcome(report)
    assert refused.value.reason == "REQUEST_ID_CONFLICT"
    report.request_id = "report-2"
    kept = (await client.routing.ReportOutcome(report)).order
    assert (kept.state, kept.policy_number, kept.contradictions) == (order_pb2.ORDER_STATE_INSURED, "P-1", 1)
    assert (kept.submissions[1].flag, kept.submissions[1].policy_number) == (order_pb2.REPORT_FLAG_CONTRADICTING, "P-2")
    report.application_id = "nobody"
    with pytest.raises(errors.NotFound) as missing:
        await client.routing.ReportOutcome(report)
    assert missing.value.reason == "ORDER_NOT_FOUND"


async def test_orders_are_listed_by_filter_page_by_page(client: AsyncSluice) -> None:
    for n in range(5):
        await route(client, application(f"app-{n}"))
    await route(client, application("w-1", product_line="warranty", product_code="warranty-12m"))
    seen: list[str] = []
    token = ""
    for size in (2, 2, 1):
        page = await client.routing.ListOrders(
            pb.ListOrdersRequest(product_code="screen-12m", page_size=2, page_token=token)
        )
        assert len(page.orders) == size
        seen += [order.application.application_id for order in page.orders]
        token = page.next_page_token
    assert (seen, token) == ([f"app-{n}" for n in range(5)], "")
    insurers = {o.decisions[-1].insurer_id for o in await orders(client)}
    assert sum([len(await orders(client, insurer_id=i)) for i in insurers]) == 6
    assert await orders(client, states=[order_pb2.ORDER_STATE_PARKED]) == []
    assert len(await orders(client, states=[ROUTED, order_pb2.ORDER_STATE_PARKED])) == 6
    later = Timestamp()
    later.FromDatetime(datetime.now(UTC) + timedelta(hours=1))
    assert await orders(client, created_after=later) == []
    assert len(await orders(client, created_before=later)) == 6
    with pytest.raises(errors.NotFound) as missing:
        await client.routing.GetOrder(pb.GetOrderRequest(application_id="nobody"))
    assert missing.value.reason == "ORDER_NOT_FOUND"


# --- plans -----------------------------------------------------------------------------------------------------------


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


async def test_a_cut_insurer_gets_nothing_and_the_keys_of_the_others_stay(client: AsyncSluice) -> None:
    before = {}
    for n in range(60):
        wanted = application(f"before-{n}", customer_ref=f"customer-{n}")
        before[n] = (await route(client, wanted)).decision.insurer_id
    await client.insurers.CutTraffic(insurer_control_pb2.CutTrafficRequest(insurer_id="insurer-a", reason="drill"))
    for n in range(60):
        decision = (await route(client, application(f"after-{n}", customer_ref=f"customer-{n}"))).decision
        assert decision.candidates[0].excluded_because.startswith("CUT")
        if before[n] == "insurer-a":
            assert decision.insurer_id in {"insurer-b", "insurer-c"}
        else:
            assert decision.insurer_id == before[n]
    assert set(before.values()) == set(INSURERS)


async def test_when_all_are_cut_the_rule_says_what_happens(client: AsyncSluice) -> None:
    for name in INSURERS:
        await client.insurers.CutTraffic(insurer_control_pb2.CutTrafficRequest(insurer_id=name, reason="drill"))
    parked = await route(client, application("parked"))
    assert (parked.state, parked.decision.disposition) == (
        order_pb2.ORDER_STATE_PARKED,
        decision_pb2.DISPOSITION_PARKED,
    )
    warranty = {"product_line": "warranty", "product_code": "w-24m"}
    kept = await route(client, application("kept", term_months=24, **warranty))
    assert (kept.decision.disposition, kept.decision.insurer_id) == (decision_pb2.DISPOSITION_KEPT_LAST, "insurer-b")
    rejected = await route(client, application("rejected", **warranty))
    assert (rejected.state, rejected.decision.disposition) == (
        order_pb2.ORDER_STATE_REJECTED,
        decision_pb2.DISPOSITION_REJECTED,
    )
