"""The insurers themselves and their breakers' policies: list, get, create, update."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from dataclasses import dataclass, fields, replace

from sluice_server.domain.breaker.board import BreakerBoard
from sluice_server.domain.breaker.commands import Command, check_etag, find_target, is_repeat, new_breaker
from sluice_server.domain.breaker.model import Breaker, BreakerPolicy, Evidence, Scope
from sluice_server.domain.breaker.policy import policy_violations
from sluice_server.domain.breaker.ports import Insurer
from sluice_server.domain.breaker.record import caller, save, subject, write_audit
from sluice_server.domain.context import CallContext, Clock
from sluice_server.domain.errors import (
    InsurerExists,
    InsurerNotConfigured,
    InsurerNotFound,
    InvalidInput,
    Violation,
)
from sluice_server.domain.orders.ports import AdapterDirectory
from sluice_server.domain.routing.model import plain
from sluice_server.domain.unit_of_work import Store, UnitOfWork

UPDATABLE = ("display_name", "description", "contact", "capacity")
"""Fields of an insurer that UpdateInsurer may change."""


@dataclass(frozen=True, slots=True)
class InsurerView:
    """An insurer with its breakers and what they see."""

    insurer: Insurer
    breaker: Breaker
    product_lines: tuple[Breaker, ...]
    evidence: Evidence | None
    """None before the watch has looked."""
    adapter_configured: bool


@dataclass(frozen=True, slots=True)
class InsurerPage:
    insurers: tuple[InsurerView, ...]
    next_after: str
    """Where the next page begins; empty on the last one."""


class InsurerViews:
    """Puts insurers and breakers together."""

    def __init__(self, board: BreakerBoard, adapters: AdapterDirectory) -> None:
        self._board, self._adapters = board, adapters

    def view(self, insurer: Insurer, breakers: Mapping[Scope, Breaker]) -> InsurerView:
        """``breakers``: at least the insurer's."""
        whole = Scope(insurer.insurer_id)
        return InsurerView(
            insurer=insurer,
            breaker=breakers.get(whole) or new_breaker(whole, insurer.created_at, BreakerPolicy()),
            product_lines=tuple(
                breakers[scope]
                for scope in sorted(breakers)
                if scope.insurer_id == insurer.insurer_id and scope.product_line
            ),
            evidence=self._board.evidence(whole),
            adapter_configured=self._configured(insurer.insurer_id),
        )

    async def stored(self, uow: UnitOfWork, insurer: Insurer) -> InsurerView:
        """The view of one insurer as the unit of work sees it."""
        return self.view(insurer, {b.scope: b for b in await uow.breakers.list()})

    def shown(self) -> dict[str, InsurerView]:
        """The views of all insurers as the board shows them."""
        breakers: dict[str, dict[Scope, Breaker]] = {}
        for scope, breaker in self._board.breakers.items():
            breakers.setdefault(scope.insurer_id, {})[scope] = breaker
        return {key: self.view(insurer, breakers.get(key, {})) for key, insurer in self._board.insurers.items()}

    def _configured(self, insurer_id: str) -> bool:
        try:
            self._adapters.get(insurer_id)
        except InsurerNotConfigured:
            return False
        return True


class ListInsurers:
    """All insurers, by id."""

    def __init__(self, store: Store, views: InsurerViews) -> None:
        self._store, self._views = store, views

    async def __call__(self, *, after: str, limit: int) -> InsurerPage:
        """``after``: the last insurer_id of the page before; empty for the first page."""
        async with self._store.read() as uow:
            insurers = [i for i in await uow.insurers.list() if i.insurer_id > after]
            breakers = await uow.breakers.list()
        by_insurer: dict[str, dict[Scope, Breaker]] = {}
        for breaker in breakers:
            by_insurer.setdefault(breaker.scope.insurer_id, {})[breaker.scope] = breaker
        shown = insurers[:limit]
        page = tuple(self._views.view(i, by_insurer.get(i.insurer_id, {})) for i in shown)
        return InsurerPage(page, shown[-1].insurer_id if len(insurers) > limit else "")


class GetInsurer:
    def __init__(self, store: Store, views: InsurerViews) -> None:
        self._store, self._views = store, views

    async def __call__(self, insurer_id: str) -> InsurerView:
        """Raises InsurerNotFound."""
        async with self._store.read() as uow:
            return await self._views.stored(uow, await _insurer(uow, insurer_id))


class CreateInsurer:
    """Makes an insurer known, with a breaker: CLOSED, ENFORCING, the default policy."""

    def __init__(self, store: Store, board: BreakerBoard, views: InsurerViews, clock: Clock) -> None:
        self._store, self._board, self._views, self._clock = store, board, views, clock

    async def __call__(self, insurer: Insurer, reason: str, request_id: str, context: CallContext) -> InsurerView:
        """Times and version of ``insurer`` are set here. Raises InsurerExists."""
        now = self._clock.now()
        created = replace(insurer, created_at=now, updated_at=now, version=1)
        scope = Scope(insurer.insurer_id)
        async with self._store.write() as uow:
            if await is_repeat(uow, request_id, "CreateInsurer", subject(scope)):
                return await self._views.stored(uow, await _insurer(uow, insurer.insurer_id))
            if not await uow.insurers.add(created):
                raise InsurerExists(
                    f"insurer {insurer.insurer_id!r} exists; UpdateInsurer changes it", insurer_id=insurer.insurer_id
                )
            breaker = new_breaker(scope, now, BreakerPolicy())
            await uow.breakers.add(breaker)
            author = caller(context, reason, request_id)
            await write_audit(uow, "CreateInsurer", subject(scope), author, now, {}, _shown(created))
            await uow.commit()
        await self._board.refresh()
        return self._views.view(created, {scope: breaker})


