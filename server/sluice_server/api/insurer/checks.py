"""Collects everything that is wrong with a request before it is refused."""

from __future__ import annotations

import re

from sluice_server.domain.errors import InvalidInput, Violation


class Checks:
    """Collects what is wrong with a request."""

    def __init__(self) -> None:
        self._violations: list[Violation] = []

    def refuse(self, field: str, description: str) -> None:
        self._violations.append(Violation(field, description))

    def text(
        self,
        field: str,
        value: str,
        *,
        most: int,
        required: bool = False,
        pattern: re.Pattern[str] | None = None,
    ) -> str:
        """At most ``most`` characters without control characters; of a pattern if one is given and it is not empty."""
        if required and not value.strip():
            self.refuse(field, "required")
        elif len(value) > most:
            self.refuse(field, f"at most {most} characters, not {len(value)}")
        elif any(character < " " and character not in "\n\t" for character in value):
            self.refuse(field, "must not contain control characters")
        elif value and pattern is not None and not pattern.fullmatch(value):
            self.refuse(field, f"must match {pattern.pattern}")
        return value

    def raise_if_any(self) -> None:
        """Raises InvalidInput with everything that was refused."""
        if self._violations:
            raise InvalidInput(self._violations)
