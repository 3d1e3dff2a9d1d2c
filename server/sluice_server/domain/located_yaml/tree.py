"""Values with their lines."""

from __future__ import annotations

import re
from dataclasses import dataclass

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


_PLACE = re.compile(r"[^.\[\]]+|\[\d+\]")


def plain_value(tree: Tree) -> object:
    """The value without the lines: dict, list, str, int, float, bool or None."""
    if isinstance(tree.value, dict):
        return {key: plain_value(below) for key, below in tree.value.items()}
    if isinstance(tree.value, list):
        return [plain_value(below) for below in tree.value]
    return tree.value


def line_at(tree: Tree, path: str) -> int:
    """The line of ``charts[0].title`` below the tree, or of the nearest value around it; no key may hold a dot."""
    for place in _PLACE.findall(path):
        below: Tree | None = None
        if isinstance(tree.value, dict):
            below = tree.value.get(place)
        elif isinstance(tree.value, list) and place.startswith("["):
            below = next(iter(tree.value[int(place[1:-1]) :]), None)
        if below is None:
            break
        tree = below
    return tree.line
