from sluice.risk.v1 import data_pb2 as _data_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class DimensionType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DIMENSION_TYPE_UNSPECIFIED: _ClassVar[DimensionType]
    DIMENSION_TYPE_TEXT: _ClassVar[DimensionType]
    DIMENSION_TYPE_DAY: _ClassVar[DimensionType]
    DIMENSION_TYPE_MONTH: _ClassVar[DimensionType]
    DIMENSION_TYPE_QUARTER: _ClassVar[DimensionType]
    DIMENSION_TYPE_YEAR: _ClassVar[DimensionType]

class MetricKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    METRIC_KIND_UNSPECIFIED: _ClassVar[MetricKind]
    METRIC_KIND_SIMPLE: _ClassVar[MetricKind]
    METRIC_KIND_RATIO: _ClassVar[MetricKind]
    METRIC_KIND_CUMULATIVE: _ClassVar[MetricKind]
    METRIC_KIND_PERIOD_OVER_PERIOD: _ClassVar[MetricKind]

class MetricDirection(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    METRIC_DIRECTION_UNSPECIFIED: _ClassVar[MetricDirection]
    METRIC_DIRECTION_LOWER_IS_BETTER: _ClassVar[MetricDirection]
    METRIC_DIRECTION_HIGHER_IS_BETTER: _ClassVar[MetricDirection]
DIMENSION_TYPE_UNSPECIFIED: DimensionType
DIMENSION_TYPE_TEXT: DimensionType
DIMENSION_TYPE_DAY: DimensionType
DIMENSION_TYPE_MONTH: DimensionType
DIMENSION_TYPE_QUARTER: DimensionType
DIMENSION_TYPE_YEAR: DimensionType
METRIC_KIND_UNSPECIFIED: MetricKind
METRIC_KIND_SIMPLE: MetricKind
METRIC_KIND_RATIO: MetricKind
METRIC_KIND_CUMULATIVE: MetricKind
METRIC_KIND_PERIOD_OVER_PERIOD: MetricKind
METRIC_DIRECTION_UNSPECIFIED: MetricDirection
METRIC_DIRECTION_LOWER_IS_BETTER: MetricDirection
METRIC_DIRECTION_HIGHER_IS_BETTER: MetricDirection

class DescribeModelRequest(_message.Message):
    __slots__ = ("metrics", "dimensions")
    METRICS_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    metrics: _containers.RepeatedScalarFieldContainer[str]
    dimensions: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, metrics: _Optional[_Iterable[str]] = ..., dimensions: _Optional[_Iterable[str]] = ...) -> None: ...

class DescribeModelResponse(_message.Message):
    __slots__ = ("entities", "dimensions", "metrics", "currency_code", "model_hash", "data")
    ENTITIES_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    CURRENCY_CODE_FIELD_NUMBER: _ClassVar[int]
    MODEL_HASH_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    entities: _containers.RepeatedCompositeFieldContainer[Entity]
    dimensions: _containers.RepeatedCompositeFieldContainer[Dimension]
    metrics: _containers.RepeatedCompositeFieldContainer[Metric]
    currency_code: str
    model_hash: str
    data: _data_pb2.DataStamp
    def __init__(self, entities: _Optional[_Iterable[_Union[Entity, _Mapping]]] = ..., dimensions: _Optional[_Iterable[_Union[Dimension, _Mapping]]] = ..., metrics: _Optional[_Iterable[_Union[Metric, _Mapping]]] = ..., currency_code: _Optional[str] = ..., model_hash: _Optional[str] = ..., data: _Optional[_Union[_data_pb2.DataStamp, _Mapping]] = ...) -> None: ...

class Label(_message.Message):
    __slots__ = ("zh", "en")
    ZH_FIELD_NUMBER: _ClassVar[int]
    EN_FIELD_NUMBER: _ClassVar[int]
    zh: str
    en: str
    def __init__(self, zh: _Optional[str] = ..., en: _Optional[str] = ...) -> None: ...

class Entity(_message.Message):
    __slots__ = ("name", "label", "description", "dimensions", "rated", "screened")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    RATED_FIELD_NUMBER: _ClassVar[int]
    SCREENED_FIELD_NUMBER: _ClassVar[int]
    name: str
    label: Label
    description: Label
    dimensions: _containers.RepeatedScalarFieldContainer[str]
    rated: bool
    screened: bool
    def __init__(self, name: _Optional[str] = ..., label: _Optional[_Union[Label, _Mapping]] = ..., description: _Optional[_Union[Label, _Mapping]] = ..., dimensions: _Optional[_Iterable[str]] = ..., rated: _Optional[bool] = ..., screened: _Optional[bool] = ...) -> None: ...

class Dimension(_message.Message):
    __slots__ = ("name", "label", "description", "entity", "type", "metrics")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    name: str
    label: Label
    description: Label
    entity: str
    type: DimensionType
    metrics: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, name: _Optional[str] = ..., label: _Optional[_Union[Label, _Mapping]] = ..., description: _Optional[_Union[Label, _Mapping]] = ..., entity: _Optional[str] = ..., type: _Optional[_Union[DimensionType, str]] = ..., metrics: _Optional[_Iterable[str]] = ...) -> None: ...

class Metric(_message.Message):
    __slots__ = ("name", "label", "description", "kind", "unit", "numerator", "denominator", "interval_method", "additive", "not_additive_reason", "dimensions", "direction", "base", "span")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    KIND_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    NUMERATOR_FIELD_NUMBER: _ClassVar[int]
    DENOMINATOR_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_METHOD_FIELD_NUMBER: _ClassVar[int]
    ADDITIVE_FIELD_NUMBER: _ClassVar[int]
    NOT_ADDITIVE_REASON_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    DIRECTION_FIELD_NUMBER: _ClassVar[int]
    BASE_FIELD_NUMBER: _ClassVar[int]
    SPAN_FIELD_NUMBER: _ClassVar[int]
    name: str
    label: Label
    description: Label
    kind: MetricKind
    unit: str
    numerator: str
    denominator: str
    interval_method: _data_pb2.IntervalMethod
    additive: bool
    not_additive_reason: str
    dimensions: _containers.RepeatedScalarFieldContainer[str]
    direction: MetricDirection
    base: str
    span: str
    def __init__(self, name: _Optional[str] = ..., label: _Optional[_Union[Label, _Mapping]] = ..., description: _Optional[_Union[Label, _Mapping]] = ..., kind: _Optional[_Union[MetricKind, str]] = ..., unit: _Optional[str] = ..., numerator: _Optional[str] = ..., denominator: _Optional[str] = ..., interval_method: _Optional[_Union[_data_pb2.IntervalMethod, str]] = ..., additive: _Optional[bool] = ..., not_additive_reason: _Optional[str] = ..., dimensions: _Optional[_Iterable[str]] = ..., direction: _Optional[_Union[MetricDirection, str]] = ..., base: _Optional[str] = ..., span: _Optional[str] = ...) -> None: ...
