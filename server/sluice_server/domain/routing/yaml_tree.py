"""YAML with the line of every value.

Only what a plan needs: one document, no tags, no anchors and aliases (an alias can make a small text huge), no
duplicate keys. Plain scalars become null, bool, int or float by YAML 1.2's core rules, everything else stays text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, ScalarNode, SequenceNode

from sluice_server.domain.routing.findings import Findings

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Tree:
    """A value and the line (from 1) where it begins."""

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


_INT = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_TRUE = frozenset({"true", "True", "TRUE"})
_FALSE = frozenset({"false", "False", "FALSE"})
_TAGS = frozenset(
    f"tag:yaml.org,2002:{name}"
    for name in ("null", "bool", "int", "float", "str", "timestamp", "merge", "value", "seq", "map")
)
"""What the library gives to untagged nodes."""
_SHOWN_KEY = 128
_INT_DIGITS = 18
"""Longer ones do not fit 64 bits."""


def read_tree(source: str, findings: Findings) -> Tree | None:
    """The document as a tree; None, with a finding, when it is no YAML or empty."""
    try:
        root = YAML(typ="safe", pure=True).compose(source)
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        findings.error(mark.line + 1 if mark else 0, "", f"not YAML: {error.problem or error.context}")
        return None
    except (YAMLError, ValueError) as error:
        findings.error(0, "", f"not YAML: {str(error).splitlines()[0] if str(error) else type(error).__name__}")
        return None
    except RecursionError:
        findings.error(0, "", "nested too deeply")
        return None
    if root is None:
        findings.error(0, "", "empty; a plan is a mapping with the keys plan, products and rules")
        return None
    try:
        return _Converter(findings).convert(root, "")
    except RecursionError:
        findings.error(0, "", "nested too deeply")
        return None


class _Converter:
    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._seen: set[int] = set()

    def convert(self, node: object, path: str, key_line: int = 0) -> Tree:
        """``key_line``: where the key of this value is; an alias itself only knows where its anchor is."""
        line = getattr(node, "start_mark").line + 1  # noqa: B009 - the nodes' common base declares no mark
        if id(node) in self._seen:
            self._findings.error(key_line or line, path, "an alias (*name) is not accepted; write the value out")
            return Tree(None, line)
        self._seen.add(id(node))
        if getattr(node, "anchor", None):
            self._findings.error(line, path, "an anchor (&name) is not accepted; write the value out where it is used")
        tag = str(getattr(node, "tag", ""))
        if tag not in _TAGS:
            self._findings.error(line, path, f"the tag {tag[:80]} is not accepted")
            return Tree(None, line)
        match node:
            case ScalarNode():
                return Tree(self._scalar(node, line, path), line)
            case SequenceNode():
                return Tree([self.convert(n, f"{path}[{i}]") for i, n in enumerate(node.value)], line)
            case MappingNode():
                return Tree(self._mapping(node, path), line)
            case _:
                self._findings.error(line, path, f"a {type(node).__name__} is not accepted")
                return Tree(None, line)

    def _mapping(self, node: MappingNode, path: str) -> dict[str, Tree]:
        entries: dict[str, Tree] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, ScalarNode):
                self._findings.error(line, path, "a key must be text")
                continue
            key = str(key_node.value)
            # Long keys are refused later, where keys are known; a path must not grow with them.
            shown = key if len(key) <= _SHOWN_KEY else key[:_SHOWN_KEY] + "…"
            inner = f"{path}.{shown}" if path else shown
            if key in entries:
                first = entries[key].line
                self._findings.error(line, inner, f"the key {shown!r} is there twice, first in line {first}")
                continue
            value = self.convert(value_node, inner, line)
            # A finding about a key is about the line of the key, also when its value begins further down.
            entries[key] = Tree(value.value, line)
        return entries

    def _scalar(self, node: ScalarNode, line: int, path: str) -> Scalar:
        text = str(node.value)
        if node.style or node.tag == "tag:yaml.org,2002:str":
            return text
        if text in _NULLS:
            return None
        if text in _TRUE:
            return True
        if text in _FALSE:
            return False
        if _INT.fullmatch(text):
            if len(text) > _INT_DIGITS:
                self._findings.error(line, path, f"a number has at most {_INT_DIGITS} digits; write a code in quotes")
                return None
            return int(text)
        if _FLOAT.fullmatch(text):
            return float(text)
        return text
