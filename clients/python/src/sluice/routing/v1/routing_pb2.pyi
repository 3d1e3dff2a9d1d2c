import datetime

from google.protobuf import duration_pb2 as _duration_pb2
from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from sluice.routing.v1 import application_pb2 as _application_pb2
from sluice.routing.v1 import decision_pb2 as _decision_pb2
from sluice.routing.v1 import order_pb2 as _order_pb2
from sluice.routing.v1 import plan_pb2 as _plan_pb2
from sluice.type.v1 import money_pb2 as _money_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RouteRequest(_message.Message):
    __slots__ = ("application",)
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    application: _application_pb2.Application
    def __init__(self, application: _Optional[_Union[_application_pb2.Application, _Mapping]] = ...) -> None: ...

class RouteResponse(_message.Message):
    __slots__ = ("decision", "state", "replayed")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    STATE_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    decision: _decision_pb2.Decision
    state: _order_pb2.OrderState
    replayed: bool
    def __init__(self, decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ..., state: _Optional[_Union[_order_pb2.OrderState, str]] = ..., replayed: _Optional[bool] = ...) -> None: ...

class RouteBatchRequest(_message.Message):
    __slots__ = ("applications",)
    APPLICATIONS_FIELD_NUMBER: _ClassVar[int]
    applications: _containers.RepeatedCompositeFieldContainer[_application_pb2.Application]
    def __init__(self, applications: _Optional[_Iterable[_Union[_application_pb2.Application, _Mapping]]] = ...) -> None: ...

class RouteBatchResponse(_message.Message):
    __slots__ = ("results",)
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    results: _containers.RepeatedCompositeFieldContainer[RouteResult]
    def __init__(self, results: _Optional[_Iterable[_Union[RouteResult, _Mapping]]] = ...) -> None: ...

class RouteResult(_message.Message):
    __slots__ = ("application_id", "response", "failure")
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    RESPONSE_FIELD_NUMBER: _ClassVar[int]
    FAILURE_FIELD_NUMBER: _ClassVar[int]
    application_id: str
    response: RouteResponse
    failure: RouteFailure
    def __init__(self, application_id: _Optional[str] = ..., response: _Optional[_Union[RouteResponse, _Mapping]] = ..., failure: _Optional[_Union[RouteFailure, _Mapping]] = ...) -> None: ...

class RouteFailure(_message.Message):
    __slots__ = ("code", "reason", "message")
    CODE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    code: int
    reason: str
    message: str
    def __init__(self, code: _Optional[int] = ..., reason: _Optional[str] = ..., message: _Optional[str] = ...) -> None: ...

class RouteStreamRequest(_message.Message):
    __slots__ = ("chunk_id", "applications")
    CHUNK_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATIONS_FIELD_NUMBER: _ClassVar[int]
    chunk_id: int
    applications: _containers.RepeatedCompositeFieldContainer[_application_pb2.Application]
    def __init__(self, chunk_id: _Optional[int] = ..., applications: _Optional[_Iterable[_Union[_application_pb2.Application, _Mapping]]] = ...) -> None: ...

class RouteStreamResponse(_message.Message):
    __slots__ = ("chunk_id", "results")
    CHUNK_ID_FIELD_NUMBER: _ClassVar[int]
    RESULTS_FIELD_NUMBER: _ClassVar[int]
    chunk_id: int
    results: _containers.RepeatedCompositeFieldContainer[RouteResult]
    def __init__(self, chunk_id: _Optional[int] = ..., results: _Optional[_Iterable[_Union[RouteResult, _Mapping]]] = ...) -> None: ...

class ExplainRouteRequest(_message.Message):
    __slots__ = ("application", "plan_version")
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    PLAN_VERSION_FIELD_NUMBER: _ClassVar[int]
    application: _application_pb2.Application
    plan_version: int
    def __init__(self, application: _Optional[_Union[_application_pb2.Application, _Mapping]] = ..., plan_version: _Optional[int] = ...) -> None: ...

