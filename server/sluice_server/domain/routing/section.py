"""Reads one mapping of a plan key by key, and reports what is missing, of the wrong type, too long or unknown."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Sequence
from enum import StrEnum
from typing import TypeVar

from sluice_server.domain.routing.fields import suggestion
from sluice_server.domain.routing.findings import Findings
from sluice_server.domain.routing.yaml_tree import Tree

E = TypeVar("E", bound=StrEnum)

TEXT_LIMIT = "plan_max_text_length"


class Section:
    """A mapping at ``path``. Every reading method takes a key; ``done()`` reports the keys nobody asked for."""

    def __init__(self, tree: Tree, path: str, findings: Findings, what: str) -> None:
        self.line = tree.line
        self.path = path
        self.findings = findings
        self._what = what
        self._asked: set[str] = set()
        self.entries: dict[str, Tree] = {}
        if isinstance(tree.value, dict):
            self.entries = tree.value
        else:
            findings.error(tree.line, path, f"{what} must be a mapping, this is {tree.kind()}")

    def at(self, key: str) -> str:
        """The path of a key."""
        return f"{self.path}.{key}" if self.path else key

    def line_of(self, key: str) -> int:
        tree = self.entries.get(key)
        return tree.line if tree else self.line

    def lines(self) -> dict[str, int]:
        """Line by key."""
        return {key: tree.line for key, tree in self.entries.items()}

    def get(self, key: str, *, required: bool = False) -> Tree | None:
        """The raw value; None when absent or nothing."""
        self._asked.add(key)
        tree = self.entries.get(key)
        if tree is None or tree.value is None:
            if required:
                self.findings.error(self.line_of(key), self.at(key), f"missing; {self._what} needs it")
            return None
        return tree

    def text(self, key: str, *, maximum: int, limit_name: str = "", required: bool = False, default: str = "") -> str:
        """Text of at most ``maximum`` characters; ``default`` when absent or wrong (which is reported)."""
        tree = self.get(key, required=required)
        if tree is None:
            return default
        return text_of(tree, self.at(key), maximum, self.findings, limit_name) or default

    def integer(self, key: str, *, minimum: int, maximum: int, required: bool = False) -> int | None:
        """A whole number within bounds; None when absent or wrong."""
        tree = self.get(key, required=required)
        if tree is None:
            return None
        if isinstance(tree.value, bool) or not isinstance(tree.value, int):
            self.findings.error(tree.line, self.at(key), f"must be a whole number, this is {tree.kind()}")
            return None
        if not minimum <= tree.value <= maximum:
            self.findings.error(tree.line, self.at(key), f"must be {minimum} to {maximum}, not {tree.value}")
            return None
        return tree.value

    def number(self, key: str) -> int | float | None:
        """A finite number; None when absent or wrong."""
        tree = self.get(key)
        if tree is None:
            return None
        if isinstance(tree.value, bool) or not isinstance(tree.value, int | float):
            self.findings.error(tree.line, self.at(key), f"must be a number, this is {tree.kind()}")
            return None
        if isinstance(tree.value, float) and not math.isfinite(tree.value):
            self.findings.error(tree.line, self.at(key), "must be a finite number")
            return None
        return tree.value

    def choice(self, key: str, kind: type[E], default: E) -> E:
        """One of an enum's names."""
        tree = self.get(key)
        if tree is None:
            return default
        names = [member.value for member in kind]
        if not isinstance(tree.value, str) or tree.value not in names:
            shown = repr(tree.value) if isinstance(tree.value, str) else tree.kind()
            self.findings.error(tree.line, self.at(key), f"must be one of {', '.join(names)}, not {shown}")
            return default
        return kind(tree.value)

    def items(self, key: str, *, maximum: int, limit_name: str, required: bool = False) -> Sequence[Tree]:
        """The elements of a list; empty when absent or wrong."""
        tree = self.get(key, required=required)
        if tree is None:
            return ()
        if not isinstance(tree.value, list):
            self.findings.error(tree.line, self.at(key), f"must be a list, this is {tree.kind()}")
            return ()
        if required and not tree.value:
            self.findings.error(tree.line, self.at(key), "empty; at least one is needed")
        if len(tree.value) > maximum:
            self.findings.error(
                tree.line, self.at(key), f"{len(tree.value)} elements; at most {maximum} are accepted ({limit_name})"
            )
            return tree.value[:maximum]
        return tree.value

    def done(self) -> None:
        """Reports unknown keys."""
        for key, tree in self.entries.items():
            if key not in self._asked:
                shown = key if len(key) <= 64 else key[:64] + "…"
                hint = suggestion(key, sorted(self._asked))
                self.findings.error(tree.line, self.at(shown), f"unknown key {shown!r}{hint}")


def text_of(tree: Tree, path: str, maximum: int, findings: Findings, limit_name: str = "") -> str:
    """The text of a scalar; empty when it is none (which is reported). ``limit_name``: the setting that ``maximum``
    comes from, if it is one."""
    if not isinstance(tree.value, str):
        hint = "; write it in quotes" if isinstance(tree.value, int | float) else ""
        findings.error(tree.line, path, f"must be text, this is {tree.kind()}{hint}")
        return ""
    if len(tree.value) > maximum:
        limit = f" ({limit_name})" if limit_name else ""
        findings.error(tree.line, path, f"{len(tree.value)} characters; at most {maximum} are accepted{limit}")
        return ""
    if not tree.value.strip():
        findings.error(tree.line, path, "empty")
        return ""
    if not tree.value.isprintable() and not all(_may_be_shown(c) for c in tree.value):
        findings.error(tree.line, path, "holds characters that cannot be printed")
        return ""
    return tree.value


def _may_be_shown(character: str) -> bool:
    """Line breaks, and the spaces of any script, such as the wide one of Chinese texts, are no control characters."""
    return character.isprintable() or character in "\n\t" or unicodedata.category(character) == "Zs"
