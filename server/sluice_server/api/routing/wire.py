"""Between the messages of ``sluice.routing.v1`` and the domain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from sluice.routing.v1 import application_pb2, decision_pb2, order_pb2, plan_pb2, routing_pb2
from sluice.type.v1 import money_pb2
from sluice_server.api.errors import Failure
from sluice_server.api.routing.fields import Fields
from sluice_server.api.routing.limits import DEFAULT_REQUEST_LIMITS, RequestLimits
from sluice_server.domain.money import Money
from sluice_server.domain.orders.cancel import Cancellation
from sluice_server.domain.orders.decide import RoutedOrder
from sluice_server.domain.orders.model import Order, OrderState, Outcome, ReportFlag, Submission, SubmissionKind
from sluice_server.domain.orders.ports import OrderFilter
from sluice_server.domain.orders.queries import DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE
from sluice_server.domain.orders.report import OutcomeReport
from sluice_server.domain.routing.explain import Explanation
from sluice_server.domain.routing.findings import Finding, Severity
from sluice_server.domain.routing.model import Application, Binding, Channel, Decision, Device, Disposition
from sluice_server.domain.routing.ports import StoredPlan
from sluice_server.domain.routing.publish import Activation, PlanDraft

MAXIMUM_REASON = 1_000
MAXIMUM_VERSION = 2**63 - 1

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# --- requests --------------------------------------------------------------------------------------------------------


def application(
    message: application_pb2.Application, *, given: bool = True, limits: RequestLimits = DEFAULT_REQUEST_LIMITS
) -> Application:
    """Raises InvalidInput with every violation, each named from ``application.`` on."""
    fields = Fields(limits)
    if not given:
        fields.wrong("application", "required")
        fields.done()
    read = application_in(message, fields, "application")
    fields.done()
    return read


def application_in(message: application_pb2.Application, fields: Fields, path: str) -> Application:
    """One of a request that has more; what is wrong with it is noted in ``fields``, under ``path``."""
    # The paths are constants: at thousands of calls a second it would cost too much to put them together for nothing.
    fields = fields.under(path)
    application_id = fields.identifier("application_id", message.application_id)
    product_code = fields.text("product_code", message.product_code)
    product_line = fields.text("product_line", message.product_line)
    return Application(
        application_id=application_id,
        product_code=product_code,
        product_line=product_line,
        device=_device(message, fields),
        channel=_channel(message, fields),
        customer_ref=fields.text("customer_ref", message.customer_ref),
        premium=fields.money("premium", message.premium, given=message.HasField("premium")),
        term_months=fields.whole("term_months", message.term_months, minimum=1, maximum=120),
        attributes=_attributes(message.attributes, fields),
    )


def _device(message: application_pb2.Application, fields: Fields) -> Device:
    if not message.HasField("device"):
        fields.wrong("device", "required")
        return Device("", "", "", "", Money(0, ""))
    device = message.device
    return Device(
        device_ref=fields.text("device.device_ref", device.device_ref),
        model_id=fields.text("device.model_id", device.model_id),
        category=fields.text("device.category", device.category),
        brand=fields.text("device.brand", device.brand, required=False),
        price=fields.money("device.price", device.price, given=device.HasField("price")),
        purchased_on=fields.day("device.purchased_on", device.purchased_on),
    )


def _channel(message: application_pb2.Application, fields: Fields) -> Channel:
    if not message.HasField("channel"):
        fields.wrong("channel", "required")
        return Channel("")
    channel = message.channel
    return Channel(
        channel_id=fields.text("channel.channel_id", channel.channel_id),
        store_id=fields.text("channel.store_id", channel.store_id, required=False),
        tier=fields.text("channel.tier", channel.tier, required=False),
    )


def _attributes(given: Mapping[str, str], fields: Fields) -> Mapping[str, str]:
    if not given:
        return {}
    attributes = dict(given)
    limits = fields.limits
    if len(attributes) > limits.max_attributes:
        accepted = f"at most {limits.max_attributes} are accepted (max_attributes)"
        fields.wrong("attributes", f"{len(attributes)} entries; {accepted}")
        return {}
    for key, value in attributes.items():
        if not 1 <= len(key) <= 64 or not key.isprintable():
            fields.wrong("attributes", f"a key must have 1 to 64 printable characters; {key[:64]!r} has not")
        path = f"attributes[{key[:64]}]"
        if len(value) > limits.max_attribute_length:
            accepted = f"at most {limits.max_attribute_length} are accepted (max_attribute_length)"
            fields.wrong(path, f"{len(value)} characters; {accepted}")
        else:
            fields.text(path, value, maximum=limits.max_attribute_length, required=False)
    return attributes


def batch(messages: Sequence[application_pb2.Application], limits: RequestLimits) -> None:
    """Checks what concerns a batch as a whole. Raises InvalidInput."""
    fields = Fields(limits)
    accepted = f"1 to {limits.max_batch:,} are accepted (max_batch)"
    if not messages:
        fields.wrong("applications", f"empty; {accepted}")
    elif len(messages) > limits.max_batch:
        fields.wrong("applications", f"{len(messages)} applications; {accepted}")
    else:
        fields.repeated("applications", (m.application_id for m in messages), "application_id")
    fields.done()


def batch_item(message: application_pb2.Application, index: int, limits: RequestLimits) -> Application:
    """One application of a batch. Raises InvalidInput, named from ``applications[index].`` on."""
    fields = Fields(limits)
    read = application_in(message, fields, f"applications[{index}]")
    fields.done()
    return read


def explain(request: routing_pb2.ExplainRouteRequest, limits: RequestLimits) -> tuple[Application, int]:
    """The application and the plan's version (0: the active one)."""
    fields = Fields(limits)
    version = fields.whole("plan_version", request.plan_version, minimum=0, maximum=MAXIMUM_VERSION)
    if not request.HasField("application"):
        fields.wrong("application", "required")
    read = application_in(request.application, fields, "application") if request.HasField("application") else None
    fields.done()
    assert read is not None, "its absence is a violation"
    return read, version


