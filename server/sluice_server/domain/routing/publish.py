"""ValidatePlan, CreatePlan, ActivatePlan: how a text becomes the plan that decides."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from sluice_server.domain.breaker.ports import AuditEvent
from sluice_server.domain.context import CallContext, Clock
from sluice_server.domain.errors import (
    PlanNotActivatable,
    PlanNotFound,
    RequestIdConflict,
)
from sluice_server.domain.identity import new_id
from sluice_server.domain.routing.active import ASIDE_FROM_CHARACTERS
from sluice_server.domain.routing.fields import suggestion
from sluice_server.domain.routing.findings import Finding, Severity, errors, invalid_plan, warnings
from sluice_server.domain.routing.limits import DEFAULT_LIMITS, PlanLimits
from sluice_server.domain.routing.plan import check_plan, content_hash
from sluice_server.domain.routing.ports import RiskFactsSource, StoredPlan
from sluice_server.domain.routing.resolve import ResolvedPlan
from sluice_server.domain.unit_of_work import Store, UnitOfWork

CREATE, ACTIVATE = "CreatePlan", "ActivatePlan"


@dataclass(frozen=True, slots=True)
class PlanCheck:
    """What ValidatePlan says."""

    valid: bool
    findings: tuple[Finding, ...]


@dataclass(frozen=True, slots=True)
class PlanDraft:
    """What CreatePlan is given."""

    source: str
    reason: str
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Activation:
    """What ActivatePlan is given."""

    version: int
    reason: str
    etag: str = ""
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class Activated:
    """The plan that is active now, and the version that was before (0: none)."""

    plan: StoredPlan
    previous_version: int


async def _checked(source: str, limits: PlanLimits) -> tuple[ResolvedPlan | None, tuple[Finding, ...]]:
    if len(source) < ASIDE_FROM_CHARACTERS:
        return check_plan(source, limits)
    return await asyncio.to_thread(check_plan, source, limits)


async def _unknown_insurers(uow: UnitOfWork, plan: ResolvedPlan) -> list[str]:
    known = {insurer.insurer_id for insurer in await uow.insurers.list()}
    return sorted(plan.document.insurer_ids() - known)


def _unknown_warnings(plan: ResolvedPlan, unknown: list[str]) -> tuple[Finding, ...]:
    """Warnings only: the insurers may be created before the plan is activated, which refuses without them."""
    found: list[Finding] = []
    missing = set(unknown)
    for place, rule in enumerate(plan.document.rules):
        for number, allocation in enumerate(rule.allocations):
            if allocation.insurer in missing:
                missing.discard(allocation.insurer)
                found.append(
                    Finding(
                        Severity.WARNING,
                        allocation.line,
                        f"rules[{place}].allocations[{number}].insurer",
                        f"this server has no insurer {allocation.insurer!r}; CreateInsurer before ActivatePlan",
                    )
                )
    return tuple(found)


def _unknown_kinds(plan: ResolvedPlan, risk: RiskFactsSource | None) -> tuple[Finding, ...]:
    """Errors: with another word for the kind, everything would silently take the default."""
    if risk is None:
        return ()
    lines = {factor.name: factor.line for factor in plan.document.factors}
    return tuple(
        Finding(
            Severity.ERROR,
            lines[factor.name],
            f"factors.{factor.name}",
            f"this server has no {function} of a {kind!r}{suggestion(kind, sorted(risk.kinds(function)))}",
        )
        for factor in plan.factors
        for function, kind in sorted(factor.expression.needs)
        if kind not in risk.kinds(function)
    )


class ValidatePlan:
    """Checks a plan's text. ``risk``: which kinds are rated here; None: that is not checked."""

    def __init__(
        self, *, store: Store, limits: PlanLimits = DEFAULT_LIMITS, risk: RiskFactsSource | None = None
    ) -> None:
        self._store = store
        self._limits = limits
        self._risk = risk

    async def __call__(self, source: str) -> PlanCheck:
        """Every finding, by line. Stores nothing."""
        plan, findings = await _checked(source, self._limits)
        if plan is not None:
            async with self._store.read() as uow:
                findings += _unknown_warnings(plan, await _unknown_insurers(uow, plan))
            findings += _unknown_kinds(plan, self._risk)
        return PlanCheck(not errors(findings), tuple(sorted(findings, key=lambda f: (f.line, f.path))))


