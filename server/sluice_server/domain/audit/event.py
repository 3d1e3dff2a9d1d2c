"""One change by one actor, and the trail that it is appended to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from sluice_server.domain.context import CallContext
from sluice_server.domain.identity import new_id


@dataclass(frozen=True, slots=True)
class ChainLink:
    """A row's place in the chain of the audit trail (``chain``); the store sets it."""

    sequence: int
    """1 for the first row, without gaps."""
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One change by one actor; appended, never changed."""

    audit_id: str
    at: datetime
    actor: str
    actor_verified: bool
    action: str
    """The RPC's name, or ``breaker.trip`` and the like for what Sluice does by itself."""
    subject: str
    """insurers/insurer-b, plans/12, incidents/inc-…"""
    reason: str
    request_id: str
    trace_id: str
    before: Mapping[str, object] = field(default_factory=dict)
    after: Mapping[str, object] = field(default_factory=dict)
    link: ChainLink | None = field(default=None, compare=False)
    """None before it is stored."""


def audited(
    context: CallContext,
    at: datetime,
    *,
    action: str,
    subject: str,
    reason: str,
    request_id: str = "",
    before: Mapping[str, object] | None = None,
    after: Mapping[str, object],
) -> AuditEvent:
    """What the caller of ``context`` changed; ``request_id`` where the call has one for its repeats."""
    return AuditEvent(
        audit_id=new_id("aud"),
        at=at,
        actor=context.actor.name,
        actor_verified=context.actor.verified,
        action=action,
        subject=subject,
        reason=reason,
        request_id=request_id or context.request_id,
        trace_id=context.trace_id,
        before=before or {},
        after=after,
    )


class AuditLog(Protocol):
    """The audit trail in a unit of work."""

    async def append(self, event: AuditEvent) -> None:
        """The event becomes the newest row of the chain when the unit of work commits."""
        ...

    async def by_request(self, request_id: str, action: str) -> AuditEvent | None:
        """What an earlier call with this request id did; a repeat of it changes nothing."""
        ...

    async def list(self, *, subject: str, actor: str, before: int | None, limit: int) -> Sequence[AuditEvent]:
        """Newest first, sequences below ``before``; empty filters do not filter."""
        ...

    async def head(self) -> tuple[int, str]:
        """Sequence and hash of the newest row as they are kept apart from the rows; 0 and 64 zeros without one."""
        ...