class UpdateInsurer:
    """Changes the named fields of an insurer."""

    def __init__(self, store: Store, board: BreakerBoard, views: InsurerViews, clock: Clock) -> None:
        self._store, self._board, self._views, self._clock = store, board, views, clock

    async def __call__(
        self,
        insurer_id: str,
        values: Insurer,
        mask: Collection[str],
        *,
        etag: str,
        reason: str,
        request_id: str,
        context: CallContext,
    ) -> InsurerView:
        """``mask``: names out of UPDATABLE. Raises InsurerNotFound, StaleEtag."""
        now = self._clock.now()
        async with self._store.write() as uow:
            before = await _insurer(uow, insurer_id)
            if await is_repeat(uow, request_id, "UpdateInsurer", subject(Scope(insurer_id))):
                return await self._views.stored(uow, before)
            check_etag(etag, before.version, f"insurer {insurer_id}")
            after = replace(before, **{name: getattr(values, name) for name in mask if name in UPDATABLE})
            if after == before:
                return await self._views.stored(uow, before)
            after = replace(after, updated_at=now)
            await uow.insurers.save(after)
            author = caller(context, reason, request_id)
            name = subject(Scope(insurer_id))
            await write_audit(uow, "UpdateInsurer", name, author, now, _shown(before), _shown(after))
            view = await self._views.stored(uow, replace(after, version=before.version + 1))
            await uow.commit()
        await self._board.refresh()
        return view


class UpdateBreakerPolicy:
    """Changes the named thresholds; the whole policy that results must be valid."""

    def __init__(self, store: Store, board: BreakerBoard, clock: Clock) -> None:
        self._store, self._board, self._clock = store, board, clock

    async def __call__(
        self, command: Command, values: BreakerPolicy, mask: Collection[str], context: CallContext
    ) -> Breaker:
        """``mask``: names of the policy's fields. Raises InvalidInput with every violation (``policy.<field>``)."""
        now = self._clock.now()
        async with self._store.write() as uow:
            target = await find_target(uow, command, "UpdateBreakerPolicy", now)
            breaker = target.breaker
            if target.repeated:
                return breaker
            known = {field.name for field in fields(BreakerPolicy)}
            policy = replace(breaker.policy, **{name: getattr(values, name) for name in mask if name in known})
            violations = [Violation(f"policy.{name}", text) for name, text in policy_violations(policy)]
            if violations:
                raise InvalidInput(violations)
            if policy == breaker.policy:
                return breaker
            after = replace(breaker, policy=policy)
            stored = await save(uow, after)
            author = caller(context, command.reason, command.request_id)
            name = subject(command.scope)
            before_shown, after_shown = _policy_shown(breaker.policy), _policy_shown(policy)
            await write_audit(uow, "UpdateBreakerPolicy", name, author, now, before_shown, after_shown)
            await uow.commit()
        await self._board.refresh()
        return stored


class WatchInsurers:
    """The present state, then each change of an insurer or its breakers, from the board in memory."""

    def __init__(self, board: BreakerBoard, views: InsurerViews) -> None:
        self._board, self._views = board, views

    async def __call__(self, insurer_ids: Sequence[str]) -> AsyncGenerator[tuple[InsurerView, bool], None]:
        """Views with whether they belong to the initial state. Does not end by itself. Raises InsurerNotFound."""
        await self._board.refresh()
        revision, views = self._board.revision, self._views.shown()
        for insurer_id in insurer_ids:
            if insurer_id not in views:
                raise InsurerNotFound(insurer_id)
        wanted = frozenset(insurer_ids)
        sent: dict[str, tuple[object, ...]] = {}
        initial = True
        while True:
            for key in sorted(views):
                view = views[key]
                state = (view.insurer, view.breaker, view.product_lines)
                if (not wanted or key in wanted) and sent.get(key) != state:
                    sent[key] = state
                    yield view, initial
            initial = False
            revision = await self._board.changed(revision)
            views = self._views.shown()


async def _insurer(uow: UnitOfWork, insurer_id: str) -> Insurer:
    insurer = await uow.insurers.get(insurer_id)
    if insurer is None:
        raise InsurerNotFound(insurer_id)
    return insurer


def _shown(insurer: Insurer) -> dict[str, object]:
    """What audit rows say about an insurer."""
    return {name: plain(getattr(insurer, name)) for name in UPDATABLE}


def _policy_shown(policy: BreakerPolicy) -> dict[str, object]:
    return {field.name: plain(getattr(policy, field.name)) for field in fields(policy)}
