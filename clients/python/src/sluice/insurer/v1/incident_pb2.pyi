import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from sluice.insurer.v1 import breaker_pb2 as _breaker_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class IncidentEventKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INCIDENT_EVENT_KIND_UNSPECIFIED: _ClassVar[IncidentEventKind]
    INCIDENT_EVENT_KIND_TRIPPED: _ClassVar[IncidentEventKind]
    INCIDENT_EVENT_KIND_CUT_MANUALLY: _ClassVar[IncidentEventKind]
    INCIDENT_EVENT_KIND_RECOVERY_CONFIRMED: _ClassVar[IncidentEventKind]
    INCIDENT_EVENT_KIND_RETRY_STARTED: _ClassVar[IncidentEventKind]
    INCIDENT_EVENT_KIND_ORDER_RETRIED: _ClassVar[IncidentEventKind]
    INCIDENT_EVENT_KIND_RETRY_FAILED: _ClassVar[IncidentEventKind]
    INCIDENT_EVENT_KIND_RETRY_COMPLETED: _ClassVar[IncidentEventKind]
    INCIDENT_EVENT_KIND_TRAFFIC_RESTORED: _ClassVar[IncidentEventKind]
    INCIDENT_EVENT_KIND_RAMP_STEP: _ClassVar[IncidentEventKind]
    INCIDENT_EVENT_KIND_TRIPPED_AGAIN: _ClassVar[IncidentEventKind]
    INCIDENT_EVENT_KIND_OVERRIDDEN: _ClassVar[IncidentEventKind]
    INCIDENT_EVENT_KIND_CLOSED: _ClassVar[IncidentEventKind]
INCIDENT_EVENT_KIND_UNSPECIFIED: IncidentEventKind
INCIDENT_EVENT_KIND_TRIPPED: IncidentEventKind
INCIDENT_EVENT_KIND_CUT_MANUALLY: IncidentEventKind
INCIDENT_EVENT_KIND_RECOVERY_CONFIRMED: IncidentEventKind
INCIDENT_EVENT_KIND_RETRY_STARTED: IncidentEventKind
INCIDENT_EVENT_KIND_ORDER_RETRIED: IncidentEventKind
INCIDENT_EVENT_KIND_RETRY_FAILED: IncidentEventKind
INCIDENT_EVENT_KIND_RETRY_COMPLETED: IncidentEventKind
INCIDENT_EVENT_KIND_TRAFFIC_RESTORED: IncidentEventKind
INCIDENT_EVENT_KIND_RAMP_STEP: IncidentEventKind
INCIDENT_EVENT_KIND_TRIPPED_AGAIN: IncidentEventKind
INCIDENT_EVENT_KIND_OVERRIDDEN: IncidentEventKind
INCIDENT_EVENT_KIND_CLOSED: IncidentEventKind

class Incident(_message.Message):
    __slots__ = ("incident_id", "insurer_id", "product_line", "state", "evidence", "open_time", "confirm_time", "confirmed_by", "restore_time", "close_time", "time_to_cut", "time_to_confirm", "time_to_recover", "shares_before", "shares_after", "affected_orders", "abnormal_orders_left", "retried_orders", "insured_by_retry", "leaked_orders", "events", "time_to_detect")
    INCIDENT_ID_FIELD_NUMBER: _ClassVar[int]
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_LINE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    OPEN_TIME_FIELD_NUMBER: _ClassVar[int]
    CONFIRM_TIME_FIELD_NUMBER: _ClassVar[int]
    CONFIRMED_BY_FIELD_NUMBER: _ClassVar[int]
    RESTORE_TIME_FIELD_NUMBER: _ClassVar[int]
    CLOSE_TIME_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_CUT_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_CONFIRM_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_RECOVER_FIELD_NUMBER: _ClassVar[int]
    SHARES_BEFORE_FIELD_NUMBER: _ClassVar[int]
    SHARES_AFTER_FIELD_NUMBER: _ClassVar[int]
    AFFECTED_ORDERS_FIELD_NUMBER: _ClassVar[int]
    ABNORMAL_ORDERS_LEFT_FIELD_NUMBER: _ClassVar[int]
    RETRIED_ORDERS_FIELD_NUMBER: _ClassVar[int]
    INSURED_BY_RETRY_FIELD_NUMBER: _ClassVar[int]
    LEAKED_ORDERS_FIELD_NUMBER: _ClassVar[int]
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    TIME_TO_DETECT_FIELD_NUMBER: _ClassVar[int]
    incident_id: str
    insurer_id: str
    product_line: str
    state: _breaker_pb2.BreakerState
    evidence: _breaker_pb2.Evidence
    open_time: _timestamp_pb2.Timestamp
    confirm_time: _timestamp_pb2.Timestamp
    confirmed_by: str
    restore_time: _timestamp_pb2.Timestamp
    close_time: _timestamp_pb2.Timestamp
    time_to_cut: _duration_pb2.Duration
    time_to_confirm: _duration_pb2.Duration
    time_to_recover: _duration_pb2.Duration
    shares_before: _containers.RepeatedCompositeFieldContainer[InsurerShare]
    shares_after: _containers.RepeatedCompositeFieldContainer[InsurerShare]
    affected_orders: int
    abnormal_orders_left: int
    retried_orders: int
    insured_by_retry: int
    leaked_orders: int
    events: _containers.RepeatedCompositeFieldContainer[IncidentEvent]
    time_to_detect: _duration_pb2.Duration
    def __init__(self, incident_id: _Optional[str] = ..., insurer_id: _Optional[str] = ..., product_line: _Optional[str] = ..., state: _Optional[_Union[_breaker_pb2.BreakerState, str]] = ..., evidence: _Optional[_Union[_breaker_pb2.Evidence, _Mapping]] = ..., open_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., confirm_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., confirmed_by: _Optional[str] = ..., restore_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., close_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., time_to_cut: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., time_to_confirm: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., time_to_recover: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., shares_before: _Optional[_Iterable[_Union[InsurerShare, _Mapping]]] = ..., shares_after: _Optional[_Iterable[_Union[InsurerShare, _Mapping]]] = ..., affected_orders: _Optional[int] = ..., abnormal_orders_left: _Optional[int] = ..., retried_orders: _Optional[int] = ..., insured_by_retry: _Optional[int] = ..., leaked_orders: _Optional[int] = ..., events: _Optional[_Iterable[_Union[IncidentEvent, _Mapping]]] = ..., time_to_detect: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ...) -> None: ...

class InsurerShare(_message.Message):
    __slots__ = ("insurer_id", "basis_points", "orders")
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    BASIS_POINTS_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    insurer_id: str
    basis_points: int
    orders: int
    def __init__(self, insurer_id: _Optional[str] = ..., basis_points: _Optional[int] = ..., orders: _Optional[int] = ...) -> None: ...

class IncidentEvent(_message.Message):
    __slots__ = ("kind", "event_time", "actor", "reason", "details")
    class DetailsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    KIND_FIELD_NUMBER: _ClassVar[int]
    EVENT_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTOR_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    DETAILS_FIELD_NUMBER: _ClassVar[int]
    kind: IncidentEventKind
    event_time: _timestamp_pb2.Timestamp
    actor: str
    reason: str
    details: _containers.ScalarMap[str, str]
    def __init__(self, kind: _Optional[_Union[IncidentEventKind, str]] = ..., event_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., actor: _Optional[str] = ..., reason: _Optional[str] = ..., details: _Optional[_Mapping[str, str]] = ...) -> None: ...
