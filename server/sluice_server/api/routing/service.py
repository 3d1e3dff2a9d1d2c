"""The service ``sluice.routing.v1.Routing``: parse, call one use case, render."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar, cast

import structlog

from sluice.routing.v1 import application_pb2, routing_pb2, routing_pb2_grpc
from sluice_server.api.context import current_context, recorded
from sluice_server.api.errors import failure_of
from sluice_server.api.routing import answers, render, simulation, wire
from sluice_server.api.routing import applications as incoming
from sluice_server.api.routing.cohort import Cohort
from sluice_server.api.routing.limits import DEFAULT_REQUEST_LIMITS, RequestLimits
from sluice_server.domain.context import CallContext
from sluice_server.domain.orders.cancel import CancelOrder
from sluice_server.domain.orders.queries import GetOrder, ListOrders
from sluice_server.domain.orders.report import ReportOutcome
from sluice_server.domain.orders.route import RouteApplication
from sluice_server.domain.orders.submit import SubmitApplication
from sluice_server.domain.routing.catalogue import GetPlan, ListPlans
from sluice_server.domain.routing.explain import ExplainRoute
from sluice_server.domain.routing.model import Application
from sluice_server.domain.routing.publish import ActivatePlan, CreatePlan, ValidatePlan
from sluice_server.domain.routing.simulate import SimulatePlan

if TYPE_CHECKING:
    # The generated stubs' context exists for type checkers only.
    from sluice.routing.v1.routing_pb2_grpc import _MaybeAsyncIterator, _ServicerContext
else:
    _MaybeAsyncIterator = _ServicerContext = Any

M = TypeVar("M")

_log = structlog.get_logger("sluice.routing")


@dataclass(frozen=True, slots=True)
class RoutingUseCases:
    """What the service calls."""

    route: RouteApplication
    submit: SubmitApplication
    report_outcome: ReportOutcome
    cancel_order: CancelOrder
    get_order: GetOrder
    list_orders: ListOrders
    explain: ExplainRoute
    validate_plan: ValidatePlan
    create_plan: CreatePlan
    activate_plan: ActivatePlan
    get_plan: GetPlan
    list_plans: ListPlans
    simulate_plan: SimulatePlan


class RoutingServicer(routing_pb2_grpc.RoutingServicer):
    """Every RPC's meaning is in its comment in the contract."""

    def __init__(self, use_cases: RoutingUseCases, limits: RequestLimits = DEFAULT_REQUEST_LIMITS) -> None:
        self._use = use_cases
        self._limits = limits
        self._cohort = Cohort(use_cases.route, limits)

    async def Route(self, request: routing_pb2.RouteRequest, context: _ServicerContext) -> routing_pb2.RouteResponse:
        if not recorded():
            return _serialized(await self._cohort.answer(request), routing_pb2.RouteResponse)
        # A call that is traced goes its way alone: its spans tell of nobody else's work.
        application = incoming.application_of(request, self._limits)
        return render.route_response(await self._use.route(application, current_context()))

    async def RouteBatch(
        self, request: routing_pb2.RouteBatchRequest, context: _ServicerContext
    ) -> routing_pb2.RouteBatchResponse:
        results = await self._route_all(request.applications, answers.OF_BATCH, current_context())
        return _serialized(b"".join(results), routing_pb2.RouteBatchResponse)

    async def RouteStream(
        self, request_iterator: _MaybeAsyncIterator[routing_pb2.RouteStreamRequest], context: _ServicerContext
    ) -> AsyncIterator[routing_pb2.RouteStreamResponse]:
        async for chunk in request_iterator:
            head = routing_pb2.RouteStreamResponse(chunk_id=chunk.chunk_id).SerializeToString()
            results = await self._route_all(chunk.applications, answers.OF_STREAM, current_context())
            yield _serialized(b"".join((head, *results)), routing_pb2.RouteStreamResponse)

    async def ExplainRoute(
        self, request: routing_pb2.ExplainRouteRequest, context: _ServicerContext
    ) -> routing_pb2.ExplainRouteResponse:
        application, version = wire.explain(request, self._limits)
        return render.explanation_message(await self._use.explain(application, version, current_context()))

    async def Submit(self, request: routing_pb2.SubmitRequest, context: _ServicerContext) -> routing_pb2.SubmitResponse:
        application = incoming.application_of(request, self._limits)
        return render.submit_response(await self._use.submit(application, current_context()))

    async def ReportOutcome(
        self, request: routing_pb2.ReportOutcomeRequest, context: _ServicerContext
    ) -> routing_pb2.ReportOutcomeResponse:
        order = await self._use.report_outcome(wire.report(request), current_context())
        return routing_pb2.ReportOutcomeResponse(order=render.order_message(order))

    async def CancelOrder(
        self, request: routing_pb2.CancelOrderRequest, context: _ServicerContext
    ) -> routing_pb2.CancelOrderResponse:
        order = await self._use.cancel_order(wire.cancellation(request), current_context())
        return routing_pb2.CancelOrderResponse(order=render.order_message(order))

    async def GetOrder(
        self, request: routing_pb2.GetOrderRequest, context: _ServicerContext
    ) -> routing_pb2.GetOrderResponse:
        application_id, decision_id = wire.order_id(request)
        find = self._use.get_order
        order = await (find.by_decision(decision_id) if decision_id else find(application_id))
        return routing_pb2.GetOrderResponse(order=render.order_message(order))

    async def ListOrders(
        self, request: routing_pb2.ListOrdersRequest, context: _ServicerContext
    ) -> routing_pb2.ListOrdersResponse:
        page = await self._use.list_orders(wire.order_filter(request), request.page_size, request.page_token)
        return routing_pb2.ListOrdersResponse(
            orders=[render.order_message(order) for order in page.orders], next_page_token=page.next_page_token
        )

    async def CreatePlan(
        self, request: routing_pb2.CreatePlanRequest, context: _ServicerContext
    ) -> routing_pb2.CreatePlanResponse:
        plan = await self._use.create_plan(wire.plan_draft(request), current_context())
        return routing_pb2.CreatePlanResponse(plan=render.plan_message(plan))

    async def ValidatePlan(
        self, request: routing_pb2.ValidatePlanRequest, context: _ServicerContext
    ) -> routing_pb2.ValidatePlanResponse:
        check = await self._use.validate_plan(wire.plan_source(request))
        findings = [render.finding_message(finding) for finding in check.findings]
        return routing_pb2.ValidatePlanResponse(valid=check.valid, findings=findings)

    async def GetPlan(
        self, request: routing_pb2.GetPlanRequest, context: _ServicerContext
    ) -> routing_pb2.GetPlanResponse:
        plan = await self._use.get_plan(wire.plan_version(request))
        return routing_pb2.GetPlanResponse(plan=render.plan_message(plan))

    async def ListPlans(
        self, request: routing_pb2.ListPlansRequest, context: _ServicerContext
    ) -> routing_pb2.ListPlansResponse:
        page = await self._use.list_plans(*wire.plan_page(request))
        return routing_pb2.ListPlansResponse(
            plans=[render.plan_message(plan) for plan in page.plans],
            next_page_token=page.next_page_token,
        )

    async def ActivatePlan(
        self, request: routing_pb2.ActivatePlanRequest, context: _ServicerContext
    ) -> routing_pb2.ActivatePlanResponse:
        activated = await self._use.activate_plan(wire.activation(request), current_context())
        return routing_pb2.ActivatePlanResponse(
            plan=render.plan_message(activated.plan), previous_version=activated.previous_version
        )

    async def SimulatePlan(
        self, request: routing_pb2.SimulatePlanRequest, context: _ServicerContext
    ) -> AsyncGenerator[routing_pb2.SimulatePlanResponse, None]:
        # Thousands of applications are read aside, so that other calls go on meanwhile.
        wanted = await asyncio.to_thread(simulation.request, request, self._limits)
        async with aclosing(self._use.simulate_plan(wanted)) as steps:
            async for step in steps:
                yield simulation.response(step)

    async def _route_all(
        self, messages: Sequence[application_pb2.Application], tag: bytes, context: CallContext
    ) -> Sequence[bytes]:
        """Routes all at once, so that their decisions share commits; the results under the tag of their field. One that
        fails, fails alone."""
        incoming.batch(messages, self._limits)
        results: list[bytes] = [b""] * len(messages)
        applications: list[Application] = []
        places: list[int] = []
        for place, message in enumerate(messages):
            try:
                applications.append(incoming.batch_item(message, place, self._limits))
                places.append(place)
            except Exception as error:  # noqa: BLE001 - one bad application fails alone, whatever is wrong with it
                results[place] = _failed(tag, message.application_id, error, context)
        routed = await self._use.route.many(applications)
        for place, application, answer in zip(places, applications, routed, strict=True):
            application_id = application.application_id
            if isinstance(answer, Exception):
                results[place] = _failed(tag, application_id, answer, context)
            else:
                results[place] = answers.result(tag, application_id, answers.route_answer(answer))
        return results


def _failed(tag: bytes, application_id: str, error: Exception, context: CallContext) -> bytes:
    result = routing_pb2.RouteResult(application_id=application_id, failure=_failure(error, context))
    return answers.entry(tag, result.SerializeToString())


def _serialized(message: bytes, kind: type[M]) -> M:
    """For the handlers of Route, RouteBatch and RouteStream, which give their answers in the form that goes out: the
    pipeline passes bytes on as they are."""
    return cast(M, message)


def _failure(error: Exception, context: CallContext) -> routing_pb2.RouteFailure:
    failure = failure_of(error, context.request_id)
    if failure.defect:
        _log.error("routing an application of a batch failed", request_id=context.request_id, exc_info=error)
    return render.route_failure(failure)
