"""From screened stores and repair shops to RiskQuery's messages."""

from __future__ import annotations

from sluice.risk.v1 import anomalies_pb2
from sluice.type.v1 import money_pb2
from sluice_server.api.risk.render import stamp
from sluice_server.domain.risk.anomalies.claims_to_open import ClaimToOpen
from sluice_server.domain.risk.anomalies.list_anomalies import Anomaly, AnomalyPage
from sluice_server.domain.risk.anomalies.screening import Indicator


def anomaly_page(found: AnomalyPage) -> anomalies_pb2.ListAnomaliesResponse:
    return anomalies_pb2.ListAnomaliesResponse(
        anomalies=[_anomaly(anomaly, found.currency_code) for anomaly in found.anomalies],
        total_size=found.total_size,
        next_page_token=found.next_page_token,
        screened=found.screened,
        flagged=found.flagged,
        data=stamp(found.stamp),
    )


def _anomaly(anomaly: Anomaly, currency_code: str) -> anomalies_pb2.Anomaly:
    screened = anomaly.screened
    return anomalies_pb2.Anomaly(
        entity=anomaly.entity,
        entity_id=screened.entity_id,
        channel_id=screened.channel_id,
        flagged=anomaly.flagged,
        score=screened.score,
        p_value=screened.p_value,
        q_value=screened.q_value,
        indicators=[_indicator(one, anomaly, currency_code) for one in screened.indicators],
        claims=screened.claims,
        incurred=money_pb2.Money(amount_minor=screened.incurred, currency_code=currency_code),
        exposure_years=screened.exposure_years,
    )


def _indicator(indicator: Indicator, anomaly: Anomaly, currency_code: str) -> anomalies_pb2.Indicator:
    return anomalies_pb2.Indicator(
        name=indicator.name,
        reason_en=indicator.reason.en,
        reason_zh=indicator.reason.zh,
        observed=indicator.observed,
        expected=indicator.expected,
        ratio=indicator.ratio,
        unit=indicator.unit,
        p_value=indicator.p_value,
        over_dispersion=indicator.over_dispersion,
        peers=indicator.peers,
        places=[
            anomalies_pb2.IndicatorPlace(dimensions=one.dimensions, observed=one.observed, expected=one.expected)
            for one in anomaly.places.get(indicator.name, ())
        ],
        claims_to_open=[_claim(one, currency_code) for one in anomaly.claims_to_open.get(indicator.name, ())],
    )


def _claim(claim: ClaimToOpen, currency_code: str) -> anomalies_pb2.ClaimToOpen:
    return anomalies_pb2.ClaimToOpen(
        claim_id=claim.claim_id,
        policy_id=claim.policy_id,
        month=claim.month.isoformat(),
        part_code=claim.part,
        fault_code=claim.fault,
        incurred=money_pb2.Money(amount_minor=claim.incurred, currency_code=currency_code),
        expected=money_pb2.Money(amount_minor=claim.expected, currency_code=currency_code),
        days_since_start=claim.days_since_start,
        days_since_previous_claim=claim.days_since_previous_claim,
    )