class ExplainRouteResponse(_message.Message):
    __slots__ = ("decision", "rules", "factors", "plan_version", "stored_decision")
    DECISION_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    PLAN_VERSION_FIELD_NUMBER: _ClassVar[int]
    STORED_DECISION_FIELD_NUMBER: _ClassVar[int]
    decision: _decision_pb2.Decision
    rules: _containers.RepeatedCompositeFieldContainer[RuleTrace]
    factors: _struct_pb2.Struct
    plan_version: int
    stored_decision: _decision_pb2.Decision
    def __init__(self, decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ..., rules: _Optional[_Iterable[_Union[RuleTrace, _Mapping]]] = ..., factors: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., plan_version: _Optional[int] = ..., stored_decision: _Optional[_Union[_decision_pb2.Decision, _Mapping]] = ...) -> None: ...

class RuleTrace(_message.Message):
    __slots__ = ("rule", "matched", "because")
    RULE_FIELD_NUMBER: _ClassVar[int]
    MATCHED_FIELD_NUMBER: _ClassVar[int]
    BECAUSE_FIELD_NUMBER: _ClassVar[int]
    rule: str
    matched: bool
    because: str
    def __init__(self, rule: _Optional[str] = ..., matched: _Optional[bool] = ..., because: _Optional[str] = ...) -> None: ...

class SubmitRequest(_message.Message):
    __slots__ = ("application",)
    APPLICATION_FIELD_NUMBER: _ClassVar[int]
    application: _application_pb2.Application
    def __init__(self, application: _Optional[_Union[_application_pb2.Application, _Mapping]] = ...) -> None: ...

class SubmitResponse(_message.Message):
    __slots__ = ("order", "replayed")
    ORDER_FIELD_NUMBER: _ClassVar[int]
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    order: _order_pb2.Order
    replayed: bool
    def __init__(self, order: _Optional[_Union[_order_pb2.Order, _Mapping]] = ..., replayed: _Optional[bool] = ...) -> None: ...

class ReportOutcomeRequest(_message.Message):
    __slots__ = ("application_id", "insurer_id", "outcome", "error_code", "message", "policy_number", "latency", "occur_time", "request_id")
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    OUTCOME_FIELD_NUMBER: _ClassVar[int]
    ERROR_CODE_FIELD_NUMBER: _ClassVar[int]
    MESSAGE_FIELD_NUMBER: _ClassVar[int]
    POLICY_NUMBER_FIELD_NUMBER: _ClassVar[int]
    LATENCY_FIELD_NUMBER: _ClassVar[int]
    OCCUR_TIME_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    application_id: str
    insurer_id: str
    outcome: _order_pb2.Outcome
    error_code: str
    message: str
    policy_number: str
    latency: _duration_pb2.Duration
    occur_time: _timestamp_pb2.Timestamp
    request_id: str
    def __init__(self, application_id: _Optional[str] = ..., insurer_id: _Optional[str] = ..., outcome: _Optional[_Union[_order_pb2.Outcome, str]] = ..., error_code: _Optional[str] = ..., message: _Optional[str] = ..., policy_number: _Optional[str] = ..., latency: _Optional[_Union[datetime.timedelta, _duration_pb2.Duration, _Mapping]] = ..., occur_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., request_id: _Optional[str] = ...) -> None: ...

class ReportOutcomeResponse(_message.Message):
    __slots__ = ("order",)
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order: _order_pb2.Order
    def __init__(self, order: _Optional[_Union[_order_pb2.Order, _Mapping]] = ...) -> None: ...

