"""What can go wrong, as facts.

One hierarchy: the intermediate classes say what kind of failure it is (``api.errors`` turns each kind into one gRPC
status), the concrete ones state the fact. ``reason`` is a name of ``sluice.type.v1.ErrorReason`` without its prefix.
Messages are read by people at night: they say what is the case and what to do.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Violation:
    """One wrong field: where it is (``application.price.amount_minor``) and what is wrong with it."""

    field: str
    description: str


class SluiceError(Exception):
    """Every failure that a caller is told about.

    ``message`` is shown to the caller; ``metadata`` goes into ErrorInfo (never a secret or a person's data).
    """

    reason: ClassVar[str] = "INTERNAL"

    def __init__(self, message: str, **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.metadata: Mapping[str, str] = metadata


# --- kinds: one gRPC status each -------------------------------------------------------------------------------------


class InvalidInput(SluiceError):
    """INVALID_ARGUMENT: the request is wrong whatever the state of the system. Names every violation at once."""

    reason = "INVALID_FIELD"

    def __init__(self, violations: Sequence[Violation], message: str | None = None, **metadata: str) -> None:
        text = message or "; ".join(f"{v.field}: {v.description}" for v in violations)
        super().__init__(text, **metadata)
        self.violations = tuple(violations)


class NotFound(SluiceError):
    """NOT_FOUND."""


class AlreadyExists(SluiceError):
    """ALREADY_EXISTS."""


class FailedPrecondition(SluiceError):
    """FAILED_PRECONDITION: right in itself, but not in the present state. ``subject`` names what is in that state."""

    def __init__(self, message: str, *, subject: str = "", **metadata: str) -> None:
        super().__init__(message, **metadata)
        self.subject = subject


class Aborted(SluiceError):
    """ABORTED: somebody else was faster; read again and repeat."""


class PermissionDenied(SluiceError):
    """PERMISSION_DENIED."""

    reason = "ROLE_NOT_ALLOWED"


class Unauthenticated(SluiceError):
    """UNAUTHENTICATED."""

    reason = "IDENTITY_UNKNOWN"


class Exhausted(SluiceError):
    """RESOURCE_EXHAUSTED: shed on purpose; a later repeat helps."""

    reason = "OVERLOADED"

    def __init__(self, message: str, *, retry_after_seconds: float = 1.0, **metadata: str) -> None:
        super().__init__(message, **metadata)
        self.retry_after_seconds = retry_after_seconds


class Unavailable(SluiceError):
    """UNAVAILABLE: a repeat can help, perhaps at another replica."""

    reason = "STORE_UNAVAILABLE"

    def __init__(self, message: str, *, retry_after_seconds: float = 1.0, **metadata: str) -> None:
        super().__init__(message, **metadata)
        self.retry_after_seconds = retry_after_seconds


class DeadlineExceeded(SluiceError):
    """DEADLINE_EXCEEDED."""

    reason = "DEADLINE"


class NotBuiltYet(SluiceError):
    """UNIMPLEMENTED: in the contract, not in this version."""

    reason = "NOT_BUILT_YET"


# --- facts -----------------------------------------------------------------------------------------------------------


class InvalidPageToken(InvalidInput):
    reason = "INVALID_PAGE_TOKEN"

    def __init__(self) -> None:
        super().__init__([Violation("page_token", "not issued for this list and these filters; start without it")])


class InvalidPlan(InvalidInput):
    reason = "INVALID_PLAN"


class InvalidQuery(InvalidInput):
    reason = "INVALID_QUERY"


class PlanNotFound(NotFound):
    reason = "PLAN_NOT_FOUND"


class InsurerNotFound(NotFound):
    reason = "INSURER_NOT_FOUND"

    def __init__(self, insurer_id: str) -> None:
        super().__init__(f"no insurer {insurer_id!r}; ListInsurers shows those that exist", insurer_id=insurer_id)


class OrderNotFound(NotFound):
    reason = "ORDER_NOT_FOUND"

    def __init__(self, application_id: str = "", *, decision_id: str = "") -> None:
        if decision_id:
            super().__init__(
                f"no order's first decision, or the one in force, is {decision_id!r}; ask by the application_id",
                decision_id=decision_id,
            )
        else:
            super().__init__(f"no order for application {application_id!r}", application_id=application_id)


class IncidentNotFound(NotFound):
    reason = "INCIDENT_NOT_FOUND"


class DataVersionNotFound(NotFound):
    reason = "DATA_VERSION_NOT_FOUND"


class RiskResourceNotFound(NotFound):
    reason = "RISK_RESOURCE_NOT_FOUND"


class ReconciliationNotFound(NotFound):
    reason = "RECONCILIATION_NOT_FOUND"


class InsurerUnavailable(Unavailable):
    reason = "INSURER_UNAVAILABLE"


class ApplicationConflict(AlreadyExists):
    reason = "APPLICATION_CONFLICT"

    def __init__(self, application_id: str) -> None:
        super().__init__(
            f"application {application_id!r} is stored with other content; "
            "repeat it unchanged, or use a new application_id for a new application",
            application_id=application_id,
        )


class InsurerExists(AlreadyExists):
    reason = "INSURER_EXISTS"


class RequestIdConflict(AlreadyExists):
    reason = "REQUEST_ID_CONFLICT"


class NoActivePlan(FailedPrecondition):
    reason = "NO_ACTIVE_PLAN"

    def __init__(self) -> None:
        super().__init__("no plan is active; CreatePlan and ActivatePlan first", subject="plans")


class IllegalTransition(FailedPrecondition):
    reason = "ILLEGAL_TRANSITION"


class AbnormalOrdersRemain(FailedPrecondition):
    reason = "ABNORMAL_ORDERS_REMAIN"


class PlanNotActivatable(FailedPrecondition):
    reason = "PLAN_NOT_ACTIVATABLE"


class NoRuleMatches(FailedPrecondition):
    reason = "NO_RULE_MATCHES"


class OrderStateRefused(FailedPrecondition):
    reason = "ORDER_STATE"


class NoInsurerLeft(FailedPrecondition):
    reason = "NO_INSURER_LEFT"


class InsurerNotConfigured(FailedPrecondition):
    reason = "INSURER_NOT_CONFIGURED"


class StaleEtag(Aborted):
    reason = "STALE_ETAG"

    def __init__(self, resource: str, stored_etag: str) -> None:
        super().__init__(
            f"{resource} was changed by somebody else; read it again and repeat with its etag {stored_etag!r}",
            resource=resource,
            etag=stored_etag,
        )


class ConcurrentChange(Aborted):
    reason = "CONCURRENT_CHANGE"
