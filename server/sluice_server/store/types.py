"""Column types that mean the same on SQLite and on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import orjson
from sqlalchemy import BigInteger, Dialect, Integer, LargeBinary, Text, TypeDecorator
from sqlalchemy.dialects.postgresql import JSONB, TIMESTAMP
from sqlalchemy.types import TypeEngine

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# SQLite gives numbers by itself only to a column of the type INTEGER.
Sequence64 = BigInteger().with_variant(Integer(), "sqlite")
"""A 64-bit number that the database counts up."""

Identifier = Text().with_variant(Text(collation="C"), "postgresql")
"""An id: sorted by its bytes everywhere, whatever the database's locale."""


@lru_cache(maxsize=64)
def to_microseconds(moment: datetime) -> int:
    """Microseconds since 1970 UTC, exact. A moment without a zone is refused: nobody could know what it means."""
    # Kept, because an order's rows hold the same moment five times.
    if moment.tzinfo is None:
        raise ValueError(f"a moment needs a time zone: {moment.isoformat()}")
    return (moment - EPOCH) // _MICROSECOND


def from_microseconds(value: int) -> datetime:
    """The moment, in UTC."""
    return EPOCH + timedelta(microseconds=value)


def json_text(value: object) -> str:
    """Compact JSON; dataclasses, enums, dates and times (RFC 3339) and lengths of time (seconds) included."""
    return orjson.dumps(value, default=_more_than_json).decode()


def as_stored(value: object) -> Any:
    """The value as it will be read back from a JSON column."""
    return orjson.loads(json_text(value))


def _more_than_json(value: object) -> object:
    """What orjson does not know by itself: read-only mappings, sets in a stable order, lengths of time."""
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, frozenset | set):
        return sorted(value)
    if hasattr(value, "items"):
        return dict(value.items())
    raise TypeError(f"{type(value).__name__} is not JSON")


class UtcTime(TypeDecorator[datetime]):
    """A moment in UTC with microseconds: timestamptz on PostgreSQL, microseconds since 1970 on SQLite (whose text times
    do not sort when they differ in their digits)."""

    impl = TIMESTAMP(timezone=True)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(BigInteger())
        return dialect.type_descriptor(TIMESTAMP(timezone=True))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        microseconds = to_microseconds(value)
        return microseconds if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "sqlite":
            return from_microseconds(value)
        moment: datetime = value
        return moment.astimezone(UTC)


class Json(TypeDecorator[Any]):
    """Nested dicts and lists (and dataclasses on the way in): jsonb on PostgreSQL, text on SQLite."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(JSONB())
        return dialect.type_descriptor(Text())

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        # On PostgreSQL the engine's serializer does it (engine.py).
        return json_text(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return orjson.loads(value) if dialect.name == "sqlite" else value


class Digest(TypeDecorator[str]):
    """A hexadecimal digest, stored as its bytes: half the size in the table that grows fastest."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        return None if value is None else bytes.fromhex(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        return None if value is None else bytes(value).hex()
