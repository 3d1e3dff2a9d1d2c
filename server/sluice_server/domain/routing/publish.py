"""ValidatePlan, CreatePlan, ActivatePlan: how a text becomes the plan that decides."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from sluice_server.domain.audit.event import AuditEvent, audited
from sluice_server.domain.context import CallContext, Clock
from sluice_server.domain.errors import InvalidPlan, PlanNotActivatable, PlanNotFound, RequestIdConflict
from sluice_server.domain.routing.active import ASIDE_FROM_CHARACTERS, ActivePlan
from sluice_server.domain.routing.plan import CompiledPlan
from sluice_server.domain.routing.ports import StoredPlan
from sluice_server.domain.routing.source.compile import check_plan, content_hash
from sluice_server.domain.routing.source.findings import Finding, errors, invalid_plan, warnings
from sluice_server.domain.routing.source.limits import DEFAULT_LIMITS, PlanLimits
from sluice_server.domain.routing.source.resolve import ResolvedPlan
from sluice_server.domain.routing.source.surroundings import SHOWN, Surroundings
from sluice_server.domain.unit_of_work import Store, UnitOfWork

CREATE, ACTIVATE = "CreatePlan", "ActivatePlan"
UNKNOWN = Surroundings()
"""Nothing outside the store is checked."""


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


class ValidatePlan:
    """Checks a plan's text, and whether it fits this server."""

    def __init__(
        self, *, store: Store, limits: PlanLimits = DEFAULT_LIMITS, surroundings: Surroundings = UNKNOWN
    ) -> None:
        self._store = store
        self._limits = limits
        self._surroundings = surroundings

    async def __call__(self, source: str) -> PlanCheck:
        """Every finding, by line. Stores nothing."""
        plan, findings = await _checked(source, self._limits)
        if plan is not None:
            async with self._store.read() as uow:
                findings += await self._surroundings.not_yet_there(uow, plan.document)
            findings += self._surroundings.unknown_kinds(plan)
        return PlanCheck(not errors(findings), tuple(sorted(findings, key=lambda f: (f.line, f.path))))


class CreatePlan:
    """Stores a new version."""

    def __init__(
        self, *, store: Store, clock: Clock, limits: PlanLimits = DEFAULT_LIMITS, surroundings: Surroundings = UNKNOWN
    ) -> None:
        self._store = store
        self._clock = clock
        self._limits = limits
        self._surroundings = surroundings

    async def __call__(self, draft: PlanDraft, context: CallContext) -> StoredPlan:
        """The stored version; a repeat with the same request_id and text gives the one that it created.

        Raises InvalidPlan with every error (nothing is stored then), RequestIdConflict.
        """
        plan, findings = await _checked(draft.source, self._limits)
        if plan is not None:
            findings += self._surroundings.unknown_kinds(plan)
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
            findings += await self._surroundings.not_yet_there(uow, plan.document)
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
                audited(
                    context,
                    now,
                    action=CREATE,
                    subject=f"plans/{stored.version}",
                    reason=draft.reason,
                    request_id=draft.request_id,
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
    plans: ActivePlan
    """This process serves the new version at once; the other replicas see it within a second."""
    surroundings: Surroundings = UNKNOWN

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
            hindrance, insurers = await self.surroundings.hindrances(uow, plan.document)
            if hindrance:
                raise PlanNotActivatable(
                    f"version {activation.version} {hindrance}",
                    subject=f"plans/{activation.version}",
                    insurers=", ".join(insurers[:SHOWN]),
                )
            activated = await uow.plans.activate(activation.version, expected_etag=activation.etag)
            previous = 0 if active is None else active.version
            await uow.audit.append(
                audited(
                    context,
                    now,
                    action=ACTIVATE,
                    subject=f"plans/{activation.version}",
                    reason=activation.reason,
                    request_id=activation.request_id,
                    before={"active_version": previous},
                    after={"active_version": activation.version},
                )
            )
            await uow.commit()
        await self.plans.refresh()
        return Activated(activated, previous)

    async def _activatable(self, version: int) -> CompiledPlan:
        """The stored version, compiled by this release: it may know better than the one that stored it."""
        async with self.store.read() as uow:
            stored = await uow.plans.get(version)
        if stored is None:
            raise PlanNotFound(f"no plan has version {version}; ListPlans shows those that exist", version=str(version))
        because = ""
        if stored.activatable:
            try:
                return await self.plans.prepare(version)
            except InvalidPlan as invalid:
                because = "; ".join(f"{v.field}: {v.description}" for v in invalid.violations[:1])
        raise PlanNotActivatable(
            f"version {version} is not valid{f': {because}' if because else ''}; CreatePlan a corrected text",
            subject=f"plans/{version}",
        )


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
