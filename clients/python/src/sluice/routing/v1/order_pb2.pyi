import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from sluice.routing.v1 import application_pb2 as _application_pb2
from sluice.routing.v1 import decision_pb2 as _decision_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OrderState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORDER_STATE_UNSPECIFIED: _ClassVar[OrderState]
    ORDER_STATE_RECEIVED: _ClassVar[OrderState]
    ORDER_STATE_ROUTED: _ClassVar[OrderState]
    ORDER_STATE_SUBMITTING: _ClassVar[OrderState]
    ORDER_STATE_INSURED: _ClassVar[OrderState]
    ORDER_STATE_REJECTED: _ClassVar[OrderState]
    ORDER_STATE_ABNORMAL: _ClassVar[OrderState]
    ORDER_STATE_PARKED: _ClassVar[OrderState]
    ORDER_STATE_CANCELLED: _ClassVar[OrderState]

class ReportFlag(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    REPORT_FLAG_UNSPECIFIED: _ClassVar[ReportFlag]
    REPORT_FLAG_LATE: _ClassVar[ReportFlag]
    REPORT_FLAG_CONTRADICTING: _ClassVar[ReportFlag]

class SubmissionKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SUBMISSION_KIND_UNSPECIFIED: _ClassVar[SubmissionKind]
    SUBMISSION_KIND_SUBMIT: _ClassVar[SubmissionKind]
    SUBMISSION_KIND_RETRY: _ClassVar[SubmissionKind]
    SUBMISSION_KIND_REPORTED: _ClassVar[SubmissionKind]
    SUBMISSION_KIND_CALLBACK: _ClassVar[SubmissionKind]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_SUCCESS: _ClassVar[Outcome]
    OUTCOME_BUSINESS_REJECTION: _ClassVar[Outcome]
    OUTCOME_TECHNICAL_FAILURE: _ClassVar[Outcome]
    OUTCOME_UNKNOWN: _ClassVar[Outcome]
    OUTCOME_CALLER_FAULT: _ClassVar[Outcome]
ORDER_STATE_UNSPECIFIED: OrderState
ORDER_STATE_RECEIVED: OrderState
ORDER_STATE_ROUTED: OrderState
ORDER_STATE_SUBMITTING: OrderState
ORDER_STATE_INSURED: OrderState
ORDER_STATE_REJECTED: OrderState
ORDER_STATE_ABNORMAL: OrderState
ORDER_STATE_PARKED: OrderState
ORDER_STATE_CANCELLED: OrderState
REPORT_FLAG_UNSPECIFIED: ReportFlag
REPORT_FLAG_LATE: ReportFlag
REPORT_FLAG_CONTRADICTING: ReportFlag
SUBMISSION_KIND_UNSPECIFIED: SubmissionKind
SUBMISSION_KIND_SUBMIT: SubmissionKind
SUBMISSION_KIND_RETRY: SubmissionKind
SUBMISSION_KIND_REPORTED: SubmissionKind
SUBMISSION_KIND_CALLBACK: SubmissionKind
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_SUCCESS: Outcome
OUTCOME_BUSINESS_REJECTION: Outcome
OUTCOME_TECHNICAL_FAILURE: Outcome
OUTCOME_UNKNOWN: Outcome
OUTCOME_CALLER_FAULT: Outcome

class Order(_message.Message):
    __slots__ = ("application", "state", "decisions", "submissions", "incident_id", "policy_number", "create_time", "update_time", "etag", "contradictions")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    DECISIONS_FIELD_NUMBER: _ClassVar[int]
    SUBMISSIONS_FIELD_NUMBER: _ClassVar[int]
    INCIDENT_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_NUMBER_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    CONTRADICTIONS_FIELD_NUMBER: _ClassVar[int]
    application: _application_pb2.Application
    state: OrderState
    decisions: _containers.RepeatedCompositeFieldContainer[_decision_pb2.Decision]
    submissions: _containers.RepeatedCompositeFieldContainer[Submission]
    incident_id: str
    policy_number: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    etag: str
    contradictions: int
    def __init__(self, application: _Optional[_Union[_application_pb2.Application, _Mapping]] = ..., state: _Optional[_Union[OrderState, str]] = ..., decisions: _Optional[_Iterable[_Union[_decision_pb2.Decision, _Mapping]]] = ..., submissions: _Optional[_Iterable[_Union[Submission, _Mapping]]] = ..., incident_id: _Optional[str] = ..., policy_number: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ..., contradictions: _Optional[int] = ...) -> None: ...

class Submission(_message.Message):
    __slots__ = ("submission_id", "insurer_id", "number", "kind", "outcome", "error_code", "message", "policy_number", "start_time", "finish_time", "latency", "accept_time", "deadline", "flag")
    SUBMISSION_ID_FIELD_NUMBER: _ClassVar[int]
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    POLICY_NUMBER_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    FINISH_TIME_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    ACCEPT_TIME_FIELD_NUMBER: _ClassVar[int]
    DEADLINE_FIELD_NUMBER: _ClassVar[int]
    FLAG_FIELD_NUMBER: _ClassVar[int]
    submission_id: str
    insurer_id: str
    number: int
    kind: SubmissionKind
    outcome: Outcome
    error_code: str
    message: str
    policy_number: str
    start_time: _timestamp_pb2.Timestamp
    finish_time: _timestamp_pb2.Timestamp
    latency: _duration_pb2.Duration
    accept_time: _timestamp_pb2.Timestamp
    deadline: _timestamp_pb2.Timestamp
    flag: ReportFlag
    def __init__(self, submission_id: _Optional[str] = ..., insurer_id: _Optional[str] = ..., number: _Optional[int] = ..., kind: _Optional[_Union[SubmissionKind, str]] = ..., outcome: _Optional[_Union[Outcome, str]] = ..., error_code: _Optional[str] = ..., message: _Optional[str] = ..., policy_number: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finish_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., accept_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., deadline: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., flag: _Optional[_Union[ReportFlag, str]] = ...) -> None: ...
