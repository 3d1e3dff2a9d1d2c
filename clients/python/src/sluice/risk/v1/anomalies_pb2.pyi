import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from sluice.risk.v1 import data_pb2 as _data_pb2
from sluice.type.v1 import money_pb2 as _money_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RiskGroupSide(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RISK_GROUP_SIDE_UNSPECIFIED: _ClassVar[RiskGroupSide]
    RISK_GROUP_SIDE_HIGHER: _ClassVar[RiskGroupSide]
    RISK_GROUP_SIDE_LOWER: _ClassVar[RiskGroupSide]

class RiskGroupSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RISK_GROUP_SOURCE_UNSPECIFIED: _ClassVar[RiskGroupSource]
    RISK_GROUP_SOURCE_LLM: _ClassVar[RiskGroupSource]
    RISK_GROUP_SOURCE_SEARCH: _ClassVar[RiskGroupSource]
RISK_GROUP_SIDE_UNSPECIFIED: RiskGroupSide
RISK_GROUP_SIDE_HIGHER: RiskGroupSide
RISK_GROUP_SIDE_LOWER: RiskGroupSide
RISK_GROUP_SOURCE_UNSPECIFIED: RiskGroupSource
RISK_GROUP_SOURCE_LLM: RiskGroupSource
RISK_GROUP_SOURCE_SEARCH: RiskGroupSource

class ListAnomaliesRequest(_message.Message):
    __slots__ = ("entity", "false_discovery_rate", "include_unflagged", "entity_ids", "page_size", "page_token", "data_version")
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    FALSE_DISCOVERY_RATE_FIELD_NUMBER: _ClassVar[int]
    INCLUDE_UNFLAGGED_FIELD_NUMBER: _ClassVar[int]
    ENTITY_IDS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DATA_VERSION_FIELD_NUMBER: _ClassVar[int]
    entity: str
    false_discovery_rate: float
    include_unflagged: bool
    entity_ids: _containers.RepeatedScalarFieldContainer[str]
    page_size: int
    page_token: str
    data_version: int
    def __init__(self, entity: _Optional[str] = ..., false_discovery_rate: _Optional[float] = ..., include_unflagged: _Optional[bool] = ..., entity_ids: _Optional[_Iterable[str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., data_version: _Optional[int] = ...) -> None: ...

class ListAnomaliesResponse(_message.Message):
    __slots__ = ("anomalies", "total_size", "next_page_token", "screened", "flagged", "data")
    class ScreenedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class FlaggedEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    ANOMALIES_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SCREENED_FIELD_NUMBER: _ClassVar[int]
    FLAGGED_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    anomalies: _containers.RepeatedCompositeFieldContainer[Anomaly]
    total_size: int
    next_page_token: str
    screened: _containers.ScalarMap[str, int]
    flagged: _containers.ScalarMap[str, int]
    data: _data_pb2.DataStamp
    def __init__(self, anomalies: _Optional[_Iterable[_Union[Anomaly, _Mapping]]] = ..., total_size: _Optional[int] = ..., next_page_token: _Optional[str] = ..., screened: _Optional[_Mapping[str, int]] = ..., flagged: _Optional[_Mapping[str, int]] = ..., data: _Optional[_Union[_data_pb2.DataStamp, _Mapping]] = ...) -> None: ...

class Anomaly(_message.Message):
    __slots__ = ("entity", "entity_id", "channel_id", "flagged", "score", "p_value", "q_value", "indicators", "claims", "incurred", "exposure_years")
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    ENTITY_ID_FIELD_NUMBER: _ClassVar[int]
    CHANNEL_ID_FIELD_NUMBER: _ClassVar[int]
    FLAGGED_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    Q_VALUE_FIELD_NUMBER: _ClassVar[int]
    INDICATORS_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    INCURRED_FIELD_NUMBER: _ClassVar[int]
    EXPOSURE_YEARS_FIELD_NUMBER: _ClassVar[int]
    entity: str
    entity_id: str
    channel_id: str
    flagged: bool
    score: float
    p_value: float
    q_value: float
    indicators: _containers.RepeatedCompositeFieldContainer[Indicator]
    claims: int
    incurred: _money_pb2.Money
    exposure_years: float
    def __init__(self, entity: _Optional[str] = ..., entity_id: _Optional[str] = ..., channel_id: _Optional[str] = ..., flagged: _Optional[bool] = ..., score: _Optional[float] = ..., p_value: _Optional[float] = ..., q_value: _Optional[float] = ..., indicators: _Optional[_Iterable[_Union[Indicator, _Mapping]]] = ..., claims: _Optional[int] = ..., incurred: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., exposure_years: _Optional[float] = ...) -> None: ...

class Indicator(_message.Message):
    __slots__ = ("name", "reason_en", "reason_zh", "observed", "expected", "ratio", "unit", "p_value", "over_dispersion", "peers", "places", "claims_to_open")
    NAME_FIELD_NUMBER: _ClassVar[int]
    REASON_EN_FIELD_NUMBER: _ClassVar[int]
    REASON_ZH_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    RATIO_FIELD_NUMBER: _ClassVar[int]
    UNIT_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    OVER_DISPERSION_FIELD_NUMBER: _ClassVar[int]
    PEERS_FIELD_NUMBER: _ClassVar[int]
    PLACES_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_TO_OPEN_FIELD_NUMBER: _ClassVar[int]
    name: str
    reason_en: str
    reason_zh: str
    observed: float
    expected: float
    ratio: float
    unit: str
    p_value: float
    over_dispersion: float
    peers: str
    places: _containers.RepeatedCompositeFieldContainer[IndicatorPlace]
    claims_to_open: _containers.RepeatedCompositeFieldContainer[ClaimToOpen]
    def __init__(self, name: _Optional[str] = ..., reason_en: _Optional[str] = ..., reason_zh: _Optional[str] = ..., observed: _Optional[float] = ..., expected: _Optional[float] = ..., ratio: _Optional[float] = ..., unit: _Optional[str] = ..., p_value: _Optional[float] = ..., over_dispersion: _Optional[float] = ..., peers: _Optional[str] = ..., places: _Optional[_Iterable[_Union[IndicatorPlace, _Mapping]]] = ..., claims_to_open: _Optional[_Iterable[_Union[ClaimToOpen, _Mapping]]] = ...) -> None: ...

class ClaimToOpen(_message.Message):
    __slots__ = ("claim_id", "policy_id", "month", "part_code", "fault_code", "incurred", "expected", "days_since_start", "days_since_previous_claim")
    CLAIM_ID_FIELD_NUMBER: _ClassVar[int]
    POLICY_ID_FIELD_NUMBER: _ClassVar[int]
    MONTH_FIELD_NUMBER: _ClassVar[int]
    PART_CODE_FIELD_NUMBER: _ClassVar[int]
    FAULT_CODE_FIELD_NUMBER: _ClassVar[int]
    INCURRED_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    DAYS_SINCE_START_FIELD_NUMBER: _ClassVar[int]
    DAYS_SINCE_PREVIOUS_CLAIM_FIELD_NUMBER: _ClassVar[int]
    claim_id: str
    policy_id: str
    month: str
    part_code: str
    fault_code: str
    incurred: _money_pb2.Money
    expected: _money_pb2.Money
    days_since_start: int
    days_since_previous_claim: int
    def __init__(self, claim_id: _Optional[str] = ..., policy_id: _Optional[str] = ..., month: _Optional[str] = ..., part_code: _Optional[str] = ..., fault_code: _Optional[str] = ..., incurred: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., expected: _Optional[_Union[_money_pb2.Money, _Mapping]] = ..., days_since_start: _Optional[int] = ..., days_since_previous_claim: _Optional[int] = ...) -> None: ...

class IndicatorPlace(_message.Message):
    __slots__ = ("dimensions", "observed", "expected")
    class DimensionsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    DIMENSIONS_FIELD_NUMBER: _ClassVar[int]
    OBSERVED_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_FIELD_NUMBER: _ClassVar[int]
    dimensions: _containers.ScalarMap[str, str]
    observed: float
    expected: float
    def __init__(self, dimensions: _Optional[_Mapping[str, str]] = ..., observed: _Optional[float] = ..., expected: _Optional[float] = ...) -> None: ...

class ListRiskGroupsRequest(_message.Message):
    __slots__ = ("include_refused", "sources", "page_size", "page_token", "data_version", "dimension", "side")
    INCLUDE_REFUSED_FIELD_NUMBER: _ClassVar[int]
    SOURCES_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DATA_VERSION_FIELD_NUMBER: _ClassVar[int]
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    include_refused: bool
    sources: _containers.RepeatedScalarFieldContainer[RiskGroupSource]
    page_size: int
    page_token: str
    data_version: int
    dimension: str
    side: RiskGroupSide
    def __init__(self, include_refused: _Optional[bool] = ..., sources: _Optional[_Iterable[_Union[RiskGroupSource, str]]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., data_version: _Optional[int] = ..., dimension: _Optional[str] = ..., side: _Optional[_Union[RiskGroupSide, str]] = ...) -> None: ...

class ListRiskGroupsResponse(_message.Message):
    __slots__ = ("risk_groups", "total_size", "next_page_token", "permuted_accepted", "data", "run")
    RISK_GROUPS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PERMUTED_ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    RUN_FIELD_NUMBER: _ClassVar[int]
    risk_groups: _containers.RepeatedCompositeFieldContainer[RiskGroup]
    total_size: int
    next_page_token: str
    permuted_accepted: int
    data: _data_pb2.DataStamp
    run: RiskGroupRun
    def __init__(self, risk_groups: _Optional[_Iterable[_Union[RiskGroup, _Mapping]]] = ..., total_size: _Optional[int] = ..., next_page_token: _Optional[str] = ..., permuted_accepted: _Optional[int] = ..., data: _Optional[_Union[_data_pb2.DataStamp, _Mapping]] = ..., run: _Optional[_Union[RiskGroupRun, _Mapping]] = ...) -> None: ...

class RiskGroupRun(_message.Message):
    __slots__ = ("create_time", "seed", "split", "false_discovery_rate", "minimum_share", "tried", "proposed", "accepted", "permuted_proposed", "permuted_accepted", "refused_proposals", "llm_model", "llm_tokens", "llm_failure")
    class RefusedProposalsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    CREATE_TIME_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    SPLIT_FIELD_NUMBER: _ClassVar[int]
    FALSE_DISCOVERY_RATE_FIELD_NUMBER: _ClassVar[int]
    MINIMUM_SHARE_FIELD_NUMBER: _ClassVar[int]
    TRIED_FIELD_NUMBER: _ClassVar[int]
    PROPOSED_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    PERMUTED_PROPOSED_FIELD_NUMBER: _ClassVar[int]
    PERMUTED_ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REFUSED_PROPOSALS_FIELD_NUMBER: _ClassVar[int]
    LLM_MODEL_FIELD_NUMBER: _ClassVar[int]
    LLM_TOKENS_FIELD_NUMBER: _ClassVar[int]
    LLM_FAILURE_FIELD_NUMBER: _ClassVar[int]
    create_time: _timestamp_pb2.Timestamp
    seed: int
    split: str
    false_discovery_rate: float
    minimum_share: float
    tried: int
    proposed: int
    accepted: int
    permuted_proposed: int
    permuted_accepted: int
    refused_proposals: _containers.ScalarMap[str, int]
    llm_model: str
    llm_tokens: int
    llm_failure: str
    def __init__(self, create_time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., seed: _Optional[int] = ..., split: _Optional[str] = ..., false_discovery_rate: _Optional[float] = ..., minimum_share: _Optional[float] = ..., tried: _Optional[int] = ..., proposed: _Optional[int] = ..., accepted: _Optional[int] = ..., permuted_proposed: _Optional[int] = ..., permuted_accepted: _Optional[int] = ..., refused_proposals: _Optional[_Mapping[str, int]] = ..., llm_model: _Optional[str] = ..., llm_tokens: _Optional[int] = ..., llm_failure: _Optional[str] = ...) -> None: ...

class RiskGroup(_message.Message):
    __slots__ = ("risk_group_id", "conditions", "source", "accepted", "refusal", "effect", "effect_interval", "p_value", "q_value", "exposure_years", "claims", "summary_en", "summary_zh", "side", "discovery_effect", "also_by_search")
    RISK_GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    CONDITIONS_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    ACCEPTED_FIELD_NUMBER: _ClassVar[int]
    REFUSAL_FIELD_NUMBER: _ClassVar[int]
    EFFECT_FIELD_NUMBER: _ClassVar[int]
    EFFECT_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    P_VALUE_FIELD_NUMBER: _ClassVar[int]
    Q_VALUE_FIELD_NUMBER: _ClassVar[int]
    EXPOSURE_YEARS_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_EN_FIELD_NUMBER: _ClassVar[int]
    SUMMARY_ZH_FIELD_NUMBER: _ClassVar[int]
    SIDE_FIELD_NUMBER: _ClassVar[int]
    DISCOVERY_EFFECT_FIELD_NUMBER: _ClassVar[int]
    ALSO_BY_SEARCH_FIELD_NUMBER: _ClassVar[int]
    risk_group_id: str
    conditions: _containers.RepeatedCompositeFieldContainer[RiskGroupCondition]
    source: RiskGroupSource
    accepted: bool
    refusal: str
    effect: float
    effect_interval: _data_pb2.Interval
    p_value: float
    q_value: float
    exposure_years: float
    claims: int
    summary_en: str
    summary_zh: str
    side: RiskGroupSide
    discovery_effect: float
    also_by_search: bool
    def __init__(self, risk_group_id: _Optional[str] = ..., conditions: _Optional[_Iterable[_Union[RiskGroupCondition, _Mapping]]] = ..., source: _Optional[_Union[RiskGroupSource, str]] = ..., accepted: _Optional[bool] = ..., refusal: _Optional[str] = ..., effect: _Optional[float] = ..., effect_interval: _Optional[_Union[_data_pb2.Interval, _Mapping]] = ..., p_value: _Optional[float] = ..., q_value: _Optional[float] = ..., exposure_years: _Optional[float] = ..., claims: _Optional[int] = ..., summary_en: _Optional[str] = ..., summary_zh: _Optional[str] = ..., side: _Optional[_Union[RiskGroupSide, str]] = ..., discovery_effect: _Optional[float] = ..., also_by_search: _Optional[bool] = ...) -> None: ...

class RiskGroupCondition(_message.Message):
    __slots__ = ("dimension", "any_of", "at_least", "below")
    DIMENSION_FIELD_NUMBER: _ClassVar[int]
    ANY_OF_FIELD_NUMBER: _ClassVar[int]
    AT_LEAST_FIELD_NUMBER: _ClassVar[int]
    BELOW_FIELD_NUMBER: _ClassVar[int]
    dimension: str
    any_of: _containers.RepeatedScalarFieldContainer[str]
    at_least: str
    below: str
    def __init__(self, dimension: _Optional[str] = ..., any_of: _Optional[_Iterable[str]] = ..., at_least: _Optional[str] = ..., below: _Optional[str] = ...) -> None: ...
