"""Texts with ``{application.field}`` and ``{factors.name}`` in them; ``{{`` and ``}}`` are braces."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from sluice_server.domain.routing.model import Application
from sluice_server.domain.routing.source.fields import FACTOR_PREFIX, FIELDS, FactorValue, Getter, getter, kind_of
from sluice_server.domain.suggestion import suggestion

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_APPLICATION_PREFIX = "application."


class TemplateInvalid(Exception):
    """What is wrong with a template."""


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template."""

    pieces: tuple[str | Getter, ...]
    """Literal texts and fields; ``factor_names`` are marked by a text that begins with NUL."""

    @property
    def is_literal(self) -> bool:
        return all(isinstance(p, str) and not p.startswith("\0") for p in self.pieces)

    def fill(self, application: Application, factors: Mapping[str, FactorValue], now: datetime) -> str:
        """The text for an application; an absent attribute is empty."""
        parts: list[str] = []
        for piece in self.pieces:
            if not isinstance(piece, str):
                value = piece(application, now)
                parts.append("" if value is None else str(value))
            elif piece.startswith("\0"):
                parts.append(factor_text(factors[piece[1:]]))
            else:
                parts.append(piece)
        return "".join(parts)


def factor_text(value: FactorValue) -> str:
    """A factor's value in a text: true and false as in YAML."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def compile_template(source: str, factors: Collection[str]) -> Template:
    """Raises TemplateInvalid."""
    pieces: list[str | Getter] = []
    place = 0
    for token in _TOKEN.finditer(source):
        if token.start() > place:
            pieces.append(source[place : token.start()])
        place = token.end()
        text = token.group()
        if text in ("{{", "}}"):
            pieces.append(text[0])
        elif token.group(1) is None:
            raise TemplateInvalid(f"a single {text!r}; write {text * 2!r} for a brace")
        else:
            pieces.append(_reference(token.group(1).strip(), factors))
    if place < len(source):
        pieces.append(source[place:])
    return Template(tuple(pieces))


def _reference(name: str, factors: Collection[str]) -> str | Getter:
    if name.startswith(FACTOR_PREFIX):
        factor = name[len(FACTOR_PREFIX) :]
        if factor not in factors:
            raise TemplateInvalid(f"unknown factor {factor!r}{suggestion(factor, list(factors))}")
        return "\0" + factor
    path = name.removeprefix(_APPLICATION_PREFIX)
    if path == name or kind_of(path) is None:
        known = [_APPLICATION_PREFIX + field for field in FIELDS]
        raise TemplateInvalid(f"unknown field {name!r}{suggestion(name, known)}")
    return getter(path)
