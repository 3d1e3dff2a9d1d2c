"""What validation says about a plan's text, with the place it says it about."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from sluice_server.domain.errors import InvalidPlan, Violation
from sluice_server.domain.located_yaml import Mistakes


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


_TEXT = re.compile(r"line (\d+): (.*?): (.*)", re.DOTALL)


class Findings(Mistakes):
    """Collects errors and warnings while a plan is read and checked."""

    def __init__(self, maximum: int) -> None:
        super().__init__(maximum)
        self._most_warnings = maximum
        self._warnings: list[Finding] = []
        self._more_warnings = 0

    def warning(self, line: int, path: str, message: str) -> None:
        """Warnings over the maximum are only counted."""
        if len(self._warnings) >= self._most_warnings:
            self._more_warnings += 1
            return
        self._warnings.append(Finding(Severity.WARNING, line, path, message))

    def sorted(self) -> tuple[Finding, ...]:
        """By line. When there were more than the maximum, the last ones say so."""
        errors = [Finding(Severity.ERROR, m.line, m.path, m.message) for m in self.errors()]
        found = sorted((*errors, *self._warnings), key=lambda f: (f.line, f.path, f.message))
        limit = f"plan_max_findings is {self._most_warnings}"
        if self._more_errors:
            found.append(Finding(Severity.ERROR, 0, "", f"too many errors; the rest was not checked ({limit})"))
        if self._more_warnings:
            found.append(Finding(Severity.WARNING, 0, "", f"{self._more_warnings} more warnings ({limit})"))
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
