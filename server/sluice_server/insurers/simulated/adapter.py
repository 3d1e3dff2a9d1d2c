"""How the generic adapter is told to speak to a simulated insurer."""

from __future__ import annotations


def adapter_configuration(
    base_url: str,
    *,
    timeout_seconds: float = 2.0,
    secret: str = "",
    callback_secret: str = "",
    settle_within_seconds: float = 60.0,
    poll_seconds: float = 1.0,
) -> dict[str, object]:
    """The insurer's part of the adapters' file. ``secret``, ``callback_secret``: references, when the insurer was
    started with them."""
    said = {"ISSUED": "SUCCESS", "DECLINED": "BUSINESS_REJECTION"}
    configuration: dict[str, object] = {
        "base_url": base_url,
        "timeout_seconds": timeout_seconds,
        "submit": {
            "path": "/v1/policies",
            "headers": {"Idempotency-Key": "{idempotency_key}"},
            "body": {
                "application_id": "{application.application_id}",
                "product": "{binding.insurer_product_code}",
                "device_model": "{application.device.model_id}",
                "premium_minor": "{application.premium.amount_minor}",
                "currency": "{application.premium.currency_code}",
            },
            "policy_number": "policy_number",
            "error_code": "code",
            "message": "message",
            "reference": "reference",
            "outcomes": [{"status": "2xx", "path": "status", "table": {**said, "ACCEPTED": "PENDING"}}],
        },
        "settlement": {"within_seconds": settle_within_seconds, "poll_seconds": poll_seconds},
        "list": {
            "path": "/v1/policies?limit=1000&from={start}&until={end}&after={cursor?}",
            "items": "policies",
            "policy_number": "policy_number",
            "application_id": "application_id",
            "idempotency_key": "idempotency_key",
            "next_cursor": "next",
        },
        "inquire": {
            "path": "/v1/policies/{idempotency_key}",
            "outcomes": [
                {"status": 200, "path": "status", "table": {**said, "PROCESSING": "PENDING"}},
                {"status": 404, "path": "code", "in": ["POLICY_NOT_FOUND"], "outcome": "NOT_FOUND"},
            ],
        },
    }
    if callback_secret:
        configuration["callback"] = {
            "signing": {"secret": callback_secret},
            "application_id": "application_id",
            "idempotency_key": "idempotency_key",
            "outcomes": [{"path": "status", "table": {**said, "PROCESSING": "PENDING"}}],
        }
    if secret:
        configuration["signing"] = {"secret": secret}
    return configuration
