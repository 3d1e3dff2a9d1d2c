"""What validation says about a plan's text, with the place it says it about."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sluice_server.domain.errors import InvalidPlan, Violation


class Severity(StrEnum):
    """Whether a finding forbids activation."""

    ERROR = "ERROR"
    WARNING = "WARNING"


@dataclass(frozen=True, slots=True)
class Finding:
    """One error or warning."""

    severity: Severity
    line: int
    """Line in the text, from 1; 0 when it concerns the whole."""
    path: str
    """Where in the structure: ``rules[2].allocations[0].share``; empty for the whole."""
    message: str
    """What is wrong and what to do."""

    def text(self) -> str:
        """One line: ``line 12: rules[2].split: …``."""
        return f"line {self.line}: {self.path}: {self.message}"

    @staticmethod
    def warning_from_text(text: str) -> Finding:
        """The warning that ``text()`` was made of."""
        match = _TEXT.match(text)
        if match is None:
            return Finding(Severity.WARNING, 0, "", text)
        return Finding(Severity.WARNING, int(match[1]), match[2], match[3])


_TEXT = re.compile(r"line (\d+): ([^ ]*): (.*)", re.DOTALL)


class Findings:
    """Collects findings while a plan is read and checked."""

    def __init__(self, maximum: int) -> None:
        self._maximum = maximum
        self._found: list[Finding] = []
        self._more = 0

    def error(self, line: int, path: str, message: str) -> None:
        self._add(Finding(Severity.ERROR, line, path, message))

    def warning(self, line: int, path: str, message: str) -> None:
        self._add(Finding(Severity.WARNING, line, path, message))

    def _add(self, finding: Finding) -> None:
        # A warning gives way to an error, or a plan with many warnings would look valid.
        if len(self._found) < self._maximum:
            self._found.append(finding)
            return
        self._more += 1
        if finding.severity is Severity.ERROR:
            for place, kept in enumerate(self._found):
                if kept.severity is Severity.WARNING:
                    self._found[place] = finding
                    return

    @property
    def has_errors(self) -> bool:
        return any(f.severity is Severity.ERROR for f in self._found)

    def sorted(self) -> tuple[Finding, ...]:
        """By line. When there were more than the maximum, the last one says so."""
        found = sorted(self._found, key=lambda f: (f.line, f.path, f.message))
        if self._more:
            worst = Severity.ERROR if self.has_errors else Severity.WARNING
            found.append(Finding(worst, 0, "", f"{self._more} more findings (max_findings is {self._maximum})"))
        return tuple(found)


def errors(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that forbid activation."""
    return tuple(f for f in findings if f.severity is Severity.ERROR)


def warnings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Those that do not."""
    return tuple(f for f in findings if f.severity is Severity.WARNING)


def invalid_plan(findings: Iterable[Finding]) -> InvalidPlan:
    """The error that tells a caller all of them."""
    return InvalidPlan(
        [
            Violation(
                field=f"source.{f.path}" if f.path else "source",
                description=f"line {f.line}: {f.message}" if f.line else f.message,
            )
            for f in findings
            if f.severity is Severity.ERROR
        ]
    )
