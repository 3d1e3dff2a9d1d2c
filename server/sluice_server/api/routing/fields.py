"""Reads the fields of a request and collects what is wrong with them, so that a caller hears of everything at once."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from sluice.type.v1.money_pb2 import Money as MoneyMessage
from sluice_server.api.routing.limits import DEFAULT_REQUEST_LIMITS, RequestLimits
from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.money import Money

MAXIMUM_MINOR = 10**15
"""No amount of money is larger; sums over all orders then still fit 64 bits."""

_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_FIRST_SECOND = 0  # 1970-01-01: nothing here is older, and a latency can be taken off without leaving the calendar
_LAST_SECOND = 253_402_300_799  # 9999-12-31


def is_printable(value: str) -> bool:
    """Letters, signs and spaces of any script (the wide space of Chinese texts too); no control characters."""
    return value.isprintable() or all(c.isprintable() or unicodedata.category(c) == "Zs" for c in value)


class Fields:
    """Every method returns something usable also when the field is wrong; ``done`` then raises."""

    __slots__ = ("_prefix", "_violations", "limits")

    def __init__(self, limits: RequestLimits = DEFAULT_REQUEST_LIMITS) -> None:
        self._violations: list[Violation] = []
        self._prefix = ""
        self.limits = limits

    def under(self, path: str) -> Fields:
        """The fields of a message within the request: named from ``path`` on, and told with the request's."""
        inner = Fields(self.limits)
        inner._violations = self._violations
        inner._prefix = f"{self._prefix}{path}."
        return inner

    def done(self) -> None:
        """Raises InvalidInput with every violation."""
        if self._violations:
            raise InvalidInput(self._violations)

    def wrong(self, path: str, description: str) -> None:
        """Notes that a field is wrong."""
        self._violations.append(Violation(self._prefix + path, description))

    def identifier(self, path: str, value: str) -> str:
        """1 to 64 of A-Z a-z 0-9 . _ : -"""
        if not _ID.fullmatch(value):
            self.wrong(path, "required" if not value else "must be 1 to 64 characters of A-Z a-z 0-9 . _ : -")
        return value

    def optional_identifier(self, path: str, value: str) -> str:
        """Empty, or an identifier."""
        return self.identifier(path, value) if value else value

    def text(self, path: str, value: str, *, maximum: int = 0, required: bool = True) -> str:
        """Printable text of at most ``maximum`` characters (0: the limit ``max_text_length``); when required not empty
        and not only blanks."""
        if not value:
            if required:
                self.wrong(path, "required")
        elif len(value) > (maximum or self.limits.max_text_length):
            limit = (
                f"{maximum} are accepted"
                if maximum
                else f"{self.limits.max_text_length} are accepted (max_text_length)"
            )
            self.wrong(path, f"{len(value)} characters; at most {limit}")
        elif not is_printable(value):
            self.wrong(path, "holds control characters or others that cannot be printed")
        elif required and value.isspace():
            self.wrong(path, "blank")
        return value

    def prose(self, path: str, value: str, *, maximum: int, required: bool) -> str:
        """Text that a person has written: line breaks and tabs are allowed."""
        self.text(
            path, value.replace("\n", " ").replace("\r", " ").replace("\t", " "), maximum=maximum, required=required
        )
        return value

    def money(self, path: str, message: MoneyMessage, *, given: bool) -> Money:
        """A required amount that is not negative."""
        if not given:
            self.wrong(path, "required")
            return Money(0, "")
        if not 0 <= message.amount_minor <= MAXIMUM_MINOR:
            limit = "negative" if message.amount_minor < 0 else f"more than {MAXIMUM_MINOR}"
            self.wrong(f"{path}.amount_minor", f"must not be {limit}")
        if not _CURRENCY.fullmatch(message.currency_code):
            self.wrong(f"{path}.currency_code", "must be an ISO 4217 code, three upper-case letters")
        return Money(message.amount_minor, message.currency_code)

    def whole(self, path: str, value: int, *, minimum: int, maximum: int) -> int:
        """A number within bounds."""
        if not minimum <= value <= maximum:
            self.wrong(path, f"must be {minimum} to {maximum}, not {value}")
        return value

    def day(self, path: str, value: str) -> date | None:
        """An optional date, YYYY-MM-DD."""
        if not value:
            return None
        if _DATE.fullmatch(value):
            try:
                return date.fromisoformat(value)
            except ValueError:
                pass  # the pattern fits, the day does not exist: said below like any other wrong date
        self.wrong(path, "must be a date such as 2026-03-01, or empty")
        return None

    def moment(self, path: str, message: Timestamp, *, given: bool) -> datetime | None:
        """An optional moment."""
        if not given:
            return None
        if not (_FIRST_SECOND <= message.seconds <= _LAST_SECOND and 0 <= message.nanos < 1_000_000_000):
            self.wrong(path, "must be a moment of the years 1970 to 9999, with 0 to 999,999,999 nanos")
            return None
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=message.seconds, microseconds=message.nanos // 1000)

    def seconds(self, path: str, message: Duration, *, given: bool) -> float | None:
        """An optional duration from nothing to less than a day."""
        if not given:
            return None
        if not (0 <= message.seconds < 86_400 and 0 <= message.nanos < 1_000_000_000):
            self.wrong(path, "must be from 0 seconds to less than a day")
            return None
        return message.seconds + message.nanos / 1e9

    def repeated(self, path: str, values: Iterable[str], what: str) -> None:
        """Notes values that are there twice."""
        seen: dict[str, int] = {}
        for index, value in enumerate(values):
            if value and value in seen:
                self.wrong(f"{path}[{index}].{what}", f"the same as in {path}[{seen[value]}]")
            seen.setdefault(value, index)
