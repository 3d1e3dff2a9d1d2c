"""The composition root: the one place that knows every room and puts them together."""

from __future__ import annotations

import os
import ssl
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

from sqlalchemy.engine import make_url

from sluice.insurer.v1 import insurer_control_pb2, insurer_control_pb2_grpc
from sluice.risk.v1 import risk_query_pb2, risk_query_pb2_grpc
from sluice.routing.v1 import routing_pb2, routing_pb2_grpc
from sluice_server.alerts.alertmanager import AlertmanagerSink
from sluice_server.alerts.delivery import AlarmDelivery, DeliverySettings
from sluice_server.alerts.template import AlarmTemplate
from sluice_server.alerts.webhook import WebhookSink
from sluice_server.api.insurer.service import InsurerControlServicer
from sluice_server.api.risk.service import RiskQueryServicer
from sluice_server.api.routing.service import RoutingServicer, RoutingUseCases
from sluice_server.domain.breaker.board import BreakerBoard
from sluice_server.domain.breaker.operational_alarms import OperationalAlarms
from sluice_server.domain.breaker.ports import AlarmSink
from sluice_server.domain.breaker.use_cases import insurer_control_use_cases
from sluice_server.domain.breaker.watch import BreakerWatch
from sluice_server.domain.orders.callback import ReceiveCallback
from sluice_server.domain.orders.calls import InsurerCalls
from sluice_server.domain.orders.cancel import CancelOrder
from sluice_server.domain.orders.decide import Decisions
from sluice_server.domain.orders.drain import DrainParked
from sluice_server.domain.orders.queries import GetOrder, ListOrders
from sluice_server.domain.orders.reconcile import ReconcileOrder
from sluice_server.domain.orders.reconcile_policies import GetPolicyReconciliation, ReconcilePolicies
from sluice_server.domain.orders.report import ReportOutcome
from sluice_server.domain.orders.retry import RetryOrders
from sluice_server.domain.orders.route import RouteApplication
from sluice_server.domain.orders.submit import SubmitApplication
from sluice_server.domain.orders.timing import OrderTiming
from sluice_server.domain.risk.alerts.series import ModelSeries
from sluice_server.domain.risk.alerts.stream import StreamSeries
from sluice_server.domain.risk.alerts.use_cases import build_alert_use_cases
from sluice_server.domain.risk.charts.use_cases import build_chart_use_cases
from sluice_server.domain.risk.charts.warm import WarmCharts
from sluice_server.domain.risk.facts import RiskFactsBoard
from sluice_server.domain.risk.groups.find import RiskGroupsDue
from sluice_server.domain.risk.groups.read import ListRiskGroups
from sluice_server.domain.risk.pricing.use_cases import build_pricing_use_cases
from sluice_server.domain.risk.pricing.validate_active import ValidateActiveModel
from sluice_server.domain.risk.semantic.model_yaml import load_model, shipped_model
from sluice_server.domain.risk.semantic.semantic_model import SemanticModel
from sluice_server.domain.risk.use_cases import build_risk_use_cases
from sluice_server.domain.routing.active import ActivePlan, PlanPreparation, PlanRefresh
from sluice_server.domain.routing.catalogue import GetPlan, ListPlans
from sluice_server.domain.routing.explain import ExplainRoute
from sluice_server.domain.routing.publish import ActivatePlan, CreatePlan, ValidatePlan
from sluice_server.domain.routing.simulate import SimulatePlan
from sluice_server.domain.routing.source.surroundings import Surroundings
from sluice_server.insurers.directory import ConfiguredAdapters, build_adapters, open_adapters
from sluice_server.runtime.alert_evaluation import AlertEvaluationWorker
from sluice_server.runtime.breaker_metrics import BreakerMetrics
from sluice_server.runtime.chart_warming import ChartWarmingWorker
from sluice_server.runtime.export_destinations import export_destinations
from sluice_server.runtime.lifecycle import Application, Platform, Service
from sluice_server.runtime.model_validation import ModelValidationWorker
from sluice_server.runtime.order_callbacks import CallbackEndpoint
from sluice_server.runtime.order_export import OrderExportWorker
from sluice_server.runtime.order_workers import ParkedDrainWorker, ReconciliationWorker
from sluice_server.runtime.policy_reconciliation import PolicyReconciliationWorker
from sluice_server.runtime.risk_group_search import RiskGroupWorker, build_risk_group_search
from sluice_server.runtime.settings import Settings
from sluice_server.store import CommitPace, SqlStore, open_store
from sluice_server.store.notices import BREAKERS, PLANS
from sluice_server.store.risk import ColumnReader, RiskStoreReader


