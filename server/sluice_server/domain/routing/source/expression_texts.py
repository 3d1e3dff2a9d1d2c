"""What is said about an expression that is wrong, or that cannot be computed."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

_SAFE = (
    (re.compile(r"Function '(\w+)' error"), "{0}() cannot take its argument"),
    (re.compile(r"Arithmetic overflow in '(\w+)'"), "arithmetic overflow ({0})"),
    (re.compile(r"index out of bounds"), "index out of bounds"),
    (re.compile(r"(\w+) by zero"), "{0} by zero"),
    (re.compile(r"Unsupported operation: (\w+ \S{1,2} \w+)\."), "unsupported operation {0}"),
    (re.compile(r"Undefined variable or function: '(\w+)'"), "no {0} for values of these types"),
)


def without_values(error: Exception, source: str) -> str:
    """Why an expression could not be computed, without the values of the application: they may be anybody's.

    The library's texts hold values, so only known parts of known texts are taken over.
    """
    if isinstance(error, KeyError):
        key = str(error.args[0]) if error.args else ""
        # A key that the expression names is the plan's word, another one is the application's.
        named = re.search(rf"(?<!\w){re.escape(key)}(?!\w)", source) if key else None
        return f"no key {key:.100}" if named else "no such key"
    for pattern, text in _SAFE:
        found = pattern.match(str(error))
        if found is not None:
            return text.format(*found.groups())
    return f"not computable ({type(error).__name__})"


def why(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"no key {error.args[0]!s:.100}" if error.args else "no such key"
    text = str(error)
    if text.startswith("Failed to parse expression"):
        # The first line repeats the whole expression.
        _, _, text = text.partition("ERROR: ")
    return text.split("\n", 1)[0][:200] or type(error).__name__


def type_name(value: object) -> str:
    names = {type(None): "null", list: "a list", dict: "a map", float: "a number", datetime: "a timestamp"}
    names |= {timedelta: "a duration", bool: "true/false", int: "a number", str: "a text"}
    return names.get(type(value), type(value).__name__)
