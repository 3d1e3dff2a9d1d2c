"""What is done in a shorter way for nearly every call gives the same as the long way."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sluice.routing.v1 import application_pb2, routing_pb2
from sluice.type.v1.money_pb2 import Money as MoneyMessage
from sluice_server.api.routing import render
from sluice_server.api.routing.answers import OF_BATCH, OF_STREAM, result, route_answer
from sluice_server.api.routing.applications import application_in, application_of
from sluice_server.api.routing.fields import Fields
from sluice_server.api.routing.limits import RequestLimits
from sluice_server.domain.construct import constructor
from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.money import Money
from sluice_server.domain.orders.decide import RoutedOrder
from sluice_server.domain.orders.history import received
from sluice_server.domain.routing.books import OpenDecision
from sluice_server.domain.routing.frame import FirstDecision
from sluice_server.domain.routing.model import (
    Application,
    Binding,
    Candidate,
    Channel,
    Decision,
    Device,
    Disposition,
)
from sluice_server.domain.routing.ports import Admission, TrafficSnapshot
from sluice_server.domain.routing.source.compile import compile_plan
from sluice_server.store.rows import ASYNCPG, SQLITE3, first_decision_row, first_row, is_first

NOON = datetime(2026, 3, 1, 12, 0, 0, 123_456, tzinfo=UTC)
LIMITS = RequestLimits(max_text_length=8)

texts = st.sampled_from(
    [
        "",
        "a",
        "phone",
        "手机",
        'say "a"',
        "a\\b",
        "{x}%s",
        "</&'>",
        "two words",
        " blank first",
        " ",
        "\t",
        "line\n",
        "x" * 8,
        "x" * 9,
        "é",
        "🙂",
    ]
)
ids = st.one_of(texts, st.sampled_from(["app-1", "A:b_c.d", "x" * 64, "x" * 65]))
amounts = st.sampled_from([0, 1, -1, 10**15, 10**15 + 1])
currencies = st.sampled_from(["CNY", "cny", "", "CN", "CNYX"])
money = st.one_of(st.none(), st.builds(MoneyMessage, amount_minor=amounts, currency_code=currencies))
days = st.sampled_from(["", "2026-02-28", "2026-02-30", "26-02-28", "2026-02-28 "])
devices = st.builds(
    application_pb2.Device,
    device_ref=texts,
    model_id=texts,
    category=texts,
    brand=texts,
    price=money,
    purchased_on=days,
)
channels = st.builds(application_pb2.Channel, channel_id=texts, store_id=texts, tier=texts)
messages = st.builds(
    application_pb2.Application,
    application_id=ids,
    product_code=texts,
    product_line=texts,
    device=st.one_of(st.none(), devices),
    channel=st.one_of(st.none(), channels),
    customer_ref=texts,
    premium=money,
    term_months=st.sampled_from([0, 1, 12, 120, 121]),
    attributes=st.dictionaries(st.sampled_from(["key", ""]), texts, max_size=1),
)


def slowly(message: application_pb2.Application) -> Application | list[Violation]:
    fields = Fields(LIMITS)
    read = application_in(message, fields, "application")
    try:
        fields.done()
    except InvalidInput as invalid:
        return list(invalid.violations)
    return read


def quickly(message: application_pb2.Application) -> Application | list[Violation]:
    try:
        return application_of(routing_pb2.RouteRequest(application=message), LIMITS)
    except InvalidInput as invalid:
        return list(invalid.violations)


@given(message=messages)
def test_an_application_reads_the_same(message: application_pb2.Application) -> None:
    quick, slow = quickly(message), slowly(message)
    assert quick == slow
    if isinstance(quick, Application) and isinstance(slow, Application):
        assert quick.content() == slow.content()


def good(**changes: object) -> application_pb2.Application:
    fields: dict[str, object] = {
        "application_id": "app-1",
        "product_code": "screen",
        "product_line": "线",
        "device": application_pb2.Device(
            device_ref="dev",
            model_id="m",
            category="手机",
            price=MoneyMessage(amount_minor=5, currency_code="CNY"),
            purchased_on="2026-02-28",
        ),
        "channel": application_pb2.Channel(channel_id="c"),
        "customer_ref": "cust",
        "premium": MoneyMessage(amount_minor=1, currency_code="CNY"),
        "term_months": 12,
    }
    return application_pb2.Application(**{**fields, **changes})  # type: ignore[arg-type]  # as the fields are


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"product_code": "two words"},
        {"customer_ref": ""},
        {"customer_ref": "x" * 9},
        {"application_id": "no spaces"},
        {"term_months": 121},
        {"premium": MoneyMessage(amount_minor=-1, currency_code="CNY")},
        {"premium": None},
        {"device": None},
        {"channel": None},
    ],
    ids=str,
)
def test_a_change_of_a_good_application_reads_the_same(changes: dict[str, object]) -> None:
    assert quickly(good(**changes)) == slowly(good(**changes))
    assert isinstance(quickly(good()), Application)


@pytest.mark.parametrize("brand", ["", "Aurora", 'say "a"', "极光"])
@pytest.mark.parametrize("day", ["", "2026-02-28"])
def test_the_content_that_is_put_together_is_what_would_be_encoded(brand: str, day: str) -> None:
    message = good()
    message.device.brand, message.device.purchased_on = brand, day
    quick, slow = quickly(message), slowly(message)
    assert isinstance(quick, Application)
    assert isinstance(slow, Application)
    assert quick.content() == slow.content()


def decision(place: int, **changes: object) -> Decision:
    made = Decision(
        decision_id=f"dec-{place}",
        application_id=f"app-{place}",
        number=1,
        disposition=Disposition.ROUTED,
        insurer_id="insurer-a",
        binding=Binding("P", "PLAN", "main", {"store": f"store-{place}"}),
        plan_name="phones",
        plan_version=3,
        rule=f"rule-{place}",
        factors={"band": "high", "age": place, "whole": 2.5, "yes": True},
        split_key=f"key-{place}",
        ledger_position=None,
        candidates=(Candidate("insurer-a", 6000, 6000), Candidate("insurer-b", 4000, 0, "CUT")),
        traffic_version=17,
        decided_at=NOON,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # as the fields are


CHANGES: list[dict[str, object]] = [
    {},
    {"insurer_id": "insurer-b"},
    {"disposition": Disposition.PARKED, "insurer_id": "", "binding": None},
    {"disposition": Disposition.REJECTED, "insurer_id": "", "binding": None},
    {"number": 2},
    {"ledger_position": 4, "ledger_orders": (2, 1)},
    {"traffic_version": 18},
    {"plan_version": 4},
    {"candidates": (Candidate("insurer-a", 10_000, 10_000),)},
    {"factors": {}},
]


@pytest.mark.parametrize("replayed", [False, True])
@pytest.mark.parametrize("changes", CHANGES, ids=str)
def test_an_answer_is_the_decision_whatever_was_answered_before(changes: dict[str, object], replayed: bool) -> None:
    application = quickly(good())
    assert isinstance(application, Application)
    for place in range(3):
        made = decision(place, **changes)
        order = received(application, "00" * 32, made, submit=False, now=NOON)
        answer = routing_pb2.RouteResponse.FromString(route_answer(RoutedOrder(order, replayed)))
        assert answer.decision == render.decision_message(made)
        assert answer.replayed is replayed
        assert answer.state == render.order_message(order).state


PLAN = """\
plan: frames
description: Two insurers, one with templates.
products: [{code: screen}, {code: battery}]
factors:
  band: 'application.premium.amount_minor >= 100 ? "high" : "low"'
  whole: 'application.premium.amount_minor >= 100 ? 1.0 : 2.0'
