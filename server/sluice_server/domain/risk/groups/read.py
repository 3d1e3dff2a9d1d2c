"""The use case ListRiskGroups: what the search of a data version found."""

from __future__ import annotations

from dataclasses import dataclass

from sluice_server.domain.context import CallContext
from sluice_server.domain.errors import InvalidInput, RiskResourceNotFound, Violation
from sluice_server.domain.risk.groups.cells import DIMENSIONS
from sluice_server.domain.risk.groups.group import Side, Source
from sluice_server.domain.risk.groups.ports import GroupRun, RiskGroup
from sluice_server.domain.risk.paging import Page, PageTokens
from sluice_server.domain.risk.ports import RiskReader
from sluice_server.domain.unit_of_work import Store


@dataclass(frozen=True, slots=True)
class ListRiskGroupsParams:
    """Which groups. ``data_version`` None means the active one; empty parts do not restrict."""

    page: Page
    include_refused: bool = False
    sources: tuple[Source, ...] = ()
    dimension: str = ""
    side: Side | None = None
    data_version: int | None = None
    violations: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True)
class RiskGroupPage:
    """One page, accepted ones first, the greatest effect first."""

    groups: tuple[RiskGroup, ...]
    total_size: int
    next_page_token: str
    run: GroupRun


class ListRiskGroups:
    def __init__(self, store: Store, reader: RiskReader) -> None:
        self._store = store
        self._reader = reader
        self._tokens = PageTokens("risk-groups")

    async def __call__(self, params: ListRiskGroupsParams, context: CallContext) -> RiskGroupPage:
        """Raises InvalidInput, InvalidPageToken, DataVersionNotFound, RiskResourceNotFound."""
        wrong = list(params.violations)
        if params.dimension and params.dimension not in DIMENSIONS:
            wrong.append(Violation("dimension", f"{params.dimension!r} is not one of {', '.join(DIMENSIONS)}"))
        if wrong:
            raise InvalidInput(wrong)
        subject = (params.include_refused, params.sources, params.dimension, params.side, params.data_version)
        position = self._tokens.read(params.page.token, subject, {"version": int, "offset": int})
        offset = position.get("offset", 0)
        stamp = await self._reader.stamp(position.get("version", params.data_version))
        async with self._store.read() as uow:
            found = await uow.groups.run(stamp.data_version)
        if found is None:
            text = (
                f"data version {stamp.data_version} was not searched for risk groups yet: the server does it after "
                f"each publication, and `sluice risk groups --data-version {stamp.data_version}` at once"
            )
            raise RiskResourceNotFound(text, data_version=str(stamp.data_version))
        run, groups = found
        wanted = [one for one in groups if _wanted(one, params)]
        page = tuple(wanted[offset : offset + params.page.size])
        end = offset + len(page)
        token = ""
        if page and end < len(wanted):
            token = self._tokens.write(subject, version=stamp.data_version, offset=end)
        return RiskGroupPage(page, len(wanted), token, run)


def _wanted(group: RiskGroup, params: ListRiskGroupsParams) -> bool:
    judged = group.judged
    return (
        (judged.accepted or params.include_refused)
        and (not params.sources or judged.source in params.sources)
        and (params.side is None or judged.side is params.side)
        and (not params.dimension or any(one.dimension == params.dimension for one in judged.conditions))
    )
