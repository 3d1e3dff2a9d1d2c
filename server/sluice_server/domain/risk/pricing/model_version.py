"""What is stored: model versions, their validations, proposals of prices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sluice_server.domain.errors import FailedPrecondition, RiskResourceNotFound
from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.risk.intervals import Interval
from sluice_server.domain.risk.pricing.tariff import Tariff


class ModelState(StrEnum):
    """What has become of a model version."""

    FITTED = "FITTED"
    VALIDATED = "VALIDATED"
    REFUSED = "REFUSED"
    ACTIVE = "ACTIVE"
    RETIRED = "RETIRED"


class ModelTarget(StrEnum):
    """What a model predicts."""

    FREQUENCY = "FREQUENCY"
    SEVERITY = "SEVERITY"
    PURE_PREMIUM = "PURE_PREMIUM"


@dataclass(frozen=True, slots=True)
class GateCheck:
    """One thing that had to hold."""

    name: str
    passed: bool
    value: float
    limit: float
    explanation: str


@dataclass(frozen=True, slots=True)
class ValidationFigure:
    """One figure of the model on one data set, with the challenger's beside it."""

    name: str
    data_set: str
    value: float
    interval: Interval | None = None
    challenger: float | None = None


@dataclass(frozen=True, slots=True)
class ValidationBin:
    """A tenth of the exposure, by the prediction."""

    number: int
    predicted: float
    observed: float
    interval: Interval
    exposure_years: float


@dataclass(frozen=True, slots=True)
class ModelValidation:
    """How well a model predicts what it was not fitted on."""

    passed: bool
    checks: tuple[GateCheck, ...]
    figures: tuple[ValidationFigure, ...]
    lift: tuple[ValidationBin, ...]
    number: int = 0
    """From 1 for each model version; 0 until stored."""
    created_at: datetime | None = None
    data: DataStamp | None = None


@dataclass(frozen=True, slots=True)
class PortfolioCell:
    """Policies that are alike in all factors, to judge a change of prices on. Amounts in minor units."""

    values: dict[str, str]
    policies: int
    exposure_years: float
    claims: int
    incurred_minor: int
    premium_minor: int
    """Earned at the prices of the day."""


@dataclass(frozen=True, slots=True)
class ModelContent:
    """A fitted model as it is stored. Never changes."""

    target: ModelTarget
    method: str
    tariff: Tariff
    portfolio: tuple[PortfolioCell, ...]
    data: DataStamp | None = None


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """A stored model. Immutable but for its state."""

    version: int
    state: ModelState
    content: ModelContent
    content_hash: str
    created_at: datetime
    created_by: str
    request_id: str = ""
    activated_at: datetime | None = None
    activated_by: str = ""
    loading: float = 0.0
    """On the expected claims cost, as it was activated last."""
    proposal_id: str = ""
    """The proposal that was set into force by its last activation."""
    etag: str = ""


@dataclass(frozen=True, slots=True)
class DislocationBand:
    """Policies whose price changes by so much; an end that is None is open."""

    at_least: float | None
    below: float | None
    policies: int
    share: float


@dataclass(frozen=True, slots=True)
class PriceProposal:
    """A judged change of prices."""

    proposal_id: str
    model_version: int
    loading: float
    maximum_change: float
    checks: tuple[GateCheck, ...]
    dislocation: tuple[DislocationBand, ...]
    expected_loss_ratio: float
    expected_loss_ratio_interval: Interval | None
    proposed_by: str
    created_at: datetime
    reason: str
    request_id: str
    data: DataStamp | None = None

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)


class ModelNotActivatable(FailedPrecondition):
    """The model's state, or the lack of a passed proposal, stands against it."""

    reason = "MODEL_NOT_ACTIVATABLE"


def no_such_model(version: int | None) -> RiskResourceNotFound:
    """What is said of a model version that does not exist."""
    if version is None:
        return RiskResourceNotFound("no pricing model is active; ListModelVersions shows those that may be activated")
    return RiskResourceNotFound(
        f"no model has version {version}; ListModelVersions shows those that exist", model_version=str(version)
    )
