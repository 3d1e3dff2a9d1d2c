import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from sluice.risk.v1 import data_pb2 as _data_pb2
from sluice.risk.v1 import pricing_pb2 as _pricing_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ModelState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODEL_STATE_UNSPECIFIED: _ClassVar[ModelState]
    MODEL_STATE_FITTED: _ClassVar[ModelState]
    MODEL_STATE_VALIDATED: _ClassVar[ModelState]
    MODEL_STATE_REFUSED: _ClassVar[ModelState]
    MODEL_STATE_ACTIVE: _ClassVar[ModelState]
    MODEL_STATE_RETIRED: _ClassVar[ModelState]

class ModelTarget(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MODEL_TARGET_UNSPECIFIED: _ClassVar[ModelTarget]
    MODEL_TARGET_FREQUENCY: _ClassVar[ModelTarget]
    MODEL_TARGET_SEVERITY: _ClassVar[ModelTarget]
    MODEL_TARGET_PURE_PREMIUM: _ClassVar[ModelTarget]
MODEL_STATE_UNSPECIFIED: ModelState
MODEL_STATE_FITTED: ModelState
MODEL_STATE_VALIDATED: ModelState
MODEL_STATE_REFUSED: ModelState
MODEL_STATE_ACTIVE: ModelState
MODEL_STATE_RETIRED: ModelState
MODEL_TARGET_UNSPECIFIED: ModelTarget
MODEL_TARGET_FREQUENCY: ModelTarget
MODEL_TARGET_SEVERITY: ModelTarget
MODEL_TARGET_PURE_PREMIUM: ModelTarget

class ModelVersion(_message.Message):
    __slots__ = ("model_version", "target", "state", "method", "factors", "content_hash", "data", "create_time", "activate_time", "activated_by", "etag")
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    TARGET_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    METHOD_FIELD_NUMBER: _ClassVar[int]
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    CONTENT_HASH_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTIVATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ACTIVATED_BY_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    model_version: int
    target: ModelTarget
    state: ModelState
    method: str
    factors: _containers.RepeatedCompositeFieldContainer[ModelFactor]
    content_hash: str
    data: _data_pb2.DataStamp
    create_time: _timestamp_pb2.Timestamp
    activate_time: _timestamp_pb2.Timestamp
    activated_by: str
    etag: str
    def __init__(self, model_version: _Optional[int] = ..., target: _Optional[_Union[ModelTarget, str]] = ..., state: _Optional[_Union[ModelState, str]] = ..., method: _Optional[str] = ..., factors: _Optional[_Iterable[_Union[ModelFactor, _Mapping]]] = ..., content_hash: _Optional[str] = ..., data: _Optional[_Union[_data_pb2.DataStamp, _Mapping]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., activate_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., activated_by: _Optional[str] = ..., etag: _Optional[str] = ...) -> None: ...

class ModelFactor(_message.Message):
    __slots__ = ("name", "levels")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LEVELS_FIELD_NUMBER: _ClassVar[int]
    name: str
    levels: _containers.RepeatedCompositeFieldContainer[ModelLevel]
    def __init__(self, name: _Optional[str] = ..., levels: _Optional[_Iterable[_Union[ModelLevel, _Mapping]]] = ...) -> None: ...

class ModelLevel(_message.Message):
    __slots__ = ("level", "relativity", "interval", "exposure_years")
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    RELATIVITY_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    EXPOSURE_YEARS_FIELD_NUMBER: _ClassVar[int]
    level: str
    relativity: float
    interval: _data_pb2.Interval
    exposure_years: float
    def __init__(self, level: _Optional[str] = ..., relativity: _Optional[float] = ..., interval: _Optional[_Union[_data_pb2.Interval, _Mapping]] = ..., exposure_years: _Optional[float] = ...) -> None: ...

class ListModelVersionsRequest(_message.Message):
    __slots__ = ("target", "states", "page_size", "page_token")
    TARGET_FIELD_NUMBER: _ClassVar[int]
    STATES_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    target: ModelTarget
    states: _containers.RepeatedScalarFieldContainer[ModelState]
    page_size: int
    page_token: str
    def __init__(self, target: _Optional[_Union[ModelTarget, str]] = ..., states: _Optional[_Iterable[_Union[ModelState, str]]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListModelVersionsResponse(_message.Message):
    __slots__ = ("model_versions", "next_page_token")
    MODEL_VERSIONS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    model_versions: _containers.RepeatedCompositeFieldContainer[ModelVersion]
    next_page_token: str
    def __init__(self, model_versions: _Optional[_Iterable[_Union[ModelVersion, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class GetModelValidationRequest(_message.Message):
    __slots__ = ("model_version", "validation")
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    model_version: int
    validation: int
    def __init__(self, model_version: _Optional[int] = ..., validation: _Optional[int] = ...) -> None: ...

class ModelValidation(_message.Message):
    __slots__ = ("model_version", "validation", "passed", "checks", "figures", "lift", "create_time", "data")
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    VALIDATION_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    FIGURES_FIELD_NUMBER: _ClassVar[int]
    LIFT_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    model_version: int
    validation: int
    passed: bool
    checks: _containers.RepeatedCompositeFieldContainer[_pricing_pb2.GateCheck]
    figures: _containers.RepeatedCompositeFieldContainer[ValidationFigure]
    lift: _containers.RepeatedCompositeFieldContainer[LiftBin]
    create_time: _timestamp_pb2.Timestamp
    data: _data_pb2.DataStamp
    def __init__(self, model_version: _Optional[int] = ..., validation: _Optional[int] = ..., passed: _Optional[bool] = ..., checks: _Optional[_Iterable[_Union[_pricing_pb2.GateCheck, _Mapping]]] = ..., figures: _Optional[_Iterable[_Union[ValidationFigure, _Mapping]]] = ..., lift: _Optional[_Iterable[_Union[LiftBin, _Mapping]]] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., data: _Optional[_Union[_data_pb2.DataStamp, _Mapping]] = ...) -> None: ...

class ValidationFigure(_message.Message):
    __slots__ = ("name", "data_set", "value", "interval", "challenger")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DATA_SET_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    CHALLENGER_FIELD_NUMBER: _ClassVar[int]
    name: str
    data_set: str
    value: float
    interval: _data_pb2.Interval
    challenger: float
    def __init__(self, name: _Optional[str] = ..., data_set: _Optional[str] = ..., value: _Optional[float] = ..., interval: _Optional[_Union[_data_pb2.Interval, _Mapping]] = ..., challenger: _Optional[float] = ...) -> None: ...

class LiftBin(_message.Message):
    __slots__ = ("bin", "predicted", "observed", "interval", "exposure_years")
    BIN_FIELD_NUMBER: _ClassVar[int]
    PREDICTED_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    EXPOSURE_YEARS_FIELD_NUMBER: _ClassVar[int]
    bin: int
    predicted: float
    observed: float
    interval: _data_pb2.Interval
    exposure_years: float
    def __init__(self, bin: _Optional[int] = ..., predicted: _Optional[float] = ..., observed: _Optional[float] = ..., interval: _Optional[_Union[_data_pb2.Interval, _Mapping]] = ..., exposure_years: _Optional[float] = ...) -> None: ...

class ActivateModelRequest(_message.Message):
    __slots__ = ("model_version", "etag", "proposal_id", "reason", "request_id")
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    PROPOSAL_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    model_version: int
    etag: str
    proposal_id: str
    reason: str
    request_id: str
    def __init__(self, model_version: _Optional[int] = ..., etag: _Optional[str] = ..., proposal_id: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...
