import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from sluice.risk.v1 import data_pb2 as _data_pb2
from sluice.type.v1 import money_pb2 as _money_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class QuotePremiumRequest(_message.Message):
    __slots__ = ("product_code", "device_model_id", "channel_id", "device_price", "cover_days", "factors", "model_version")
    class FactorsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PRODUCT_CODE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_MODEL_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    DEVICE_PRICE_FIELD_NUMBER: _ClassVar[int]
    COVER_DAYS_FIELD_NUMBER: _ClassVar[int]
    FACTORS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    product_code: str
    device_model_id: str
    channel_id: str
    device_price: _money_pb2.Money
    cover_days: int
    factors: _containers.ScalarMap[str, str]
    model_version: int
    def __init__(self, product_code: _Optional[str] = ..., device_model_id: _Optional[str] = ..., channel_id: _Optional[str] = ..., device_price: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., cover_days: _Optional[int] = ..., factors: _Optional[_Mapping[str, str]] = ..., model_version: _Optional[int] = ...) -> None: ...

class QuotePremiumResponse(_message.Message):
    __slots__ = ("premium", "expected_claims", "expected_claims_interval", "steps", "model_version", "exposure_years", "data")
    PREMIUM_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_CLAIMS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_CLAIMS_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    STEPS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    EXPOSURE_YEARS_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    premium: _money_pb2.Money
    expected_claims: _money_pb2.Money
    expected_claims_interval: _data_pb2.Interval
    steps: _containers.RepeatedCompositeFieldContainer[PriceStep]
    model_version: int
    exposure_years: float
    data: _data_pb2.DataStamp
    def __init__(self, premium: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., expected_claims: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., expected_claims_interval: _Optional[_Union[_data_pb2.Interval, _Mapping]] = ..., steps: _Optional[_Iterable[_Union[PriceStep, _Mapping]]] = ..., model_version: _Optional[int] = ..., exposure_years: _Optional[float] = ..., data: _Optional[_Union[_data_pb2.DataStamp, _Mapping]] = ...) -> None: ...

class PriceStep(_message.Message):
    __slots__ = ("factor", "level", "relativity", "interval", "exposure_years")
    FACTOR_FIELD_NUMBER: _ClassVar[int]
    LEVEL_FIELD_NUMBER: _ClassVar[int]
    RELATIVITY_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_FIELD_NUMBER: _ClassVar[int]
    EXPOSURE_YEARS_FIELD_NUMBER: _ClassVar[int]
    factor: str
    level: str
    relativity: float
    interval: _data_pb2.Interval
    exposure_years: float
    def __init__(self, factor: _Optional[str] = ..., level: _Optional[str] = ..., relativity: _Optional[float] = ..., interval: _Optional[_Union[_data_pb2.Interval, _Mapping]] = ..., exposure_years: _Optional[float] = ...) -> None: ...

class ProposePriceRequest(_message.Message):
    __slots__ = ("model_version", "loading", "maximum_change", "reason", "request_id", "maximum_share")
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    LOADING_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_CHANGE_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    MAXIMUM_SHARE_FIELD_NUMBER: _ClassVar[int]
    model_version: int
    loading: float
    maximum_change: float
    reason: str
    request_id: str
    maximum_share: float
    def __init__(self, model_version: _Optional[int] = ..., loading: _Optional[float] = ..., maximum_change: _Optional[float] = ..., reason: _Optional[str] = ..., request_id: _Optional[str] = ..., maximum_share: _Optional[float] = ...) -> None: ...

class PriceProposal(_message.Message):
    __slots__ = ("proposal_id", "model_version", "gate_passed", "checks", "dislocation", "expected_loss_ratio", "expected_loss_ratio_interval", "proposed_by", "create_time", "etag", "data")
    PROPOSAL_ID_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    GATE_PASSED_FIELD_NUMBER: _ClassVar[int]
    CHECKS_FIELD_NUMBER: _ClassVar[int]
    DISLOCATION_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_LOSS_RATIO_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_LOSS_RATIO_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    PROPOSED_BY_FIELD_NUMBER: _ClassVar[int]
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    ETAG_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    proposal_id: str
    model_version: int
    gate_passed: bool
    checks: _containers.RepeatedCompositeFieldContainer[GateCheck]
    dislocation: _containers.RepeatedCompositeFieldContainer[DislocationBand]
    expected_loss_ratio: float
    expected_loss_ratio_interval: _data_pb2.Interval
    proposed_by: str
    create_time: _timestamp_pb2.Timestamp
    etag: str
    data: _data_pb2.DataStamp
    def __init__(self, proposal_id: _Optional[str] = ..., model_version: _Optional[int] = ..., gate_passed: _Optional[bool] = ..., checks: _Optional[_Iterable[_Union[GateCheck, _Mapping]]] = ..., dislocation: _Optional[_Iterable[_Union[DislocationBand, _Mapping]]] = ..., expected_loss_ratio: _Optional[float] = ..., expected_loss_ratio_interval: _Optional[_Union[_data_pb2.Interval, _Mapping]] = ..., proposed_by: _Optional[str] = ..., create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., etag: _Optional[str] = ..., data: _Optional[_Union[_data_pb2.DataStamp, _Mapping]] = ...) -> None: ...

class GateCheck(_message.Message):
    __slots__ = ("name", "passed", "value", "limit", "explanation")
    NAME_FIELD_NUMBER: _ClassVar[int]
    PASSED_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    EXPLANATION_FIELD_NUMBER: _ClassVar[int]
    name: str
    passed: bool
    value: float
    limit: float
    explanation: str
    def __init__(self, name: _Optional[str] = ..., passed: _Optional[bool] = ..., value: _Optional[float] = ..., limit: _Optional[float] = ..., explanation: _Optional[str] = ...) -> None: ...

class DislocationBand(_message.Message):
    __slots__ = ("change_at_least", "change_below", "policies", "share")
    CHANGE_AT_LEAST_FIELD_NUMBER: _ClassVar[int]
    CHANGE_BELOW_FIELD_NUMBER: _ClassVar[int]
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    SHARE_FIELD_NUMBER: _ClassVar[int]
    change_at_least: float
    change_below: float
    policies: int
    share: float
    def __init__(self, change_at_least: _Optional[float] = ..., change_below: _Optional[float] = ..., policies: _Optional[int] = ..., share: _Optional[float] = ...) -> None: ...
