"""GetPlan and ListPlans."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass

from sluice_server.domain.errors import InvalidInput, InvalidPageToken, PlanNotFound, Violation
from sluice_server.domain.routing.ports import StoredPlan
from sluice_server.domain.unit_of_work import Store

DEFAULT_PAGE_SIZE = 50
LARGEST_PAGE_SIZE = 1000


@dataclass(frozen=True, slots=True)
class PlanPage:
    """Some versions, newest first, and where the next ones begin."""

    plans: tuple[StoredPlan, ...]
    next_page_token: str
    """Empty on the last page."""


class GetPlan:
    """One version."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, version: int) -> StoredPlan:
        """Version 0 is the active one. Raises PlanNotFound."""
        async with self._store.read() as uow:
            plan = await (uow.plans.get(version) if version else uow.plans.active())
        if plan is not None:
            return plan
        if version:
            raise PlanNotFound(f"no plan has version {version}; ListPlans shows those that exist", version=str(version))
        raise PlanNotFound("no plan is active; ActivatePlan makes a version active")


class ListPlans:
    """All versions, newest first."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, page_size: int = 0, page_token: str = "") -> PlanPage:
        """``page_size`` 0 is 50; more than 1,000 gives 1,000. Raises InvalidInput, InvalidPageToken."""
        if page_size < 0:
            raise InvalidInput([Violation("page_size", "must not be negative")])
        size = min(page_size or DEFAULT_PAGE_SIZE, LARGEST_PAGE_SIZE)
        after = _version(page_token) if page_token else None
        async with self._store.read() as uow:
            found = await uow.plans.list(after_version=after, limit=size + 1)
        plans = tuple(found[:size])
        return PlanPage(plans, _token(plans[-1].version) if len(found) > size else "")


_CONTENT = re.compile(rb"plans:([1-9][0-9]{0,17})")


def _token(last_version: int) -> str:
    return base64.urlsafe_b64encode(b"plans:%d" % last_version).decode().rstrip("=")


def _version(token: str) -> int:
    try:
        content = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise InvalidPageToken from None
    match = _CONTENT.fullmatch(content)
    if match is None:
        raise InvalidPageToken
    return int(match[1])
