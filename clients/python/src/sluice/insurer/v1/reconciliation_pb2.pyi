import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class OrphanKind(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ORPHAN_KIND_UNSPECIFIED: _ClassVar[OrphanKind]
    ORPHAN_KIND_ORDER_UNKNOWN: _ClassVar[OrphanKind]
    ORPHAN_KIND_ORDER_NOT_INSURED: _ClassVar[OrphanKind]
    ORPHAN_KIND_INSURED_ELSEWHERE: _ClassVar[OrphanKind]
    ORPHAN_KIND_OTHER_POLICY_NUMBER: _ClassVar[OrphanKind]
    ORPHAN_KIND_POLICY_MISSING: _ClassVar[OrphanKind]
    ORPHAN_KIND_POLICY_NOT_CONFIRMED: _ClassVar[OrphanKind]
ORPHAN_KIND_UNSPECIFIED: OrphanKind
ORPHAN_KIND_ORDER_UNKNOWN: OrphanKind
ORPHAN_KIND_ORDER_NOT_INSURED: OrphanKind
ORPHAN_KIND_INSURED_ELSEWHERE: OrphanKind
ORPHAN_KIND_OTHER_POLICY_NUMBER: OrphanKind
ORPHAN_KIND_POLICY_MISSING: OrphanKind
ORPHAN_KIND_POLICY_NOT_CONFIRMED: OrphanKind

class PolicyReconciliation(_message.Message):
    __slots__ = ("insurer_id", "day", "start_time", "finish_time", "policies", "orders", "orphan_count", "orphans")
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    START_TIME_FIELD_NUMBER: _ClassVar[int]
    FINISH_TIME_FIELD_NUMBER: _ClassVar[int]
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    ORDERS_FIELD_NUMBER: _ClassVar[int]
    ORPHAN_COUNT_FIELD_NUMBER: _ClassVar[int]
    ORPHANS_FIELD_NUMBER: _ClassVar[int]
    insurer_id: str
    day: str
    start_time: _timestamp_pb2.Timestamp
    finish_time: _timestamp_pb2.Timestamp
    policies: int
    orders: int
    orphan_count: int
    orphans: _containers.RepeatedCompositeFieldContainer[PolicyOrphan]
    def __init__(self, insurer_id: _Optional[str] = ..., day: _Optional[str] = ..., start_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., finish_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., policies: _Optional[int] = ..., orders: _Optional[int] = ..., orphan_count: _Optional[int] = ..., orphans: _Optional[_Iterable[_Union[PolicyOrphan, _Mapping]]] = ...) -> None: ...

class PolicyOrphan(_message.Message):
    __slots__ = ("kind", "application_id", "policy_number", "stored_policy_number", "order_state", "stored_insurer_id")
    KIND_FIELD_NUMBER: _ClassVar[int]
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_NUMBER_FIELD_NUMBER: _ClassVar[int]
    STORED_POLICY_NUMBER_FIELD_NUMBER: _ClassVar[int]
    ORDER_STATE_FIELD_NUMBER: _ClassVar[int]
    STORED_INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    kind: OrphanKind
    application_id: str
    policy_number: str
    stored_policy_number: str
    order_state: str
    stored_insurer_id: str
    def __init__(self, kind: _Optional[_Union[OrphanKind, str]] = ..., application_id: _Optional[str] = ..., policy_number: _Optional[str] = ..., stored_policy_number: _Optional[str] = ..., order_state: _Optional[str] = ..., stored_insurer_id: _Optional[str] = ...) -> None: ...

class ReconcilePoliciesRequest(_message.Message):
    __slots__ = ("insurer_id", "day")
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    insurer_id: str
    day: str
    def __init__(self, insurer_id: _Optional[str] = ..., day: _Optional[str] = ...) -> None: ...

class ReconcilePoliciesResponse(_message.Message):
    __slots__ = ("reconciliation",)
    RECONCILIATION_FIELD_NUMBER: _ClassVar[int]
    reconciliation: PolicyReconciliation
    def __init__(self, reconciliation: _Optional[_Union[PolicyReconciliation, _Mapping]] = ...) -> None: ...

class GetPolicyReconciliationRequest(_message.Message):
    __slots__ = ("insurer_id", "day")
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    DAY_FIELD_NUMBER: _ClassVar[int]
    insurer_id: str
    day: str
    def __init__(self, insurer_id: _Optional[str] = ..., day: _Optional[str] = ...) -> None: ...

class GetPolicyReconciliationResponse(_message.Message):
    __slots__ = ("reconciliation",)
    RECONCILIATION_FIELD_NUMBER: _ClassVar[int]
    reconciliation: PolicyReconciliation
    def __init__(self, reconciliation: _Optional[_Union[PolicyReconciliation, _Mapping]] = ...) -> None: ...
