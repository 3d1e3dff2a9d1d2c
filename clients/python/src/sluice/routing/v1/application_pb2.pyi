from sluice.type.v1 import money_pb2 as _money_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Application(_message.Message):
    __slots__ = ("application_id", "product_code", "product_line", "device", "channel", "customer_ref", "premium", "term_months", "attributes")
    class AttributesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    APPLICATION_ID_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_CODE_FIELD_NUMBER: _ClassVar[int]
    PRODUCT_LINE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_FIELD_NUMBER: _ClassVar[int]
    CUSTOMER_REF_FIELD_NUMBER: _ClassVar[int]
    PREMIUM_FIELD_NUMBER: _ClassVar[int]
    TERM_MONTHS_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTES_FIELD_NUMBER: _ClassVar[int]
    application_id: str
    product_code: str
    product_line: str
    device: Device
    channel: Channel
    customer_ref: str
    premium: _money_pb2.Money
    term_months: int
    attributes: _containers.ScalarMap[str, str]
    def __init__(self, application_id: _Optional[str] = ..., product_code: _Optional[str] = ..., product_line: _Optional[str] = ..., device: _Optional[_Union[Device, _Mapping]] = ..., channel: _Optional[_Union[Channel, _Mapping]] = ..., customer_ref: _Optional[str] = ..., premium: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., term_months: _Optional[int] = ..., attributes: _Optional[_Mapping[str, str]] = ...) -> None: ...

class Device(_message.Message):
    __slots__ = ("device_ref", "model_id", "category", "brand", "price", "purchased_on")
    DEVICE_REF_FIELD_NUMBER: _ClassVar[int]
    MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    BRAND_FIELD_NUMBER: _ClassVar[int]
    PRICE_FIELD_NUMBER: _ClassVar[int]
    PURCHASED_ON_FIELD_NUMBER: _ClassVar[int]
    device_ref: str
    model_id: str
    category: str
    brand: str
    price: _money_pb2.Money
    purchased_on: str
    def __init__(self, device_ref: _Optional[str] = ..., model_id: _Optional[str] = ..., category: _Optional[str] = ..., brand: _Optional[str] = ..., price: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., purchased_on: _Optional[str] = ...) -> None: ...

class Channel(_message.Message):
    __slots__ = ("channel_id", "store_id", "tier")
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    STORE_ID_FIELD_NUMBER: _ClassVar[int]
    TIER_FIELD_NUMBER: _ClassVar[int]
    channel_id: str
    store_id: str
    tier: str
    def __init__(self, channel_id: _Optional[str] = ..., store_id: _Optional[str] = ..., tier: _Optional[str] = ...) -> None: ...
