"""A data version: one atomically published result of the Flink jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DataVersionState(StrEnum):
    """What has become of a data version."""

    PUBLISHED = "PUBLISHED"
    SUPERSEDED = "SUPERSEDED"
    FAILED = "FAILED"


@dataclass(frozen=True, slots=True)
class DataStamp:
    """The data version that an answer was computed from."""

    data_version: int
    watermark: datetime
    """Events up to this moment are in the data, UTC."""
    published_at: datetime
    currency: str | None = None
    """ISO 4217 code of its amounts; None where the data do not say."""


@dataclass(frozen=True, slots=True)
class DataVersion:
    """One result of the Flink jobs."""

    data_version: int
    watermark: datetime | None
    published_at: datetime | None
    state: DataVersionState
    active: bool
    row_counts: Mapping[str, int]
    fingerprint: str
    flink_version: str
    duration_seconds: float
