"""ListModelVersions, GetModelValidation, QuotePremium."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sluice_server.domain.context import CallContext
from sluice_server.domain.errors import InvalidInput, RiskResourceNotFound, Violation
from sluice_server.domain.risk.paging import Page, PageTokens
from sluice_server.domain.risk.pricing.model_version import (
    ModelState,
    ModelTarget,
    ModelValidation,
    ModelVersion,
    no_such_model,
)
from sluice_server.domain.risk.pricing.tariff import DAYS_IN_YEAR, Price, Tariff, price
from sluice_server.domain.unit_of_work import Store, UnitOfWork

_NAMES = {
    "product_code": ("product_code", "product"),
    "device_model_id": ("device_model_id", "device_model"),
    "channel_id": ("channel_id", "channel"),
    "device_price": ("device_price", "device_price_minor"),
}
"""Fields of the request, and what a model may call the factor."""


@dataclass(frozen=True, slots=True)
class ListModelVersionsParams:
    """What to list; empty filters do not filter."""

    target: ModelTarget | None
    states: tuple[ModelState, ...]
    page: Page


@dataclass(frozen=True, slots=True)
class ModelVersionPage:
    """Model versions, newest first."""

    models: tuple[ModelVersion, ...]
    next_page_token: str


@dataclass(frozen=True, slots=True)
class QuoteParams:
    """What a price is wanted for."""

    fields: Mapping[str, str]
    """The named fields that were given: product_code, device_model_id, channel_id, device_price."""
    factors: Mapping[str, str] = field(default_factory=dict)
    cover_days: int = DAYS_IN_YEAR
    currency_code: str = ""
    """Of the device's price; empty when none is given."""
    model_version: int | None = None


@dataclass(frozen=True, slots=True)
class Quote:
    """A price by a model."""

    model: ModelVersion
    price: Price


class ListModelVersions:
    """Lists model versions. Pages by number, so versions stored in between shift nothing."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._tokens = PageTokens("model_versions")

    async def __call__(self, params: ListModelVersionsParams, context: CallContext) -> ModelVersionPage:
        """Raises InvalidPageToken."""
        subject = (params.target, params.states)
        before = self._tokens.read(params.page.token, subject, {"before": int}).get("before")
        size = params.page.size
        async with self._store.read() as uow:
            found = await uow.models.list(params.target, params.states, before=before, limit=size + 1)
        token = self._tokens.write(subject, before=found[size - 1].version) if len(found) > size else ""
        return ModelVersionPage(tuple(found[:size]), token)


class GetModelValidation:
    """Shows a validation of a model version."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(
        self, version: int | None, number: int | None, context: CallContext
    ) -> tuple[ModelVersion, ModelValidation]:
        """The active model for None, its newest validation for None. Raises RiskResourceNotFound."""
        async with self._store.read() as uow:
            model = await _model(uow, version)
            validation = await uow.models.validation(model.version, number)
        if validation is None:
            raise RiskResourceNotFound(f"model version {model.version} has no validation {number}")
        return model, validation


class QuotePremium:
    """Prices one cover."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def __call__(self, params: QuoteParams, context: CallContext) -> Quote:
        """Raises InvalidInput for an unknown factor, RiskResourceNotFound for the model."""
        async with self._store.read() as uow:
            model = await _model(uow, params.model_version)
        tariff = model.content.tariff
        values = {**_named(tariff, params), **params.factors}
        return Quote(model, price(tariff, values, model.loading, params.cover_days))


def _named(tariff: Tariff, params: QuoteParams) -> dict[str, str]:
    """The named fields as factors of the model, where it has them: a product may well be no factor."""
    known = {factor.name for factor in tariff.factors}
    values = {}
    for name, value in params.fields.items():
        for factor in _NAMES[name]:
            if factor in known and factor not in params.factors:
                values[factor] = value
    if params.currency_code and params.currency_code != tariff.currency_code:
        text = f"the model prices in {tariff.currency_code}"
        raise InvalidInput([Violation("device_price.currency_code", text)])
    return values


async def _model(uow: UnitOfWork, version: int | None) -> ModelVersion:
    model = await uow.models.active() if version is None else await uow.models.get(version)
    if model is None:
        raise no_such_model(version)
    return model
