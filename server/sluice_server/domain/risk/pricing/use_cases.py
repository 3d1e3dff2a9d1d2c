"""The use cases of model versions and prices, built over one store."""

from __future__ import annotations

from dataclasses import dataclass

from sluice_server.domain.context import Clock
from sluice_server.domain.risk.pricing.change import ActivateModel, ProposePrice
from sluice_server.domain.risk.pricing.read import GetModelValidation, ListModelVersions, QuotePremium
from sluice_server.domain.unit_of_work import Store


@dataclass(frozen=True, slots=True)
class PricingUseCases:
    """What the RiskQuery service calls for models and prices."""

    list_model_versions: ListModelVersions
    get_model_validation: GetModelValidation
    quote_premium: QuotePremium
    propose_price: ProposePrice
    activate_model: ActivateModel


def build_pricing_use_cases(store: Store, clock: Clock) -> PricingUseCases:
    """The use cases over ``store``."""
    return PricingUseCases(
        ListModelVersions(store),
        GetModelValidation(store),
        QuotePremium(store),
        ProposePrice(store, clock),
        ActivateModel(store, clock),
    )
