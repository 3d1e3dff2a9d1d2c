"""From YAML to a tree with the line of every value.

One document, no tags, no duplicate keys; keys are text as written. Plain scalars become null, bool, int or float by
YAML 1.2's core rules, everything else, dates too, stays text. An alias can make a small text huge: where aliases are
accepted at all, what they repeat is limited.

The tree is built from the parser's events and not by the library's own loader: that one recurses, and a text that nests
a million lists would end the process.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from sluice_server.domain.located_yaml.mistakes import Mistakes
from sluice_server.domain.located_yaml.tree import Scalar, Tree

MAXIMUM_DEPTH = 32
"""Levels of lists and mappings; a plan has seven."""
MAXIMUM_REPEATED = 20_000
"""Values that all aliases of a text repeat together."""
_MERGE = "<<"
_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_SHOWN_KEY = 128
_INT_DIGITS = 18
"""Longer ones do not fit 64 bits."""


def read_tree(source: str, mistakes: Mistakes, *, expected: str, lenient: bool = False) -> Tree | None:
    """The document as a tree whose value is a mapping; None, with a mistake, when it is no YAML or no mapping.

    ``expected``: says in the mistake what it should be: ``a plan is a mapping with …``. ``lenient``: for small texts;
    accepts ``&name``, ``*name`` and the merge key ``<<``, and within braces a text with a colon that is in no quotes,
    ``{secret: env:NAME}``, as YAML 1.2 does: libyaml, which is many times faster, reads 1.1. Raises TooManyErrors.
    """
    try:
        tree = _Reader(mistakes, lenient).read(YAML(typ="safe", pure=lenient).parse(source))
        if tree is None:
            mistakes.error(0, "", f"empty; {expected}")
        elif isinstance(tree.value, dict):
            return tree
        else:
            mistakes.error(tree.line, "", f"{expected}, this is {tree.kind()}")
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        # The parser puts what is missing at the end onto the line after the last one.
        last = source.rstrip("\n").count("\n") + 1
        mistakes.error(min(mark.line + 1, last) if mark else 0, "", f"is not YAML: {error.problem or error.context}")
    except (YAMLError, ValueError) as error:
        mistakes.error(0, "", f"is not YAML: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
    except _Unreadable as reason:
        mistakes.error(reason.line, "", reason.message)
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
    is_mapping: bool
    key: str | None = None
    """Of a mapping: the key whose value comes next."""
    key_line: int = 0
    twice: bool = False
    """The key has a value already, and the coming one is left out."""
    anchor: str | None = None

    @property
    def awaits_key(self) -> bool:
        return self.is_mapping and self.key is None

    def place(self) -> str:
        """Where the coming value is, within this."""
        if isinstance(self.content, list):
            return f"[{len(self.content)}]"
        return "" if self.key is None else f".{_shown(self.key)}"


class _Reader:
    """A plan of 50,000 rules has 1.4 million events, so each takes the shortest way that there is."""

    def __init__(self, mistakes: Mistakes, aliases: bool) -> None:
        self._mistakes = mistakes
        self._anchored: dict[str, Tree] | None = {} if aliases else None
        """What aliases may stand for, by name; None where they are not accepted."""
        self._repeated = 0
        self._open: list[_Open] = []
        self._root: Tree | None = None
        self._texts: dict[str, str] = {}
        """Each text once: thousands of rules name the same few insurers."""
        self._plain: dict[str, Scalar] = {}
        """What plain scalars mean, by their text."""

    def read(self, events: Iterable[Event]) -> Tree | None:
        """None when there is no value. Raises _Unreadable, TooManyErrors and the parser's errors."""
        documents = 0
        for event in events:
            kind = type(event)
            if kind is ScalarEvent:
                self._scalar(event)
            elif kind is MappingStartEvent:
                self._begin(event, {})
            elif kind is SequenceStartEvent:
                self._begin(event, [])
            elif kind is MappingEndEvent or kind is SequenceEndEvent:
                self._end(self._open.pop())
            elif kind is AliasEvent:
                self._alias(event)
            elif kind is DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise _Unreadable(_line(event), "is not YAML: a second document begins here; one is accepted")
        return self._root

    def _path(self) -> str:
        return "".join(level.place() for level in self._open).removeprefix(".")

    def _begin(self, event: Any, content: list[Tree] | dict[str, Tree]) -> None:
        line = _line(event)
        if self._open and self._open[-1].awaits_key:
            raise _Unreadable(line, "a key must be text")
        self._check(event, line)
        if len(self._open) >= MAXIMUM_DEPTH:
            raise _Unreadable(line, f"nested too deeply; at most {MAXIMUM_DEPTH} levels are accepted")
        self._open.append(_Open(content, line, type(content) is dict, anchor=event.anchor))

    def _end(self, ended: _Open) -> None:
        content = ended.content
        if self._anchored is not None:
            if isinstance(content, dict) and _MERGE in content:
                self._merge(content, content.pop(_MERGE))
            if ended.anchor:
                self._anchored[ended.anchor] = Tree(content, ended.line)
        self._value(content, ended.line)

    def _merge(self, content: dict[str, Tree], merged: Tree) -> None:
        """Adds what the mapping has not got of its own; of several sources the first that has it counts."""
        for source in merged.value if isinstance(merged.value, list) else [merged]:
            if isinstance(source.value, dict):
                for key, below in source.value.items():
                    content.setdefault(key, below)
            else:
                path = f"{self._path()}.{_MERGE}".removeprefix(".")
                self._mistakes.error(merged.line, path, f"must be a mapping or several, this is {source.kind()}")

    def _scalar(self, event: Any) -> None:
        line = _line(event)
        text = self._texts.setdefault(event.value, event.value)
        level = self._open[-1] if self._open else None
        if level is not None and level.is_mapping and level.key is None:
            self._key(level, text, line)
            self._check(event, line)
            return
        self._check(event, line)
        # implicit[0]: written plainly, so that it may be a number and not only text.
        plain = event.implicit[0] and event.ctag is None
        value = self._resolved(text, line) if plain else text
        if event.anchor and self._anchored is not None:
            self._anchored[event.anchor] = Tree(value, line)
        self._value(value, line)

    def _alias(self, event: Any) -> None:
        line = _line(event)
        if self._open and self._open[-1].awaits_key:
            raise _Unreadable(line, "a key must be text")
        if self._anchored is None:
            self._mistakes.error(line, self._path(), "an alias (*name) is not accepted; write the value out")
            self._value(None, line)
            return
        tree = self._anchored.get(event.anchor)
        if tree is None:
            self._mistakes.error(line, self._path(), f"*{_shown(event.anchor)} stands for nothing above")
            self._value(None, line)
            return
        count, depth = _size(tree)
        self._repeated += count
        if self._repeated > MAXIMUM_REPEATED:
            raise _Unreadable(line, f"aliases repeat more than {MAXIMUM_REPEATED} values; write fewer")
        if len(self._open) + depth > MAXIMUM_DEPTH:
            raise _Unreadable(line, f"nested too deeply; at most {MAXIMUM_DEPTH} levels are accepted")
        self._value(tree.value, line)

    def _check(self, event: Any, line: int) -> None:
        """Reports tags and anchors."""
        if event.ctag is not None and event.tag:
            self._mistakes.error(line, self._path(), f"the tag {str(event.tag)[:80]} is not accepted")
        if event.anchor and self._anchored is None:
            self._mistakes.error(
                line, self._path(), "an anchor (&name) is not accepted; write the value out where it is used"
            )

    def _key(self, level: _Open, key: str, line: int) -> None:
        level.key, level.key_line = key, line
        assert isinstance(level.content, dict)
        level.twice = key in level.content
        if level.twice:
            first = level.content[key].line
            self._mistakes.error(line, self._path(), f"the key {_shown(key)!r} is there twice, first in line {first}")

    def _value(self, value: Scalar | list[Tree] | dict[str, Tree], line: int) -> None:
        if not self._open:
            self._root = Tree(value, line)
            return
        level = self._open[-1]
        content = level.content
        if isinstance(content, list):
            content.append(Tree(value, line))
            return
        assert level.key is not None, "a value follows a key"
        if not level.twice:
            # A finding about a key is about the line of the key, also when its value begins further down.
            content[level.key] = Tree(value, level.key_line)
        level.key = None

    def _resolved(self, text: str, line: int) -> Scalar:
        try:
            return self._plain[text]
        except KeyError:
            pass
        if _INT.fullmatch(text) and len(text) > _INT_DIGITS:
            message = f"a number has at most {_INT_DIGITS} digits; write a code in quotes"
            self._mistakes.error(line, self._path(), message)
            return None
        value = self._plain[text] = _resolved(text)
        return value


def _resolved(text: str) -> Scalar:
    """A plain scalar by the core rules of YAML 1.2."""
    if text in _NULLS:
        return None
    if text in _TRUE:
        return True
    if text in _FALSE:
        return False
    if _INT.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def _size(tree: Tree) -> tuple[int, int]:
    """Values and levels of lists and mappings."""
    count = depth = 0
    left = [(tree, 0)]
    while left:
        each, above = left.pop()
        count += 1
        if isinstance(each.value, dict | list):
            depth = max(depth, above + 1)
            below = each.value.values() if isinstance(each.value, dict) else each.value
            left.extend((value, above + 1) for value in below)
    return count, depth


def _line(event: Event) -> int:
    line: int = event.start_mark.line
    return line + 1


def _shown(key: str) -> str:
    """Long keys are refused later, where keys are known; a path must not grow with them."""
    return key if len(key) <= _SHOWN_KEY else key[:_SHOWN_KEY] + "…"
