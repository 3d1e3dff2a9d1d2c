"""Secrets by reference: the file names where a secret is, never the secret."""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from pathlib import Path


class SecretUnavailable(Exception):
    """The reference leads to no secret; the text names the reference."""


class Secret:
    """A secret and where it came from. Shown, logged or formatted, it is only its reference."""

    __slots__ = ("_value", "reference")

    def __init__(self, value: str, reference: str) -> None:
        self._value = value
        self.reference = reference

    def reveal(self) -> str:
        """The secret itself, for the one place that sends or signs with it."""
        return self._value

    def sign(self, message: bytes, algorithm: str = "sha256") -> bytes:
        """HMAC of the message under this secret."""
        return hmac.digest(self._value.encode(), message, algorithm)

    def __repr__(self) -> str:
        return f"Secret({self.reference})"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret is not serialised")


def resolve_secret(reference: str, *, environment: Mapping[str, str], beside: Path) -> Secret:
    """Follows ``env:NAME`` or ``file:PATH`` (relative to the directory ``beside``; one trailing line break is not part
    of the secret).

    Raises SecretUnavailable when there is nothing, or nothing but emptiness.
    """
    kind, _, name = reference.partition(":")
    if kind == "env" and name:
        value = environment.get(name, "")
        if not value:
            raise SecretUnavailable(f"the environment variable {name} is not set or empty")
        return Secret(value, reference)
    if kind == "file" and name:
        path = beside / name
        try:
            value = path.read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise SecretUnavailable(f"the file {name} cannot be read: {why}") from None
        if not value:
            raise SecretUnavailable(f"the file {name} is empty")
        return Secret(value, reference)
    raise SecretUnavailable("must be env:NAME or file:PATH; the secret itself does not belong into this file")
