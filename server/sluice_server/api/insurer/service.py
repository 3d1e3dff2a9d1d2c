"""InsurerControl: parse, call one use case, render."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from sluice.insurer.v1 import insurer_control_pb2 as pb
from sluice.insurer.v1 import reconciliation_pb2
from sluice.insurer.v1.insurer_control_pb2_grpc import InsurerControlServicer as Contract
from sluice_server.api.context import current_context
from sluice_server.api.insurer import reconciliation, render, simulation, wire
from sluice_server.api.insurer.paging import write_page_token
from sluice_server.domain.breaker.use_cases import InsurerControlUseCases
from sluice_server.domain.errors import InvalidInput, InvalidPageToken

INSURERS, INCIDENTS, AUDIT = "insurers", "incidents", "audit"
"""Names of the lists, in their page tokens."""


class InsurerControlServicer(Contract):
    """Serves sluice.insurer.v1.InsurerControl. The comments of the contract are in the proto."""

    def __init__(self, use_cases: InsurerControlUseCases) -> None:
        self._do = use_cases

    async def ListInsurers(self, request: pb.ListInsurersRequest, context: Any) -> pb.ListInsurersResponse:
        after, limit = wire.page(request, INSURERS, (), default=1_000)
        page = await self._do.list_insurers(after=after, limit=limit)
        return pb.ListInsurersResponse(
            insurers=[render.insurer(view) for view in page.insurers],
            next_page_token=write_page_token(page.next_after, INSURERS, ()),
        )

    async def GetInsurer(self, request: pb.GetInsurerRequest, context: Any) -> pb.GetInsurerResponse:
        view = await self._do.get_insurer(wire.insurer_id_of(request))
        return pb.GetInsurerResponse(insurer=render.insurer(view))

    async def CreateInsurer(self, request: pb.CreateInsurerRequest, context: Any) -> pb.CreateInsurerResponse:
        insurer, reason, request_id = wire.new_insurer(request)
        view = await self._do.create_insurer(insurer, reason, request_id, current_context())
        return pb.CreateInsurerResponse(insurer=render.insurer(view))

    async def UpdateInsurer(self, request: pb.UpdateInsurerRequest, context: Any) -> pb.UpdateInsurerResponse:
        values, mask, etag, reason, request_id = wire.insurer_update(request)
        view = await self._do.update_insurer(
            values.insurer_id,
            values,
            mask,
            etag=etag,
            reason=reason,
            request_id=request_id,
            context=current_context(),
        )
        return pb.UpdateInsurerResponse(insurer=render.insurer(view))

    async def WatchInsurers(
        self, request: pb.WatchInsurersRequest, context: Any
    ) -> AsyncGenerator[pb.WatchInsurersResponse, None]:
        async with aclosing(self._do.watch_insurers(wire.watched_insurers(request))) as views:
            async for view, initial in views:
                yield pb.WatchInsurersResponse(insurer=render.insurer(view), initial=initial)

    async def UpdateBreakerPolicy(
        self, request: pb.UpdateBreakerPolicyRequest, context: Any
    ) -> pb.UpdateBreakerPolicyResponse:
        command, values, mask = wire.policy_update(request)
        try:
            breaker = await self._do.update_breaker_policy(command, values, mask, current_context())
        except InvalidInput as invalid:
            raise wire.in_proto_names(invalid) from None
        return pb.UpdateBreakerPolicyResponse(breaker=render.breaker(breaker))

    async def SetBreakerMode(self, request: pb.SetBreakerModeRequest, context: Any) -> pb.SetBreakerModeResponse:
        command, mode = wire.mode(request)
        breaker = await self._do.set_breaker_mode(command, mode, current_context())
        return pb.SetBreakerModeResponse(breaker=render.breaker(breaker))

    async def CutTraffic(self, request: pb.CutTrafficRequest, context: Any) -> pb.CutTrafficResponse:
        breaker = await self._do.cut_traffic(wire.command(request), current_context())
        return pb.CutTrafficResponse(breaker=render.breaker(breaker), incident_id=breaker.incident_id)

    async def ConfirmRecovery(self, request: pb.ConfirmRecoveryRequest, context: Any) -> pb.ConfirmRecoveryResponse:
        command, confirmation = wire.confirmation(request)
        confirmed = await self._do.confirm_recovery(command, confirmation, current_context())
        return pb.ConfirmRecoveryResponse(
            breaker=render.breaker(confirmed.breaker), abnormal_orders=confirmed.abnormal_orders
        )

    async def RetryAbnormalOrders(
        self, request: pb.RetryAbnormalOrdersRequest, context: Any
    ) -> AsyncGenerator[pb.RetryAbnormalOrdersResponse, None]:
        retries = self._do.retry_abnormal_orders(wire.command(request), current_context())
        async with aclosing(retries) as messages:
            async for progress in messages:
                yield render.retry_progress(progress)

    async def RestoreTraffic(self, request: pb.RestoreTrafficRequest, context: Any) -> pb.RestoreTrafficResponse:
        command = wire.command(request)
        breaker = await self._do.restore_traffic(command, current_context(), override=request.override)
        return pb.RestoreTrafficResponse(breaker=render.breaker(breaker))

    async def SimulateBreaker(
        self, request: pb.SimulateBreakerRequest, context: Any
    ) -> AsyncGenerator[pb.SimulateBreakerResponse, None]:
        # It may hold very many outcomes; other calls are to be served meanwhile.
        asked = await asyncio.to_thread(simulation.request, request)
        replay = self._do.simulate_breaker(
            asked.policy, asked.orders, insurer_id=asked.insurer_id, start=asked.start, until=asked.until
        )
        try:
            async for trip, totals in replay:
                yield simulation.answer(trip, totals)
        except InvalidInput as invalid:
            raise wire.in_proto_names(invalid) from None

    async def ListIncidents(self, request: pb.ListIncidentsRequest, context: Any) -> pb.ListIncidentsResponse:
        filters = (request.insurer_id, request.open_only)
        before, limit = wire.page(request, INCIDENTS, filters, default=50)
        page = await self._do.list_incidents(
            insurer_id=request.insurer_id, open_only=request.open_only, before=before, limit=limit
        )
        return pb.ListIncidentsResponse(
            incidents=[render.incident(view) for view in page.incidents],
            next_page_token=write_page_token(page.next_before, INCIDENTS, filters),
        )

    async def GetIncident(self, request: pb.GetIncidentRequest, context: Any) -> pb.GetIncidentResponse:
        view = await self._do.get_incident(wire.incident_id_of(request))
        return pb.GetIncidentResponse(incident=render.incident(view))

    async def ListAuditEvents(self, request: pb.ListAuditEventsRequest, context: Any) -> pb.ListAuditEventsResponse:
        filters = (request.subject, request.actor)
        before, limit = wire.page(request, AUDIT, filters, default=50)
        if before and not (before.isascii() and before.isdecimal()):
            raise InvalidPageToken
        page = await self._do.list_audit_events(
            subject=request.subject, actor=request.actor, before=before, limit=limit
        )
        return pb.ListAuditEventsResponse(
            audit_events=[render.audit_event(event) for event in page.events],
            next_page_token=write_page_token(page.next_before, AUDIT, filters),
            chain_head=render.chain_head(page.head),
        )

    async def ReconcilePolicies(
        self, request: reconciliation_pb2.ReconcilePoliciesRequest, context: Any
    ) -> reconciliation_pb2.ReconcilePoliciesResponse:
        found = await self._do.reconcile_policies(*reconciliation.wanted(request))
        return reconciliation_pb2.ReconcilePoliciesResponse(reconciliation=reconciliation.message(found))

    async def GetPolicyReconciliation(
        self, request: reconciliation_pb2.GetPolicyReconciliationRequest, context: Any
    ) -> reconciliation_pb2.GetPolicyReconciliationResponse:
        found = await self._do.get_policy_reconciliation(*reconciliation.wanted(request))
        return reconciliation_pb2.GetPolicyReconciliationResponse(reconciliation=reconciliation.message(found))
