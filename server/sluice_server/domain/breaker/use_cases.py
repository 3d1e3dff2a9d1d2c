"""Everything that can be asked of the breakers and the insurers, built once."""

from __future__ import annotations

from dataclasses import dataclass

from sluice_server.domain.breaker.board import BreakerBoard
from sluice_server.domain.breaker.control import ConfirmRecovery, CutTraffic, RestoreTraffic, SetBreakerMode
from sluice_server.domain.breaker.incidents import GetIncident, ListAuditEvents, ListIncidents
from sluice_server.domain.breaker.recovery import OrderRetries, RetryAbnormalOrders
from sluice_server.domain.breaker.registry import (
    CreateInsurer,
    GetInsurer,
    InsurerViews,
    ListInsurers,
    UpdateBreakerPolicy,
    UpdateInsurer,
    WatchInsurers,
)
from sluice_server.domain.breaker.simulation import SimulateBreaker
from sluice_server.domain.context import Clock
from sluice_server.domain.orders.ports import AdapterDirectory
from sluice_server.domain.orders.reconcile_policies import GetPolicyReconciliation, ReconcilePolicies
from sluice_server.domain.unit_of_work import Store


@dataclass(frozen=True, slots=True)
class InsurerControlUseCases:
    """One for each RPC of InsurerControl."""

    list_insurers: ListInsurers
    get_insurer: GetInsurer
    create_insurer: CreateInsurer
    update_insurer: UpdateInsurer
    watch_insurers: WatchInsurers
    update_breaker_policy: UpdateBreakerPolicy
    set_breaker_mode: SetBreakerMode
    cut_traffic: CutTraffic
    confirm_recovery: ConfirmRecovery
    retry_abnormal_orders: RetryAbnormalOrders
    restore_traffic: RestoreTraffic
    simulate_breaker: SimulateBreaker
    list_incidents: ListIncidents
    get_incident: GetIncident
    list_audit_events: ListAuditEvents
    reconcile_policies: ReconcilePolicies
    get_policy_reconciliation: GetPolicyReconciliation


def insurer_control_use_cases(
    *,
    store: Store,
    board: BreakerBoard,
    clock: Clock,
    adapters: AdapterDirectory,
    retries: OrderRetries,
    reconcile_policies: ReconcilePolicies,
) -> InsurerControlUseCases:
    """``retries``: the orders' side of RetryAbnormalOrders (``domain.orders.retry.RetryOrders``)."""
    views = InsurerViews(board, adapters)
    return InsurerControlUseCases(
        list_insurers=ListInsurers(store, views),
        get_insurer=GetInsurer(store, views),
        create_insurer=CreateInsurer(store, board, views, clock),
        update_insurer=UpdateInsurer(store, board, views, clock),
        watch_insurers=WatchInsurers(board, views),
        update_breaker_policy=UpdateBreakerPolicy(store, board, clock),
        set_breaker_mode=SetBreakerMode(store, board, clock),
        cut_traffic=CutTraffic(store, board, clock),
        confirm_recovery=ConfirmRecovery(store, board, clock),
        retry_abnormal_orders=RetryAbnormalOrders(store, board, clock, retries),
        restore_traffic=RestoreTraffic(store, board, clock),
        simulate_breaker=SimulateBreaker(store),
        list_incidents=ListIncidents(store, clock),
        get_incident=GetIncident(store, clock),
        list_audit_events=ListAuditEvents(store),
        reconcile_policies=reconcile_policies,
        get_policy_reconciliation=GetPolicyReconciliation(store),
    )
