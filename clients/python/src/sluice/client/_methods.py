"""What the client knows about the methods: which may be repeated, and how long they may take."""

from __future__ import annotations

import json
from typing import Any

DEFAULT_TIMEOUT_SECONDS = 10.0
"""For calls with one answer. Streams have no deadline unless the caller gives one."""

KEEPALIVE_SECONDS = 30
"""The same as the server's: one that does not expect pings answers them with GOAWAY."""

REPEATABLE: dict[str, tuple[str, ...]] = {
    # Reads, and what the contract makes safe by application_id: the same application gets its stored decision again, a
    # submission is made once, a reported outcome is recorded once.
    "sluice.routing.v1.Routing": (
        "Route",
        "RouteBatch",
        "ExplainRoute",
        "Submit",
        "ReportOutcome",
        "GetOrder",
        "ListOrders",
        "ValidatePlan",
        "GetPlan",
        "ListPlans",
    ),
    # Control calls are not repeated behind a person's back, though their request_id would make it safe.
    "sluice.insurer.v1.InsurerControl": (
        "ListInsurers",
        "GetInsurer",
        "ListIncidents",
        "GetIncident",
        "ListAuditEvents",
    ),
    "sluice.risk.v1.RiskQuery": (
        "DescribeModel",
        "Query",
        "ListDataVersions",
        "RenderChart",
        "ListDashboards",
        "GetRiskScore",
        "ListRatings",
        "ListAnomalies",
        "ListRiskGroups",
        "QuotePremium",
        "ListModelVersions",
        "GetModelValidation",
        "ListAlertRules",
        "ListAlerts",
    ),
}
"""The calls that gRPC repeats by itself while the server is UNAVAILABLE, within the call's deadline."""


def service_config() -> str:
    """The gRPC service config with the retry policy of REPEATABLE."""
    return json.dumps(
        {
            "methodConfig": [
                {
                    "name": [
                        {"service": service, "method": method}
                        for service, methods in REPEATABLE.items()
                        for method in methods
                    ],
                    "retryPolicy": {
                        "maxAttempts": 5,
                        "initialBackoff": "0.1s",
                        "maxBackoff": "2s",
                        "backoffMultiplier": 2,
                        "retryableStatusCodes": ["UNAVAILABLE"],
                    },
                }
            ],
            # When most calls fail, repeating them makes it worse.
            "retryThrottling": {"maxTokens": 100, "tokenRatio": 0.1},
        }
    )


def channel_options(given: tuple[tuple[str, Any], ...] = ()) -> list[tuple[str, Any]]:
    """The options of a channel to Sluice; ``given`` come last and win."""
    return [
        ("grpc.service_config", service_config()),
        ("grpc.enable_retries", 1),
        ("grpc.keepalive_time_ms", KEEPALIVE_SECONDS * 1000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.max_receive_message_length", 64 * 1024 * 1024),
        *given,
    ]
