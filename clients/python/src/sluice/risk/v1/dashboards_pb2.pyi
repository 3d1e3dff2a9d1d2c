import datetime

from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from sluice.risk.v1 import data_pb2 as _data_pb2
from sluice.risk.v1 import query_pb2 as _query_pb2
from sluice.risk.v1 import semantic_model_pb2 as _semantic_model_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class ChartType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CHART_TYPE_UNSPECIFIED: _ClassVar[ChartType]
    CHART_TYPE_LINE: _ClassVar[ChartType]
    CHART_TYPE_BAR: _ClassVar[ChartType]
    CHART_TYPE_SCATTER: _ClassVar[ChartType]
    CHART_TYPE_GAUGE: _ClassVar[ChartType]
    CHART_TYPE_TABLE: _ClassVar[ChartType]
    CHART_TYPE_HEAT_MAP: _ClassVar[ChartType]

class Severity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    SEVERITY_UNSPECIFIED: _ClassVar[Severity]
    SEVERITY_INFO: _ClassVar[Severity]
    SEVERITY_WARNING: _ClassVar[Severity]
    SEVERITY_CRITICAL: _ClassVar[Severity]
CHART_TYPE_UNSPECIFIED: ChartType
CHART_TYPE_LINE: ChartType
CHART_TYPE_BAR: ChartType
CHART_TYPE_SCATTER: ChartType
CHART_TYPE_GAUGE: ChartType
CHART_TYPE_TABLE: ChartType
CHART_TYPE_HEAT_MAP: ChartType
SEVERITY_UNSPECIFIED: Severity
SEVERITY_INFO: Severity
SEVERITY_WARNING: Severity
SEVERITY_CRITICAL: Severity

class Chart(_message.Message):
    __slots__ = ("chart_id", "title", "type", "query", "thresholds", "grid_columns", "localized_title")
    CHART_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    THRESHOLDS_FIELD_NUMBER: _ClassVar[int]
    GRID_COLUMNS_FIELD_NUMBER: _ClassVar[int]
    LOCALIZED_TITLE_FIELD_NUMBER: _ClassVar[int]
    chart_id: str
    title: str
    type: ChartType
    query: _query_pb2.QueryRequest
    thresholds: _containers.RepeatedCompositeFieldContainer[Threshold]
    grid_columns: int
    localized_title: _semantic_model_pb2.Label
    def __init__(self, chart_id: _Optional[str] = ..., title: _Optional[str] = ..., type: _Optional[_Union[ChartType, str]] = ..., query: _Optional[_Union[_query_pb2.QueryRequest, _Mapping]] = ..., thresholds: _Optional[_Iterable[_Union[Threshold, _Mapping]]] = ..., grid_columns: _Optional[int] = ..., localized_title: _Optional[_Union[_semantic_model_pb2.Label, _Mapping]] = ...) -> None: ...

class Threshold(_message.Message):
    __slots__ = ("metric", "value", "severity", "label", "localized_label")
    METRIC_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    LABEL_FIELD_NUMBER: _ClassVar[int]
    LOCALIZED_LABEL_FIELD_NUMBER: _ClassVar[int]
    metric: str
    value: float
    severity: Severity
    label: str
    localized_label: _semantic_model_pb2.Label
    def __init__(self, metric: _Optional[str] = ..., value: _Optional[float] = ..., severity: _Optional[_Union[Severity, str]] = ..., label: _Optional[str] = ..., localized_label: _Optional[_Union[_semantic_model_pb2.Label, _Mapping]] = ...) -> None: ...

class RenderChartRequest(_message.Message):
    __slots__ = ("chart", "reference", "data_version", "language")
    CHART_FIELD_NUMBER: _ClassVar[int]
    REFERENCE_FIELD_NUMBER: _ClassVar[int]
    DATA_VERSION_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    chart: Chart
    reference: ChartReference
    data_version: int
    language: str
    def __init__(self, chart: _Optional[_Union[Chart, _Mapping]] = ..., reference: _Optional[_Union[ChartReference, _Mapping]] = ..., data_version: _Optional[int] = ..., language: _Optional[str] = ...) -> None: ...

