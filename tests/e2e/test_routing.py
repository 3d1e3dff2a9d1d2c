"""Routing one application through a real server, its interceptors, its store and simulated insurers."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict
from google.protobuf.timestamp_pb2 import Timestamp

from sluice.client import AsyncSluice, errors
from sluice.insurer.v1 import insurer_control_pb2
from sluice.routing.v1 import decision_pb2, order_pb2
from sluice.routing.v1 import routing_pb2 as pb
from tests.e2e.routing_calls import EXAMPLE, ROUTED, application, create, orders, route, submit
from tests.support.house import INSURERS


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
