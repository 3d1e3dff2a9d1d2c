"""Bad input of every field of every working RPC of Routing: INVALID_ARGUMENT naming the field, nothing stored."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sluice.client import AsyncSluice, errors
from sluice.insurer.v1 import insurer_control_pb2
from sluice.routing.v1 import application_pb2, order_pb2
from sluice.routing.v1 import routing_pb2 as pb
from sluice.type.v1.money_pb2 import Money
from tests.e2e.routing_calls import EXAMPLE, application

Application = application_pb2.Application


async def everything(client: AsyncSluice) -> tuple[object, ...]:
    """What is stored, as far as it can be read."""
    orders = await client.routing.ListOrders(pb.ListOrdersRequest(page_size=1000))
    plans = await client.routing.ListPlans(pb.ListPlansRequest(page_size=1000))
    audit = await client.insurers.ListAuditEvents(insurer_control_pb2.ListAuditEventsRequest(page_size=1000))
    return list(orders.orders), list(plans.plans), list(audit.audit_events)


# --- applications ----------------------------------------------------------------------------------------------------


def without(field: str) -> Callable[[], Application]:
    """The application without a field: ``device.price``."""

    def make() -> Application:
        made = application()
        message: Any = made
        *above, last = field.split(".")
        for name in above:
            message = getattr(message, name)
        message.ClearField(last)
        return made

    return make


def changed(field: str, value: object) -> Callable[[], Application]:
    """The application with another value in a field."""

    def make() -> Application:
        made = application()
        message: Any = made
        *above, last = field.split(".")
        for name in above:
            message = getattr(message, name)
        setattr(message, last, value)
        return made

    return make


def attributes(**given: str) -> Callable[[], Application]:
    return lambda: application(attributes=given)


LONG, CONTROL = "x" * 65, "a\x00b"
REQUIRED_TEXTS = [
    *("product_code", "product_line", "customer_ref", "device.device_ref", "device.model_id", "device.category"),
    "channel.channel_id",
]
OPTIONAL_TEXTS = ["device.brand", "channel.store_id", "channel.tier"]
MONEY = ["premium", "device.price"]


def wrong_applications() -> Iterator[tuple[str, Callable[[], Application], str]]:
    """What is wrong, the application, the field to be named."""
    for field in ["application_id", *REQUIRED_TEXTS, "device", "channel", *MONEY]:
        yield f"no {field}", without(field), field
    yield "no term_months", without("term_months"), "term_months"
    for bad in ("", "a b", "x" * 65, "中文", "a/b", "a\nb", "a\n"):
        yield f"application_id {bad[:8]!r}", changed("application_id", bad), "application_id"
    for field in [*REQUIRED_TEXTS, *OPTIONAL_TEXTS]:
        yield f"long {field}", changed(field, LONG), field
        yield f"control character in {field}", changed(field, CONTROL), field
        yield f"bidirectional override in {field}", changed(field, "a\u202eb"), field
    for field in REQUIRED_TEXTS:
        yield f"blank {field}", changed(field, "   "), field
    for field in MONEY:
        yield f"negative {field}", changed(f"{field}.amount_minor", -1), f"{field}.amount_minor"
        yield f"huge {field}", changed(f"{field}.amount_minor", 10**15 + 1), f"{field}.amount_minor"
        for code in ("", "cny", "CN", "CNYX", "人民币"):
            yield f"{field} in {code!r}", changed(f"{field}.currency_code", code), f"{field}.currency_code"
    for months in (-1, 0, 121, 2**31 - 1):
        yield f"{months} months", changed("term_months", months), "term_months"
    for day in ("2026-2-3", "2026-02-30", "yesterday", "2026-03-01T00:00:00Z", "20260301", "２０２６-03-01"):
        yield f"purchased {day}", changed("device.purchased_on", day), "device.purchased_on"
    yield "too many attributes", attributes(**{f"k{n}": "v" for n in range(65)}), "attributes"
    yield "long attribute", attributes(k="v" * 257), "attributes[k]"
    yield "control character in an attribute", attributes(k=CONTROL), "attributes[k]"
    for key in ("", "k" * 65, "k\t"):
        yield f"attribute key {key[:4]!r}", attributes(**{key: "v"}), "attributes"


WRONG = list(wrong_applications())


async def refused(call: Any) -> dict[str, str]:
    """The violations of a call that must be refused, by field."""
    with pytest.raises(errors.InvalidArgument) as raised:
        await call
    assert raised.value.request_id
    assert all(v.description for v in raised.value.violations)
    return {v.field: v.description for v in raised.value.violations}


async def test_every_wrong_field_of_an_application_is_named_alone(client: AsyncSluice) -> None:
    before = await everything(client)
    for what, make, field in WRONG:
        wanted = make()
        for call in (
            client.routing.Route(pb.RouteRequest(application=wanted)),
            client.routing.Submit(pb.SubmitRequest(application=wanted)),
            client.routing.ExplainRoute(pb.ExplainRouteRequest(application=wanted)),
        ):
            assert set(await refused(call)) == {f"application.{field}"}, what
    assert await everything(client) == before


async def test_in_a_batch_every_wrong_application_names_its_field_and_none_is_stored(client: AsyncSluice) -> None:
    before = await everything(client)
    wanted = []
    for n, (_, make, field) in enumerate(WRONG):
        message = make()
        if field != "application_id":
            message.application_id = f"bad-{n}"
        elif message.application_id:
            # They must differ to be looked at one by one.
            message.application_id += f" {n}"
        wanted.append(message)
    answer = await client.routing.RouteBatch(pb.RouteBatchRequest(applications=wanted))

    async def chunk() -> AsyncIterator[pb.RouteStreamRequest]:
        yield pb.RouteStreamRequest(applications=wanted)

    (streamed,) = [a async for a in client.routing.RouteStream(chunk())]
    for results in (answer.results, streamed.results):
        for n, ((what, _, field), result) in enumerate(zip(WRONG, results, strict=True)):
            assert (result.failure.code, result.failure.reason) == (3, "INVALID_FIELD"), what
            assert f"applications[{n}].{field}: " in result.failure.message, what
    assert await everything(client) == before


async def test_every_wrong_field_is_named_at_once(client: AsyncSluice) -> None:
    empty = Application(device=application_pb2.Device(), channel=application_pb2.Channel())
    fields = await refused(client.routing.Route(pb.RouteRequest(application=empty)))
    wanted = ["application_id", *REQUIRED_TEXTS, *MONEY, "term_months"]
    assert set(fields) == {f"application.{name}" for name in wanted}


async def test_the_message_of_a_refusal_does_not_repeat_what_was_sent(client: AsyncSluice) -> None:
    secret = "Zhang San 13800000000 \x00"
    message = application(customer_ref=secret, attributes={"k": secret})
    with pytest.raises(errors.InvalidArgument) as raised:
        await client.routing.Route(pb.RouteRequest(application=message))
    assert "Zhang" not in str(raised.value)
    assert not any("Zhang" in v.description for v in raised.value.violations)


async def test_odd_but_right_values_are_accepted(client: AsyncSluice) -> None:
    odd = [
        application("a" * 64, customer_ref="客" * 64, attributes={"备注": "全角　空格", "empty": ""}),
        application("A.z_0:9-", term_months=120, premium=Money(amount_minor=0, currency_code="CNY")),
        application("big", premium=Money(amount_minor=10**15, currency_code="USD")),
        application("many", attributes={f"k{n}": "v" * 256 for n in range(64)}),
    ]
    odd[1].device.purchased_on = ""
    odd[2].device.purchased_on = "9999-12-31"
    odd[3].device.purchased_on = "0001-01-01"
    answer = await client.routing.RouteBatch(pb.RouteBatchRequest(applications=odd))
    assert [r.WhichOneof("result") for r in answer.results] == ["response"] * 4, answer
    for wanted in odd:
        stored = await client.routing.GetOrder(pb.GetOrderRequest(application_id=wanted.application_id))
        assert stored.order.application == wanted


# --- the other requests ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Wrong:
    """A call and the fields that its refusal names."""

    rpc: str
    request: Any
    fields: set[str]


def report(**changes: Any) -> pb.ReportOutcomeRequest:
    right: dict[str, Any] = {"application_id": "app-1", "insurer_id": "insurer-a", "outcome": order_pb2.OUTCOME_UNKNOWN}
    return pb.ReportOutcomeRequest(**right | changes)


def plan(**changes: Any) -> pb.CreatePlanRequest:
    return pb.CreatePlanRequest(**{"source": EXAMPLE, "reason": "test"} | changes)


def withdrawal(**changes: Any) -> pb.CancelOrderRequest:
    return pb.CancelOrderRequest(**{"application_id": "app-1", "reason": "the customer wants it no more", **changes})


def activation(**changes: Any) -> pb.ActivatePlanRequest:
    right: dict[str, Any] = {"version": 1, "reason": "test"}
    return pb.ActivatePlanRequest(**right | changes)


NOT_A_MOMENT = [Timestamp(seconds=-1), Timestamp(seconds=253_402_300_800), Timestamp(seconds=1, nanos=-1)]
NOT_A_LATENCY = [Duration(seconds=-1), Duration(seconds=86_400), Duration(seconds=1, nanos=2_000_000_000)]
NOT_AN_ID = ["a b", LONG, "中文", "a\n"]
NOT_STATES: Any = {"states": [1, 99, 0]}
SUCCESS = order_pb2.OUTCOME_SUCCESS

OTHERS = [
    Wrong("Route", pb.RouteRequest(), {"application"}),
    Wrong("Submit", pb.SubmitRequest(), {"application"}),
    Wrong("ExplainRoute", pb.ExplainRouteRequest(plan_version=-1), {"application", "plan_version"}),
    Wrong("RouteBatch", pb.RouteBatchRequest(), {"applications"}),
    Wrong(
        "RouteBatch",
        pb.RouteBatchRequest(applications=[application(f"app-{n}") for n in range(1001)]),
        {"applications"},
    ),
    Wrong(
        "RouteBatch",
        pb.RouteBatchRequest(applications=[application(), application("other"), application(), application()]),
        {"applications[2].application_id", "applications[3].application_id"},
    ),
    Wrong("ReportOutcome", pb.ReportOutcomeRequest(), {"application_id", "insurer_id", "outcome"}),
    *(Wrong("ReportOutcome", report(application_id=bad), {"application_id"}) for bad in ["", *NOT_AN_ID]),
    *(Wrong("ReportOutcome", report(insurer_id=bad), {"insurer_id"}) for bad in ["", *NOT_AN_ID]),
    *(Wrong("ReportOutcome", report(request_id=bad), {"request_id"}) for bad in NOT_AN_ID),
    Wrong("ReportOutcome", report(outcome=99), {"outcome"}),
    Wrong("ReportOutcome", report(outcome=SUCCESS), {"policy_number"}),
    Wrong("ReportOutcome", report(outcome=SUCCESS, policy_number=LONG), {"policy_number"}),
    Wrong("ReportOutcome", report(outcome=SUCCESS, policy_number="  "), {"policy_number"}),
    Wrong("ReportOutcome", report(policy_number="P-1"), {"policy_number"}),
    *(Wrong("ReportOutcome", report(error_code=bad), {"error_code"}) for bad in (LONG, CONTROL)),
    *(Wrong("ReportOutcome", report(message=bad), {"message"}) for bad in ("m" * 501, CONTROL)),
    *(Wrong("ReportOutcome", report(latency=bad), {"latency"}) for bad in NOT_A_LATENCY),
    *(Wrong("ReportOutcome", report(occur_time=bad), {"occur_time"}) for bad in NOT_A_MOMENT),
    Wrong("ReportOutcome", report(occur_time=Timestamp(seconds=253_402_300_799)), {"occur_time"}),
    *(Wrong("GetOrder", pb.GetOrderRequest(application_id=bad), {"application_id"}) for bad in ["", *NOT_AN_ID]),
    *(Wrong("GetOrder", pb.GetOrderRequest(decision_id=bad), {"decision_id"}) for bad in NOT_AN_ID),
    Wrong("GetOrder", pb.GetOrderRequest(application_id="app-1", decision_id="dec-1"), {"decision_id"}),
    Wrong("ListOrders", pb.ListOrdersRequest(**NOT_STATES), {"states[1]", "states[2]"}),
    *(Wrong("ListOrders", pb.ListOrdersRequest(insurer_id=bad), {"insurer_id"}) for bad in NOT_AN_ID),
    *(Wrong("ListOrders", pb.ListOrdersRequest(incident_id=bad), {"incident_id"}) for bad in NOT_AN_ID),
    *(Wrong("ListOrders", pb.ListOrdersRequest(product_code=bad), {"product_code"}) for bad in (LONG, CONTROL)),
    *(Wrong("ListOrders", pb.ListOrdersRequest(created_after=bad), {"created_after"}) for bad in NOT_A_MOMENT),
    *(Wrong("ListOrders", pb.ListOrdersRequest(created_before=bad), {"created_before"}) for bad in NOT_A_MOMENT),
    Wrong(
        "ListOrders",
        pb.ListOrdersRequest(created_after=Timestamp(seconds=9), created_before=Timestamp(seconds=9)),
        {"created_before"},
    ),
    Wrong("ListOrders", pb.ListOrdersRequest(page_size=-1), {"page_size"}),
    *(Wrong("ListOrders", pb.ListOrdersRequest(page_token=bad), {"page_token"}) for bad in ("x", "ü", "bnVsbA", "W10")),
    Wrong("CreatePlan", pb.CreatePlanRequest(), {"source", "reason"}),
    Wrong("CreatePlan", plan(source="plan: ["), {"source"}),
    Wrong("CreatePlan", plan(source="#" * 4_000_001), {"source"}),
    *(Wrong("CreatePlan", plan(reason=bad), {"reason"}) for bad in ("", " \n ", "r" * 1001, CONTROL)),
    *(Wrong("CreatePlan", plan(request_id=bad), {"request_id"}) for bad in NOT_AN_ID),
    Wrong("ValidatePlan", pb.ValidatePlanRequest(), {"source"}),
    Wrong("GetPlan", pb.GetPlanRequest(version=-1), {"version"}),
    Wrong("CancelOrder", pb.CancelOrderRequest(), {"application_id", "reason"}),
    *(Wrong("CancelOrder", withdrawal(application_id=bad), {"application_id"}) for bad in NOT_AN_ID),
    *(Wrong("CancelOrder", withdrawal(reason=bad), {"reason"}) for bad in ("", " \n ", "r" * 1001, CONTROL)),
    *(Wrong("CancelOrder", withdrawal(request_id=bad), {"request_id"}) for bad in NOT_AN_ID),
    Wrong("ListPlans", pb.ListPlansRequest(page_size=-1), {"page_size"}),
    *(Wrong("ListPlans", pb.ListPlansRequest(page_token=bad), {"page_token"}) for bad in ("x", "ü", "cGxhbnM6MA")),
    Wrong("ActivatePlan", pb.ActivatePlanRequest(), {"version", "reason"}),
    Wrong("ActivatePlan", activation(version=-1), {"version"}),
    *(Wrong("ActivatePlan", activation(reason=bad), {"reason"}) for bad in ("", " \n ", "r" * 1001, CONTROL)),
    *(Wrong("ActivatePlan", activation(etag=bad), {"etag"}) for bad in (LONG, CONTROL)),
    *(Wrong("ActivatePlan", activation(request_id=bad), {"request_id"}) for bad in NOT_AN_ID),
]


async def test_every_wrong_field_of_the_other_requests_is_named_and_changes_nothing(client: AsyncSluice) -> None:
    await client.routing.Route(pb.RouteRequest(application=application()))
    before = await everything(client)
    for wrong in OTHERS:
        shown = f"{wrong.rpc} {str(wrong.request)[:200]}"
        assert set(await refused(getattr(client.routing, wrong.rpc)(wrong.request))) == wrong.fields, shown
    assert await everything(client) == before


def test_every_field_of_every_working_request_is_tried() -> None:
    tried: dict[str, set[str]] = {"RouteStream": {"applications", "chunk_id"}}
    for wrong in OTHERS:
        tried.setdefault(wrong.rpc, set()).update(field.split("[")[0] for field in wrong.fields)
    service = pb.DESCRIPTOR.services_by_name["Routing"]
    for method in service.methods:
        if method.name != "SimulatePlan":  # test_plan_tools.py tries it
            assert tried[method.name] == {field.name for field in method.input_type.fields}, method.name
    applied = {field.split("[")[0] for _, _, field in WRONG}
    assert applied >= {field.name for field in Application.DESCRIPTOR.fields}
    for part, message in (("device", application_pb2.Device), ("channel", application_pb2.Channel)):
        assert applied >= {f"{part}.{field.name}" for field in message.DESCRIPTOR.fields if field.message_type is None}


async def test_the_earliest_moment_with_the_longest_latency_is_no_defect(client: AsyncSluice) -> None:
    insurer = (await client.routing.Route(pb.RouteRequest(application=application()))).decision.insurer_id
    await client.routing.ReportOutcome(
        report(insurer_id=insurer, occur_time=Timestamp(), latency=Duration(seconds=86_399, nanos=999_999_999))
    )


# --- anything at all -------------------------------------------------------------------------------------------------

texts = st.text(max_size=70)
numbers = st.integers(-(2**63), 2**63 - 1)
money = st.none() | st.builds(Money, amount_minor=numbers, currency_code=texts | st.just("CNY"))
odd_applications = st.builds(
    Application,
    application_id=texts | st.from_regex(r"[a-z]{8}", fullmatch=True),
    product_code=texts,
    product_line=texts | st.just("screen"),
    device=st.none()
    | st.builds(
        application_pb2.Device,
        device_ref=texts,
        model_id=texts,
        category=texts,
        brand=texts,
        price=money,
        purchased_on=texts | st.dates().map(str),
    ),
    channel=st.none() | st.builds(application_pb2.Channel, channel_id=texts, store_id=texts, tier=texts),
    customer_ref=texts,
    premium=money,
    term_months=st.integers(-(2**31), 2**31 - 1) | st.integers(1, 120),
    attributes=st.dictionaries(texts, texts, max_size=3),
)


async def test_whatever_is_sent_is_answered_by_a_decision_or_by_what_is_wrong(client: AsyncSluice) -> None:
    batches: list[list[Application]] = []

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
    @given(batch=st.lists(odd_applications, min_size=1, max_size=12))
    def draw(batch: list[Application]) -> None:
        batches.append(batch)

    # Drawn aside: hypothesis calls plain functions, and the server lives in this loop.
    await asyncio.to_thread(draw)
    for batch in batches:
        try:
            answer = await client.routing.RouteBatch(pb.RouteBatchRequest(applications=batch))
        except errors.InvalidArgument:
            continue  # two of them have the same id; anything else is no answer and fails the test
        for result in answer.results:
            if result.HasField("failure"):
                assert (result.failure.code, result.failure.reason) in {
                    (3, "INVALID_FIELD"),
                    (6, "APPLICATION_CONFLICT"),
                    (9, "NO_RULE_MATCHES"),
                }, result
                assert len(result.failure.message) > 10
            else:
                assert result.response.decision.insurer_id
