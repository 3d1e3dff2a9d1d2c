"""Page tokens: where a list goes on, bound to the list and its filters, so that a token cannot be used for another."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

from sluice_server.domain.errors import InvalidPageToken


@dataclass(frozen=True, slots=True)
class Page:
    """Which page is wanted: at most ``size`` rows, from ``token`` on (empty: from the start)."""

    size: int
    token: str = ""


class PageTokens:
    """Writes and reads the tokens of one list. They are not secret, only opaque."""

    def __init__(self, list_name: str) -> None:
        self._list_name = list_name

    def write(self, subject: object, **position: int) -> str:
        """A token for ``position`` in the list that ``subject`` (its filters, any repr) describes."""
        payload = json.dumps({"s": self._digest(subject), **position}, separators=(",", ":"))
        return base64.urlsafe_b64encode(payload.encode()).decode().rstrip("=")

    def read(self, token: str, subject: object, fields: Mapping[str, type[int]]) -> dict[str, int]:
        """The position that ``token`` holds, empty for an empty token. Raises InvalidPageToken."""
        if not token:
            return {}
        try:
            padded = token.encode("ascii") + b"=" * (-len(token) % 4)
            payload = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        except (ValueError, binascii.Error) as error:
            raise InvalidPageToken from error
        if not isinstance(payload, dict) or payload.pop("s", None) != self._digest(subject):
            raise InvalidPageToken
        if payload.keys() != fields.keys() or not all(type(value) is int and value >= 0 for value in payload.values()):
            raise InvalidPageToken
        return payload

    def _digest(self, subject: object) -> str:
        return hashlib.blake2b(f"{self._list_name}\n{subject!r}".encode(), digest_size=9).hexdigest()
