"""Page tokens: where a list goes on, bound to the list and its filters. They are opaque, not secret."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Collection

from sluice_server.domain.errors import InvalidPageToken


def write_page_token(position: str, list_name: str, filters: Collection[object]) -> str:
    """A token for going on after ``position``; empty where there is no further page."""
    if not position:
        return ""
    text = f"{_digest(list_name, filters)}{position}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_page_token(token: str, list_name: str, filters: Collection[object]) -> str:
    """The position that a token holds. Raises InvalidPageToken for one of another list or other filters."""
    if not token:
        return ""
    try:
        padded = token.encode("ascii") + b"=" * (-len(token) % 4)
        text = base64.b64decode(padded, altchars=b"-_", validate=True).decode("ascii")
    except (ValueError, binascii.Error):
        raise InvalidPageToken from None
    digest = _digest(list_name, filters)
    if not text.startswith(digest) or not text.removeprefix(digest).isprintable():
        raise InvalidPageToken
    return text.removeprefix(digest)


def _digest(list_name: str, filters: Collection[object]) -> str:
    return hashlib.blake2b(repr((list_name, *filters)).encode(), digest_size=6).hexdigest()
