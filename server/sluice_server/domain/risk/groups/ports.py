"""What the search for risk groups needs from outside."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.groups.cells import GroupCells
from sluice_server.domain.risk.groups.group import JudgedGroup
from sluice_server.domain.risk.semantic.semantic_model import Label


@dataclass(frozen=True, slots=True)
class Completion:
    """What a language model answered."""

    text: str
    tokens: int
    """Spent on question and answer."""


class LanguageModelFailed(Exception):
    """No answer came; the text says why (nothing secret in it)."""


class LanguageModel(Protocol):
    """Any model that answers a text with a text."""

    @property
    def name(self) -> str: ...

    async def answer(self, instruction: str, material: str, *, most_tokens: int) -> Completion:
        """At most ``most_tokens`` long. Tries again by itself where a repeat can help. Raises LanguageModelFailed."""
        ...


class CellReader(Protocol):
    """Reads the rating cells of a data version."""

    async def rating_cells(self, data_version: int | None) -> GroupCells:
        """Of the active version for None. Raises DataVersionNotFound, Unavailable."""
        ...


class RunState(StrEnum):
    """What has become of a search."""

    RUNNING = "RUNNING"
    DONE = "DONE"


@dataclass(frozen=True, slots=True)
class RiskGroup:
    """A judged group as it is stored."""

    risk_group_id: str
    judged: JudgedGroup
    summary: Label


@dataclass(frozen=True, slots=True)
class GroupRun:
    """One search over one data version."""

    stamp: DataStamp
    created_at: datetime
    seed: int
    split: str
    false_discovery_rate: float
    minimum_share: float
    tried: int
    proposed: int
    accepted: int
    permuted_proposed: int
    permuted_accepted: int
    refused_proposals: Mapping[str, int] = field(default_factory=dict)
    """Of the language model, before the gate, by the reason."""
    llm_model: str = ""
    llm_tokens: int = 0
    llm_failure: str = ""


class RiskGroupRepository(Protocol):
    """Searches and their groups in a unit of work."""

    async def claim(self, data_version: int, by: str, now: datetime, *, stale_before: datetime) -> bool:
        """From here on ``by`` searches this version. False when somebody else was heard of since ``stale_before``, or
        has ended."""
        ...

    async def renew(self, data_version: int, by: str, now: datetime) -> None:
        """``by`` is still at it; nothing happens when somebody else has it."""
        ...

    async def release(self, data_version: int, by: str) -> None:
        """Gives up what was claimed; nothing happens when somebody else has it."""
        ...

    async def finish(self, by: str, run: GroupRun, groups: Sequence[RiskGroup]) -> bool:
        """Stores the result; False, and nothing stored, when the claim was lost."""
        ...

    async def run(self, data_version: int) -> tuple[GroupRun, Sequence[RiskGroup]] | None:
        """A search that has ended, its groups in the order they were stored."""
        ...
