import datetime

from google.protobuf import struct_pb2 as _struct_pb2
from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Disposition(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DISPOSITION_UNSPECIFIED: _ClassVar[Disposition]
    DISPOSITION_ROUTED: _ClassVar[Disposition]
    DISPOSITION_PARKED: _ClassVar[Disposition]
    DISPOSITION_KEPT_LAST: _ClassVar[Disposition]
    DISPOSITION_REJECTED: _ClassVar[Disposition]
DISPOSITION_UNSPECIFIED: Disposition
DISPOSITION_ROUTED: Disposition
DISPOSITION_PARKED: Disposition
DISPOSITION_KEPT_LAST: Disposition
DISPOSITION_REJECTED: Disposition

class Decision(_message.Message):
    __slots__ = ("decision_id", "application_id", "number", "disposition", "insurer_id", "binding", "plan_name", "plan_version", "rule", "factors", "split_key", "ledger_position", "candidates", "traffic_version", "decide_time")
    DECISION_ID_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    DISPOSITION_FIELD_NUMBER: _ClassVar[int]
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    BINDING_FIELD_NUMBER: _ClassVar[int]
    PLAN_NAME_FIELD_NUMBER: _ClassVar[int]
    PLAN_VERSION_FIELD_NUMBER: _ClassVar[int]
    RULE_FIELD_NUMBER: _ClassVar[int]
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    SPLIT_KEY_FIELD_NUMBER: _ClassVar[int]
    LEDGER_POSITION_FIELD_NUMBER: _ClassVar[int]
    CANDIDATES_FIELD_NUMBER: _ClassVar[int]
    TRAFFIC_VERSION_FIELD_NUMBER: _ClassVar[int]
    DECIDE_TIME_FIELD_NUMBER: _ClassVar[int]
    decision_id: str
    application_id: str
    number: int
    disposition: Disposition
    insurer_id: str
    binding: Binding
    plan_name: str
    plan_version: int
    rule: str
    factors: _struct_pb2.Struct
    split_key: str
    ledger_position: int
    candidates: _containers.RepeatedCompositeFieldContainer[Candidate]
    traffic_version: int
    decide_time: _timestamp_pb2.Timestamp
    def __init__(self, decision_id: _Optional[str] = ..., application_id: _Optional[str] = ..., number: _Optional[int] = ..., disposition: _Optional[_Union[Disposition, str]] = ..., insurer_id: _Optional[str] = ..., binding: _Optional[_Union[Binding, _Mapping]] = ..., plan_name: _Optional[str] = ..., plan_version: _Optional[int] = ..., rule: _Optional[str] = ..., factors: _Optional[_Union[_struct_pb2.Struct, _Mapping]] = ..., split_key: _Optional[str] = ..., ledger_position: _Optional[int] = ..., candidates: _Optional[_Iterable[_Union[Candidate, _Mapping]]] = ..., traffic_version: _Optional[int] = ..., decide_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...

class Candidate(_message.Message):
    __slots__ = ("insurer_id", "share_basis_points", "weight_basis_points", "excluded_because", "ledger_orders")
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    SHARE_BASIS_POINTS_FIELD_NUMBER: _ClassVar[int]
    WEIGHT_BASIS_POINTS_FIELD_NUMBER: _ClassVar[int]
    EXCLUDED_BECAUSE_FIELD_NUMBER: _ClassVar[int]
    LEDGER_ORDERS_FIELD_NUMBER: _ClassVar[int]
    insurer_id: str
    share_basis_points: int
    weight_basis_points: int
    excluded_because: str
    ledger_orders: int
    def __init__(self, insurer_id: _Optional[str] = ..., share_basis_points: _Optional[int] = ..., weight_basis_points: _Optional[int] = ..., excluded_because: _Optional[str] = ..., ledger_orders: _Optional[int] = ...) -> None: ...

class Binding(_message.Message):
    __slots__ = ("insurer_product_code", "insurer_plan_code", "endpoint", "parameters")
    class ParametersEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    INSURER_PRODUCT_CODE_FIELD_NUMBER: _ClassVar[int]
    INSURER_PLAN_CODE_FIELD_NUMBER: _ClassVar[int]
    ENDPOINT_FIELD_NUMBER: _ClassVar[int]
    PARAMETERS_FIELD_NUMBER: _ClassVar[int]
    insurer_product_code: str
    insurer_plan_code: str
    endpoint: str
    parameters: _containers.ScalarMap[str, str]
    def __init__(self, insurer_product_code: _Optional[str] = ..., insurer_plan_code: _Optional[str] = ..., endpoint: _Optional[str] = ..., parameters: _Optional[_Mapping[str, str]] = ...) -> None: ...
