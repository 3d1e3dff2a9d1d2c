import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class BreakerState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BREAKER_STATE_UNSPECIFIED: _ClassVar[BreakerState]
    BREAKER_STATE_CLOSED: _ClassVar[BreakerState]
    BREAKER_STATE_OPEN: _ClassVar[BreakerState]
    BREAKER_STATE_CONFIRMED: _ClassVar[BreakerState]
    BREAKER_STATE_RETRYING: _ClassVar[BreakerState]
    BREAKER_STATE_RAMPING: _ClassVar[BreakerState]

class BreakerMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    BREAKER_MODE_UNSPECIFIED: _ClassVar[BreakerMode]
    BREAKER_MODE_ENFORCING: _ClassVar[BreakerMode]
    BREAKER_MODE_METRICS_ONLY: _ClassVar[BreakerMode]
    BREAKER_MODE_FORCED_OPEN: _ClassVar[BreakerMode]
    BREAKER_MODE_FORCED_CLOSED: _ClassVar[BreakerMode]

class EvidenceKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVIDENCE_KIND_UNSPECIFIED: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_BACKLOG: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_FAILURE_RATE: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_SLOW_RATE: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_SEQUENTIAL: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_RETRY_FAILED: _ClassVar[EvidenceKind]
    EVIDENCE_KIND_MANUAL: _ClassVar[EvidenceKind]
BREAKER_STATE_UNSPECIFIED: BreakerState
BREAKER_STATE_CLOSED: BreakerState
BREAKER_STATE_OPEN: BreakerState
BREAKER_STATE_CONFIRMED: BreakerState
BREAKER_STATE_RETRYING: BreakerState
BREAKER_STATE_RAMPING: BreakerState
BREAKER_MODE_UNSPECIFIED: BreakerMode
BREAKER_MODE_ENFORCING: BreakerMode
BREAKER_MODE_METRICS_ONLY: BreakerMode
BREAKER_MODE_FORCED_OPEN: BreakerMode
BREAKER_MODE_FORCED_CLOSED: BreakerMode
EVIDENCE_KIND_UNSPECIFIED: EvidenceKind
EVIDENCE_KIND_BACKLOG: EvidenceKind
EVIDENCE_KIND_FAILURE_RATE: EvidenceKind
EVIDENCE_KIND_SLOW_RATE: EvidenceKind
EVIDENCE_KIND_SEQUENTIAL: EvidenceKind
EVIDENCE_KIND_RETRY_FAILED: EvidenceKind
EVIDENCE_KIND_MANUAL: EvidenceKind

class Breaker(_message.Message):
    __slots__ = ("insurer_id", "product_line", "state", "mode", "policy", "admitted_basis_points", "state_since", "incident_id", "ramp_step", "trips_in_a_row", "etag")
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_LINE_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    MODE_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    ADMITTED_BASIS_POINTS_FIELD_NUMBER: _ClassVar[int]
    STATE_SINCE_FIELD_NUMBER: _ClassVar[int]
    INCIDENT_ID_FIELD_NUMBER: _ClassVar[int]
    RAMP_STEP_FIELD_NUMBER: _ClassVar[int]
    TRIPS_IN_A_ROW_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    insurer_id: str
    product_line: str
    state: BreakerState
    mode: BreakerMode
    policy: BreakerPolicy
    admitted_basis_points: int
    state_since: _timestamp_pb2.Timestamp
    incident_id: str
    ramp_step: int
    trips_in_a_row: int
    etag: str
    def __init__(self, insurer_id: _Optional[str] = ..., product_line: _Optional[str] = ..., state: _Optional[_Union[BreakerState, str]] = ..., mode: _Optional[_Union[BreakerMode, str]] = ..., policy: _Optional[_Union[BreakerPolicy, _Mapping]] = ..., admitted_basis_points: _Optional[int] = ..., state_since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., incident_id: _Optional[str] = ..., ramp_step: _Optional[int] = ..., trips_in_a_row: _Optional[int] = ..., etag: _Optional[str] = ...) -> None: ...