async def build(platform: Platform) -> Application:
    """The whole server over its settings. What was opened is closed again if anything fails.

    Raises Unavailable when the database cannot be reached, InvalidInput and its kin for files with mistakes in them.
    """
    async with AsyncExitStack() as opened:
        application = await _build(platform, opened)
        return replace(application, close=opened.pop_all().aclose)


async def _build(platform: Platform, opened: AsyncExitStack) -> Application:
    settings, clock, tracer = platform.settings, platform.clock, platform.tracer
    # Whatever can be wrong in files is read before anything is opened.
    adapters = _adapters(platform)
    opened.push_async_callback(adapters.close)
    model = _semantic_model(settings)
    sinks = _sinks(platform, opened)
    _make_folders(settings)

    pace = CommitPace(minimum_gap_seconds=settings.commit_gap_seconds)
    store = await opened.enter_async_context(open_store(settings.store_url, pace=pace))
    risk_reader = RiskStoreReader(settings.risk_store_url, model)
    risk_data = ColumnReader(risk_reader, model, memory_bytes=settings.risk_memory_mib * 2**20)
    opened.push_async_callback(risk_data.close)

    board = BreakerBoard(store, clock, lasts_seconds=settings.breaker_state_lasts_seconds)
    watch = BreakerWatch(
        store, board, clock, tick_seconds=settings.breaker_tick_seconds, alarms=OperationalAlarms(store)
    )
    platform.registry.register(BreakerMetrics(board, watch, clock))
    risk = build_risk_use_cases(model, risk_data)
    pricing = build_pricing_use_cases(store, clock)
    alerts = build_alert_use_cases(
        store, [ModelSeries(model, risk_data, risk.answer_query), StreamSeries(risk_reader)], clock
    )
    charts = build_chart_use_cases(model, risk.answer_query, store, clock, strict=settings.semantic_model is None)
    risk_facts = RiskFactsBoard(model, risk_data, risk.list_ratings, risk.get_risk_score)
    opened.push_async_callback(risk_facts.close)
    limits = settings.plan_limits
    active_plan = ActivePlan(store, limits, risk=risk_facts)
    plan_refresh = PlanRefresh(active_plan)
    surroundings = Surroundings(risk=risk_facts, adapters=adapters)
    notices = store.notices({BREAKERS: board.notify, PLANS: plan_refresh.notify})
    # The first call must not find them empty.
    await board.refresh()
    await active_plan.refresh()
    await risk_facts.refresh()

    timing = OrderTiming(
        longest_call_seconds=settings.order_longest_call_seconds, quiet_seconds=settings.order_quiet_seconds
    )
    decisions = Decisions(
        plans=active_plan,
        traffic=board,
        log=store.decision_log,
        store=store,
        clock=clock,
        timing=timing,
        tracer=tracer,
    )
    calls = InsurerCalls(
        adapters=adapters,
        log=store.decision_log,
        store=store,
        clock=clock,
        timing=timing,
        notify=watch.notify,
        tracer=tracer,
    )
    # Outcomes of calls that are still under way at the stop are recorded before the store is closed.
    opened.push_async_callback(calls.drain)
    await _listen_for_callbacks(platform, adapters, store, calls, timing, watch, opened)
    routing = RoutingUseCases(
        route=RouteApplication(decisions),
        submit=SubmitApplication(
            decisions=decisions, calls=calls, log=store.decision_log, store=store, clock=clock, timing=timing
        ),
        report_outcome=ReportOutcome(store=store, clock=clock, timing=timing, notify=watch.notify),
        cancel_order=CancelOrder(store=store, clock=clock),
        get_order=GetOrder(store),
        list_orders=ListOrders(store),
        explain=ExplainRoute(
            plans=active_plan, traffic=board, store=store, clock=clock, limits=limits, risk=risk_facts
        ),
        validate_plan=ValidatePlan(store=store, limits=limits, surroundings=surroundings),
        create_plan=CreatePlan(store=store, clock=clock, limits=limits, surroundings=surroundings),
        activate_plan=ActivatePlan(store=store, clock=clock, plans=active_plan, surroundings=surroundings),
        get_plan=GetPlan(store),
        list_plans=ListPlans(store),
        simulate_plan=SimulatePlan(store=store, plans=active_plan, clock=clock, limits=limits, risk=risk_facts),
    )
    routing_service = RoutingServicer(routing, settings.request_limits)
    reconcile_policies = ReconcilePolicies(adapters=adapters, calls=calls, store=store, clock=clock)
    control = insurer_control_use_cases(
        store=store,
        board=board,
        clock=clock,
        adapters=adapters,
        retries=RetryOrders(calls=calls, store=store, clock=clock, timing=timing),
        reconcile_policies=reconcile_policies,
    )

    return Application(
        services=(
            Service(
                routing_pb2.DESCRIPTOR.services_by_name["Routing"].full_name,
                lambda server: routing_pb2_grpc.add_RoutingServicer_to_server(routing_service, server),
            ),
            Service(
                insurer_control_pb2.DESCRIPTOR.services_by_name["InsurerControl"].full_name,
                lambda server: insurer_control_pb2_grpc.add_InsurerControlServicer_to_server(
                    InsurerControlServicer(control), server
                ),
            ),
            Service(
                risk_query_pb2.DESCRIPTOR.services_by_name["RiskQuery"].full_name,
                lambda server: risk_query_pb2_grpc.add_RiskQueryServicer_to_server(
                    RiskQueryServicer(risk, pricing, alerts, charts, ListRiskGroups(store, risk_reader)), server
                ),
                # It answers from a database of its own, whatever becomes of the orders'.
                needs_ready=False,
            ),
        ),
        not_ready_because=board.not_ready_because,
        workers=(
            board,
            watch,
            *((notices,) if notices is not None else ()),
            plan_refresh,
            PlanPreparation(active_plan, store),
            risk_facts,
            ReconciliationWorker(
                ReconcileOrder(
                    decisions=decisions, calls=calls, log=store.decision_log, store=store, clock=clock, timing=timing
                )
            ),
            ParkedDrainWorker(DrainParked(decisions=decisions, calls=calls, store=store, clock=clock, timing=timing)),
            PolicyReconciliationWorker(
                reconcile_policies, GetPolicyReconciliation(store), adapters.insurer_ids, clock=clock
            ),
            AlertEvaluationWorker(alerts.evaluate),
            ChartWarmingWorker(WarmCharts(risk_data, charts.render_chart, charts.shipped)),
            ModelValidationWorker(ValidateActiveModel(store, risk_reader, clock)),
            RiskGroupWorker(
                RiskGroupsDue(store, risk_reader, build_risk_group_search(settings, store, risk_reader, clock, opened))
            ),
            *(OrderExportWorker(store, clock, destination) for destination in export_destinations(settings)),
            AlarmDelivery(
                store,
                sinks,
                clock=clock,
                registry=platform.registry,
                settings=DeliverySettings(posts_per_minute=settings.alarm_posts_per_minute),
            ),
        ),
    )


