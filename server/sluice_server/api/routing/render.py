"""From the domain to the messages of ``sluice.routing.v1``."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import cast

from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from sluice.routing.v1 import application_pb2, decision_pb2, order_pb2, plan_pb2, routing_pb2
from sluice.type.v1 import money_pb2
from sluice_server.api.errors import Failure
from sluice_server.api.routing.wire import ORDER_STATES, OUTCOMES
from sluice_server.domain.money import Money
from sluice_server.domain.orders.decide import RoutedOrder
from sluice_server.domain.orders.model import Order, OrderState, ReportFlag, Submission, SubmissionKind
from sluice_server.domain.routing.explain import Explanation
from sluice_server.domain.routing.model import Application, Binding, Decision, Disposition
from sluice_server.domain.routing.ports import StoredPlan
from sluice_server.domain.routing.source.findings import Finding, Severity

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

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
    """What ``answers.route_answer`` serializes, as a message."""
    response = state_and_decision(routed.order.state, routed.order.decisions[-1])
    response.replayed = routed.replayed
    return response


def state_and_decision(state: OrderState, decision: Decision) -> routing_pb2.RouteResponse:
    response = routing_pb2.RouteResponse(state=_STATE[state])
    _fill_decision(response.decision, decision)
    return response


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
        create_time=timestamp(order.created_at),
        update_time=timestamp(order.updated_at),
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
        start_time=timestamp(submission.started_at),
        finish_time=None if submission.finished_at is None else timestamp(submission.finished_at),
        latency=None if submission.latency_seconds is None else _duration(submission.latency_seconds),
        accept_time=None if submission.accepted_at is None else timestamp(submission.accepted_at),
        deadline=timestamp(submission.deadline) if standing is None else None,
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
        create_time=timestamp(plan.created_at),
        creator=plan.created_by,
        etag=plan.etag,
    )


def finding_message(finding: Finding) -> plan_pb2.PlanFinding:
    return plan_pb2.PlanFinding(
        severity=_SEVERITY[finding.severity], line=finding.line, path=finding.path, message=finding.message
    )


def _money(money: Money) -> money_pb2.Money:
    return money_pb2.Money(amount_minor=money.amount_minor, currency_code=money.currency_code)


def timestamp(at: datetime) -> Timestamp:
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
