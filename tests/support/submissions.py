"""A submission request with every field filled, for tests of adapters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

from sluice_server.domain.money import Money
from sluice_server.domain.orders.ports import SubmissionPending, SubmissionRequest, SubmissionResult
from sluice_server.domain.routing.model import Application, Binding, Channel, Device


def submission_request(
    *,
    application_id: str = "app-1",
    idempotency_key: str = "key-1",
    endpoint: str = "",
    parameters: Mapping[str, str] | None = None,
    seconds: float = 30.0,
    purchased_on: date | None = date(2026, 2, 28),
) -> SubmissionRequest:
    """Seconds: until its deadline, from now."""
    return SubmissionRequest(
        application=Application(
            application_id=application_id,
            product_code="SCREEN-12",
            product_line="screen",
            device=Device("dev-1", "aurora-12", "phone", "Aurora", Money(499900, "CNY"), purchased_on),
            channel=Channel("ch-1", "store-1", "gold"),
            customer_ref="cust-1",
            premium=Money(12900, "CNY"),
            term_months=12,
            attributes={"color": "blue/grün"},
        ),
        binding=Binding("NS-SCR", "P1", endpoint, dict(parameters or {"region": "east"})),
        idempotency_key=idempotency_key,
        deadline=datetime.now(UTC) + timedelta(seconds=seconds),
    )


def decided(answer: SubmissionResult | SubmissionPending | None) -> SubmissionResult:
    """An answer that decides."""
    assert isinstance(answer, SubmissionResult), answer
    return answer


def decided_or_nothing(answer: SubmissionResult | SubmissionPending | None) -> SubmissionResult | None:
    """An answer to an inquiry that decides, or that nothing is known."""
    return None if answer is None else decided(answer)
