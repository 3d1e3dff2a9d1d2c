"""Reads one mapping key by key, and reports what is missing, of the wrong type, too long or unknown."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import TypeVar

from sluice_server.domain.located_yaml.mistakes import Mistakes
from sluice_server.domain.located_yaml.reader import read_tree
from sluice_server.domain.located_yaml.tree import Tree, line_at, plain_value
from sluice_server.domain.suggestion import suggestion

E = TypeVar("E", bound=StrEnum)

LONGEST_TEXT = 100_000
"""Characters of a text for which nothing else is said."""


def read_section(source: str, mistakes: Mistakes) -> Section | None:
    """The text's outermost mapping, read as lenient; None, with a mistake, when it is none."""
    tree = read_tree(source, mistakes, expected="must be a mapping", lenient=True)
    return None if tree is None else Section(tree, "", mistakes, "the file")


class Section:
    """A mapping at ``path``. Every reading method takes a key; ``done()`` reports the keys nobody asked for.

    What is wrong is reported and read as absent, so that reading goes on.
    """

    def __init__(self, tree: Tree, path: str, mistakes: Mistakes, what: str) -> None:
        """``what``: how a mistake calls it: ``a rule``."""
        self.line = tree.line
        self.path = path
        self.mistakes = mistakes
        self._what = what
        self._asked: set[str] = set()
        self.entries: dict[str, Tree] = {}
        if isinstance(tree.value, dict):
            self.entries = tree.value
        else:
            mistakes.error(tree.line, path, f"{what} must be a mapping, this is {tree.kind()}")

    def __contains__(self, key: str) -> bool:
        return key in self.entries

    def __iter__(self) -> Iterator[str]:
        """All keys."""
        return iter(self.entries)

    def at(self, key: str) -> str:
        """The path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def line_of(self, key: str) -> int:
        """The line of a key, or of the mapping when it is not there."""
        tree = self.entries.get(key)
        return tree.line if tree else self.line

    def lines(self) -> dict[str, int]:
        """Line by key."""
        return {key: tree.line for key, tree in self.entries.items()}

    def report(self, key: str, message: str) -> None:
        """Reports a mistake at a key."""
        self.mistakes.error(self.line_of(key), self.at(key), message)

    def report_at(self, path: str, message: str) -> None:
        """Reports a mistake at ``charts[0].title`` below this, or in the line of the nearest value around it."""
        self.mistakes.error(line_at(Tree(self.entries, self.line), path), self.at(path), message)

    def get(self, key: str, *, required: bool = False) -> Tree | None:
        """The value with its line; None when absent or nothing."""
        self._asked.add(key)
        tree = self.entries.get(key)
        if tree is None or tree.value is None:
            if required:
                self.report(key, f"missing; {self._what} needs it")
            return None
        return tree

    def plain(self, key: str) -> object:
        """The value, whatever it is; None when absent."""
        tree = self.get(key)
        return None if tree is None else plain_value(tree)

    def text(
        self,
        key: str,
        *,
        maximum: int = LONGEST_TEXT,
        limit_name: str = "",
        required: bool = False,
        default: str = "",
    ) -> str:
        """Text of at most ``maximum`` characters; ``default`` when absent or wrong (which is reported)."""
        tree = self.get(key, required=required)
        if tree is None:
            return default
        return text_of(tree, self.at(key), maximum, self.mistakes, limit_name) or default

    def flag(self, key: str) -> bool:
        """True or false; false when absent or wrong."""
        tree = self.get(key)
        if tree is None or isinstance(tree.value, bool):
            return tree is not None and tree.value is True
        self.report(key, f"must be true or false, this is {tree.kind()}")
        return False

    def integer(self, key: str, *, minimum: int, maximum: int, required: bool = False) -> int | None:
        """A whole number within bounds; None when absent or wrong."""
        tree = self.get(key, required=required)
        if tree is None:
            return None
        if isinstance(tree.value, bool) or not isinstance(tree.value, int):
            shown = f"not {tree.value:g}" if isinstance(tree.value, float) else f"this is {tree.kind()}"
            self.report(key, f"must be a whole number, {shown}")
            return None
        if not minimum <= tree.value <= maximum:
            self.report(key, f"must be {minimum} to {maximum}, not {tree.value}")
            return None
        return tree.value

    def number(
        self, key: str, *, above: float = -math.inf, at_most: float = math.inf, required: bool = False
    ) -> int | float | None:
        """A finite number greater than ``above`` and not greater than ``at_most``; None when absent or wrong."""
        tree = self.get(key, required=required)
        if tree is None:
            return None
        value = tree.value
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.report(key, f"must be a number, this is {tree.kind()}")
            return None
        if not math.isfinite(value):
            self.report(key, "must be a finite number")
            return None
        if not above < value <= at_most:
            self.report(key, f"must be more than {above:g} and at most {at_most:g}, not {value:g}")
            return None
        return value

    def choice(self, key: str, kind: type[E], default: E) -> E:
        """One of an enum's names; ``default`` when absent or wrong."""
        tree = self.get(key)
        if tree is None:
            return default
        name = self._one_of(tree, key, [member.value for member in kind])
        return kind(name) if name else default

    def one_of(self, key: str, names: Sequence[str], *, required: bool = False, default: str = "") -> str:
        """One of the names; ``default`` when absent or wrong."""
        tree = self.get(key, required=required)
        return default if tree is None else self._one_of(tree, key, names) or default

    def _one_of(self, tree: Tree, key: str, names: Sequence[str]) -> str:
        if isinstance(tree.value, str) and tree.value in names:
            return tree.value
        shown = repr(tree.value[:80]) if isinstance(tree.value, str) else tree.kind()
        self.report(key, f"must be one of {', '.join(names)}, not {shown}")
        return ""

    def section(self, key: str, *, required: bool = False) -> Section | None:
        """The mapping below a key; None when absent or wrong."""
        tree = self.get(key, required=required)
        if tree is None:
            return None
        if not isinstance(tree.value, dict):
            self.report(key, f"must be a mapping, this is {tree.kind()}")
            return None
        return Section(tree, self.at(key), self.mistakes, key)

    def needed_section(self, key: str) -> Section:
        """The mapping below a key; an empty one when absent or wrong, which is reported."""
        return self.section(key, required=True) or Section(
            Tree({}, self.line_of(key)), self.at(key), self.mistakes, key
        )

    def sections(self, key: str) -> list[Section]:
        """The mappings of a list; empty when absent or wrong."""
        found = []
        for i, item in enumerate(self._list(key) or ()):
            path = f"{self.at(key)}[{i}]"
            if isinstance(item.value, dict):
                found.append(Section(item, path, self.mistakes, f"{key}[{i}]"))
            else:
                self.mistakes.error(item.line, path, f"must be a mapping, this is {item.kind()}")
        return found

    def texts(self, key: str) -> tuple[str, ...]:
        """The single values of a list as texts; empty when absent or wrong."""
        found = []
        for i, item in enumerate(self._list(key) or ()):
            if isinstance(item.value, dict | list) or item.value is None:
                self.mistakes.error(item.line, f"{self.at(key)}[{i}]", f"must be a text, this is {item.kind()}")
            else:
                found.append(str(item.value))
        return tuple(found)

    def items(self, key: str, *, maximum: int, limit_name: str, required: bool = False) -> Sequence[Tree]:
        """The elements of a list; empty when absent or wrong."""
        found = self._list(key, required=required)
        if found is None:
            return ()
        if required and not found:
            self.report(key, "empty; at least one is needed")
        if len(found) > maximum:
            self.report(key, f"{len(found)} elements; at most {maximum} are accepted ({limit_name})")
            return found[:maximum]
        return found

    def _list(self, key: str, *, required: bool = False) -> list[Tree] | None:
        tree = self.get(key, required=required)
        if tree is None:
            return None
        if not isinstance(tree.value, list):
            self.report(key, f"must be a list, this is {tree.kind()}")
            return None
        return tree.value

    def done(self) -> None:
        """Reports the keys that nobody asked for."""
        if not self.entries.keys() <= self._asked:
            self.only(*self._asked)

    def only(self, *known: str) -> None:
        """Reports all other keys: usually a slip of the pen."""
        for key, tree in self.entries.items():
            if key not in known:
                shown = key if len(key) <= 64 else key[:64] + "…"
                hint = suggestion(key, sorted(known))
                self.mistakes.error(tree.line, self.at(shown), f"unknown key {shown!r}{hint}")


def text_of(tree: Tree, path: str, maximum: int, mistakes: Mistakes, limit_name: str = "") -> str:
    """The text of a scalar; empty when it is none (which is reported). ``limit_name``: the setting that ``maximum``
    comes from, if it is one."""
    if not isinstance(tree.value, str):
        hint = "; write it in quotes" if isinstance(tree.value, int | float) else ""
        mistakes.error(tree.line, path, f"must be text, this is {tree.kind()}{hint}")
        return ""
    if len(tree.value) > maximum:
        limit = f" ({limit_name})" if limit_name else ""
        mistakes.error(tree.line, path, f"{len(tree.value)} characters; at most {maximum} are accepted{limit}")
        return ""
    if not tree.value.strip():
        mistakes.error(tree.line, path, "empty")
        return ""
    if not tree.value.isprintable() and not all(_may_be_shown(c) for c in tree.value):
        mistakes.error(tree.line, path, "holds characters that cannot be printed")
        return ""
    return tree.value


def _may_be_shown(character: str) -> bool:
    """Line breaks, and the spaces of any script, such as the wide one of Chinese texts, are no control characters."""
    return character.isprintable() or character in "\n\t" or unicodedata.category(character) == "Zs"
