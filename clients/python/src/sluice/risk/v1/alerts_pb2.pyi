import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import field_mask_pb2 as _field_mask_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from sluice.risk.v1 import dashboards_pb2 as _dashboards_pb2
from sluice.risk.v1 import data_pb2 as _data_pb2
from sluice.risk.v1 import query_pb2 as _query_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Comparison(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    COMPARISON_UNSPECIFIED: _ClassVar[Comparison]
    COMPARISON_ABOVE: _ClassVar[Comparison]
    COMPARISON_BELOW: _ClassVar[Comparison]

class Evidence(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVIDENCE_UNSPECIFIED: _ClassVar[Evidence]
    EVIDENCE_VALUE: _ClassVar[Evidence]
    EVIDENCE_INTERVAL: _ClassVar[Evidence]

class AlertState(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ALERT_STATE_UNSPECIFIED: _ClassVar[AlertState]
    ALERT_STATE_PENDING: _ClassVar[AlertState]
    ALERT_STATE_FIRING: _ClassVar[AlertState]
    ALERT_STATE_RESOLVED: _ClassVar[AlertState]
COMPARISON_UNSPECIFIED: Comparison
COMPARISON_ABOVE: Comparison
COMPARISON_BELOW: Comparison
EVIDENCE_UNSPECIFIED: Evidence
EVIDENCE_VALUE: Evidence
EVIDENCE_INTERVAL: Evidence
ALERT_STATE_UNSPECIFIED: AlertState
ALERT_STATE_PENDING: AlertState
ALERT_STATE_FIRING: AlertState
ALERT_STATE_RESOLVED: AlertState

class AlertRule(_message.Message):
    __slots__ = ("alert_rule_id", "title", "metric", "dimensions", "filters", "comparison", "threshold", "baseline_deviations", "hysteresis", "minimum_exposure", "evidence", "for_duration", "severity", "owner", "enabled", "version", "etag", "update_time", "season", "history", "time_dimension", "updated_by", "problem", "evaluated_data_version")
    ALERT_RULE_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    FILTERS_FIELD_NUMBER: _ClassVar[int]
    COMPARISON_FIELD_NUMBER: _ClassVar[int]
    THRESHOLD_FIELD_NUMBER: _ClassVar[int]
    BASELINE_DEVIATIONS_FIELD_NUMBER: _ClassVar[int]
    HYSTERESIS_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_EXPOSURE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    FOR_DURATION_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    ENABLED_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    SEASON_FIELD_NUMBER: _ClassVar[int]
    HISTORY_FIELD_NUMBER: _ClassVar[int]
    TIME_DIMENSION_FIELD_NUMBER: _ClassVar[int]
    UPDATED_BY_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    EVALUATED_DATA_VERSION_FIELD_NUMBER: _ClassVar[int]
    alert_rule_id: str
    title: str
    metric: str
    dimensions: _containers.RepeatedScalarFieldContainer[str]
    filters: _containers.RepeatedCompositeFieldContainer[_query_pb2.Filter]
    comparison: Comparison
    threshold: float
    baseline_deviations: float
    hysteresis: float
    minimum_exposure: float
    evidence: Evidence
    for_duration: _duration_pb2.Duration
    severity: _dashboards_pb2.Severity
    owner: str
    enabled: bool
    version: int
    etag: str
    update_time: _timestamp_pb2.Timestamp
    season: _duration_pb2.Duration
    history: int
    time_dimension: str
    updated_by: str
    problem: str
    evaluated_data_version: int
    def __init__(self, alert_rule_id: _Optional[str] = ..., title: _Optional[str] = ..., metric: _Optional[str] = ..., dimensions: _Optional[_Iterable[str]] = ..., filters: _Optional[_Iterable[_Union[_query_pb2.Filter, _Mapping]]] = ..., comparison: _Optional[_Union[Comparison, str]] = ..., threshold: _Optional[float] = ..., baseline_deviations: _Optional[float] = ..., hysteresis: _Optional[float] = ..., minimum_exposure: _Optional[float] = ..., evidence: _Optional[_Union[Evidence, str]] = ..., for_duration: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., severity: _Optional[_Union[_dashboards_pb2.Severity, str]] = ..., owner: _Optional[str] = ..., enabled: _Optional[bool] = ..., version: _Optional[int] = ..., etag: _Optional[str] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., season: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., history: _Optional[int] = ..., time_dimension: _Optional[str] = ..., updated_by: _Optional[str] = ..., problem: _Optional[str] = ..., evaluated_data_version: _Optional[int] = ...) -> None: ...

class Alert(_message.Message):
    __slots__ = ("alert_id", "alert_rule_id", "dimensions", "state", "severity", "value", "limit", "owner", "start_time", "fire_time", "resolve_time", "acknowledged_by", "acknowledge_time", "acknowledge_note", "etag", "data", "metric", "worst", "moments", "summary_en", "summary_zh", "create_time", "update_time")
    class DimensionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    ALERT_RULE_ID_FIELD_NUMBER: _ClassVar[int]
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    SEVERITY_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    OWNER_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    FIRE_TIME_FIELD_NUMBER: _ClassVar[int]
    RESOLVE_TIME_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGED_BY_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGE_TIME_FIELD_NUMBER: _ClassVar[int]
    ACKNOWLEDGE_NOTE_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    WORST_FIELD_NUMBER: _ClassVar[int]
    MOMENTS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_EN_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_ZH_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    alert_id: str
    alert_rule_id: str
    dimensions: _containers.ScalarMap[str, str]
    state: AlertState
    severity: _dashboards_pb2.Severity
    value: _query_pb2.MetricValue
    limit: float
    owner: str
    start_time: _timestamp_pb2.Timestamp
    fire_time: _timestamp_pb2.Timestamp
    resolve_time: _timestamp_pb2.Timestamp
    acknowledged_by: str
    acknowledge_time: _timestamp_pb2.Timestamp
    acknowledge_note: str
    etag: str
    data: _data_pb2.DataStamp
    metric: str
    worst: float
    moments: int
    summary_en: str
    summary_zh: str
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    def __init__(self, alert_id: _Optional[str] = ..., alert_rule_id: _Optional[str] = ..., dimensions: _Optional[_Mapping[str, str]] = ..., state: _Optional[_Union[AlertState, str]] = ..., severity: _Optional[_Union[_dashboards_pb2.Severity, str]] = ..., value: _Optional[_Union[_query_pb2.MetricValue, _Mapping]] = ..., limit: _Optional[float] = ..., owner: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., fire_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., resolve_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., acknowledged_by: _Optional[str] = ..., acknowledge_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., acknowledge_note: _Optional[str] = ..., etag: _Optional[str] = ..., data: _Optional[_Union[_data_pb2.DataStamp, _Mapping]] = ..., metric: _Optional[str] = ..., worst: _Optional[float] = ..., moments: _Optional[int] = ..., summary_en: _Optional[str] = ..., summary_zh: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class ListAlertRulesRequest(_message.Message):
    __slots__ = ("page_size", "page_token", "metric")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    METRIC_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    metric: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., metric: _Optional[str] = ...) -> None: ...

class ListAlertRulesResponse(_message.Message):
    __slots__ = ("alert_rules", "next_page_token")
    ALERT_RULES_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    alert_rules: _containers.RepeatedCompositeFieldContainer[AlertRule]
    next_page_token: str
    def __init__(self, alert_rules: _Optional[_Iterable[_Union[AlertRule, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class SaveAlertRuleRequest(_message.Message):
    __slots__ = ("alert_rule", "update_mask", "reason", "request_id", "validate_only")
    ALERT_RULE_FIELD_NUMBER: _ClassVar[int]
    UPDATE_MASK_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    VALIDATE_ONLY_FIELD_NUMBER: _ClassVar[int]
    alert_rule: AlertRule
    update_mask: _field_mask_pb2.FieldMask
    reason: str
    request_id: str
    validate_only: bool
    def __init__(self, alert_rule: _Optional[_Union[AlertRule, _Mapping]] = ..., update_mask: _Optional[_Union[_field_mask_pb2.FieldMask, _Mapping]] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ..., validate_only: _Optional[bool] = ...) -> None: ...

class SaveAlertRuleResponse(_message.Message):
    __slots__ = ("alert_rule", "replay", "replay_summary")
    ALERT_RULE_FIELD_NUMBER: _ClassVar[int]
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    REPLAY_SUMMARY_FIELD_NUMBER: _ClassVar[int]
    alert_rule: AlertRule
    replay: _containers.RepeatedCompositeFieldContainer[Alert]
    replay_summary: AlertReplaySummary
    def __init__(self, alert_rule: _Optional[_Union[AlertRule, _Mapping]] = ..., replay: _Optional[_Iterable[_Union[Alert, _Mapping]]] = ..., replay_summary: _Optional[_Union[AlertReplaySummary, _Mapping]] = ...) -> None: ...

class AlertReplaySummary(_message.Message):
    __slots__ = ("series", "moments", "fired", "firing", "nearly", "without_volume", "without_limit", "first_time", "last_time", "data")
    SERIES_FIELD_NUMBER: _ClassVar[int]
    MOMENTS_FIELD_NUMBER: _ClassVar[int]
    FIRED_FIELD_NUMBER: _ClassVar[int]
    FIRING_FIELD_NUMBER: _ClassVar[int]
    NEARLY_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_VOLUME_FIELD_NUMBER: _ClassVar[int]
    WITHOUT_LIMIT_FIELD_NUMBER: _ClassVar[int]
    FIRST_TIME_FIELD_NUMBER: _ClassVar[int]
    LAST_TIME_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    series: int
    moments: int
    fired: int
    firing: int
    nearly: int
    without_volume: int
    without_limit: int
    first_time: _timestamp_pb2.Timestamp
    last_time: _timestamp_pb2.Timestamp
    data: _data_pb2.DataStamp
    def __init__(self, series: _Optional[int] = ..., moments: _Optional[int] = ..., fired: _Optional[int] = ..., firing: _Optional[int] = ..., nearly: _Optional[int] = ..., without_volume: _Optional[int] = ..., without_limit: _Optional[int] = ..., first_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., last_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., data: _Optional[_Union[_data_pb2.DataStamp, _Mapping]] = ...) -> None: ...

class ListAlertsRequest(_message.Message):
    __slots__ = ("states", "alert_rule_id", "minimum_severity", "page_size", "page_token")
    STATES_FIELD_NUMBER: _ClassVar[int]
    ALERT_RULE_ID_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_SEVERITY_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    states: _containers.RepeatedScalarFieldContainer[AlertState]
    alert_rule_id: str
    minimum_severity: _dashboards_pb2.Severity
    page_size: int
    page_token: str
    def __init__(self, states: _Optional[_Iterable[_Union[AlertState, str]]] = ..., alert_rule_id: _Optional[str] = ..., minimum_severity: _Optional[_Union[_dashboards_pb2.Severity, str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListAlertsResponse(_message.Message):
    __slots__ = ("alerts", "next_page_token")
    ALERTS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    alerts: _containers.RepeatedCompositeFieldContainer[Alert]
    next_page_token: str
    def __init__(self, alerts: _Optional[_Iterable[_Union[Alert, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class AcknowledgeAlertRequest(_message.Message):
    __slots__ = ("alert_id", "etag", "reason", "request_id")
    ALERT_ID_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    alert_id: str
    etag: str
    reason: str
    request_id: str
    def __init__(self, alert_id: _Optional[str] = ..., etag: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class WatchAlertsRequest(_message.Message):
    __slots__ = ("minimum_severity", "alert_rule_id")
    MINIMUM_SEVERITY_FIELD_NUMBER: _ClassVar[int]
    ALERT_RULE_ID_FIELD_NUMBER: _ClassVar[int]
    minimum_severity: _dashboards_pb2.Severity
    alert_rule_id: str
    def __init__(self, minimum_severity: _Optional[_Union[_dashboards_pb2.Severity, str]] = ..., alert_rule_id: _Optional[str] = ...) -> None: ...

class WatchAlertsResponse(_message.Message):
    __slots__ = ("alert", "initial")
    ALERT_FIELD_NUMBER: _ClassVar[int]
    INITIAL_FIELD_NUMBER: _ClassVar[int]
    alert: Alert
    initial: bool
    def __init__(self, alert: _Optional[_Union[Alert, _Mapping]] = ..., initial: _Optional[bool] = ...) -> None: ...
