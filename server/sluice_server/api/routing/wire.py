"""From the messages of ``sluice.routing.v1`` to the domain. Applications are read in ``applications.py``."""

from __future__ import annotations

from collections.abc import Mapping

from sluice.routing.v1 import order_pb2, routing_pb2
from sluice_server.api.routing.applications import application_in
from sluice_server.api.routing.fields import Fields
from sluice_server.api.routing.limits import RequestLimits
from sluice_server.domain.orders.cancel import Cancellation
from sluice_server.domain.orders.model import OrderState, Outcome
from sluice_server.domain.orders.ports import OrderFilter
from sluice_server.domain.orders.queries import DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE
from sluice_server.domain.orders.report import OutcomeReport
from sluice_server.domain.routing.model import Application
from sluice_server.domain.routing.publish import Activation, PlanDraft

MAXIMUM_REASON = 1_000
MAXIMUM_VERSION = 2**63 - 1

OUTCOMES: Mapping[int, Outcome] = {order_pb2.Outcome.Value(f"OUTCOME_{o}"): o for o in Outcome}
ORDER_STATES: Mapping[int, OrderState] = {order_pb2.OrderState.Value(f"ORDER_STATE_{s}"): s for s in OrderState}

# The generated types call an enum's number by its class; at run time it is a plain int.


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
