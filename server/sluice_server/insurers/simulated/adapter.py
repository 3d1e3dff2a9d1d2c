"""How the generic adapter is told to speak to a simulated insurer."""

from __future__ import annotations


def adapter_configuration(base_url: str, *, timeout_seconds: float = 2.0, secret: str = "") -> dict[str, object]:
    """The insurer's part of the adapters' file. ``secret``: a reference, when the insurer was started with one."""
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
            "outcomes": [{"status": "2xx", "path": "status", "table": said}],
        },
        "inquire": {
            "path": "/v1/policies/{idempotency_key}",
            "outcomes": [
                {"status": 200, "path": "status", "table": said},
                {"status": 404, "path": "code", "in": ["POLICY_NOT_FOUND"], "outcome": "NOT_FOUND"},
            ],
        },
    }
    if secret:
        configuration["signing"] = {"secret": secret}
    return configuration