class CancelOrderRequest(_message.Message):
    __slots__ = ("application_id", "reason", "request_id")
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    application_id: str
    reason: str
    request_id: str
    def __init__(self, application_id: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class CancelOrderResponse(_message.Message):
    __slots__ = ("order",)
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order: _order_pb2.Order
    def __init__(self, order: _Optional[_Union[_order_pb2.Order, _Mapping]] = ...) -> None: ...

class GetOrderRequest(_message.Message):
    __slots__ = ("application_id", "decision_id")
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    application_id: str
    decision_id: str
    def __init__(self, application_id: _Optional[str] = ..., decision_id: _Optional[str] = ...) -> None: ...

class GetOrderResponse(_message.Message):
    __slots__ = ("order",)
    ORDER_FIELD_NUMBER: _ClassVar[int]
    order: _order_pb2.Order
    def __init__(self, order: _Optional[_Union[_order_pb2.Order, _Mapping]] = ...) -> None: ...

class ListOrdersRequest(_message.Message):
    __slots__ = ("states", "insurer_id", "product_code", "incident_id", "created_after", "created_before", "page_size", "page_token")
    STATES_FIELD_NUMBER: _ClassVar[int]
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_CODE_FIELD_NUMBER: _ClassVar[int]
    INCIDENT_ID_FIELD_NUMBER: _ClassVar[int]
    CREATED_AFTER_FIELD_NUMBER: _ClassVar[int]
    CREATED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    states: _containers.RepeatedScalarFieldContainer[_order_pb2.OrderState]
    insurer_id: str
    product_code: str
    incident_id: str
    created_after: _timestamp_pb2.Timestamp
    created_before: _timestamp_pb2.Timestamp
    page_size: int
    page_token: str
    def __init__(self, states: _Optional[_Iterable[_Union[_order_pb2.OrderState, str]]] = ..., insurer_id: _Optional[str] = ..., product_code: _Optional[str] = ..., incident_id: _Optional[str] = ..., created_after: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListOrdersResponse(_message.Message):
    __slots__ = ("orders", "next_page_token")
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    orders: _containers.RepeatedCompositeFieldContainer[_order_pb2.Order]
    next_page_token: str
    def __init__(self, orders: _Optional[_Iterable[_Union[_order_pb2.Order, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class CreatePlanRequest(_message.Message):
    __slots__ = ("source", "reason", "request_id")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    source: str
    reason: str
    request_id: str
    def __init__(self, source: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class CreatePlanResponse(_message.Message):
    __slots__ = ("plan",)
    PLAN_FIELD_NUMBER: _ClassVar[int]
    plan: _plan_pb2.Plan
    def __init__(self, plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ...) -> None: ...

class ValidatePlanRequest(_message.Message):
    __slots__ = ("source",)
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    source: str
    def __init__(self, source: _Optional[str] = ...) -> None: ...

class ValidatePlanResponse(_message.Message):
    __slots__ = ("valid", "findings")
    VALID_FIELD_NUMBER: _ClassVar[int]
    FINDINGS_FIELD_NUMBER: _ClassVar[int]
    valid: bool
    findings: _containers.RepeatedCompositeFieldContainer[_plan_pb2.PlanFinding]
    def __init__(self, valid: _Optional[bool] = ..., findings: _Optional[_Iterable[_Union[_plan_pb2.PlanFinding, _Mapping]]] = ...) -> None: ...

class GetPlanRequest(_message.Message):
    __slots__ = ("version",)
    VERSION_FIELD_NUMBER: _ClassVar[int]
    version: int
    def __init__(self, version: _Optional[int] = ...) -> None: ...

class GetPlanResponse(_message.Message):
    __slots__ = ("plan",)
    PLAN_FIELD_NUMBER: _ClassVar[int]
    plan: _plan_pb2.Plan
    def __init__(self, plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ...) -> None: ...

class ListPlansRequest(_message.Message):
    __slots__ = ("page_size", "page_token")
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    page_size: int
    page_token: str
    def __init__(self, page_size: _Optional[int] = ..., page_token: _Optional[str] = ...) -> None: ...

class ListPlansResponse(_message.Message):
    __slots__ = ("plans", "next_page_token")
    PLANS_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    plans: _containers.RepeatedCompositeFieldContainer[_plan_pb2.Plan]
    next_page_token: str
    def __init__(self, plans: _Optional[_Iterable[_Union[_plan_pb2.Plan, _Mapping]]] = ..., next_page_token: _Optional[str] = ...) -> None: ...

class ActivatePlanRequest(_message.Message):
    __slots__ = ("version", "etag", "reason", "request_id")
    VERSION_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    version: int
    etag: str
    reason: str
    request_id: str
    def __init__(self, version: _Optional[int] = ..., etag: _Optional[str] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ...) -> None: ...

class ActivatePlanResponse(_message.Message):
    __slots__ = ("plan", "previous_version")
    PLAN_FIELD_NUMBER: _ClassVar[int]
    PREVIOUS_VERSION_FIELD_NUMBER: _ClassVar[int]
    plan: _plan_pb2.Plan
    previous_version: int
    def __init__(self, plan: _Optional[_Union[_plan_pb2.Plan, _Mapping]] = ..., previous_version: _Optional[int] = ...) -> None: ...

class SimulatePlanRequest(_message.Message):
    __slots__ = ("source", "version", "applications", "created_after", "created_before", "limit")
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    VERSION_FIELD_NUMBER: _ClassVar[int]
    APPLICATIONS_FIELD_NUMBER: _ClassVar[int]
    CREATED_AFTER_FIELD_NUMBER: _ClassVar[int]
    CREATED_BEFORE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    source: str
    version: int
    applications: _containers.RepeatedCompositeFieldContainer[_application_pb2.Application]
    created_after: _timestamp_pb2.Timestamp
    created_before: _timestamp_pb2.Timestamp
    limit: int
    def __init__(self, source: _Optional[str] = ..., version: _Optional[int] = ..., applications: _Optional[_Iterable[_Union[_application_pb2.Application, _Mapping]]] = ..., created_after: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., created_before: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., limit: _Optional[int] = ...) -> None: ...

class SimulatePlanResponse(_message.Message):
    __slots__ = ("replayed", "total", "shares", "changed", "changed_count", "unmatched_count")
    REPLAYED_FIELD_NUMBER: _ClassVar[int]
    TOTAL_FIELD_NUMBER: _ClassVar[int]
    SHARES_FIELD_NUMBER: _ClassVar[int]
    CHANGED_FIELD_NUMBER: _ClassVar[int]
    CHANGED_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNMATCHED_COUNT_FIELD_NUMBER: _ClassVar[int]
    replayed: int
    total: int
    shares: _containers.RepeatedCompositeFieldContainer[SimulatedShare]
    changed: _containers.RepeatedCompositeFieldContainer[ChangedApplication]
    changed_count: int
    unmatched_count: int
    def __init__(self, replayed: _Optional[int] = ..., total: _Optional[int] = ..., shares: _Optional[_Iterable[_Union[SimulatedShare, _Mapping]]] = ..., changed: _Optional[_Iterable[_Union[ChangedApplication, _Mapping]]] = ..., changed_count: _Optional[int] = ..., unmatched_count: _Optional[int] = ...) -> None: ...

class SimulatedShare(_message.Message):
    __slots__ = ("insurer_id", "rule", "applications", "applications_before", "premium", "premium_before")
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    APPLICATIONS_FIELD_NUMBER: _ClassVar[int]
    APPLICATIONS_BEFORE_FIELD_NUMBER: _ClassVar[int]
    PREMIUM_FIELD_NUMBER: _ClassVar[int]
    PREMIUM_BEFORE_FIELD_NUMBER: _ClassVar[int]
    insurer_id: str
    rule: str
    applications: int
    applications_before: int
    premium: _money_pb2.Money
    premium_before: _money_pb2.Money
    def __init__(self, insurer_id: _Optional[str] = ..., rule: _Optional[str] = ..., applications: _Optional[int] = ..., applications_before: _Optional[int] = ..., premium: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., premium_before: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...

class ChangedApplication(_message.Message):
    __slots__ = ("application_id", "insurer_id_before", "insurer_id", "rule", "rule_before")
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    INSURER_ID_BEFORE_FIELD_NUMBER: _ClassVar[int]
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    RULE_BEFORE_FIELD_NUMBER: _ClassVar[int]
    application_id: str
    insurer_id_before: str
    insurer_id: str
    rule: str
    rule_before: str
    def __init__(self, application_id: _Optional[str] = ..., insurer_id_before: _Optional[str] = ..., insurer_id: _Optional[str] = ..., rule: _Optional[str] = ..., rule_before: _Optional[str] = ...) -> None: ...
