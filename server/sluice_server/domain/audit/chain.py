"""The audit trail as a chain: each row's hash covers its content and the hash of the row before it.

A row that is changed no longer fits its hash; one that is missing leaves a gap; and the head, which is kept apart,
tells when the newest ones are missing. Who can write to the database can also compute the whole chain anew: against
that, write down the head now and then where the database's owner cannot reach it, and verify against it later.

    hash = SHA-256(compact JSON of [previous hash, sequence, every field in the order of FIELDS])

The JSON is UTF-8 with sorted keys; times are microseconds since 1970 UTC; numbers are written as whole numbers where
they are, so that a hash can be computed again from what any database or any answer of ListAuditEvents gives back.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from sluice_server.domain.audit.event import AuditEvent, ChainLink

GENESIS = "0" * 64
"""What the first row follows upon."""
FIELDS = (
    "audit_id",
    "at",
    "actor",
    "actor_verified",
    "action",
    "subject",
    "reason",
    "request_id",
    "trace_id",
    "before",
    "after",
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_LARGEST_WHOLE = 2**53


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The newest row: what an auditor writes down to verify against later."""

    sequence: int = 0
    """0: there is no row."""
    hash: str = GENESIS

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash}"


def chained(event: AuditEvent, head: ChainHead) -> tuple[AuditEvent, ChainHead]:
    """The event as the next row after ``head``, and the new head."""
    sequence = head.sequence + 1
    digest = hash_of(event, sequence, head.hash)
    return replace(event, link=ChainLink(sequence, head.hash, digest)), ChainHead(sequence, digest)


def hash_of(event: AuditEvent, sequence: int, previous_hash: str) -> str:
    """64 hexadecimal digits."""
    content = [previous_hash, sequence, *(_canonical(getattr(event, name)) for name in FIELDS)]
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _canonical(value: object) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, int | float):
        number = float(value)
        return int(number) if number.is_integer() and abs(number) <= _LARGEST_WHOLE else number
    if isinstance(value, datetime):
        return (value - _EPOCH) // _MICROSECOND
    if isinstance(value, Mapping):
        return {str(key): _canonical(each) for key, each in value.items()}
    if isinstance(value, Iterable):
        return [_canonical(each) for each in value]
    raise TypeError(f"{type(value).__name__} has no place in an audit row")


@dataclass(frozen=True, slots=True)
class ChainProblem:
    """One place where the chain does not hold."""

    sequence: int
    """Of the row, or of the first one that is missing."""
    audit_id: str
    """Empty for rows that are missing."""
    what: str


class ChainCheck:
    """Follows the rows from the newest to the oldest; ``problems`` is complete after ``end``."""

    def __init__(self, head: ChainHead, anchors: Iterable[ChainHead] = ()) -> None:
        """``head``: as it is kept apart from the rows. ``anchors``: heads that were written down earlier."""
        self.head = head
        self.rows = 0
        self.problems: list[ChainProblem] = []
        self._anchors = {anchor.sequence: anchor.hash for anchor in anchors}
        self._expected = head.sequence
        self._named_hash = head.hash
        """What the row after (or the head) says that the hash of the next one is."""
        self._named_by = "the chain's head"

    def follow(self, event: AuditEvent) -> None:
        """The next older row."""
        self.rows += 1
        link = event.link
        if link is None:
            self._problem(self._expected, event.audit_id, "is not chained at all")
            return
        if link.sequence > self._expected:
            self._problem(link.sequence, event.audit_id, f"is newer than {self._named_by}")
        elif link.sequence < self._expected:
            self._missing(link.sequence + 1, self._expected)
        elif link.hash != self._named_hash:
            self._problem(link.sequence, event.audit_id, f"is not the row that {self._named_by} names")
        if hash_of(event, link.sequence, link.previous_hash) != link.hash:
            self._problem(link.sequence, event.audit_id, "was changed: its content does not fit its hash")
        self._check_anchor(link.sequence, event.audit_id, link.hash)
        self._expected, self._named_hash = link.sequence - 1, link.previous_hash
        self._named_by = f"row {link.sequence}"

    def end(self) -> None:
        """There are no older rows."""
        if self._expected > 0:
            self._missing(1, self._expected)
        elif self._named_hash != GENESIS:
            self._problem(1, "", "does not follow upon nothing: an older row is missing")
        for sequence in sorted(self._anchors):
            self._problem(sequence, "", "is missing, but was written down earlier")
        self._anchors.clear()

    def _check_anchor(self, sequence: int, audit_id: str, digest: str) -> None:
        anchored = self._anchors.pop(sequence, None)
        if anchored is not None and anchored != digest:
            self._problem(sequence, audit_id, "has another hash than was written down earlier")

    def _missing(self, first: int, last: int) -> None:
        rows = "is missing" if first == last else f"to {last} are missing"
        self._problem(first, "", rows)

    def _problem(self, sequence: int, audit_id: str, what: str) -> None:
        self.problems.append(ChainProblem(sequence, audit_id, what))
