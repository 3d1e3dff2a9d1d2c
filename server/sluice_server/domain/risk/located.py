"""YAML files that people write, read so that every mistake is reported at once with its line and path."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from io import StringIO
from typing import Any, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from sluice_server.domain.errors import Violation
from sluice_server.domain.risk.semantic_model import Label

E = TypeVar("E", bound=StrEnum)


@dataclass
class Mistakes:
    """What is wrong with a file; each violation's field is ``line N: path``."""

    found: list[Violation] = field(default_factory=list)
    lines: dict[str, int] = field(default_factory=dict)
    """Where each path that was read stands in the file."""

    def add(self, line: int, path: str, text: str) -> None:
        self.found.append(Violation(f"line {line}: {path}", text))

    def add_at(self, path: str, text: str) -> None:
        """At the line of ``path``, or of the nearest one around it."""
        around = path
        while around and around not in self.lines:
            around = around.rpartition(".")[0]
        self.add(self.lines.get(around, 1), path, text)


def read_mapping(text: str, mistakes: Mistakes) -> Node | None:
    """The file's outermost mapping; None, with the mistake noted, where it is none."""
    try:
        root = YAML().load(StringIO(text))
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark is not None else 1
        mistakes.found.append(Violation(f"line {line}", f"not YAML: {error.problem}"))
        return None
    except YAMLError as error:
        mistakes.found.append(Violation("line 1", f"not YAML: {error}"))
        return None
    if not isinstance(root, CommentedMap):
        mistakes.found.append(Violation("line 1", "must be a mapping"))
        return None
    return Node(root, "", mistakes)


class Node:
    """One mapping of a file. Reads what is asked for, notes what is wrong, and goes on."""

    def __init__(self, data: CommentedMap, path: str, mistakes: Mistakes) -> None:
        self._data = data
        self._path = path
        self._mistakes = mistakes
        for key in data:
            mistakes.lines[self._full(str(key))] = self._line(key)

    def _full(self, key: str) -> str:
        return f"{self._path}.{key}".lstrip(".")

    def _line(self, key: str) -> int:
        """Where the key stands; where it is missing, or comes in by an alias, where the mapping begins."""
        places = self._data.lc.data or {}
        return int(places[key][0] if key in places else self._data.lc.line) + 1

    def only(self, *allowed: str) -> None:
        for key in self._data:
            if key not in allowed:
                self.wrong(str(key), f"unknown; expected one of {', '.join(allowed)}")

    def wrong(self, key: str, text: str) -> None:
        self._mistakes.add(self._line(key), self._full(key), text)

    def has(self, key: str) -> bool:
        return key in self._data

    def get(self, key: str) -> Any:
        return self._data.get(key)

    def text(self, key: str) -> str:
        value = self._data.get(key)
        if not isinstance(value, str) or not value.strip():
            self.wrong(key, "a text is required")
            return ""
        return str(value)

    def optional_text(self, key: str) -> str | None:
        return self.text(key) if key in self._data else None

    def flag(self, key: str) -> bool:
        value = self._data.get(key, False)
        if not isinstance(value, bool):
            self.wrong(key, "must be true or false")
            return False
        return value

    def whole(self, key: str, least: int, most: int, default: int | None = None) -> int:
        value = self._data.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            self.wrong(key, f"a whole number from {least} to {most} is required")
            return least
        return int(value)

    def number(self, key: str) -> float:
        value = self._data.get(key)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.wrong(key, "a number is required")
            return 0.0
        return float(value)

    def optional_number(self, key: str) -> float | None:
        return self.number(key) if key in self._data else None

    def one_of(self, key: str, kind: type[E], default: E) -> E:
        if key not in self._data:
            return default
        value = self._data[key]
        try:
            return kind(str(value))
        except ValueError:
            self.wrong(key, f"{value!r} is not one of {', '.join(kind)}")
            return default

    def child(self, key: str) -> Node:
        value = self._data.get(key)
        if not isinstance(value, CommentedMap):
            self.wrong(key, "a mapping is required")
            value = CommentedMap()
            value.lc.line = self._data.lc.line
        return Node(value, self._full(key), self._mistakes)

    def children(self, key: str) -> Iterable[tuple[str, Node]]:
        node = self.child(key)
        return [(str(name), node.child(name)) for name in node._data]

    def items(self, key: str) -> list[Node]:
        """The mappings of a list; empty where there is none."""
        nodes = []
        for i, value in enumerate(self._list(key)):
            path = f"{self._full(key)}[{i}]"
            if isinstance(value, CommentedMap):
                nodes.append(Node(value, path, self._mistakes))
            else:
                self._mistakes.add(self._line(key), path, "a mapping is required")
        return nodes

    def list_of_texts(self, key: str) -> tuple[str, ...]:
        """The texts of a list, numbers and dates as they are written; empty where there is none."""
        found = []
        for i, value in enumerate(self._list(key)):
            if isinstance(value, CommentedMap | CommentedSeq) or value is None:
                self._mistakes.add(self._line(key), f"{self._full(key)}[{i}]", "a text is required")
            else:
                found.append(str(value))
        return tuple(found)

    def _list(self, key: str) -> CommentedSeq | list[Any]:
        value = self._data.get(key, [])
        if not isinstance(value, list):
            self.wrong(key, "a list is required")
            return []
        return value

    def texts(self, key: str) -> dict[str, str]:
        node = self.child(key)
        return {str(name): node.text(name) for name in node._data}

    def label(self, key: str) -> Label:
        node = self.child(key)
        node.only("zh", "en")
        return Label(node.text("zh"), node.text("en"))
