from sluice.risk.v1 import data_pb2 as _data_pb2
from sluice.type.v1 import money_pb2 as _money_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QueryRequest(_message.Message):
    __slots__ = ("metrics", "dimensions", "filters", "having", "order_by", "top", "totals", "page_size", "page_token", "data_version", "interval_level")
    METRICS_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    HAVING_FIELD_NUMBER: _ClassVar[int]
    ORDER_BY_FIELD_NUMBER: _ClassVar[int]
    TOP_FIELD_NUMBER: _ClassVar[int]
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DATA_VERSION_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_LEVEL_FIELD_NUMBER: _ClassVar[int]
    metrics: _containers.RepeatedScalarFieldContainer[str]
    dimensions: _containers.RepeatedScalarFieldContainer[str]
    filters: _containers.RepeatedCompositeFieldContainer[Filter]
    having: _containers.RepeatedCompositeFieldContainer[MetricFilter]
    order_by: _containers.RepeatedScalarFieldContainer[str]
    top: int
    totals: bool
    page_size: int
    page_token: str
    data_version: int
    interval_level: float
    def __init__(self, metrics: _Optional[_Iterable[str]] = ..., dimensions: _Optional[_Iterable[str]] = ..., filters: _Optional[_Iterable[_Union[Filter, _Mapping]]] = ..., having: _Optional[_Iterable[_Union[MetricFilter, _Mapping]]] = ..., order_by: _Optional[_Iterable[str]] = ..., top: _Optional[int] = ..., totals: _Optional[bool] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., data_version: _Optional[int] = ..., interval_level: _Optional[float] = ...) -> None: ...

class Filter(_message.Message):
    __slots__ = ("dimension", "any_of", "none_of", "at_least", "below", "last")
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    ANY_OF_FIELD_NUMBER: _ClassVar[int]
    NONE_OF_FIELD_NUMBER: _ClassVar[int]
    AT_LEAST_FIELD_NUMBER: _ClassVar[int]
    BELOW_FIELD_NUMBER: _ClassVar[int]
    LAST_FIELD_NUMBER: _ClassVar[int]
    dimension: str
    any_of: _containers.RepeatedScalarFieldContainer[str]
    none_of: _containers.RepeatedScalarFieldContainer[str]
    at_least: str
    below: str
    last: int
    def __init__(self, dimension: _Optional[str] = ..., any_of: _Optional[_Iterable[str]] = ..., none_of: _Optional[_Iterable[str]] = ..., at_least: _Optional[str] = ..., below: _Optional[str] = ..., last: _Optional[int] = ...) -> None: ...

class MetricFilter(_message.Message):
    __slots__ = ("metric", "at_least", "below")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    AT_LEAST_FIELD_NUMBER: _ClassVar[int]
    BELOW_FIELD_NUMBER: _ClassVar[int]
    metric: str
    at_least: float
    below: float
    def __init__(self, metric: _Optional[str] = ..., at_least: _Optional[float] = ..., below: _Optional[float] = ...) -> None: ...

class QueryResponse(_message.Message):
    __slots__ = ("columns", "rows", "totals", "total_size", "next_page_token", "data", "notes")
    COLUMNS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    TOTALS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    NOTES_FIELD_NUMBER: _ClassVar[int]
    columns: _containers.RepeatedCompositeFieldContainer[Column]
    rows: _containers.RepeatedCompositeFieldContainer[Row]
    totals: Row
    total_size: int
    next_page_token: str
    data: _data_pb2.DataStamp
    notes: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, columns: _Optional[_Iterable[_Union[Column, _Mapping]]] = ..., rows: _Optional[_Iterable[_Union[Row, _Mapping]]] = ..., totals: _Optional[_Union[Row, _Mapping]] = ..., total_size: _Optional[int] = ..., next_page_token: _Optional[str] = ..., data: _Optional[_Union[_data_pb2.DataStamp, _Mapping]] = ..., notes: _Optional[_Iterable[str]] = ...) -> None: ...

class Column(_message.Message):
    __slots__ = ("name", "label_zh", "label_en", "metric", "unit", "exposure_unit")
    NAME_FIELD_NUMBER: _ClassVar[int]
    LABEL_ZH_FIELD_NUMBER: _ClassVar[int]
    LABEL_EN_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    EXPOSURE_UNIT_FIELD_NUMBER: _ClassVar[int]
    name: str
    label_zh: str
    label_en: str
    metric: bool
    unit: str
    exposure_unit: str
    def __init__(self, name: _Optional[str] = ..., label_zh: _Optional[str] = ..., label_en: _Optional[str] = ..., metric: _Optional[bool] = ..., unit: _Optional[str] = ..., exposure_unit: _Optional[str] = ...) -> None: ...

class Row(_message.Message):
    __slots__ = ("dimensions", "metrics")
    class DimensionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: MetricValue
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[MetricValue, _Mapping]] = ...) -> None: ...
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    dimensions: _containers.ScalarMap[str, str]
    metrics: _containers.MessageMap[str, MetricValue]
    def __init__(self, dimensions: _Optional[_Mapping[str, str]] = ..., metrics: _Optional[_Mapping[str, MetricValue]] = ...) -> None: ...

class MetricValue(_message.Message):
    __slots__ = ("value", "amount", "numerator", "denominator", "exposure", "interval")
    VALUE_FIELD_NUMBER: _ClassVar[int]
    AMOUNT_FIELD_NUMBER: _ClassVar[int]
    NUMERATOR_FIELD_NUMBER: _ClassVar[int]
    DENOMINATOR_FIELD_NUMBER: _ClassVar[int]
    EXPOSURE_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    value: float
    amount: _money_pb2.Money
    numerator: float
    denominator: float
    exposure: float
    interval: _data_pb2.Interval
    def __init__(self, value: _Optional[float] = ..., amount: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., numerator: _Optional[float] = ..., denominator: _Optional[float] = ..., exposure: _Optional[float] = ..., interval: _Optional[_Union[_data_pb2.Interval, _Mapping]] = ...) -> None: ...

class WatchQueryRequest(_message.Message):
    __slots__ = ("query",)
    QUERY_FIELD_NUMBER: _ClassVar[int]
    query: QueryRequest
    def __init__(self, query: _Optional[_Union[QueryRequest, _Mapping]] = ...) -> None: ...

class WatchQueryResponse(_message.Message):
    __slots__ = ("answer", "sequence")
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    answer: QueryResponse
    sequence: int
    def __init__(self, answer: _Optional[_Union[QueryResponse, _Mapping]] = ..., sequence: _Optional[int] = ...) -> None: ...
