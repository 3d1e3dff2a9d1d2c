"""The use case ListDataVersions."""

from __future__ import annotations

from dataclasses import dataclass

from sluice_server.domain.context import CallContext
from sluice_server.domain.risk.data_version import DataVersion, DataVersionState
from sluice_server.domain.risk.paging import Page, PageTokens
from sluice_server.domain.risk.ports import RiskReader


@dataclass(frozen=True, slots=True)
class ListDataVersionsParams:
    """What to list. ``states`` empty means all."""

    states: tuple[DataVersionState, ...]
    page: Page


@dataclass(frozen=True, slots=True)
class DataVersionPage:
    """Data versions, newest first."""

    data_versions: tuple[DataVersion, ...]
    next_page_token: str


class ListDataVersions:
    """Lists the data versions that are kept. Pages by version number, so publications in between shift nothing."""

    def __init__(self, reader: RiskReader) -> None:
        self._reader = reader
        self._tokens = PageTokens("data_versions")

    async def __call__(self, params: ListDataVersionsParams, context: CallContext) -> DataVersionPage:
        """Raises InvalidPageToken, Unavailable."""
        subject = list(params.states)
        before = self._tokens.read(params.page.token, subject, {"before": int}).get("before")
        size = params.page.size
        found = await self._reader.data_versions(params.states, before, size + 1)
        token = self._tokens.write(subject, before=found[size - 1].data_version) if len(found) > size else ""
        return DataVersionPage(tuple(found[:size]), token)