class BreakerPolicy(_message.Message):
    __slots__ = ("window", "backlog_grace", "backlog_count", "backlog_ratio", "rate_window", "minimum_volume", "failure_rate", "slow_after", "slow_rate", "normal_failure_rate", "outage_failure_rate", "mean_orders_between_false_cuts", "hold", "ramp_steps_basis_points", "ramp_dwell", "ramp_minimum_outcomes", "ramp_failure_rate", "retry_first_cohort", "retry_per_second", "maximum_cut_basis_points", "keep_last_insurer", "highest_normal_failure_rate")
    WINDOW_FIELD_NUMBER: _ClassVar[int]
    BACKLOG_GRACE_FIELD_NUMBER: _ClassVar[int]
    BACKLOG_COUNT_FIELD_NUMBER: _ClassVar[int]
    BACKLOG_RATIO_FIELD_NUMBER: _ClassVar[int]
    RATE_WINDOW_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_VOLUME_FIELD_NUMBER: _ClassVar[int]
    FAILURE_RATE_FIELD_NUMBER: _ClassVar[int]
    SLOW_AFTER_FIELD_NUMBER: _ClassVar[int]
    SLOW_RATE_FIELD_NUMBER: _ClassVar[int]
    NORMAL_FAILURE_RATE_FIELD_NUMBER: _ClassVar[int]
    OUTAGE_FAILURE_RATE_FIELD_NUMBER: _ClassVar[int]
    MEAN_ORDERS_BETWEEN_FALSE_CUTS_FIELD_NUMBER: _ClassVar[int]
    HOLD_FIELD_NUMBER: _ClassVar[int]
    RAMP_STEPS_BASIS_POINTS_FIELD_NUMBER: _ClassVar[int]
    RAMP_DWELL_FIELD_NUMBER: _ClassVar[int]
    RAMP_MINIMUM_OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    RAMP_FAILURE_RATE_FIELD_NUMBER: _ClassVar[int]
    RETRY_FIRST_COHORT_FIELD_NUMBER: _ClassVar[int]
    RETRY_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_CUT_BASIS_POINTS_FIELD_NUMBER: _ClassVar[int]
    KEEP_LAST_INSURER_FIELD_NUMBER: _ClassVar[int]
    HIGHEST_NORMAL_FAILURE_RATE_FIELD_NUMBER: _ClassVar[int]
    window: _duration_pb2.Duration
    backlog_grace: _duration_pb2.Duration
    backlog_count: int
    backlog_ratio: float
    rate_window: _duration_pb2.Duration
    minimum_volume: int
    failure_rate: float
    slow_after: _duration_pb2.Duration
    slow_rate: float
    normal_failure_rate: float
    outage_failure_rate: float
    mean_orders_between_false_cuts: float
    hold: _duration_pb2.Duration
    ramp_steps_basis_points: _containers.RepeatedScalarFieldContainer[int]
    ramp_dwell: _duration_pb2.Duration
    ramp_minimum_outcomes: int
    ramp_failure_rate: float
    retry_first_cohort: int
    retry_per_second: float
    maximum_cut_basis_points: int
    keep_last_insurer: bool
    highest_normal_failure_rate: float
    def __init__(self, window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., backlog_grace: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., backlog_count: _Optional[int] = ..., backlog_ratio: _Optional[float] = ..., rate_window: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., minimum_volume: _Optional[int] = ..., failure_rate: _Optional[float] = ..., slow_after: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., slow_rate: _Optional[float] = ..., normal_failure_rate: _Optional[float] = ..., outage_failure_rate: _Optional[float] = ..., mean_orders_between_false_cuts: _Optional[float] = ..., hold: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., ramp_steps_basis_points: _Optional[_Iterable[int]] = ..., ramp_dwell: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., ramp_minimum_outcomes: _Optional[int] = ..., ramp_failure_rate: _Optional[float] = ..., retry_first_cohort: _Optional[int] = ..., retry_per_second: _Optional[float] = ..., maximum_cut_basis_points: _Optional[int] = ..., keep_last_insurer: _Optional[bool] = ..., highest_normal_failure_rate: _Optional[float] = ...) -> None: ...

class Evidence(_message.Message):
    __slots__ = ("observe_time", "orders", "backlog", "oldest_unfinished", "outcomes", "failures", "slow", "sequential_statistic", "sequential_limit", "first_failure_time", "orders_since_first_failure", "tripped", "normal_failure_rate")
    OBSERVE_TIME_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    BACKLOG_FIELD_NUMBER: _ClassVar[int]
    OLDEST_UNFINISHED_FIELD_NUMBER: _ClassVar[int]
    OUTCOMES_FIELD_NUMBER: _ClassVar[int]
    FAILURES_FIELD_NUMBER: _ClassVar[int]
    SLOW_FIELD_NUMBER: _ClassVar[int]
    SEQUENTIAL_STATISTIC_FIELD_NUMBER: _ClassVar[int]
    SEQUENTIAL_LIMIT_FIELD_NUMBER: _ClassVar[int]
    FIRST_FAILURE_TIME_FIELD_NUMBER: _ClassVar[int]
    ORDERS_SINCE_FIRST_FAILURE_FIELD_NUMBER: _ClassVar[int]
    TRIPPED_FIELD_NUMBER: _ClassVar[int]
    NORMAL_FAILURE_RATE_FIELD_NUMBER: _ClassVar[int]
    observe_time: _timestamp_pb2.Timestamp
    orders: int
    backlog: int
    oldest_unfinished: _duration_pb2.Duration
    outcomes: int
    failures: int
    slow: int
    sequential_statistic: float
    sequential_limit: float
    first_failure_time: _timestamp_pb2.Timestamp
    orders_since_first_failure: int
    tripped: _containers.RepeatedScalarFieldContainer[EvidenceKind]
    normal_failure_rate: float
    def __init__(self, observe_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., orders: _Optional[int] = ..., backlog: _Optional[int] = ..., oldest_unfinished: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., outcomes: _Optional[int] = ..., failures: _Optional[int] = ..., slow: _Optional[int] = ..., sequential_statistic: _Optional[float] = ..., sequential_limit: _Optional[float] = ..., first_failure_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., orders_since_first_failure: _Optional[int] = ..., tripped: _Optional[_Iterable[_Union[EvidenceKind, str]]] = ..., normal_failure_rate: _Optional[float] = ...) -> None: ...