def report(request: routing_pb2.ReportOutcomeRequest) -> OutcomeReport:
    """Raises InvalidInput."""
    fields = Fields()
    outcome = OUTCOMES.get(request.outcome)
    if outcome is None:
        known = ", ".join(f"OUTCOME_{o}" for o in Outcome)
        fields.wrong("outcome", f"required; one of {known}" if request.outcome == 0 else f"unknown; one of {known}")
    # An insured order has a policy number; it is what a claim is made with.
    policy_number = fields.text("policy_number", request.policy_number, required=outcome is Outcome.SUCCESS)
    if outcome not in (Outcome.SUCCESS, None) and policy_number:
        fields.wrong("policy_number", "only with SUCCESS")
    read = OutcomeReport(
        application_id=fields.identifier("application_id", request.application_id),
        insurer_id=fields.identifier("insurer_id", request.insurer_id),
        outcome=outcome or Outcome.UNKNOWN,
        error_code=fields.text("error_code", request.error_code, required=False),
        message=fields.prose("message", request.message, maximum=500, required=False),
        policy_number=policy_number,
        latency_seconds=fields.seconds("latency", request.latency, given=request.HasField("latency")),
        occurred_at=fields.moment("occur_time", request.occur_time, given=request.HasField("occur_time")),
        request_id=fields.optional_identifier("request_id", request.request_id),
    )
    fields.done()
    return read


def order_filter(request: routing_pb2.ListOrdersRequest) -> OrderFilter:
    """Raises InvalidInput."""
    fields = Fields()
    states: list[OrderState] = []
    for index, number in enumerate(request.states):
        state = ORDER_STATES.get(number)
        if state is None:
            fields.wrong(f"states[{index}]", f"must be one of {', '.join(f'ORDER_STATE_{s}' for s in OrderState)}")
        elif state not in states:
            states.append(state)
    after = fields.moment("created_after", request.created_after, given=request.HasField("created_after"))
    before = fields.moment("created_before", request.created_before, given=request.HasField("created_before"))
    if after is not None and before is not None and after >= before:
        fields.wrong("created_before", "must be later than created_after")
    _page(fields, request.page_size)
    where = OrderFilter(
        states=tuple(states),
        insurer_id=fields.optional_identifier("insurer_id", request.insurer_id),
        product_code=fields.text("product_code", request.product_code, required=False),
        incident_id=fields.optional_identifier("incident_id", request.incident_id),
        created_after=after,
        created_before=before,
    )
    fields.done()
    return where


