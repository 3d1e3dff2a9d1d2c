"""What the domain answers, as messages of sluice.insurer.v1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime, timedelta

from google.protobuf import json_format
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from sluice.insurer.v1 import audit_pb2, breaker_pb2, incident_pb2, insurer_control_pb2, insurer_pb2
from sluice.type.v1 import money_pb2
from sluice_server.api.insurer.wire import SECONDS_FIELDS
from sluice_server.domain.audit.chain import ChainHead
from sluice_server.domain.audit.event import AuditEvent
from sluice_server.domain.breaker.incidents import IncidentView
from sluice_server.domain.breaker.machine import admission
from sluice_server.domain.breaker.model import Breaker, BreakerPolicy, Evidence, IncidentEvent
from sluice_server.domain.breaker.ports import (
    Capacity,
)
from sluice_server.domain.breaker.recovery import RetryProgress
from sluice_server.domain.breaker.registry import InsurerView

_PROTO_NAMES = {domain: proto for proto, domain in SECONDS_FIELDS.items()}


def insurer(view: InsurerView) -> insurer_pb2.Insurer:
    """An insurer with its breakers and evidence."""
    known = view.insurer
    return insurer_pb2.Insurer(
        insurer_id=known.insurer_id,
        display_name=known.display_name,
        description=known.description,
        contact=known.contact,
        capacity=_capacity(known.capacity),
        breaker=breaker(view.breaker),
        product_line_breakers=[breaker(line) for line in view.product_lines],
        evidence=None if view.evidence is None else evidence(view.evidence),
        adapter_configured=view.adapter_configured,
        create_time=timestamp(known.created_at),
        update_time=timestamp(known.updated_at),
        etag=str(known.version),
    )


def breaker(known: Breaker) -> breaker_pb2.Breaker:
    return breaker_pb2.Breaker(
        insurer_id=known.scope.insurer_id,
        product_line=known.scope.product_line,
        state=f"BREAKER_STATE_{known.state}",
        mode=f"BREAKER_MODE_{known.mode}",
        policy=policy(known.policy),
        admitted_basis_points=admission(known).admitted_basis_points,
        state_since=timestamp(known.state_since),
        incident_id=known.incident_id,
        ramp_step=known.ramp_step,
        trips_in_a_row=known.trips_in_a_row,
        etag=str(known.version),
    )


def policy(known: BreakerPolicy) -> breaker_pb2.BreakerPolicy:
    message = breaker_pb2.BreakerPolicy()
    for field in fields(BreakerPolicy):
        value = getattr(known, field.name)
        if field.name in _PROTO_NAMES:
            getattr(message, _PROTO_NAMES[field.name]).CopyFrom(_duration(value))
        elif isinstance(value, tuple):
            getattr(message, field.name).extend(value)
        else:
            setattr(message, field.name, value)
    return message


def evidence(seen: Evidence) -> breaker_pb2.Evidence:
    return breaker_pb2.Evidence(
        observe_time=timestamp(seen.at),
        orders=seen.orders,
        backlog=seen.backlog,
        oldest_unfinished=_duration(seen.oldest_unfinished_seconds),
        outcomes=seen.outcomes,
        failures=seen.failures,
        slow=seen.slow,
        sequential_statistic=seen.sequential_statistic,
        sequential_limit=seen.sequential_limit,
        normal_failure_rate=seen.normal_failure_rate,
        first_failure_time=_timestamp_or_none(seen.first_failure_at),
        orders_since_first_failure=seen.orders_since_first_failure,
        tripped=[f"EVIDENCE_KIND_{kind}" for kind in seen.tripped],
    )


def incident(view: IncidentView) -> incident_pb2.Incident:
    known = view.incident
    return incident_pb2.Incident(
        incident_id=known.incident_id,
        insurer_id=known.scope.insurer_id,
        product_line=known.scope.product_line,
        state=f"BREAKER_STATE_{view.state}",
        evidence=evidence(known.evidence),
        open_time=timestamp(known.opened_at),
        confirm_time=_timestamp_or_none(known.confirmed_at),
        confirmed_by=known.confirmed_by,
        restore_time=_timestamp_or_none(known.restored_at),
        close_time=_timestamp_or_none(known.closed_at),
        time_to_detect=_duration_or_none(known.seconds_to_detect),
        time_to_cut=_duration_or_none(known.seconds_to_cut),
        time_to_confirm=_duration_or_none(view.seconds_to_confirm),
        time_to_recover=_duration(view.seconds_to_recover),
        shares_before=_shares(known.shares_before),
        shares_after=_shares(known.shares_after),
        affected_orders=known.affected_orders,
        abnormal_orders_left=view.abnormal_orders_left,
        retried_orders=known.retried_orders,
        insured_by_retry=known.insured_by_retry,
        leaked_orders=known.leaked_orders,
        events=[_event(event) for event in known.events],
    )


def retry_progress(progress: RetryProgress) -> insurer_control_pb2.RetryAbnormalOrdersResponse:
    return insurer_control_pb2.RetryAbnormalOrdersResponse(
        application_id=progress.application_id,
        outcome=str(progress.outcome or ""),
        retried=progress.retried,
        insured=progress.insured,
        rejected=progress.rejected,
        remaining=progress.remaining,
        cohort=progress.cohort,
        done=progress.done,
        breaker=breaker(progress.breaker),
        stopped_because=progress.stopped_because,
    )


def chain_head(head: ChainHead) -> audit_pb2.AuditChainHead:
    return audit_pb2.AuditChainHead(sequence=head.sequence, hash=head.hash)


def audit_event(event: AuditEvent) -> audit_pb2.AuditEvent:
    link = event.link
    return audit_pb2.AuditEvent(
        audit_id=event.audit_id,
        event_time=timestamp(event.at),
        actor=event.actor,
        actor_verified=event.actor_verified,
        action=event.action,
        subject=event.subject,
        reason=event.reason,
        request_id=event.request_id,
        trace_id=event.trace_id,
        before=_struct(event.before),
        after=_struct(event.after),
        sequence=link.sequence if link else 0,
        previous_hash=link.previous_hash if link else "",
        hash=link.hash if link else "",
    )


def _event(event: IncidentEvent) -> incident_pb2.IncidentEvent:
    return incident_pb2.IncidentEvent(
        kind=f"INCIDENT_EVENT_KIND_{event.kind}",
        event_time=timestamp(event.at),
        actor=event.actor,
        reason=event.reason,
        details=event.details,
    )


def _shares(orders: Mapping[str, int]) -> list[incident_pb2.InsurerShare]:
    total = sum(orders.values())
    return [
        incident_pb2.InsurerShare(insurer_id=key, basis_points=round(count * 10_000 / total), orders=count)
        for key, count in sorted(orders.items())
        if total
    ]


def _capacity(capacity: Capacity) -> insurer_pb2.Capacity | None:
    if capacity == Capacity():
        return None
    premium = capacity.premium_per_day
    return insurer_pb2.Capacity(
        orders_per_second=capacity.orders_per_second,
        orders_per_day=capacity.orders_per_day,
        premium_per_day=None
        if premium is None
        else money_pb2.Money(amount_minor=premium.amount_minor, currency_code=premium.currency_code),
    )


def timestamp(moment: datetime) -> Timestamp:
    message = Timestamp()
    message.FromDatetime(moment)
    return message


def _timestamp_or_none(moment: datetime | None) -> Timestamp | None:
    return None if moment is None else timestamp(moment)


def _duration(seconds: float) -> Duration:
    message = Duration()
    message.FromTimedelta(timedelta(seconds=seconds))
    return message


def _duration_or_none(seconds: float | None) -> Duration | None:
    return None if seconds is None else _duration(seconds)


def _struct(values: Mapping[str, object]) -> Struct:
    message = Struct()
    json_format.ParseDict(dict(values), message)
    return message