class CreatePlan:
    """Stores a new version. ``risk``: as of ValidatePlan."""

    def __init__(
        self, *, store: Store, clock: Clock, limits: PlanLimits = DEFAULT_LIMITS, risk: RiskFactsSource | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._risk = risk

    async def __call__(self, draft: PlanDraft, context: CallContext) -> StoredPlan:
        """The stored version; a repeat with the same request_id and text gives the one that it created.

        Raises InvalidPlan with every error (nothing is stored then), RequestIdConflict.
        """
        plan, findings = await _checked(draft.source, self._limits)
        if plan is not None:
            findings += _unknown_kinds(plan, self._risk)
        if plan is None or errors(findings):
            raise invalid_plan(errors(findings))
        now = self._clock.now()
        digest = content_hash(draft.source)
        async with self._store.write() as uow:
            # Two calls with one request_id at the same time are one call and its repeat.
            await uow.plans.lock()
            earlier = await uow.plans.by_request(draft.request_id) if draft.request_id else None
            if earlier is not None:
                if earlier.content_hash != digest:
                    raise RequestIdConflict(
                        f"request_id {draft.request_id!r} created version {earlier.version} from another text; "
                        "use a new request_id for a new plan",
                        version=str(earlier.version),
                    )
                return earlier
            findings += _unknown_warnings(plan, await _unknown_insurers(uow, plan))
            stored = await uow.plans.add(
                StoredPlan(
                    name=plan.document.name,
                    version=0,
                    source=draft.source,
                    content_hash=digest,
                    activatable=True,
                    warnings=tuple(finding.text() for finding in warnings(findings)),
                    description=plan.document.description,
                    created_at=now,
                    created_by=context.actor.name,
                    active=False,
                    etag="",
                    request_id=draft.request_id,
                )
            )
            await uow.audit.append(
                AuditEvent(
                    audit_id=new_id("aud"),
                    at=now,
                    actor=context.actor.name,
                    actor_verified=context.actor.verified,
                    action=CREATE,
                    subject=f"plans/{stored.version}",
                    reason=draft.reason,
                    request_id=draft.request_id or context.request_id,
                    trace_id=context.trace_id,
                    after={"name": stored.name, "content_hash": digest, "warnings": len(stored.warnings)},
                )
            )
            await uow.commit()
        return stored


@dataclass(frozen=True, slots=True)
class ActivatePlan:
    """Makes a version the one that decides."""

    store: Store
    clock: Clock
    refresh: Callable[[], Awaitable[object]]
    """Makes this process serve the new version at once; the other replicas see it within a second."""
    limits: PlanLimits = field(default=DEFAULT_LIMITS)

    async def __call__(self, activation: Activation, context: CallContext) -> Activated:
        """The active plan. Activating the active version, or repeating a request_id, changes nothing.

        Raises PlanNotFound, PlanNotActivatable, StaleEtag, RequestIdConflict.
        """
        plan = await self._activatable(activation.version)
        now = self.clock.now()
        async with self.store.write() as uow:
            await uow.plans.lock()
            earlier = await uow.audit.by_request(activation.request_id, ACTIVATE) if activation.request_id else None
            active = await uow.plans.active()
            if earlier is not None:
                return await _repeated(uow, earlier, activation, active)
            if active is not None and active.version == activation.version:
                return Activated(active, active.version)
            unknown = await _unknown_insurers(uow, plan)
            if unknown:
                raise PlanNotActivatable(
                    f"version {activation.version} names insurers that do not exist: {', '.join(unknown[:20])}; "
                    "CreateInsurer them first",
                    subject=f"plans/{activation.version}",
                    insurers=", ".join(unknown[:20]),
                )
            activated = await uow.plans.activate(activation.version, expected_etag=activation.etag)
            previous = 0 if active is None else active.version
            await uow.audit.append(
                AuditEvent(
                    audit_id=new_id("aud"),
                    at=now,
                    actor=context.actor.name,
                    actor_verified=context.actor.verified,
                    action=ACTIVATE,
                    subject=f"plans/{activation.version}",
                    reason=activation.reason,
                    request_id=activation.request_id or context.request_id,
                    trace_id=context.trace_id,
                    before={"active_version": previous},
                    after={"active_version": activation.version},
                )
            )
            await uow.commit()
        await self.refresh()
        return Activated(activated, previous)

    async def _activatable(self, version: int) -> ResolvedPlan:
        """The stored version, checked again: a later server may know better than the one that stored it."""
        async with self.store.read() as uow:
            stored = await uow.plans.get(version)
        if stored is None:
            raise PlanNotFound(f"no plan has version {version}; ListPlans shows those that exist", version=str(version))
        plan, findings = await _checked(stored.source, self.limits)
        if plan is None or not stored.activatable:
            first = next(iter(errors(findings)), None)
            raise PlanNotActivatable(
                f"version {version} is not valid{f': {first.text()}' if first else ''}; CreatePlan a corrected text",
                subject=f"plans/{version}",
            )
        return plan


async def _repeated(
    uow: UnitOfWork, earlier: AuditEvent, activation: Activation, active: StoredPlan | None
) -> Activated:
    if earlier.subject != f"plans/{activation.version}":
        raise RequestIdConflict(
            f"request_id {activation.request_id!r} activated {earlier.subject}; use a new one for another version"
        )
    plan = await uow.plans.get(activation.version)
    if plan is None:
        raise PlanNotFound(f"no plan has version {activation.version}", version=str(activation.version))
    before = earlier.before.get("active_version", 0)
    return Activated(plan, before if isinstance(before, int) else 0)
