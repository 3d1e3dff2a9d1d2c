import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from sluice.insurer.v1 import breaker_pb2 as _breaker_pb2
from sluice.type.v1 import money_pb2 as _money_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Insurer(_message.Message):
    __slots__ = ("insurer_id", "display_name", "description", "contact", "capacity", "breaker", "product_line_breakers", "evidence", "adapter_configured", "create_time", "update_time", "etag")
    INSURER_ID_FIELD_NUMBER: _ClassVar[int]
    DISPLAY_NAME_FIELD_NUMBER: _ClassVar[int]
    DESCRIPTION_FIELD_NUMBER: _ClassVar[int]
    CONTACT_FIELD_NUMBER: _ClassVar[int]
    CAPACITY_FIELD_NUMBER: _ClassVar[int]
    BREAKER_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_LINE_BREAKERS_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_FIELD_NUMBER: _ClassVar[int]
    ADAPTER_CONFIGURED_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    UPDATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    insurer_id: str
    display_name: str
    description: str
    contact: str
    capacity: Capacity
    breaker: _breaker_pb2.Breaker
    product_line_breakers: _containers.RepeatedCompositeFieldContainer[_breaker_pb2.Breaker]
    evidence: _breaker_pb2.Evidence
    adapter_configured: bool
    create_time: _timestamp_pb2.Timestamp
    update_time: _timestamp_pb2.Timestamp
    etag: str
    def __init__(self, insurer_id: _Optional[str] = ..., display_name: _Optional[str] = ..., description: _Optional[str] = ..., contact: _Optional[str] = ..., capacity: _Optional[_Union[Capacity, _Mapping]] = ..., breaker: _Optional[_Union[_breaker_pb2.Breaker, _Mapping]] = ..., product_line_breakers: _Optional[_Iterable[_Union[_breaker_pb2.Breaker, _Mapping]]] = ..., evidence: _Optional[_Union[_breaker_pb2.Evidence, _Mapping]] = ..., adapter_configured: _Optional[bool] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., update_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ...) -> None: ...

class Capacity(_message.Message):
    __slots__ = ("orders_per_second", "orders_per_day", "premium_per_day")
    ORDERS_PER_SECOND_FIELD_NUMBER: _ClassVar[int]
    ORDERS_PER_DAY_FIELD_NUMBER: _ClassVar[int]
    PREMIUM_PER_DAY_FIELD_NUMBER: _ClassVar[int]
    orders_per_second: int
    orders_per_day: int
    premium_per_day: _money_pb2.Money
    def __init__(self, orders_per_second: _Optional[int] = ..., orders_per_day: _Optional[int] = ..., premium_per_day: _Optional[_Union[_money_pb2.Money, _Mapping]] = ...) -> None: ...
