"""Which calls need a named actor, and which roles may make them: one line for each RPC of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sluice_server.domain.context import Role


@dataclass(frozen=True, slots=True)
class Access:
    """Who may make a call."""

    roles: frozenset[Role]
    """The caller needs one of these. Unverified callers have all roles: without authentication nothing is enforced."""
    control: bool = False
    """Changes what the platform does: needs an actor, is always logged, is never shed."""


READ = Access(frozenset(Role))
SELL = Access(frozenset({Role.SELLER, Role.OPERATOR}))
CANCEL = Access(frozenset({Role.SELLER, Role.OPERATOR}), control=True)
OPERATE = Access(frozenset({Role.OPERATOR, Role.APPROVER}), control=True)
APPROVE = Access(frozenset({Role.APPROVER}), control=True)
ANALYSE = Access(frozenset({Role.ANALYST, Role.APPROVER}), control=True)
ATTEND = Access(frozenset({Role.ANALYST, Role.OPERATOR, Role.APPROVER}), control=True)

_ROUTING = {
    "Route": SELL,
    "RouteBatch": SELL,
    "RouteStream": SELL,
    "ExplainRoute": READ,
    "Submit": SELL,
    "ReportOutcome": SELL,
    # Sellers withdraw what they have sold.
    "CancelOrder": CANCEL,
    "GetOrder": READ,
    "ListOrders": READ,
    "CreatePlan": OPERATE,
    "ValidatePlan": READ,
    "GetPlan": READ,
    "ListPlans": READ,
    "ActivatePlan": OPERATE,
    "SimulatePlan": READ,
}
_INSURER_CONTROL = {
    "ListInsurers": READ,
    "GetInsurer": READ,
    "CreateInsurer": OPERATE,
    "UpdateInsurer": OPERATE,
    "WatchInsurers": READ,
    "UpdateBreakerPolicy": OPERATE,
    "SetBreakerMode": OPERATE,
    "CutTraffic": OPERATE,
    "ConfirmRecovery": OPERATE,
    "RetryAbnormalOrders": OPERATE,
    # That the one who restores is not the one who confirmed is the domain's business.
    "RestoreTraffic": OPERATE,
    "SimulateBreaker": READ,
    "ListIncidents": READ,
    "GetIncident": READ,
    "ListAuditEvents": READ,
    # Asks the insurer and keeps what it says; changes no order.
    "ReconcilePolicies": SELL,
    "GetPolicyReconciliation": READ,
}
_RISK_QUERY = {
    "DescribeModel": READ,
    "Query": READ,
    "WatchQuery": READ,
    "ListDataVersions": READ,
    "RenderChart": READ,
    "ListDashboards": READ,
    "SaveDashboard": ANALYSE,
    "DeleteDashboard": ANALYSE,
    "GetRiskScore": READ,
    "ListRatings": READ,
    "ListAnomalies": READ,
    "ListRiskGroups": READ,
    "QuotePremium": READ,
    "ProposePrice": ANALYSE,
    "ListModelVersions": READ,
    "GetModelValidation": READ,
    "ActivateModel": APPROVE,
    "ListAlertRules": READ,
    "SaveAlertRule": ANALYSE,
    "ListAlerts": READ,
    "AcknowledgeAlert": ATTEND,
    "WatchAlerts": READ,
}

ACCESS: Mapping[str, Access] = {
    f"{service}/{method}": access
    for service, methods in (
        ("sluice.routing.v1.Routing", _ROUTING),
        ("sluice.insurer.v1.InsurerControl", _INSURER_CONTROL),
        ("sluice.risk.v1.RiskQuery", _RISK_QUERY),
    )
    for method, access in methods.items()
}
"""By ``package.Service/Method``. A test holds it to the contract: every RPC, and nothing else. Health and reflection
are not in it: anyone may call them."""