def cancellation(request: routing_pb2.CancelOrderRequest) -> Cancellation:
    """Raises InvalidInput."""
    fields = Fields()
    read = Cancellation(
        application_id=fields.identifier("application_id", request.application_id),
        reason=fields.prose("reason", request.reason, maximum=MAXIMUM_REASON, required=True),
        request_id=fields.optional_identifier("request_id", request.request_id),
    )
    fields.done()
    return read


def order_id(request: routing_pb2.GetOrderRequest) -> tuple[str, str]:
    """The application's id, or the decision's; the other is empty. Raises InvalidInput."""
    fields = Fields()
    if not request.decision_id:
        fields.identifier("application_id", request.application_id)
    elif request.application_id:
        fields.wrong("decision_id", "not together with application_id")
    decision_id = fields.optional_identifier("decision_id", request.decision_id)
    fields.done()
    return request.application_id, decision_id


def plan_draft(request: routing_pb2.CreatePlanRequest) -> PlanDraft:
    """Raises InvalidInput."""
    fields = Fields()
    if not request.source:
        fields.wrong("source", "required")
    draft = PlanDraft(
        source=request.source,
        reason=fields.prose("reason", request.reason, maximum=MAXIMUM_REASON, required=True),
        request_id=fields.optional_identifier("request_id", request.request_id),
    )
    fields.done()
    return draft


def plan_source(request: routing_pb2.ValidatePlanRequest) -> str:
    """Raises InvalidInput."""
    fields = Fields()
    if not request.source:
        fields.wrong("source", "required")
    fields.done()
    return request.source


def plan_version(request: routing_pb2.GetPlanRequest) -> int:
    """Raises InvalidInput."""
    fields = Fields()
    fields.whole("version", request.version, minimum=0, maximum=MAXIMUM_VERSION)
    fields.done()
    return request.version


def plan_page(request: routing_pb2.ListPlansRequest) -> tuple[int, str]:
    """Page size and token. Raises InvalidInput."""
    fields = Fields()
    _page(fields, request.page_size)
    fields.done()
    return request.page_size, request.page_token


def activation(request: routing_pb2.ActivatePlanRequest) -> Activation:
    """Raises InvalidInput."""
    fields = Fields()
    read = Activation(
        version=fields.whole("version", request.version, minimum=1, maximum=MAXIMUM_VERSION),
        reason=fields.prose("reason", request.reason, maximum=MAXIMUM_REASON, required=True),
        etag=fields.text("etag", request.etag, required=False),
        request_id=fields.optional_identifier("request_id", request.request_id),
    )
    fields.done()
    return read


def _page(fields: Fields, page_size: int) -> None:
    if not 0 <= page_size <= LARGEST_PAGE_SIZE:
        fields.wrong("page_size", f"must be 0 to {LARGEST_PAGE_SIZE:,}; 0 means {DEFAULT_PAGE_SIZE}")


# --- answers ---------------------------------------------------------------------------------------------------------

OUTCOMES: Mapping[int, Outcome] = {order_pb2.Outcome.Value(f"OUTCOME_{o}"): o for o in Outcome}
ORDER_STATES: Mapping[int, OrderState] = {order_pb2.OrderState.Value(f"ORDER_STATE_{s}"): s for s in OrderState}

