"""What every control call shares: whom it is about, its etag, its repeat."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from sluice_server.domain.breaker.model import Breaker, BreakerMode, BreakerPolicy, BreakerState, Scope
from sluice_server.domain.breaker.record import subject
from sluice_server.domain.errors import InsurerNotFound, RequestIdConflict, StaleEtag
from sluice_server.domain.unit_of_work import UnitOfWork

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
"""Evidence of a breaker that has never tripped counts however old it is (the windows bound it)."""


@dataclass(frozen=True, slots=True)
class Command:
    """A control call about one breaker."""

    scope: Scope
    reason: str
    request_id: str = ""
    """Makes a repeat harmless; empty: every call counts."""
    etag: str = ""
    """The breaker's etag as the caller has read it; empty: not checked."""


@dataclass(frozen=True, slots=True)
class Target:
    """The breaker that a command is about, as stored."""

    breaker: Breaker
    repeated: bool
    """The same call has been done before; nothing is to be changed."""


async def find_target(uow: UnitOfWork, command: Command, action: str, at: datetime) -> Target:
    """The command's breaker. That of a product line is made here where there is none yet: it exists once something is
    committed.

    Raises InsurerNotFound, RequestIdConflict, StaleEtag.
    """
    breaker = await find_breaker(uow, command.scope, at)
    if await is_repeat(uow, command.request_id, action, subject(command.scope)):
        return Target(breaker, repeated=True)
    check_etag(command.etag, breaker.version, f"the breaker of {command.scope}")
    return Target(breaker, repeated=False)


async def find_breaker(uow: UnitOfWork, scope: Scope, at: datetime) -> Breaker:
    """The scope's breaker; a product line's is made from its insurer's policy. Raises InsurerNotFound."""
    breaker = await uow.breakers.get(scope)
    if breaker is not None:
        return breaker
    if await uow.insurers.get(scope.insurer_id) is None:
        raise InsurerNotFound(scope.insurer_id)
    whole = await uow.breakers.get(Scope(scope.insurer_id))
    breaker = new_breaker(scope, at, whole.policy if whole else BreakerPolicy())
    if await uow.breakers.add(breaker):
        return breaker
    stored = await uow.breakers.get(scope)
    # Another call made it between our reading and our writing.
    return stored or breaker


def new_breaker(scope: Scope, at: datetime, policy: BreakerPolicy) -> Breaker:
    """A breaker in its first state."""
    return Breaker(
        scope, BreakerState.CLOSED, BreakerMode.ENFORCING, policy, version=1, state_since=at, evidence_since=ALWAYS
    )


async def is_repeat(uow: UnitOfWork, request_id: str, action: str, subject_name: str) -> bool:
    """Whether a call with this request id has done this before. Raises RequestIdConflict when it was about something
    else."""
    if not request_id:
        return False
    earlier = await uow.audit.by_request(request_id, action)
    if earlier is None:
        return False
    if earlier.subject != subject_name:
        raise RequestIdConflict(
            f"request_id {request_id!r} was used for {action} of {earlier.subject}; use a new one for another call",
            request_id=request_id,
            subject=earlier.subject,
        )
    return True


def check_etag(given: str, version: int, resource: str) -> None:
    """Raises StaleEtag when the caller has read another version."""
    if given and given != str(version):
        raise StaleEtag(resource, str(version))
