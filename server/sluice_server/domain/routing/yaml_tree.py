"""YAML with the line of every value.

Only what a plan needs: one document, no tags, no anchors and aliases (an alias can make a small text huge), no
duplicate keys. Plain scalars become null, bool, int or float by YAML 1.2's core rules, everything else stays text.

The tree is built from the parser's events and not by the library's own loader: that one recurses, and a text that nests
a million lists would end the process.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from sluice_server.domain.routing.findings import Findings

Scalar = str | int | float | bool | None


@dataclass(slots=True)
class Tree:
    """A value and the line (from 1) where it begins; below a key, the line of the key."""

    value: Scalar | list[Tree] | dict[str, Tree]
    line: int

    def kind(self) -> str:
        """Its type as a reader of YAML calls it."""
        match self.value:
            case None:
                return "nothing"
            case bool():
                return "true/false"
            case int() | float():
                return "a number"
            case str():
                return "text"
            case list():
                return "a list"
            case _:
                return "a mapping"


MAXIMUM_DEPTH = 32
"""Levels of lists and mappings; a plan has seven."""
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_SHOWN_KEY = 128
_INT_DIGITS = 18
"""Longer ones do not fit 64 bits."""


def read_tree(source: str, findings: Findings) -> Tree | None:
    """The document as a tree; None, with a finding, when it is no YAML or empty. Raises TooManyErrors."""
    try:
        return _Reader(findings).read(YAML(typ="safe", pure=False).parse(source))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # The parser puts what is missing at the end onto the line after the last one.
        last = source.rstrip("\n").count("\n") + 1
        findings.error(min(mark.line + 1, last) if mark else 0, "", f"not YAML: {error.problem or error.context}")
    except (YAMLError, ValueError) as error:
        findings.error(0, "", f"not YAML: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
    except _Unreadable as reason:
        findings.error(reason.line, "", reason.message)
    return None


class _Unreadable(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass(slots=True)
class _Open:
    """A list or mapping whose end has not come yet."""

    content: list[Tree] | dict[str, Tree]
    line: int
    key: str | None = None
    """Of a mapping: the key whose value comes next."""
    key_line: int = 0
    twice: bool = field(default=False)
    """The key has a value already, and the coming one is left out."""

    def place(self) -> str:
        """Where the coming value is, within this."""
        if isinstance(self.content, list):
            return f"[{len(self.content)}]"
        return "" if self.key is None else f".{_shown(self.key)}"


class _Reader:
    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._open: list[_Open] = []
        self._root: Tree | None = None

    def read(self, events: Iterable[Event]) -> Tree:
        documents = 0
        for event in events:
            match event:
                case ScalarEvent():
                    self._scalar(event)
                case SequenceStartEvent():
                    self._begin(event, [])
                case MappingStartEvent():
                    self._begin(event, {})
                case SequenceEndEvent() | MappingEndEvent():
                    ended = self._open.pop()
                    self._value(ended.content, ended.line)
                case AliasEvent():
                    self._alias(event)
                case DocumentStartEvent():
                    documents += 1
                    if documents > 1:
                        raise _Unreadable(_line(event), "not YAML: a second document begins here; a plan is one")
        if self._root is None:
            raise _Unreadable(0, "empty; a plan is a mapping with the keys plan, products and rules")
        return self._root

    def _path(self) -> str:
        return "".join(level.place() for level in self._open).removeprefix(".")

    def _awaits_key(self) -> bool:
        return bool(self._open) and isinstance(self._open[-1].content, dict) and self._open[-1].key is None

    def _begin(self, event: NodeEvent, content: list[Tree] | dict[str, Tree]) -> None:
        line = _line(event)
        if self._awaits_key():
            raise _Unreadable(line, "a key must be text")
        self._check(event, line)
        if len(self._open) >= MAXIMUM_DEPTH:
            raise _Unreadable(line, f"nested too deeply; at most {MAXIMUM_DEPTH} levels are accepted")
        self._open.append(_Open(content, line))

    def _scalar(self, event: ScalarEvent) -> None:
        line = _line(event)
        text = str(event.value)
        if self._awaits_key():
            self._key(text, line)
            self._check(event, line)
            return
        self._check(event, line)
        # implicit[0]: written plainly, so that it may be a number and not only text.
        plain = event.implicit[0] and not event.tag
        self._value(self._resolved(text, line) if plain else text, line)

    def _alias(self, event: AliasEvent) -> None:
        line = _line(event)
        if self._awaits_key():
            raise _Unreadable(line, "a key must be text")
        self._findings.error(line, self._path(), "an alias (*name) is not accepted; write the value out")
        self._value(None, line)

    def _check(self, event: NodeEvent, line: int) -> None:
        """Reports tags and anchors."""
        tag = getattr(event, "tag", None)
        if tag:
            self._findings.error(line, self._path(), f"the tag {str(tag)[:80]} is not accepted")
        if event.anchor:
            self._findings.error(
                line, self._path(), "an anchor (&name) is not accepted; write the value out where it is used"
            )

    def _key(self, key: str, line: int) -> None:
        level = self._open[-1]
        assert isinstance(level.content, dict)
        level.key, level.key_line = key, line
        level.twice = key in level.content
        if level.twice:
            first = level.content[key].line
            self._findings.error(line, self._path(), f"the key {_shown(key)!r} is there twice, first in line {first}")

    def _value(self, value: Scalar | list[Tree] | dict[str, Tree], line: int) -> None:
        if not self._open:
            self._root = Tree(value, line)
            return
        level = self._open[-1]
        if isinstance(level.content, list):
            level.content.append(Tree(value, line))
            return
        assert level.key is not None, "a value follows a key"
        if not level.twice:
            # A finding about a key is about the line of the key, also when its value begins further down.
            level.content[level.key] = Tree(value, level.key_line)
        level.key = None

    def _resolved(self, text: str, line: int) -> Scalar:
        if text in _NULLS:
            return None
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
        if _INT.fullmatch(text):
            if len(text) > _INT_DIGITS:
                message = f"a number has at most {_INT_DIGITS} digits; write a code in quotes"
                self._findings.error(line, self._path(), message)
                return None
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
        return text


def _line(event: Event) -> int:
    line: int = event.start_mark.line
    return line + 1


def _shown(key: str) -> str:
    """Long keys are refused later, where keys are known; a path must not grow with them."""
    return key if len(key) <= _SHOWN_KEY else key[:_SHOWN_KEY] + "…"
