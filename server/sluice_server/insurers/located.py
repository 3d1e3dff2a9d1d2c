"""Reading a YAML file so that every mistake in it is named with its line, all of them at once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from sluice_server.domain.errors import InvalidInput, Violation

_LARGEST_FILE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake: where it stands and what is wrong. ``line`` counts from 1."""

    line: int
    path: str
    description: str


class InvalidConfigurationFile(InvalidInput):
    """The file cannot be used. The message has one line for each mistake: ``file:line: path: what is wrong``."""

    def __init__(self, file: str, problems: Sequence[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.line, p.path)))
        lines = [
            f"{file}:{p.line}: {p.path}: {p.description}" if p.path else f"{file}:{p.line}: {p.description}"
            for p in self.problems
        ]
        super().__init__(
            [Violation(p.path, f"{file}:{p.line}: {p.description}") for p in self.problems], "\n".join(lines)
        )


class Findings:
    """Collects the problems of one file."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def add(self, line: int, path: str, description: str) -> None:
        self.problems.append(Problem(line, path, description))

    def raise_if_any(self) -> None:
        """Raises InvalidConfigurationFile with everything that was found."""
        if self.problems:
            raise InvalidConfigurationFile(self.file, self.problems)


class Section:
    """A mapping in the file. Reading a wrong value reports it and gives the fallback, so that reading goes on."""

    def __init__(self, content: CommentedMap, path: str, findings: Findings, line: int) -> None:
        self._content = content
        self._known: set[str] = set()
        self.path = path
        self.line = line
        self.findings = findings

    def __contains__(self, key: str) -> bool:
        return key in self._content

    def at(self, key: str) -> str:
        """The path of an entry: ``insurers.insurer-a.base_url``."""
        return f"{self.path}.{key}" if self.path else key

    def line_of(self, key: str) -> int:
        """The line of an entry, or of the section when it is not there."""
        position = self._content.lc.data.get(key) if self._content.lc.data else None
        return position[0] + 1 if position else self.line

    def report(self, key: str, description: str) -> None:
        """Adds a problem at an entry."""
        self.findings.add(self.line_of(key), self.at(key), description)

    def raw(self, key: str) -> object:
        """The value as it stands in the file; None when there is none."""
        self._known.add(key)
        return self._content.get(key)

    def __iter__(self) -> Iterator[str]:
        """Names of all entries; entries whose name is no text are reported."""
        for key in self._content:
            if isinstance(key, str):
                yield key
            else:
                self.findings.add(self.line_of(key), self.at(str(key)), "the name must be text; put it in quotes")

    def text(self, key: str, *, required: bool = False, fallback: str = "") -> str:
        value = self.raw(key)
        if value is None:
            if required:
                self.report(key, "is required")
            return fallback
        if not isinstance(value, str) or not value:
            self.report(key, "must be text that is not empty")
            return fallback
        return str(value)

    def number(self, key: str, *, fallback: float, above: float, at_most: float) -> float:
        """A number greater than ``above`` and not greater than ``at_most``."""
        value = self.raw(key)
        if value is None:
            return fallback
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            self.report(key, f"must be a number, not {value!r}")
            return fallback
        if not above < value <= at_most:
            self.report(key, f"must be more than {above:g} and at most {at_most:g}, not {value:g}")
            return fallback
        return float(value)

    def whole_number(self, key: str, *, fallback: int, at_least: int, at_most: int) -> int:
        value = self.raw(key)
        if value is None:
            return fallback
        if isinstance(value, bool) or not isinstance(value, int):
            self.report(key, f"must be a whole number, not {value!r}")
            return fallback
        if not at_least <= value <= at_most:
            self.report(key, f"must be from {at_least} to {at_most}, not {value}")
            return fallback
        return int(value)

    def choice(self, key: str, choices: Sequence[str], *, required: bool = False, fallback: str = "") -> str:
        value = self.text(key, required=required, fallback=fallback)
        if value and value not in choices:
            self.report(key, f"must be one of {', '.join(choices)}, not {value!r}")
            return fallback
        return value

    def section(self, key: str, *, required: bool = False) -> Section | None:
        value = self.raw(key)
        if value is None:
            if required:
                self.report(key, "is required")
            return None
        if not isinstance(value, CommentedMap):
            self.report(key, "must be a mapping")
            return None
        return Section(value, self.at(key), self.findings, self.line_of(key))

    def sections(self, key: str) -> list[Section]:
        """A list of mappings."""
        value = self.raw(key)
        if value is None:
            return []
        if not isinstance(value, CommentedSeq):
            self.report(key, "must be a list")
            return []
        found = []
        for index, item in enumerate(value):
            line, path = value.lc.data[index][0] + 1, f"{self.at(key)}[{index}]"
            if isinstance(item, CommentedMap):
                found.append(Section(item, path, self.findings, line))
            else:
                self.findings.add(line, path, "must be a mapping")
        return found

    def refuse_unknown(self) -> None:
        """Reports entries that nothing has read: usually a slip of the pen."""
        for key in self:
            if key not in self._known:
                known = ", ".join(sorted(self._known))
                self.report(key, f"is not known here; known are {known}")


def read_file(path: Path) -> Section:
    """The file's top mapping. Raises InvalidConfigurationFile when it cannot be read as one."""
    findings = Findings(str(path))
    try:
        size = path.stat().st_size
        if size > _LARGEST_FILE_BYTES:
            findings.add(1, "", f"the file has {size} bytes; at most {_LARGEST_FILE_BYTES} are read")
            findings.raise_if_any()
        source = path.read_text(encoding="utf-8")
    except OSError as error:
        findings.add(1, "", f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        findings.add(1, "", f"is not UTF-8 at byte {error.start}")
    findings.raise_if_any()
    return read_text(source, str(path))


def read_text(source: str, file: str) -> Section:
    """The top mapping of YAML text; ``file`` is named in the problems."""
    findings = Findings(file)
    content: object = None
    try:
        content = YAML(typ="rt", pure=True).load(source)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        findings.add(mark.line + 1 if mark else 1, "", f"is not YAML: {error.problem or error.context}")
    except YAMLError as error:
        findings.add(1, "", f"is not YAML: {error}")
    if not findings.problems and not isinstance(content, CommentedMap):
        findings.add(1, "", "must be a mapping")
    findings.raise_if_any()
    assert isinstance(content, CommentedMap)
    return Section(content, "", findings, 1)


def plain_value(value: object) -> object:
    """The value without the reader's own types: dict, list, str, int, float, bool or None."""
    if isinstance(value, CommentedMap):
        return {str(k): plain_value(v) for k, v in value.items()}
    if isinstance(value, CommentedSeq):
        return [plain_value(v) for v in value]
    if value is None or isinstance(value, bool):
        return value
    for kind in (str, int, float):
        if isinstance(value, kind):
            return kind(value)
    return str(value)
