"""From models and prices to RiskQuery's messages."""

from __future__ import annotations

import math

from sluice.risk.v1 import data_pb2, model_versions_pb2, pricing_pb2
from sluice.type.v1 import money_pb2
from sluice_server.api.risk.pricing_wire import MODEL_STATES, MODEL_TARGETS
from sluice_server.api.risk.render import interval, stamp, timestamp
from sluice_server.domain.risk.intervals import Interval
from sluice_server.domain.risk.pricing.model_version import (
    GateCheck,
    ModelValidation,
    ModelVersion,
    PriceProposal,
)
from sluice_server.domain.risk.pricing.read import ModelVersionPage, Quote
from sluice_server.domain.risk.pricing.tariff import TariffFactor, TariffLevel
from sluice_server.domain.risk.semantic.semantic_model import IntervalMethod

_Z = 1.959963984540054
_LEVEL = 0.95


def model_version_page(page: ModelVersionPage) -> model_versions_pb2.ListModelVersionsResponse:
    return model_versions_pb2.ListModelVersionsResponse(
        model_versions=[model_version(model) for model in page.models], next_page_token=page.next_page_token
    )


def model_version(model: ModelVersion) -> model_versions_pb2.ModelVersion:
    data = model.content.data
    return model_versions_pb2.ModelVersion(
        model_version=model.version,
        target=MODEL_TARGETS[model.content.target],
        state=MODEL_STATES[model.state],
        method=model.content.method,
        factors=[_factor(factor) for factor in model.content.tariff.factors],
        content_hash=model.content_hash,
        data=None if data is None else stamp(data),
        create_time=timestamp(model.created_at),
        activate_time=None if model.activated_at is None else timestamp(model.activated_at),
        activated_by=model.activated_by,
        etag=model.etag,
    )


def model_validation(model: ModelVersion, validation: ModelValidation) -> model_versions_pb2.ModelValidation:
    return model_versions_pb2.ModelValidation(
        model_version=model.version,
        validation=validation.number,
        passed=validation.passed,
        checks=[_check(check) for check in validation.checks],
        figures=[
            model_versions_pb2.ValidationFigure(
                name=figure.name,
                data_set=figure.data_set,
                value=figure.value,
                interval=interval(figure.interval),
                challenger=figure.challenger,
            )
            for figure in validation.figures
        ],
        lift=[
            model_versions_pb2.LiftBin(
                bin=part.number,
                predicted=part.predicted,
                observed=part.observed,
                interval=interval(part.interval),
                exposure_years=part.exposure_years,
            )
            for part in validation.lift
        ],
        create_time=None if validation.created_at is None else timestamp(validation.created_at),
        data=None if validation.data is None else stamp(validation.data),
    )


def quote(found: Quote) -> pricing_pb2.QuotePremiumResponse:
    tariff, priced, data = found.model.content.tariff, found.price, found.model.content.data
    return pricing_pb2.QuotePremiumResponse(
        premium=_money(priced.premium_minor, tariff.currency_code),
        expected_claims=_money(priced.expected_claims_minor, tariff.currency_code),
        expected_claims_interval=interval(priced.expected_claims_interval),
        steps=[
            pricing_pb2.PriceStep(
                factor=step.factor,
                level=step.level,
                relativity=step.relativity,
                interval=interval(step.interval),
                exposure_years=step.exposure_years,
            )
            for step in priced.steps
        ],
        model_version=found.model.version,
        exposure_years=priced.exposure_years,
        data=None if data is None else stamp(data),
    )


def price_proposal(proposal: PriceProposal) -> pricing_pb2.PriceProposal:
    data: data_pb2.DataStamp | None = None if proposal.data is None else stamp(proposal.data)
    return pricing_pb2.PriceProposal(
        proposal_id=proposal.proposal_id,
        model_version=proposal.model_version,
        gate_passed=proposal.passed,
        checks=[_check(check) for check in proposal.checks],
        dislocation=[
            pricing_pb2.DislocationBand(
                change_at_least=band.at_least, change_below=band.below, policies=band.policies, share=band.share
            )
            for band in proposal.dislocation
        ],
        expected_loss_ratio=proposal.expected_loss_ratio,
        expected_loss_ratio_interval=interval(proposal.expected_loss_ratio_interval),
        proposed_by=proposal.proposed_by,
        create_time=timestamp(proposal.created_at),
        # A proposal never changes.
        etag="1",
        data=data,
    )


def _factor(factor: TariffFactor) -> model_versions_pb2.ModelFactor:
    return model_versions_pb2.ModelFactor(name=factor.name, levels=[_level(level) for level in factor.levels])


def _level(level: TariffLevel) -> model_versions_pb2.ModelLevel:
    bounds = None
    if level.log_error:
        step = math.exp(_Z * level.log_error)
        bounds = Interval(level.relativity / step, level.relativity * step, _LEVEL, IntervalMethod.WALD_LOG)
    return model_versions_pb2.ModelLevel(
        level=level.level,
        relativity=level.relativity,
        interval=interval(bounds),
        exposure_years=level.exposure_years,
    )


def _check(check: GateCheck) -> pricing_pb2.GateCheck:
    return pricing_pb2.GateCheck(
        name=check.name,
        passed=check.passed,
        value=check.value,
        limit=check.limit,
        explanation=check.explanation,
    )


def _money(amount_minor: float, currency_code: str) -> money_pb2.Money:
    """Half a minor unit is rounded up."""
    return money_pb2.Money(amount_minor=math.floor(amount_minor + 0.5), currency_code=currency_code)
