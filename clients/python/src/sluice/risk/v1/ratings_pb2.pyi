from sluice.risk.v1 import data_pb2 as _data_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RatingGrade(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RATING_GRADE_UNSPECIFIED: _ClassVar[RatingGrade]
    RATING_GRADE_A: _ClassVar[RatingGrade]
    RATING_GRADE_B: _ClassVar[RatingGrade]
    RATING_GRADE_C: _ClassVar[RatingGrade]
    RATING_GRADE_D: _ClassVar[RatingGrade]
    RATING_GRADE_E: _ClassVar[RatingGrade]

class RatingBasis(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    RATING_BASIS_UNSPECIFIED: _ClassVar[RatingBasis]
    RATING_BASIS_CLAIM_FREQUENCY: _ClassVar[RatingBasis]
    RATING_BASIS_LOSS_RATIO: _ClassVar[RatingBasis]
RATING_GRADE_UNSPECIFIED: RatingGrade
RATING_GRADE_A: RatingGrade
RATING_GRADE_B: RatingGrade
RATING_GRADE_C: RatingGrade
RATING_GRADE_D: RatingGrade
RATING_GRADE_E: RatingGrade
RATING_BASIS_UNSPECIFIED: RatingBasis
RATING_BASIS_CLAIM_FREQUENCY: RatingBasis
RATING_BASIS_LOSS_RATIO: RatingBasis

class Rating(_message.Message):
    __slots__ = ("entity", "entity_id", "grade", "basis", "raw", "raw_interval", "adjusted", "adjusted_interval", "mix_adjusted", "credibility", "portfolio", "probability_better", "probability_worse", "probability_much_worse", "exposure_years", "claims", "expected_claims", "warnings", "reported_share", "mix_adjusted_interval", "mix_grade")
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    ENTITY_ID_FIELD_NUMBER: _ClassVar[int]
    GRADE_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    RAW_FIELD_NUMBER: _ClassVar[int]
    RAW_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    ADJUSTED_FIELD_NUMBER: _ClassVar[int]
    ADJUSTED_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    MIX_ADJUSTED_FIELD_NUMBER: _ClassVar[int]
    CREDIBILITY_FIELD_NUMBER: _ClassVar[int]
    PORTFOLIO_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_BETTER_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_WORSE_FIELD_NUMBER: _ClassVar[int]
    PROBABILITY_MUCH_WORSE_FIELD_NUMBER: _ClassVar[int]
    EXPOSURE_YEARS_FIELD_NUMBER: _ClassVar[int]
    CLAIMS_FIELD_NUMBER: _ClassVar[int]
    EXPECTED_CLAIMS_FIELD_NUMBER: _ClassVar[int]
    WARNINGS_FIELD_NUMBER: _ClassVar[int]
    REPORTED_SHARE_FIELD_NUMBER: _ClassVar[int]
    MIX_ADJUSTED_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    MIX_GRADE_FIELD_NUMBER: _ClassVar[int]
    entity: str
    entity_id: str
    grade: RatingGrade
    basis: RatingBasis
    raw: float
    raw_interval: _data_pb2.Interval
    adjusted: float
    adjusted_interval: _data_pb2.Interval
    mix_adjusted: float
    credibility: float
    portfolio: float
    probability_better: float
    probability_worse: float
    probability_much_worse: float
    exposure_years: float
    claims: int
    expected_claims: float
    warnings: _containers.RepeatedScalarFieldContainer[str]
    reported_share: float
    mix_adjusted_interval: _data_pb2.Interval
    mix_grade: RatingGrade
    def __init__(self, entity: _Optional[str] = ..., entity_id: _Optional[str] = ..., grade: _Optional[_Union[RatingGrade, str]] = ..., basis: _Optional[_Union[RatingBasis, str]] = ..., raw: _Optional[float] = ..., raw_interval: _Optional[_Union[_data_pb2.Interval, _Mapping]] = ..., adjusted: _Optional[float] = ..., adjusted_interval: _Optional[_Union[_data_pb2.Interval, _Mapping]] = ..., mix_adjusted: _Optional[float] = ..., credibility: _Optional[float] = ..., portfolio: _Optional[float] = ..., probability_better: _Optional[float] = ..., probability_worse: _Optional[float] = ..., probability_much_worse: _Optional[float] = ..., exposure_years: _Optional[float] = ..., claims: _Optional[int] = ..., expected_claims: _Optional[float] = ..., warnings: _Optional[_Iterable[str]] = ..., reported_share: _Optional[float] = ..., mix_adjusted_interval: _Optional[_Union[_data_pb2.Interval, _Mapping]] = ..., mix_grade: _Optional[_Union[RatingGrade, str]] = ...) -> None: ...

class ListRatingsRequest(_message.Message):
    __slots__ = ("entity", "basis", "grades", "entity_ids", "page_size", "page_token", "data_version", "interval_level")
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    BASIS_FIELD_NUMBER: _ClassVar[int]
    GRADES_FIELD_NUMBER: _ClassVar[int]
    ENTITY_IDS_FIELD_NUMBER: _ClassVar[int]
    PAGE_SIZE_FIELD_NUMBER: _ClassVar[int]
    PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DATA_VERSION_FIELD_NUMBER: _ClassVar[int]
    INTERVAL_LEVEL_FIELD_NUMBER: _ClassVar[int]
    entity: str
    basis: RatingBasis
    grades: _containers.RepeatedScalarFieldContainer[RatingGrade]
    entity_ids: _containers.RepeatedScalarFieldContainer[str]
    page_size: int
    page_token: str
    data_version: int
    interval_level: float
    def __init__(self, entity: _Optional[str] = ..., basis: _Optional[_Union[RatingBasis, str]] = ..., grades: _Optional[_Iterable[_Union[RatingGrade, str]]] = ..., entity_ids: _Optional[_Iterable[str]] = ..., page_size: _Optional[int] = ..., page_token: _Optional[str] = ..., data_version: _Optional[int] = ..., interval_level: _Optional[float] = ...) -> None: ...

class ListRatingsResponse(_message.Message):
    __slots__ = ("ratings", "total_size", "next_page_token", "data")
    RATINGS_FIELD_NUMBER: _ClassVar[int]
    TOTAL_SIZE_FIELD_NUMBER: _ClassVar[int]
    NEXT_PAGE_TOKEN_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    ratings: _containers.RepeatedCompositeFieldContainer[Rating]
    total_size: int
    next_page_token: str
    data: _data_pb2.DataStamp
    def __init__(self, ratings: _Optional[_Iterable[_Union[Rating, _Mapping]]] = ..., total_size: _Optional[int] = ..., next_page_token: _Optional[str] = ..., data: _Optional[_Union[_data_pb2.DataStamp, _Mapping]] = ...) -> None: ...

class GetRiskScoreRequest(_message.Message):
    __slots__ = ("entity", "entity_id", "data_version")
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    ENTITY_ID_FIELD_NUMBER: _ClassVar[int]
    DATA_VERSION_FIELD_NUMBER: _ClassVar[int]
    entity: str
    entity_id: str
    data_version: int
    def __init__(self, entity: _Optional[str] = ..., entity_id: _Optional[str] = ..., data_version: _Optional[int] = ...) -> None: ...

class RiskScore(_message.Message):
    __slots__ = ("entity", "entity_id", "score", "relative_risk", "relative_risk_interval", "grade", "abnormal", "reasons", "exposure", "data")
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    ENTITY_ID_FIELD_NUMBER: _ClassVar[int]
    SCORE_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_RISK_FIELD_NUMBER: _ClassVar[int]
    RELATIVE_RISK_INTERVAL_FIELD_NUMBER: _ClassVar[int]
    GRADE_FIELD_NUMBER: _ClassVar[int]
    ABNORMAL_FIELD_NUMBER: _ClassVar[int]
    REASONS_FIELD_NUMBER: _ClassVar[int]
    EXPOSURE_FIELD_NUMBER: _ClassVar[int]
    DATA_FIELD_NUMBER: _ClassVar[int]
    entity: str
    entity_id: str
    score: float
    relative_risk: float
    relative_risk_interval: _data_pb2.Interval
    grade: RatingGrade
    abnormal: bool
    reasons: _containers.RepeatedScalarFieldContainer[str]
    exposure: float
    data: _data_pb2.DataStamp
    def __init__(self, entity: _Optional[str] = ..., entity_id: _Optional[str] = ..., score: _Optional[float] = ..., relative_risk: _Optional[float] = ..., relative_risk_interval: _Optional[_Union[_data_pb2.Interval, _Mapping]] = ..., grade: _Optional[_Union[RatingGrade, str]] = ..., abnormal: _Optional[bool] = ..., reasons: _Optional[_Iterable[str]] = ..., exposure: _Optional[float] = ..., data: _Optional[_Union[_data_pb2.DataStamp, _Mapping]] = ...) -> None: ...
