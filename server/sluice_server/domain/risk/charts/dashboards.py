"""ListDashboards, SaveDashboard, DeleteDashboard."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from sluice_server.domain.audit.event import AuditEvent, audited
from sluice_server.domain.context import CallContext, Clock
from sluice_server.domain.errors import (
    InvalidInput,
    InvalidQuery,
    PermissionDenied,
    RequestIdConflict,
    RiskResourceNotFound,
    StaleEtag,
    Violation,
)
from sluice_server.domain.risk.charts.check import dashboard_mistakes
from sluice_server.domain.risk.charts.definition import Dashboard
from sluice_server.domain.risk.paging import Page, PageTokens
from sluice_server.domain.risk.semantic.semantic_model import SemanticModel
from sluice_server.domain.unit_of_work import Store, UnitOfWork

SAVE, DELETE = "SaveDashboard", "DeleteDashboard"
FIELDS = frozenset({"title", "description", "charts", "shared_with"})
"""What a caller can change."""


@dataclass(frozen=True, slots=True)
class ListDashboardsParams:
    """Which ones; an empty owner means all."""

    owner: str
    page: Page


@dataclass(frozen=True, slots=True)
class DashboardPage:
    """Dashboards by id."""

    dashboards: tuple[Dashboard, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class SaveDashboardParams:
    """What SaveDashboard is given."""

    dashboard: Dashboard
    etag: str
    mask: frozenset[str]
    """The fields to change; empty replaces all that a caller can set."""
    reason: str
    request_id: str = ""
    validate_only: bool = False
    violations: tuple[Violation, ...] = field(default=())
    """What is wrong with the request as it was sent; told together with what is wrong in words of the model."""


@dataclass(frozen=True, slots=True)
class DeleteDashboardParams:
    """What DeleteDashboard is given; an empty etag deletes whatever is stored."""

    dashboard_id: str
    etag: str
    reason: str
    request_id: str = ""


class FindDashboard:
    """A dashboard by its id, shipped or saved."""

    def __init__(self, store: Store, shipped: Sequence[Dashboard]) -> None:
        self._store = store
        self._shipped = {dashboard.dashboard_id: dashboard for dashboard in shipped}

    async def __call__(self, dashboard_id: str) -> Dashboard:
        """Raises RiskResourceNotFound."""
        found = self._shipped.get(dashboard_id)
        if found is None:
            async with self._store.read() as uow:
                found = await uow.dashboards.get(dashboard_id)
        if found is None:
            raise _not_found(dashboard_id)
        return found


class ListDashboards:
    """Lists the shipped and the saved dashboards that the caller may see."""

    def __init__(self, store: Store, shipped: Sequence[Dashboard]) -> None:
        self._store = store
        self._shipped = tuple(shipped)
        self._tokens = PageTokens("dashboards")

    async def __call__(self, params: ListDashboardsParams, context: CallContext) -> DashboardPage:
        """Raises InvalidPageToken."""
        offset = self._tokens.read(params.page.token, params.owner, {"offset": int}).get("offset", 0)
        async with self._store.read() as uow:
            saved = await uow.dashboards.list()
        actor = context.actor.name
        found = [
            dashboard
            for dashboard in sorted((*self._shipped, *saved), key=lambda one: one.dashboard_id)
            if (not params.owner or dashboard.owner == params.owner)
            and (not dashboard.shared_with or actor == dashboard.owner or actor in dashboard.shared_with)
        ]
        end = offset + params.page.size
        token = self._tokens.write(params.owner, offset=end) if end < len(found) else ""
        return DashboardPage(tuple(found[offset:end]), token)


class SaveDashboard:
    """Creates a dashboard, or stores it as a new version."""

    def __init__(self, model: SemanticModel, store: Store, clock: Clock, shipped: Sequence[Dashboard]) -> None:
        self._model = model
        self._store = store
        self._clock = clock
        self._shipped = frozenset(dashboard.dashboard_id for dashboard in shipped)

    async def __call__(self, params: SaveDashboardParams, context: CallContext) -> Dashboard:
        """The stored dashboard. A repeat with the request_id gives what the first call stored.

        Raises InvalidInput and InvalidQuery with every mistake, PermissionDenied (shipped, or of somebody else),
        StaleEtag, RequestIdConflict.
        """
        given, now = params.dashboard, self._clock.now()
        content = _digest(given, params.mask)
        async with self._store.write() as uow:
            earlier = await uow.audit.by_request(params.request_id, SAVE)
            if earlier is not None:
                return await _repeated(uow, earlier, content, params.request_id)
            stored = await uow.dashboards.get(given.dashboard_id)
            wanted = _merged(stored, given, params.mask)
            self._check(params, wanted)
            self._permit(stored, given.dashboard_id, context)
            if (stored.etag if stored else "") != params.etag:
                raise StaleEtag(_subject(given.dashboard_id), stored.etag if stored else "")
            wanted = replace(wanted, owner=stored.owner if stored else context.actor.name)
            if params.validate_only:
                return wanted
            saved = await uow.dashboards.save(
                wanted,
                expected=stored.version if stored else 0,
                saved_by=context.actor.name,
                saved_at=now,
                reason=params.reason,
            )
            before: dict[str, object] = {"version": stored.version if stored else 0}
            after: dict[str, object] = {"version": saved.version, "content": content}
            event = audited(
                context,
                now,
                action=SAVE,
                subject=_subject(given.dashboard_id),
                reason=params.reason,
                request_id=params.request_id,
                before=before,
                after=after,
            )
            await uow.audit.append(event)
            await uow.commit()
        return saved

    def _check(self, params: SaveDashboardParams, wanted: Dashboard) -> None:
        wrong = dashboard_mistakes(self._model, wanted, "dashboard.")
        if wrong:
            # What was wrong as it was sent is told once, and first.
            found = {violation.field: violation for violation in (*wrong, *params.violations)}
            raise InvalidQuery(list(found.values()))
        if params.violations:
            raise InvalidInput(params.violations)

    def _permit(self, stored: Dashboard | None, dashboard_id: str, context: CallContext) -> None:
        if dashboard_id in self._shipped:
            raise PermissionDenied(
                f"{dashboard_id} is shipped with Sluice and cannot be changed; save under another id"
            )
        if stored is not None and stored.owner != context.actor.name:
            raise PermissionDenied(f"{dashboard_id} belongs to {stored.owner}; save under another id")


class DeleteDashboard:
    """Takes a dashboard from lists; its versions are kept."""

    def __init__(self, store: Store, clock: Clock, shipped: Sequence[Dashboard]) -> None:
        self._store = store
        self._clock = clock
        self._shipped = frozenset(dashboard.dashboard_id for dashboard in shipped)

    async def __call__(self, params: DeleteDashboardParams, context: CallContext) -> Dashboard:
        """The dashboard as it was. A repeat with the request_id gives the first answer.

        Raises RiskResourceNotFound, PermissionDenied (shipped, or of somebody else), StaleEtag, RequestIdConflict.
        """
        now, dashboard_id = self._clock.now(), params.dashboard_id
        if dashboard_id in self._shipped:
            raise PermissionDenied(f"{dashboard_id} is shipped with Sluice and cannot be deleted")
        async with self._store.write() as uow:
            earlier = await uow.audit.by_request(params.request_id, DELETE)
            if earlier is not None:
                return await _repeated(uow, earlier, dashboard_id, params.request_id)
            stored = await uow.dashboards.get(dashboard_id)
            if stored is None:
                raise _not_found(dashboard_id)
            if stored.owner != context.actor.name:
                raise PermissionDenied(f"{dashboard_id} belongs to {stored.owner}")
            if params.etag not in {"", stored.etag}:
                raise StaleEtag(_subject(dashboard_id), stored.etag)
            await uow.dashboards.delete(stored)
            before: dict[str, object] = {"version": stored.version}
            after: dict[str, object] = {"version": stored.version, "content": dashboard_id, "deleted": True}
            event = audited(
                context,
                now,
                action=DELETE,
                subject=_subject(dashboard_id),
                reason=params.reason,
                request_id=params.request_id,
                before=before,
                after=after,
            )
            await uow.audit.append(event)
            await uow.commit()
        return stored


def _merged(stored: Dashboard | None, given: Dashboard, mask: frozenset[str]) -> Dashboard:
    """What is stored with the fields of the mask changed, and whatever the caller cannot set."""
    if stored is None or not mask:
        return replace(given, version=0, shipped=False)
    return replace(stored, **{name: getattr(given, name) for name in mask})


async def _repeated(uow: UnitOfWork, earlier: AuditEvent, content: str, request_id: str) -> Dashboard:
    """What an earlier call with this request id stored or deleted."""
    if earlier.after.get("content") != content:
        raise RequestIdConflict(f"request_id {request_id!r} was used for other content of {earlier.subject}")
    version = earlier.after["version"]
    assert isinstance(version, int), "written by this module"
    found = await uow.dashboards.version(earlier.subject.removeprefix("dashboards/"), version)
    assert found is not None, "versions are never deleted"
    return found


def _digest(given: Dashboard, mask: frozenset[str]) -> str:
    """Equal for requests that ask for the same."""
    asked = (given.dashboard_id, given.title, given.description, given.charts, given.shared_with, sorted(mask))
    return hashlib.sha256(repr(asked).encode()).hexdigest()[:32]


def _subject(dashboard_id: str) -> str:
    return f"dashboards/{dashboard_id}"


def _not_found(dashboard_id: str) -> RiskResourceNotFound:
    return RiskResourceNotFound(f"no dashboard {dashboard_id!r}; ListDashboards shows those that exist")
