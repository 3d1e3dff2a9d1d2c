import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from sluice.insurer.v1 import audit_pb2 as _audit_pb2
from sluice.insurer.v1 import breaker_pb2 as _breaker_pb2
from sluice.insurer.v1 import incident_pb2 as _incident_pb2
from sluice.insurer.v1 import insurer_pb2 as _insurer_pb2
from sluice.insurer.v1 import reconciliation_pb2 as _reconciliation_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ListInsurersRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListInsurersResponse(_message.Message):
    __slots__ = ("insurers", "next_page_token")
    INSURERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    insurers: _containers.RepeatedCompositeFieldContainer[_insurer_pb2.Insurer]
    next_page_token: str
    def __init__(self, insurers: _Optional[_Iterable[_Union[_insurer_pb2.Insurer, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetInsurerRequest(_message.Message):
    __slots__ = ("insurer_id",)
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    insurer_id: str
    def __init__(self, insurer_id: _Optional[str] = ...) -> None: ...

class GetInsurerResponse(_message.Message):
    __slots__ = ("insurer",)
    INSURER_FIELD_NUMBER: _ClassVar[int]
    insurer: _insurer_pb2.Insurer
    def __init__(self, insurer: _Optional[_Union[_insurer_pb2.Insurer, _Mapping]] = ...) -> None: ...

class CreateInsurerRequest(_message.Message):
    __slots__ = ("insurer", "reason", "request_id")
    INSURER_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    insurer: _insurer_pb2.Insurer
    reason: str
    request_id: str
    def __init__(self, insurer: _Optional[_Union[_insurer_pb2.Insurer, _Mapping]] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreateInsurerResponse(_message.Message):
    __slots__ = ("insurer",)
    INSURER_FIELD_NUMBER: _ClassVar[int]
    insurer: _insurer_pb2.Insurer
    def __init__(self, insurer: _Optional[_Union[_insurer_pb2.Insurer, _Mapping]] = ...) -> None: ...

class UpdateInsurerRequest(_message.Message):
    __slots__ = ("insurer", "update_mask", "reason", "request_id")
    INSURER_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    insurer: _insurer_pb2.Insurer
    update_mask: _field_mask_pb2.FieldMask
    reason: str
    request_id: str
    def __init__(self, insurer: _Optional[_Union[_insurer_pb2.Insurer, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class UpdateInsurerResponse(_message.Message):
    __slots__ = ("insurer",)
    INSURER_FIELD_NUMBER: _ClassVar[int]
    insurer: _insurer_pb2.Insurer
    def __init__(self, insurer: _Optional[_Union[_insurer_pb2.Insurer, _Mapping]] = ...) -> None: ...

class WatchInsurersRequest(_message.Message):
    __slots__ = ("insurer_ids",)
    INSURER_IDS_FIELD_NUMBER: _ClassVar[int]
    insurer_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, insurer_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class WatchInsurersResponse(_message.Message):
    __slots__ = ("insurer", "initial")
    INSURER_FIELD_NUMBER: _ClassVar[int]
    INITIAL_FIELD_NUMBER: _ClassVar[int]
    insurer: _insurer_pb2.Insurer
    initial: bool
    def __init__(self, insurer: _Optional[_Union[_insurer_pb2.Insurer, _Mapping]] = ..., initial: _Optional[bool] = ...) -> None: ...

class UpdateBreakerPolicyRequest(_message.Message):
    __slots__ = ("insurer_id", "product_line", "policy", "update_mask", "etag", "reason", "request_id")
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_LINE_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    insurer_id: str
    product_line: str
    policy: _breaker_pb2.BreakerPolicy
    update_mask: _field_mask_pb2.FieldMask
    etag: str
    reason: str
    request_id: str
    def __init__(self, insurer_id: _Optional[str] = ..., product_line: _Optional[str] = ..., policy: _Optional[_Union[_breaker_pb2.BreakerPolicy, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., etag: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class UpdateBreakerPolicyResponse(_message.Message):
    __slots__ = ("breaker",)
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    breaker: _breaker_pb2.Breaker
    def __init__(self, breaker: _Optional[_Union[_breaker_pb2.Breaker, _Mapping]] = ...) -> None: ...

class SetBreakerModeRequest(_message.Message):
    __slots__ = ("insurer_id", "product_line", "mode", "etag", "reason", "request_id")
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_LINE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    insurer_id: str
    product_line: str
    mode: _breaker_pb2.BreakerMode
    etag: str
    reason: str
    request_id: str
    def __init__(self, insurer_id: _Optional[str] = ..., product_line: _Optional[str] = ..., mode: _Optional[_Union[_breaker_pb2.BreakerMode, str]] = ..., etag: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class SetBreakerModeResponse(_message.Message):
    __slots__ = ("breaker",)
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    breaker: _breaker_pb2.Breaker
    def __init__(self, breaker: _Optional[_Union[_breaker_pb2.Breaker, _Mapping]] = ...) -> None: ...

class CutTrafficRequest(_message.Message):
    __slots__ = ("insurer_id", "product_line", "etag", "reason", "request_id")
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_LINE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    insurer_id: str
    product_line: str
    etag: str
    reason: str
    request_id: str
    def __init__(self, insurer_id: _Optional[str] = ..., product_line: _Optional[str] = ..., etag: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class CutTrafficResponse(_message.Message):
    __slots__ = ("breaker", "incident_id")
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    INCIDENT_ID_FIELD_NUMBER: _ClassVar[int]
    breaker: _breaker_pb2.Breaker
    incident_id: str
    def __init__(self, breaker: _Optional[_Union[_breaker_pb2.Breaker, _Mapping]] = ..., incident_id: _Optional[str] = ...) -> None: ...

class ConfirmRecoveryRequest(_message.Message):
    __slots__ = ("insurer_id", "product_line", "contact", "evidence", "etag", "reason", "request_id")
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_LINE_FIELD_NUMBER: _ClassVar[int]
    CONTACT_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    insurer_id: str
    product_line: str
    contact: str
    evidence: str
    etag: str
    reason: str
    request_id: str
    def __init__(self, insurer_id: _Optional[str] = ..., product_line: _Optional[str] = ..., contact: _Optional[str] = ..., evidence: _Optional[str] = ..., etag: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ConfirmRecoveryResponse(_message.Message):
    __slots__ = ("breaker", "abnormal_orders")
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    ABNORMAL_ORDERS_FIELD_NUMBER: _ClassVar[int]
    breaker: _breaker_pb2.Breaker
    abnormal_orders: int
    def __init__(self, breaker: _Optional[_Union[_breaker_pb2.Breaker, _Mapping]] = ..., abnormal_orders: _Optional[int] = ...) -> None: ...

class RetryAbnormalOrdersRequest(_message.Message):
    __slots__ = ("insurer_id", "product_line", "etag", "reason", "request_id")
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_LINE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    insurer_id: str
    product_line: str
    etag: str
    reason: str
    request_id: str
    def __init__(self, insurer_id: _Optional[str] = ..., product_line: _Optional[str] = ..., etag: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class RetryAbnormalOrdersResponse(_message.Message):
    __slots__ = ("application_id", "outcome", "retried", "insured", "rejected", "remaining", "cohort", "done", "breaker", "stopped_because")
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    RETRIED_FIELD_NUMBER: _ClassVar[int]
    INSURED_FIELD_NUMBER: _ClassVar[int]
    REJECTED_FIELD_NUMBER: _ClassVar[int]
    REMAINING_FIELD_NUMBER: _ClassVar[int]
    COHORT_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    STOPPED_BECAUSE_FIELD_NUMBER: _ClassVar[int]
    application_id: str
    outcome: str
    retried: int
    insured: int
    rejected: int
    remaining: int
    cohort: int
    done: bool
    breaker: _breaker_pb2.Breaker
    stopped_because: str
    def __init__(self, application_id: _Optional[str] = ..., outcome: _Optional[str] = ..., retried: _Optional[int] = ..., insured: _Optional[int] = ..., rejected: _Optional[int] = ..., remaining: _Optional[int] = ..., cohort: _Optional[int] = ..., done: _Optional[bool] = ..., breaker: _Optional[_Union[_breaker_pb2.Breaker, _Mapping]] = ..., stopped_because: _Optional[str] = ...) -> None: ...

class RestoreTrafficRequest(_message.Message):
    __slots__ = ("insurer_id", "product_line", "override", "etag", "reason", "request_id")
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_LINE_FIELD_NUMBER: _ClassVar[int]
    OVERRIDE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    insurer_id: str
    product_line: str
    override: bool
    etag: str
    reason: str
    request_id: str
    def __init__(self, insurer_id: _Optional[str] = ..., product_line: _Optional[str] = ..., override: _Optional[bool] = ..., etag: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class RestoreTrafficResponse(_message.Message):
    __slots__ = ("breaker",)
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    breaker: _breaker_pb2.Breaker
    def __init__(self, breaker: _Optional[_Union[_breaker_pb2.Breaker, _Mapping]] = ...) -> None: ...

class SimulateBreakerRequest(_message.Message):
    __slots__ = ("policy", "outcomes", "insurer_id", "from_time", "until_time")
    POLICY_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    FROM_TIME_FIELD_NUMBER: _ClassVar[int]
    UNTIL_TIME_FIELD_NUMBER: _ClassVar[int]
    policy: _breaker_pb2.BreakerPolicy
    outcomes: _containers.RepeatedCompositeFieldContainer[RecordedOutcome]
    insurer_id: str
    from_time: _timestamp_pb2.Timestamp
    until_time: _timestamp_pb2.Timestamp
    def __init__(self, policy: _Optional[_Union[_breaker_pb2.BreakerPolicy, _Mapping]] = ..., outcomes: _Optional[_Iterable[_Union[RecordedOutcome, _Mapping]]] = ..., insurer_id: _Optional[str] = ..., from_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., until_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class RecordedOutcome(_message.Message):
    __slots__ = ("event_time", "insurer_id", "product_line", "outcome", "latency", "count")
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_LINE_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    event_time: _timestamp_pb2.Timestamp
    insurer_id: str
    product_line: str
    outcome: str
    latency: _duration_pb2.Duration
    count: int
    def __init__(self, event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., insurer_id: _Optional[str] = ..., product_line: _Optional[str] = ..., outcome: _Optional[str] = ..., latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., count: _Optional[int] = ...) -> None: ...

class SimulateBreakerResponse(_message.Message):
    __slots__ = ("trip", "orders", "wrongly_diverted", "done", "orders_saved")
    TRIP_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    WRONGLY_DIVERTED_FIELD_NUMBER: _ClassVar[int]
    DONE_FIELD_NUMBER: _ClassVar[int]
    ORDERS_SAVED_FIELD_NUMBER: _ClassVar[int]
    trip: SimulatedTrip
    orders: int
    wrongly_diverted: int
    done: bool
    orders_saved: int
    def __init__(self, trip: _Optional[_Union[SimulatedTrip, _Mapping]] = ..., orders: _Optional[int] = ..., wrongly_diverted: _Optional[int] = ..., done: _Optional[bool] = ..., orders_saved: _Optional[int] = ...) -> None: ...

class SimulatedTrip(_message.Message):
    __slots__ = ("trip_time", "insurer_id", "product_line", "evidence", "orders_before")
    TRIP_TIME_FIELD_NUMBER: _ClassVar[int]
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_LINE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    ORDERS_BEFORE_FIELD_NUMBER: _ClassVar[int]
    trip_time: _timestamp_pb2.Timestamp
    insurer_id: str
    product_line: str
    evidence: _breaker_pb2.Evidence
    orders_before: int
    def __init__(self, trip_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., insurer_id: _Optional[str] = ..., product_line: _Optional[str] = ..., evidence: _Optional[_Union[_breaker_pb2.Evidence, _Mapping]] = ..., orders_before: _Optional[int] = ...) -> None: ...

class ListIncidentsRequest(_message.Message):
    __slots__ = ("insurer_id", "open_only", "page_size", "page_token")
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    OPEN_ONLY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    insurer_id: str
    open_only: bool
    page_size: int
    page_token: str
    def __init__(self, insurer_id: _Optional[str] = ..., open_only: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListIncidentsResponse(_message.Message):
    __slots__ = ("incidents", "next_page_token")
    INCIDENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    incidents: _containers.RepeatedCompositeFieldContainer[_incident_pb2.Incident]
    next_page_token: str
    def __init__(self, incidents: _Optional[_Iterable[_Union[_incident_pb2.Incident, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetIncidentRequest(_message.Message):
    __slots__ = ("incident_id",)
    INCIDENT_ID_FIELD_NUMBER: _ClassVar[int]
    incident_id: str
    def __init__(self, incident_id: _Optional[str] = ...) -> None: ...

class GetIncidentResponse(_message.Message):
    __slots__ = ("incident",)
    INCIDENT_FIELD_NUMBER: _ClassVar[int]
    incident: _incident_pb2.Incident
    def __init__(self, incident: _Optional[_Union[_incident_pb2.Incident, _Mapping]] = ...) -> None: ...

class ListAuditEventsRequest(_message.Message):
    __slots__ = ("subject", "actor", "page_size", "page_token")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    subject: str
    actor: str
    page_size: int
    page_token: str
    def __init__(self, subject: _Optional[str] = ..., actor: _Optional[str] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAuditEventsResponse(_message.Message):
    __slots__ = ("audit_events", "next_page_token", "chain_head")
    AUDIT_EVENTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CHAIN_HEAD_FIELD_NUMBER: _ClassVar[int]
    audit_events: _containers.RepeatedCompositeFieldContainer[_audit_pb2.AuditEvent]
    next_page_token: str
    chain_head: _audit_pb2.AuditChainHead
    def __init__(self, audit_events: _Optional[_Iterable[_Union[_audit_pb2.AuditEvent, _Mapping]]] = ..., next_page_token: _Optional[str] = ..., chain_head: _Optional[_Union[_audit_pb2.AuditChainHead, _Mapping]] = ...) -> None: ...