class ChartReference(_message.Message):
    __slots__ = ("dashboard_id", "chart_id")
    DASHBOARD_ID_FIELD_NUMBER: _ClassVar[int]
    CHART_ID_FIELD_NUMBER: _ClassVar[int]
    dashboard_id: str
    chart_id: str
    def __init__(self, dashboard_id: _Optional[str] = ..., chart_id: _Optional[str] = ...) -> None: ...

class RenderChartResponse(_message.Message):
    __slots__ = ("vega_lite", "answer", "data")
    VEGA_LITE_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    vega_lite: _struct_pb2.Struct
    answer: _query_pb2.QueryResponse
    data: _data_pb2.DataStamp
    def __init__(self, vega_lite: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., answer: _Optional[_Union[_query_pb2.QueryResponse, _Mapping]] = ..., data: _Optional[_Union[_data_pb2.DataStamp, _Mapping]] = ...) -> None: ...

class Dashboard(_message.Message):
    __slots__ = ("dashboard_id", "title", "description", "charts", "shared_with", "owner", "version", "etag", "update_time", "shipped", "localized_title", "localized_description")
    DASHBOARD_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CHARTS_FIELD_NUMBER: _ClassVar[int]
    SHARED_WITH_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    SHIPPED_FIELD_NUMBER: _ClassVar[int]
    LOCALIZED_TITLE_FIELD_NUMBER: _ClassVar[int]
    LOCALIZED_DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    dashboard_id: str
    title: str
    description: str
    charts: _containers.RepeatedCompositeFieldContainer[Chart]
    shared_with: _containers.RepeatedScalarFieldContainer[str]
    owner: str
    version: int
    etag: str
    update_time: _timestamp_pb2.Timestamp
    shipped: bool
    localized_title: _semantic_model_pb2.Label
    localized_description: _semantic_model_pb2.Label
    def __init__(self, dashboard_id: _Optional[str] = ..., title: _Optional[str] = ..., description: _Optional[str] = ..., charts: _Optional[_Iterable[_Union[Chart, _Mapping]]] = ..., shared_with: _Optional[_Iterable[str]] = ..., owner: _Optional[str] = ..., version: _Optional[int] = ..., etag: _Optional[str] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., shipped: _Optional[bool] = ..., localized_title: _Optional[_Union[_semantic_model_pb2.Label, _Mapping]] = ..., localized_description: _Optional[_Union[_semantic_model_pb2.Label, _Mapping]] = ...) -> None: ...

class ListDashboardsRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "owner")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    owner: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., owner: _Optional[str] = ...) -> None: ...

class ListDashboardsResponse(_message.Message):
    __slots__ = ("dashboards", "next_page_token")
    DASHBOARDS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    dashboards: _containers.RepeatedCompositeFieldContainer[Dashboard]
    next_page_token: str
    def __init__(self, dashboards: _Optional[_Iterable[_Union[Dashboard, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SaveDashboardRequest(_message.Message):
    __slots__ = ("dashboard", "update_mask", "request_id", "reason", "validate_only")
    DASHBOARD_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    dashboard: Dashboard
    update_mask: _field_mask_pb2.FieldMask
    request_id: str
    reason: str
    validate_only: bool
    def __init__(self, dashboard: _Optional[_Union[Dashboard, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., request_id: _Optional[str] = ..., reason: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class DeleteDashboardRequest(_message.Message):
    __slots__ = ("dashboard_id", "etag", "request_id", "reason")
    DASHBOARD_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    dashboard_id: str
    etag: str
    request_id: str
    reason: str
    def __init__(self, dashboard_id: _Optional[str] = ..., etag: _Optional[str] = ..., request_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class DeleteDashboardResponse(_message.Message):
    __slots__ = ("dashboard",)
    DASHBOARD_FIELD_NUMBER: _ClassVar[int]
    dashboard: Dashboard
    def __init__(self, dashboard: _Optional[_Union[Dashboard, _Mapping]] = ...) -> None: ...
