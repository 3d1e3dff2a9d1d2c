"""What is wrong with a text, and where."""

from __future__ import annotations

from dataclasses import dataclass

from sluice_server.domain.errors import Violation


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong."""

    line: int
    """Line in the text, from 1; 0 when it concerns the whole."""
    path: str
    """Where in the structure: ``rules[2].allocations[0].share``; empty for the whole."""
    message: str
    """What is wrong and what to do."""

    def violation(self) -> Violation:
        """Its field is ``line N: path``."""
        line = f"line {self.line or 1}"
        return Violation(f"{line}: {self.path}" if self.path else line, self.message)


class TooManyErrors(Exception):
    """There are as many errors as are reported at once: reading on would only cost time."""


class Mistakes:
    """Collects what is wrong while a text is read and checked."""

    def __init__(self, maximum: int | None = None) -> None:
        """``maximum``: so many are reported; None where the text is so small that all are."""
        self._maximum = maximum
        self._errors: list[Mistake] = []
        self._more_errors = False

    def error(self, line: int, path: str, message: str) -> None:
        """Raises TooManyErrors at the first one that is no longer reported."""
        if self._maximum is not None and len(self._errors) >= self._maximum:
            self._more_errors = True
            raise TooManyErrors
        self._errors.append(Mistake(line, path, message))

    @property
    def error_count(self) -> int:
        """Of those that are reported."""
        return len(self._errors)

    @property
    def has_errors(self) -> bool:
        return bool(self._errors)

    def errors(self) -> tuple[Mistake, ...]:
        """By line."""
        return tuple(sorted(self._errors, key=lambda m: (m.line, m.path)))

    def violations(self) -> list[Violation]:
        """By line; each one's field is ``line N: path``."""
        return [mistake.violation() for mistake in self.errors()]
