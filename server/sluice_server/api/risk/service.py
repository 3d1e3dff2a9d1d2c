"""The servicer of `sluice.risk.v1.RiskQuery`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import grpc

from sluice.risk.v1 import (
    alerts_pb2,
    anomalies_pb2,
    dashboards_pb2,
    data_pb2,
    model_versions_pb2,
    pricing_pb2,
    query_pb2,
    ratings_pb2,
    risk_query_pb2_grpc,
    semantic_model_pb2,
)
from sluice_server.api.context import current_context
from sluice_server.api.risk import (
    alerts_render,
    alerts_wire,
    anomalies_render,
    charts_render,
    charts_wire,
    groups_render,
    groups_wire,
    model_render,
    pricing_render,
    pricing_wire,
    ratings_render,
    render,
    wire,
)
from sluice_server.domain.risk.alerts.use_cases import AlertUseCases
from sluice_server.domain.risk.charts.use_cases import ChartUseCases
from sluice_server.domain.risk.groups.read import ListRiskGroups
from sluice_server.domain.risk.pricing.use_cases import PricingUseCases
from sluice_server.domain.risk.use_cases import RiskUseCases

Context = grpc.aio.ServicerContext[Any, Any]


class RiskQueryServicer(risk_query_pb2_grpc.RiskQueryServicer):
    """Parses, calls one use case, renders. Domain errors become statuses in the interceptors."""

    def __init__(
        self,
        use_cases: RiskUseCases,
        pricing: PricingUseCases,
        alerts: AlertUseCases,
        charts: ChartUseCases,
        list_risk_groups: ListRiskGroups,
    ) -> None:
        self._use_cases = use_cases
        self._pricing = pricing
        self._alerts = alerts
        self._charts = charts
        self._list_risk_groups = list_risk_groups

    async def DescribeModel(
        self, request: semantic_model_pb2.DescribeModelRequest, context: Context
    ) -> semantic_model_pb2.DescribeModelResponse:
        params = wire.describe_model_params(request, self._use_cases.model)
        return model_render.model_description(await self._use_cases.describe_model(params, current_context()))

    async def Query(self, request: query_pb2.QueryRequest, context: Context) -> query_pb2.QueryResponse:
        params = wire.query_params(request)
        return render.query_answer(await self._use_cases.answer_query(params, current_context()))

    async def WatchQuery(
        self, request: query_pb2.WatchQueryRequest, context: Context
    ) -> AsyncIterator[query_pb2.WatchQueryResponse]:
        params = wire.watch_query_params(request)
        sequence = 0
        async with aclosing(self._use_cases.answer_query.watch(params, current_context())) as answers:
            async for answer in answers:
                sequence += 1
                yield query_pb2.WatchQueryResponse(answer=render.query_answer(answer), sequence=sequence)

    async def ListDataVersions(
        self, request: data_pb2.ListDataVersionsRequest, context: Context
    ) -> data_pb2.ListDataVersionsResponse:
        params = wire.list_data_versions_params(request)
        return render.data_version_page(await self._use_cases.list_data_versions(params, current_context()))

    async def ListRatings(
        self, request: ratings_pb2.ListRatingsRequest, context: Context
    ) -> ratings_pb2.ListRatingsResponse:
        params = wire.list_ratings_params(request, self._use_cases.model)
        return ratings_render.rating_page(await self._use_cases.list_ratings(params, current_context()))

    async def ListAnomalies(
        self, request: anomalies_pb2.ListAnomaliesRequest, context: Context
    ) -> anomalies_pb2.ListAnomaliesResponse:
        params = wire.list_anomalies_params(request, self._use_cases.model)
        return anomalies_render.anomaly_page(await self._use_cases.list_anomalies(params, current_context()))

    async def GetRiskScore(self, request: ratings_pb2.GetRiskScoreRequest, context: Context) -> ratings_pb2.RiskScore:
        params = wire.get_risk_score_params(request, self._use_cases.model)
        return ratings_render.risk_score(await self._use_cases.get_risk_score(params, current_context()))

    async def RenderChart(
        self, request: dashboards_pb2.RenderChartRequest, context: Context
    ) -> dashboards_pb2.RenderChartResponse:
        params = charts_wire.render_chart_params(request)
        return charts_render.rendered_chart(await self._charts.render_chart(params, current_context()))

    async def ListDashboards(
        self, request: dashboards_pb2.ListDashboardsRequest, context: Context
    ) -> dashboards_pb2.ListDashboardsResponse:
        params = charts_wire.list_dashboards_params(request)
        return charts_render.dashboard_page(await self._charts.list_dashboards(params, current_context()))

    async def SaveDashboard(
        self, request: dashboards_pb2.SaveDashboardRequest, context: Context
    ) -> dashboards_pb2.Dashboard:
        params = charts_wire.save_dashboard_params(request)
        return charts_render.dashboard(await self._charts.save_dashboard(params, current_context()))

    async def DeleteDashboard(
        self, request: dashboards_pb2.DeleteDashboardRequest, context: Context
    ) -> dashboards_pb2.DeleteDashboardResponse:
        params = charts_wire.delete_dashboard_params(request)
        deleted = await self._charts.delete_dashboard(params, current_context())
        return dashboards_pb2.DeleteDashboardResponse(dashboard=charts_render.dashboard(deleted))

    async def ListRiskGroups(
        self, request: anomalies_pb2.ListRiskGroupsRequest, context: Context
    ) -> anomalies_pb2.ListRiskGroupsResponse:
        params = groups_wire.list_risk_groups_params(request)
        return groups_render.risk_group_page(await self._list_risk_groups(params, current_context()))

    async def QuotePremium(
        self, request: pricing_pb2.QuotePremiumRequest, context: Context
    ) -> pricing_pb2.QuotePremiumResponse:
        params = pricing_wire.quote_params(request)
        return pricing_render.quote(await self._pricing.quote_premium(params, current_context()))

    async def ProposePrice(
        self, request: pricing_pb2.ProposePriceRequest, context: Context
    ) -> pricing_pb2.PriceProposal:
        proposed = pricing_wire.proposed_prices(request)
        return pricing_render.price_proposal(await self._pricing.propose_price(proposed, current_context()))

    async def ListModelVersions(
        self, request: model_versions_pb2.ListModelVersionsRequest, context: Context
    ) -> model_versions_pb2.ListModelVersionsResponse:
        params = pricing_wire.list_model_versions_params(request)
        return pricing_render.model_version_page(await self._pricing.list_model_versions(params, current_context()))

    async def GetModelValidation(
        self, request: model_versions_pb2.GetModelValidationRequest, context: Context
    ) -> model_versions_pb2.ModelValidation:
        version, number = pricing_wire.model_validation_params(request)
        found = await self._pricing.get_model_validation(version, number, current_context())
        return pricing_render.model_validation(*found)

    async def ActivateModel(
        self, request: model_versions_pb2.ActivateModelRequest, context: Context
    ) -> model_versions_pb2.ModelVersion:
        activation = pricing_wire.model_activation(request)
        return pricing_render.model_version(await self._pricing.activate_model(activation, current_context()))

    async def ListAlertRules(
        self, request: alerts_pb2.ListAlertRulesRequest, context: Context
    ) -> alerts_pb2.ListAlertRulesResponse:
        params = alerts_wire.list_alert_rules_params(request)
        return alerts_render.alert_rule_page(await self._alerts.list_alert_rules(params, current_context()))

    async def SaveAlertRule(
        self, request: alerts_pb2.SaveAlertRuleRequest, context: Context
    ) -> alerts_pb2.SaveAlertRuleResponse:
        params = alerts_wire.save_alert_rule_params(request)
        return alerts_render.saved_rule(await self._alerts.save_alert_rule(params, current_context()))

    async def ListAlerts(
        self, request: alerts_pb2.ListAlertsRequest, context: Context
    ) -> alerts_pb2.ListAlertsResponse:
        params = alerts_wire.list_alerts_params(request)
        return alerts_render.alert_page(await self._alerts.list_alerts(params, current_context()))

    async def AcknowledgeAlert(self, request: alerts_pb2.AcknowledgeAlertRequest, context: Context) -> alerts_pb2.Alert:
        given = alerts_wire.acknowledgement(request)
        return alerts_render.alert(await self._alerts.acknowledge_alert(given, current_context()))

    async def WatchAlerts(
        self, request: alerts_pb2.WatchAlertsRequest, context: Context
    ) -> AsyncIterator[alerts_pb2.WatchAlertsResponse]:
        wanted = alerts_wire.watch_alerts_filter(request)
        async with aclosing(self._alerts.watch_alerts(wanted, current_context())) as changes:
            async for change in changes:
                yield alerts_render.alert_change(change)
