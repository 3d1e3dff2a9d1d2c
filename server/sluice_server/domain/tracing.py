"""Spans, without knowing who collects them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from typing import Protocol

AttributeValue = str | int | float | bool


class SpanKind(StrEnum):
    """On which side of a call a span stands."""

    INTERNAL = "INTERNAL"
    CLIENT = "CLIENT"
    SERVER = "SERVER"


class Span(Protocol):
    """One timed step. Attributes never hold a secret or a person's data."""

    def set_attribute(self, name: str, value: AttributeValue) -> None: ...

    def fail(self, error_type: str, description: str = "") -> None:
        """Marks the step as failed: ``error.type`` and the status ERROR."""
        ...


class Tracer(Protocol):
    """Where spans come from. A span that is entered is the parent of those that begin inside it, also over awaits."""

    def span(
        self, name: str, *, kind: SpanKind = SpanKind.INTERNAL, attributes: Mapping[str, AttributeValue] | None = None
    ) -> AbstractContextManager[Span]:
        """A span that ends with its ``with`` block; an exception that leaves the block fails it."""
        ...

    def recording(self) -> bool:
        """Whether a span that begins now may be kept. The hot path asks first: also one that is dropped costs."""
        ...

    def headers(self) -> Mapping[str, str]:
        """What carries the present span to another process (``traceparent`` …); empty when nothing is traced."""
        ...


class Untraced:
    """Traces nothing: for tools and tests."""

    def span(
        self, name: str, *, kind: SpanKind = SpanKind.INTERNAL, attributes: Mapping[str, AttributeValue] | None = None
    ) -> AbstractContextManager[Span]:
        return nullcontext(_SILENT)

    def recording(self) -> bool:
        return False

    def headers(self) -> Mapping[str, str]:
        return {}


class _SilentSpan:
    def set_attribute(self, name: str, value: AttributeValue) -> None:
        """Kept nowhere."""

    def fail(self, error_type: str, description: str = "") -> None:
        """Kept nowhere."""


_SILENT = _SilentSpan()