def _adapters(platform: Platform) -> ConfiguredAdapters:
    settings = platform.settings
    if settings.insurers_file is None:
        return build_adapters({}, clock=platform.clock, tracer=platform.tracer)
    # The environment is handed on because secrets may be given as references to it (env:NAME).
    return open_adapters(settings.insurers_file, environment=os.environ, clock=platform.clock, tracer=platform.tracer)


async def _listen_for_callbacks(
    platform: Platform,
    adapters: ConfiguredAdapters,
    store: SqlStore,
    calls: InsurerCalls,
    timing: OrderTiming,
    watch: BreakerWatch,
    opened: AsyncExitStack,
) -> None:
    settings = platform.settings
    if settings.callback_listen is None:
        return
    tls = None
    if settings.tls_cert is not None and settings.tls_key is not None:
        tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        tls.load_cert_chain(settings.tls_cert, settings.tls_key)
    receive = ReceiveCallback(
        store=store, clock=platform.clock, timing=timing, under_way=calls.application_of, notify=watch.notify
    )
    endpoint = CallbackEndpoint(
        settings.callback_listen,
        adapters.callbacks(),
        receive,
        clock=platform.clock,
        registry=platform.registry,
        tls=tls,
    )
    opened.push_async_callback(endpoint.stop)
    await endpoint.start()


def _semantic_model(settings: Settings) -> SemanticModel:
    if settings.semantic_model is None:
        return shipped_model()
    return load_model(settings.semantic_model.read_text(encoding="utf-8"))


def _sinks(platform: Platform, opened: AsyncExitStack) -> Sequence[AlarmSink]:
    settings, clock = platform.settings, platform.clock
    sinks: list[AlarmSink] = []
    if settings.alertmanager_url is not None:
        alertmanager = AlertmanagerSink(str(settings.alertmanager_url), clock=clock)
        opened.push_async_callback(alertmanager.close)
        sinks.append(alertmanager)
    if settings.alarm_webhook_url is not None and settings.alarm_webhook_secret_file is not None:
        secret = settings.alarm_webhook_secret_file.read_bytes().removesuffix(b"\n")
        file = settings.alarm_webhook_template
        template = None if file is None else AlarmTemplate(file.read_bytes())
        webhook = WebhookSink(str(settings.alarm_webhook_url), secret, clock=clock, template=template)
        opened.push_async_callback(webhook.close)
        sinks.append(webhook)
    return sinks


def _make_folders(settings: Settings) -> None:
    """The folder of an embedded store; its file is made by the store."""
    url = make_url(settings.store_url)
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        Path(url.database).parent.mkdir(parents=True, exist_ok=True)
