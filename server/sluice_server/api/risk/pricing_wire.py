"""From RiskQuery's requests about models and prices to parameters."""

from __future__ import annotations

from sluice.risk.v1 import model_versions_pb2, pricing_pb2
from sluice_server.api.risk.wire import Checks
from sluice_server.domain.risk.pricing.change import ModelActivation, ProposedPrices
from sluice_server.domain.risk.pricing.model_version import ModelState, ModelTarget
from sluice_server.domain.risk.pricing.read import ListModelVersionsParams, QuoteParams
from sluice_server.domain.risk.pricing.tariff import DAYS_IN_YEAR

MAX_COVER_DAYS = 3_660
MAX_FACTORS = 50
GREATEST_LOADING = 10.0

MODEL_STATES = {
    ModelState.FITTED: model_versions_pb2.MODEL_STATE_FITTED,
    ModelState.VALIDATED: model_versions_pb2.MODEL_STATE_VALIDATED,
    ModelState.REFUSED: model_versions_pb2.MODEL_STATE_REFUSED,
    ModelState.ACTIVE: model_versions_pb2.MODEL_STATE_ACTIVE,
    ModelState.RETIRED: model_versions_pb2.MODEL_STATE_RETIRED,
}
MODEL_TARGETS = {
    ModelTarget.FREQUENCY: model_versions_pb2.MODEL_TARGET_FREQUENCY,
    ModelTarget.SEVERITY: model_versions_pb2.MODEL_TARGET_SEVERITY,
    ModelTarget.PURE_PREMIUM: model_versions_pb2.MODEL_TARGET_PURE_PREMIUM,
}


def list_model_versions_params(request: model_versions_pb2.ListModelVersionsRequest) -> ListModelVersionsParams:
    checks = Checks()
    states = {int(number): state for state, number in MODEL_STATES.items()}
    targets = {0: None} | {int(number): target for target, number in MODEL_TARGETS.items()}
    for i, number in enumerate(request.states):
        if number not in states:
            checks.wrong(f"states[{i}]", f"must be one of {', '.join(MODEL_STATES)}")
    if request.target not in targets:
        checks.wrong("target", f"must be one of {', '.join(MODEL_TARGETS)}")
    page = checks.page(request.page_size, request.page_token, 50)
    checks.done()
    wanted = tuple(dict.fromkeys(states[number] for number in request.states))
    return ListModelVersionsParams(targets[request.target], wanted, page)


def model_validation_params(
    request: model_versions_pb2.GetModelValidationRequest,
) -> tuple[int | None, int | None]:
    checks = Checks()
    version = _version(checks, request.model_version)
    if request.validation < 0:
        checks.wrong("validation", "must not be negative; 0 means the newest")
    checks.done()
    return version, request.validation or None


def quote_params(request: pricing_pb2.QuotePremiumRequest) -> QuoteParams:
    checks = Checks()
    version = _version(checks, request.model_version)
    fields = {
        "product_code": checks.text("product_code", request.product_code, required=True),
        "device_model_id": checks.text("device_model_id", request.device_model_id),
        "channel_id": checks.text("channel_id", request.channel_id),
    }
    currency = ""
    if request.HasField("device_price"):
        currency = checks.text("device_price.currency_code", request.device_price.currency_code, required=True)
        if request.device_price.amount_minor <= 0:
            checks.wrong("device_price.amount_minor", "must be above 0")
        fields["device_price"] = str(request.device_price.amount_minor)
    if not 0 <= request.cover_days <= MAX_COVER_DAYS:
        checks.wrong("cover_days", f"must be 1 to {MAX_COVER_DAYS:,}; 0 means {DAYS_IN_YEAR}")
    if len(request.factors) > MAX_FACTORS:
        checks.wrong("factors", f"at most {MAX_FACTORS} are allowed")
    for name, value in request.factors.items():
        checks.text(f"factors.{name[:100]}", value, required=True)
    checks.done()
    return QuoteParams(
        {name: value for name, value in fields.items() if value},
        dict(request.factors),
        request.cover_days or DAYS_IN_YEAR,
        currency,
        version,
    )


def proposed_prices(request: pricing_pb2.ProposePriceRequest) -> ProposedPrices:
    checks = Checks()
    if request.model_version <= 0:
        checks.wrong("model_version", "is required")
    loading = request.loading if request.HasField("loading") else None
    change = request.maximum_change if request.HasField("maximum_change") else None
    beyond = request.maximum_share if request.HasField("maximum_share") else None
    if beyond is not None and not 0 <= beyond < 1:
        checks.wrong("maximum_share", "must be 0 or more and below 1: 0.05 is 5 % of the policies")
    if loading is not None and not 0 <= loading <= GREATEST_LOADING:
        checks.wrong("loading", f"must be 0 to {GREATEST_LOADING:g}: 0.25 is 25 %")
    if change is not None and not 0 < change <= GREATEST_LOADING:
        checks.wrong("maximum_change", f"must be above 0 and at most {GREATEST_LOADING:g}: 0.2 is 20 %")
    reason = checks.text("reason", request.reason, required=True)
    request_id = checks.text("request_id", request.request_id)
    checks.done()
    return ProposedPrices(request.model_version, reason, loading, change, request_id, beyond or 0.0)


def model_activation(request: model_versions_pb2.ActivateModelRequest) -> ModelActivation:
    checks = Checks()
    if request.model_version <= 0:
        checks.wrong("model_version", "is required")
    etag = checks.text("etag", request.etag, required=True)
    proposal_id = checks.text("proposal_id", request.proposal_id)
    reason = checks.text("reason", request.reason, required=True)
    request_id = checks.text("request_id", request.request_id)
    checks.done()
    return ModelActivation(request.model_version, etag, reason, proposal_id, request_id)


def _version(checks: Checks, value: int) -> int | None:
    if value < 0:
        checks.wrong("model_version", "must not be negative; 0 means the active one")
    return value or None