insurers:
  insurer-a: {binding: {insurer_product_code: "A-{application.product_code}", parameters: {band: "{factors.whole}"}}}
  insurer-b: {binding: {insurer_product_code: "B", parameters: {customer: "{application.customer_ref}"}}}
  insurer-c: {binding: {insurer_product_code: "C"}}
rules:
- name: rule-规则
  sticky_key: customer_ref
  match: {product_code: screen}
  allocations:
  - {insurer: insurer-a, share: 3000}
  - {insurer: insurer-b, share: 3000}
  - {insurer: insurer-c, share: 4000}
- name: two
  on_exhausted: PARK
  allocations: [{insurer: insurer-a, share: 10000}]
"""
SNAPSHOTS = [TrafficSnapshot(1, {}), TrafficSnapshot(2, {("insurer-a", ""): Admission(0, "CUT")})]
customers = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S")), min_size=1, max_size=3_000)


@given(
    drawn=st.lists(
        st.tuples(
            customers, st.sampled_from(["screen", "battery"]), st.sampled_from([5, 500]), st.sampled_from(SNAPSHOTS)
        ),
        min_size=2,
        max_size=20,
    )
)
def test_decisions_of_a_plan_are_answered_and_stored_as_they_are(
    drawn: list[tuple[str, str, int, TrafficSnapshot]],
) -> None:
    plan = compile_plan(PLAN, version=3)
    for place, (customer, code, premium, traffic) in enumerate(drawn):
        application = replace(
            application_of(routing_pb2.RouteRequest(application=good(product_code=code)), RequestLimits()),
            application_id=f"app-{place}",
            customer_ref=customer,
            premium=Money(premium, "CNY"),
        )
        made = plan.draft(application, traffic, now=NOON)
        assert isinstance(made, Decision)
        first = plan.first(application, traffic, now=NOON)
        # Only a binding that reads the customer is each application's own, and so is one without an insurer.
        assert isinstance(first, Decision) is (made.insurer_id in ("insurer-b", ""))
        if isinstance(first, FirstDecision):
            made = replace(made, decision_id=first.decision_id)
            assert first.decision() == made
        assert not isinstance(first, OpenDecision)
        order = received(application, application.fingerprint(), made, submit=False, now=NOON)
        plainly = render.route_response(RoutedOrder(order, replayed=False))
        answer = route_answer(first if isinstance(first, FirstDecision) else RoutedOrder(order, replayed=False))
        assert routing_pb2.RouteResponse.FromString(answer) == plainly
        if isinstance(first, FirstDecision):
            for codec in (SQLITE3, ASYNCPG):
                assert is_first(order)
                *short, text = first_decision_row(first, codec)
                *whole, whole_text = first_row(order, codec)
                assert short == whole
                assert orjson.loads(text) == orjson.loads(whole_text)
        for tag, response in (
            (OF_BATCH, routing_pb2.RouteBatchResponse()),
            (OF_STREAM, routing_pb2.RouteStreamResponse()),
        ):
            response.ParseFromString(2 * result(tag, application.application_id, answer))
            assert [each.application_id for each in response.results] == 2 * [application.application_id]
            assert [each.response for each in response.results] == 2 * [plainly]


def test_a_constructor_makes_the_same() -> None:
    price = Money(5, "CNY")
    device = Device("ref", "model", "phone", "brand", price, date(2026, 2, 28))
    channel = Channel("c", "s", "gold")
    assert constructor(Money)(5, "CNY") == price
    made = constructor(Device)("ref", "model", "phone", "brand", price, date(2026, 2, 28))
    assert made == device
    assert hash(made) == hash(device)
    assert constructor(Channel)("c", "s", "gold") == channel
    with pytest.raises(AttributeError):
        made.brand = "other"  # type: ignore[misc]  # that it cannot be set is what is tested
