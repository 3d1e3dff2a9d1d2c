"""Who calls, and by when an answer is wanted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Protocol


class Role(StrEnum):
    """What an authenticated caller may do. Without authentication every caller has all of them, unverified."""

    READER = "reader"
    SELLER = "seller"
    OPERATOR = "operator"
    APPROVER = "approver"
    ANALYST = "analyst"


@dataclass(frozen=True, slots=True)
class Actor:
    """The one who calls: verified by certificate or token, or as declared in the call's metadata."""

    name: str
    verified: bool = False
    roles: frozenset[Role] = frozenset(Role)


@dataclass(frozen=True, slots=True)
class CallContext:
    """What every use case is told about the call it serves."""

    actor: Actor
    request_id: str
    """Names this call in logs, audit rows and error texts."""
    trace_id: str = ""
    """32 hexadecimal digits, empty when the call is not traced."""
    deadline: datetime | None = None
    """The moment after which the caller no longer waits, UTC."""


class Clock(Protocol):
    """Where the domain gets the time from; tests pass one that they move by hand."""

    def now(self) -> datetime:
        """The present moment, in UTC, with tzinfo."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)
