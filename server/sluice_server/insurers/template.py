"""Templates of URLs, headers and bodies: ``{application.device.model_id}`` in text.

A reference names a field of the application, of its binding, ``{idempotency_key}``, or ``{reference}`` (what the
insurer calls a request that it has accepted for later). It may end in

- ``?``        may be missing: null in a body, empty in text (otherwise a missing value is the caller's fault);
- ``|text``    as text, where a body would otherwise keep the number;
- ``|major``   an amount of money in major units as decimal text: ``{application.premium|major}`` gives "129.00".

``{{`` and ``}}`` stand for braces. A template that is one reference alone keeps the value's type in a JSON body.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from datetime import date
from functools import cache
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from sluice_server.domain.money import Money
from sluice_server.domain.routing.model import Application, Binding

_PIECE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
ROOTS: Mapping[str, type] = {
    "application": Application,
    "binding": Binding,
    "idempotency_key": str,
    "reference": str,
}
"""What the templates of a submission and an inquiry may name: fields of SubmissionRequest."""


class InvalidTemplate(ValueError):
    """The template cannot be understood; the text says why."""


class MissingValue(Exception):
    """The application or the binding lacks a value that the template needs."""

    def __init__(self, reference: str) -> None:
        super().__init__(f"{{{reference}}} has no value in this order")
        self.reference = reference


@dataclass(frozen=True, slots=True)
class _Reference:
    path: tuple[str, ...]
    optional: bool
    shape: str

    def value(self, request: object) -> object:
        found: object = request
        for name in self.path:
            found = found.get(name) if isinstance(found, Mapping) else getattr(found, name)
            if found is None:
                break
        if found is None or found == "":
            if self.optional:
                return None
            raise MissingValue(".".join(self.path))
        if isinstance(found, Money):
            return str(found.major())
        if isinstance(found, date):
            return found.isoformat()
        return str(found) if self.shape == "text" else found


class Template:
    """Text with references, understood once and filled in often."""

    def __init__(self, source: str, roots: Mapping[str, type] = ROOTS) -> None:
        """``roots``: the names that a reference may begin with, and what they are. Raises InvalidTemplate."""
        self.source = source
        self._parts: list[str | _Reference] = []
        at = 0
        for piece in _PIECE.finditer(source):
            if piece.start() > at:
                self._parts.append(source[at : piece.start()])
            at = piece.end()
            if piece[0] in ("{{", "}}"):
                self._parts.append(piece[0][0])
            elif piece[1] is None:
                raise InvalidTemplate(f"has a brace without its partner at position {piece.start() + 1}")
            else:
                self._parts.append(_reference(piece[1], roots))
        if at < len(source):
            self._parts.append(source[at:])

    @property
    def required(self) -> frozenset[str]:
        """What must have a value: ``binding.parameters.region``."""
        return frozenset(".".join(p.path) for p in self._parts if isinstance(p, _Reference) and not p.optional)

    def value(self, request: object) -> object:
        """The filled-in value: of the reference's own type when the template is nothing else. Raises MissingValue."""
        if len(self._parts) == 1 and isinstance(self._parts[0], _Reference):
            return self._parts[0].value(request)
        return self.text(request)

    def text(self, request: object, escape: Callable[[str], str] = str) -> str:
        """The filled-in text; ``escape`` is applied to the values, not to the text around. Raises MissingValue."""
        pieces = []
        for part in self._parts:
            if isinstance(part, str):
                pieces.append(part)
            else:
                value = part.value(request)
                pieces.append("" if value is None else escape(str(value)))
        return "".join(pieces)


class BodyTemplate:
    """A JSON body: templates at its leaves, everything else as it is."""

    def __init__(
        self, source: object, report: Callable[[str, str], None], roots: Mapping[str, type] = ROOTS, path: str = ""
    ) -> None:
        """Wrong templates are reported by their path in the body (``.device.model`` or ``[0]``)."""
        self._roots = roots
        self._node = self._compile(source, report, path)

    @property
    def required(self) -> frozenset[str]:
        """As of Template, for all its leaves."""
        return _required(self._node)

    def value(self, request: object) -> object:
        """The body, ready to be written as JSON. Raises MissingValue."""
        return self._fill(self._node, request)

    def _compile(self, node: object, report: Callable[[str, str], None], path: str) -> object:
        if isinstance(node, dict):
            return {key: self._compile(value, report, f"{path}.{key}") for key, value in node.items()}
        if isinstance(node, list):
            return [self._compile(value, report, f"{path}[{index}]") for index, value in enumerate(node)]
        if isinstance(node, str):
            try:
                return Template(node, self._roots)
            except InvalidTemplate as error:
                report(path, str(error))
        return node

    def _fill(self, node: object, request: object) -> object:
        if isinstance(node, Template):
            return node.value(request)
        if isinstance(node, dict):
            return {key: self._fill(value, request) for key, value in node.items()}
        if isinstance(node, list):
            return [self._fill(value, request) for value in node]
        return node


def _required(node: object) -> frozenset[str]:
    if isinstance(node, Template):
        return node.required
    inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    return frozenset[str]().union(*map(_required, inner))


def _reference(text: str, roots: Mapping[str, type]) -> _Reference:
    name, _, shape = text.strip().partition("|")
    optional = name.endswith("?")
    path = tuple(name.removesuffix("?").strip().split("."))
    shape = shape.strip()
    if shape not in ("", "text", "major"):
        raise InvalidTemplate(f"{{{text}}}: |{shape} is not known; known are |text and |major")
    kind = _kind_at(path, text, roots)
    if kind is Money and shape != "major":
        raise InvalidTemplate(f"{{{text}}} is an amount: use .amount_minor, .currency_code, or |major")
    if shape == "major" and kind is not Money:
        raise InvalidTemplate(f"{{{text}}}: |major is for amounts of money")
    if kind is not Money and is_dataclass(kind):
        raise InvalidTemplate(f"{{{text}}} is a group; name one of {', '.join(f.name for f in fields(kind))}")
    return _Reference(path, optional, shape)


def _kind_at(path: tuple[str, ...], text: str, roots: Mapping[str, type]) -> type:
    if path[0] not in roots:
        raise InvalidTemplate(f"{{{text}}} begins with none of {', '.join(roots)}")
    kind: type = roots[path[0]]
    for depth, name in enumerate(path[1:], start=1):
        if kind is dict:
            kind = str
            if not name or depth != len(path) - 1:
                raise InvalidTemplate(f"{{{text}}}: name exactly one entry of {'.'.join(path[:depth])}")
            continue
        known = _kinds(kind) if is_dataclass(kind) else {}
        if name not in known:
            where = ".".join(path[:depth])
            raise InvalidTemplate(
                f"{{{text}}}: {where} has no {name!r}" + (f"; it has {', '.join(known)}" if known else "")
            )
        kind = known[name]
    if kind is dict:
        raise InvalidTemplate(f"{{{text}}} is a map; name one entry of it")
    return kind


@cache
def _kinds(owner: type) -> dict[str, type]:
    """Fields of a dataclass with their plain types: maps as dict, optional ones as what they hold."""
    found: dict[str, type] = {}
    hints: dict[str, Any] = get_type_hints(owner)
    for item in fields(owner):
        hint = hints[item.name]
        if isinstance(hint, UnionType):
            hint = next(kind for kind in get_args(hint) if kind is not type(None))
        found[item.name] = dict if get_origin(hint) is not None else hint
    return found