# The generated types call an enum's number by its class; at run time it is a plain int.
_OUTCOME = {o: cast("order_pb2.Outcome", n) for n, o in OUTCOMES.items()}
_STATE = {s: cast("order_pb2.OrderState", n) for n, s in ORDER_STATES.items()}
_KIND = {
    kind: cast("order_pb2.SubmissionKind", order_pb2.SubmissionKind.Value(f"SUBMISSION_KIND_{kind}"))
    for kind in SubmissionKind
}
_FLAG = {flag: cast("order_pb2.ReportFlag", order_pb2.ReportFlag.Value(f"REPORT_FLAG_{flag}")) for flag in ReportFlag}
_DISPOSITION = {
    disposition: cast("decision_pb2.Disposition", decision_pb2.Disposition.Value(f"DISPOSITION_{disposition}"))
    for disposition in Disposition
}
_SEVERITY = {
    severity: cast("plan_pb2.PlanFinding.Severity", plan_pb2.PlanFinding.Severity.Value(f"SEVERITY_{severity}"))
    for severity in Severity
}


def route_response(routed: RoutedOrder) -> routing_pb2.RouteResponse:
    response = routing_pb2.RouteResponse()
    fill_route_response(response, routed)
    return response


def fill_route_response(response: routing_pb2.RouteResponse, routed: RoutedOrder) -> None:
    response.state = _STATE[routed.order.state]
    response.replayed = routed.replayed
    _fill_decision(response.decision, routed.order.decision)


def submit_response(routed: RoutedOrder) -> routing_pb2.SubmitResponse:
    return routing_pb2.SubmitResponse(order=order_message(routed.order), replayed=routed.replayed)


def route_failure(failure: Failure) -> routing_pb2.RouteFailure:
    code: int = failure.code.value[0]
    return routing_pb2.RouteFailure(code=code, reason=failure.reason, message=failure.message)


def decision_message(decision: Decision) -> decision_pb2.Decision:
    message = decision_pb2.Decision()
    _fill_decision(message, decision)
    return message


def _fill_decision(message: decision_pb2.Decision, decision: Decision) -> None:
    """In place, down to the nested messages: whoever passes a message to a constructor pays for a copy."""
    message.decision_id = decision.decision_id
    message.application_id = decision.application_id
    message.number = decision.number
    message.disposition = _DISPOSITION[decision.disposition]
    message.insurer_id = decision.insurer_id
    message.plan_name = decision.plan_name
    message.plan_version = decision.plan_version
    message.rule = decision.rule
    message.split_key = decision.split_key
    if decision.ledger_position is not None:
        message.ledger_position = decision.ledger_position
    message.traffic_version = decision.traffic_version
    if decision.binding is not None:
        _fill_binding(message.binding, decision.binding)
    if decision.factors:
        _fill_factors(message.factors, decision.factors)
    for candidate in decision.candidates:
        message.candidates.add(
            insurer_id=candidate.insurer_id,
            share_basis_points=candidate.share_basis_points,
            weight_basis_points=candidate.weight_basis_points,
            excluded_because=candidate.excluded_because,
        )
    for shown, orders in zip(message.candidates, decision.ledger_orders, strict=False):
        shown.ledger_orders = orders
    _fill_timestamp(message.decide_time, decision.decided_at)


def _fill_binding(message: decision_pb2.Binding, binding: Binding) -> None:
    message.insurer_product_code = binding.insurer_product_code
    message.insurer_plan_code = binding.insurer_plan_code
    message.endpoint = binding.endpoint
    if binding.parameters:
        message.parameters.update(binding.parameters)
    message.SetInParent()


def _struct(factors: Mapping[str, str | int | float | bool]) -> Struct:
    struct = Struct()
    _fill_factors(struct, factors)
    return struct


def _fill_factors(struct: Struct, factors: Mapping[str, str | int | float | bool]) -> None:
    fields = struct.fields
    for name, value in factors.items():
        if isinstance(value, str):
            fields[name].string_value = value
        elif isinstance(value, bool):
            fields[name].bool_value = value
        else:
            fields[name].number_value = value


