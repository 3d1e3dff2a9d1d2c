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

class DataVersionState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DATA_VERSION_STATE_UNSPECIFIED: _ClassVar[DataVersionState]
    DATA_VERSION_STATE_PUBLISHED: _ClassVar[DataVersionState]
    DATA_VERSION_STATE_SUPERSEDED: _ClassVar[DataVersionState]
    DATA_VERSION_STATE_FAILED: _ClassVar[DataVersionState]

class IntervalMethod(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    INTERVAL_METHOD_UNSPECIFIED: _ClassVar[IntervalMethod]
    INTERVAL_METHOD_EXACT_POISSON: _ClassVar[IntervalMethod]
    INTERVAL_METHOD_COMPOUND_POISSON: _ClassVar[IntervalMethod]
    INTERVAL_METHOD_EXACT_BINOMIAL: _ClassVar[IntervalMethod]
    INTERVAL_METHOD_GAMMA_MEAN: _ClassVar[IntervalMethod]
    INTERVAL_METHOD_GAMMA_POSTERIOR: _ClassVar[IntervalMethod]
    INTERVAL_METHOD_BOOTSTRAP: _ClassVar[IntervalMethod]
    INTERVAL_METHOD_WALD_LOG: _ClassVar[IntervalMethod]
    INTERVAL_METHOD_RECOVERED_VARIANCE: _ClassVar[IntervalMethod]
DATA_VERSION_STATE_UNSPECIFIED: DataVersionState
DATA_VERSION_STATE_PUBLISHED: DataVersionState
DATA_VERSION_STATE_SUPERSEDED: DataVersionState
DATA_VERSION_STATE_FAILED: DataVersionState
INTERVAL_METHOD_UNSPECIFIED: IntervalMethod
INTERVAL_METHOD_EXACT_POISSON: IntervalMethod
INTERVAL_METHOD_COMPOUND_POISSON: IntervalMethod
INTERVAL_METHOD_EXACT_BINOMIAL: IntervalMethod
INTERVAL_METHOD_GAMMA_MEAN: IntervalMethod
INTERVAL_METHOD_GAMMA_POSTERIOR: IntervalMethod
INTERVAL_METHOD_BOOTSTRAP: IntervalMethod
INTERVAL_METHOD_WALD_LOG: IntervalMethod
INTERVAL_METHOD_RECOVERED_VARIANCE: IntervalMethod

class DataStamp(_message.Message):
    __slots__ = ("data_version", "watermark", "published_at")
    DATA_VERSION_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_FIELD_NUMBER: _ClassVar[int]
    data_version: int
    watermark: _timestamp_pb2.Timestamp
    published_at: _timestamp_pb2.Timestamp
    def __init__(self, data_version: _Optional[int] = ..., watermark: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., published_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class DataVersion(_message.Message):
    __slots__ = ("data_version", "watermark", "published_at", "state", "active", "row_counts", "fingerprint", "flink_version", "duration", "rejected_rows")
    class RowCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class RejectedRowsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    DATA_VERSION_FIELD_NUMBER: _ClassVar[int]
    WATERMARK_FIELD_NUMBER: _ClassVar[int]
    PUBLISHED_AT_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    ACTIVE_FIELD_NUMBER: _ClassVar[int]
    ROW_COUNTS_FIELD_NUMBER: _ClassVar[int]
    FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    FLINK_VERSION_FIELD_NUMBER: _ClassVar[int]
    DURATION_FIELD_NUMBER: _ClassVar[int]
    REJECTED_ROWS_FIELD_NUMBER: _ClassVar[int]
    data_version: int
    watermark: _timestamp_pb2.Timestamp
    published_at: _timestamp_pb2.Timestamp
    state: DataVersionState
    active: bool
    row_counts: _containers.ScalarMap[str, int]
    fingerprint: str
    flink_version: str
    duration: _duration_pb2.Duration
    rejected_rows: _containers.ScalarMap[str, int]
    def __init__(self, data_version: _Optional[int] = ..., watermark: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., published_at: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., state: _Optional[_Union[DataVersionState, str]] = ..., active: _Optional[bool] = ..., row_counts: _Optional[_Mapping[str, int]] = ..., fingerprint: _Optional[str] = ..., flink_version: _Optional[str] = ..., duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., rejected_rows: _Optional[_Mapping[str, int]] = ...) -> None: ...

class ListDataVersionsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "states")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    states: _containers.RepeatedScalarFieldContainer[DataVersionState]
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., states: _Optional[_Iterable[_Union[DataVersionState, str]]] = ...) -> None: ...

class ListDataVersionsResponse(_message.Message):
    __slots__ = ("data_versions", "next_page_token")
    DATA_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    data_versions: _containers.RepeatedCompositeFieldContainer[DataVersion]
    next_page_token: str
    def __init__(self, data_versions: _Optional[_Iterable[_Union[DataVersion, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class Interval(_message.Message):
    __slots__ = ("lower", "upper", "level", "method")
    LOWER_FIELD_NUMBER: _ClassVar[int]
    UPPER_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    lower: float
    upper: float
    level: float
    method: IntervalMethod
    def __init__(self, lower: _Optional[float] = ..., upper: _Optional[float] = ..., level: _Optional[float] = ..., method: _Optional[_Union[IntervalMethod, str]] = ...) -> None: ...
