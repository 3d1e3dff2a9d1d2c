"""Identifiers that sort by time.

Random primary keys cost three to five times the insert, so ids grow: 48 bits of milliseconds, 16 bits of a counter that
starts anew at a random place in each process, 64 random bits that are drawn once per process.
"""

from __future__ import annotations

import itertools
import re
import secrets
import time
from datetime import UTC, datetime, timedelta

_process = secrets.token_hex(8)
_counter = itertools.count(secrets.randbelow(1 << 16))


def new_id(prefix: str) -> str:
    """A new id such as ``inc-019b0c5e3f7a2c41…``: the prefix and 32 hexadecimal digits that grow with time."""
    return f"{prefix}-{time.time_ns() // 1_000_000:012x}{next(_counter) & 0xFFFF:04x}{_process}"


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ID = re.compile(r"[a-z]+-([0-9a-f]{12})[0-9a-f]{20}")


def made_at(identifier: str) -> datetime | None:
    """When an id of ``new_id`` was made, to the millisecond; None when it is none."""
    parts = _ID.fullmatch(identifier)
    try:
        return None if parts is None else _EPOCH + timedelta(milliseconds=int(parts[1], 16))
    except OverflowError:  # a moment beyond the calendar: nobody made it
        return None