def order_message(order: Order) -> order_pb2.Order:
    return order_pb2.Order(
        application=application_message(order.application),
        state=_STATE[order.state],
        decisions=[decision_message(decision) for decision in order.decisions],
        submissions=[_submission(submission) for submission in order.submissions],
        incident_id=order.incident_id,
        policy_number=order.policy_number,
        create_time=_timestamp(order.created_at),
        update_time=_timestamp(order.updated_at),
        etag=str(order.version),
        contradictions=len(order.contradictions),
    )


def application_message(application: Application) -> application_pb2.Application:
    device, channel = application.device, application.channel
    return application_pb2.Application(
        application_id=application.application_id,
        product_code=application.product_code,
        product_line=application.product_line,
        device=application_pb2.Device(
            device_ref=device.device_ref,
            model_id=device.model_id,
            category=device.category,
            brand=device.brand,
            price=_money(device.price),
            purchased_on="" if device.purchased_on is None else device.purchased_on.isoformat(),
        ),
        channel=application_pb2.Channel(channel_id=channel.channel_id, store_id=channel.store_id, tier=channel.tier),
        customer_ref=application.customer_ref,
        premium=_money(application.premium),
        term_months=application.term_months,
        attributes=application.attributes,
    )


def _submission(submission: Submission) -> order_pb2.Submission:
    standing = submission.standing
    return order_pb2.Submission(
        submission_id=submission.submission_id,
        insurer_id=submission.insurer_id,
        number=submission.number,
        kind=_KIND[submission.kind],
        outcome=order_pb2.OUTCOME_UNSPECIFIED if standing is None else _OUTCOME[standing],
        error_code=submission.error_code,
        message=submission.message,
        policy_number=submission.policy_number,
        start_time=_timestamp(submission.started_at),
        finish_time=None if submission.finished_at is None else _timestamp(submission.finished_at),
        latency=None if submission.latency_seconds is None else _duration(submission.latency_seconds),
        accept_time=None if submission.accepted_at is None else _timestamp(submission.accepted_at),
        deadline=_timestamp(submission.deadline) if standing is None else None,
        flag=order_pb2.REPORT_FLAG_UNSPECIFIED if submission.flag is None else _FLAG[submission.flag],
    )


def explanation_message(explanation: Explanation) -> routing_pb2.ExplainRouteResponse:
    decision, stored = explanation.decision, explanation.stored_decision
    return routing_pb2.ExplainRouteResponse(
        decision=None if decision is None else decision_message(decision),
        rules=[
            routing_pb2.RuleTrace(rule=trace.rule, matched=trace.matched, because=trace.because)
            for trace in explanation.rules
        ],
        factors=_struct(explanation.factors),
        plan_version=explanation.plan_version,
        stored_decision=None if stored is None else decision_message(stored),
    )


def plan_message(plan: StoredPlan) -> plan_pb2.Plan:
    return plan_pb2.Plan(
        name=plan.name,
        version=plan.version,
        source=plan.source,
        content_hash=plan.content_hash,
        description=plan.description,
        active=plan.active,
        warnings=[finding_message(Finding.warning_from_text(text)) for text in plan.warnings],
        create_time=_timestamp(plan.created_at),
        creator=plan.created_by,
        etag=plan.etag,
    )


def finding_message(finding: Finding) -> plan_pb2.PlanFinding:
    return plan_pb2.PlanFinding(
        severity=_SEVERITY[finding.severity], line=finding.line, path=finding.path, message=finding.message
    )


def _money(money: Money) -> money_pb2.Money:
    return money_pb2.Money(amount_minor=money.amount_minor, currency_code=money.currency_code)


def _timestamp(at: datetime) -> Timestamp:
    message = Timestamp()
    _fill_timestamp(message, at)
    return message


def _fill_timestamp(message: Timestamp, at: datetime) -> None:
    since = at - _EPOCH
    message.seconds = since.days * 86_400 + since.seconds
    message.nanos = since.microseconds * 1_000
    message.SetInParent()


def _duration(seconds: float) -> Duration:
    message = Duration()
    message.FromMicroseconds(round(seconds * 1e6))
    return message
