"""Frozen dataclasses without the price of their being frozen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

T = TypeVar("T")


def constructor(kind: type[T]) -> Callable[..., T]:
    """Makes instances of a frozen dataclass with slots; all its fields are arguments, in their order.

    The constructor that ``dataclass`` writes looks for every field's name again, through ``object.__setattr__``: it
    takes twice as long, and an order is made of a dozen objects with a hundred fields. This one knows each slot. For
    the hot path alone. Defaults are not filled in; a ``__post_init__`` is refused.
    """
    names = [field.name for field in fields(kind)]  # type: ignore[arg-type]  # kind is a dataclass
    if hasattr(kind, "__post_init__"):
        raise TypeError(f"{kind.__name__} has a __post_init__")
    values: dict[str, Any] = {"new": object.__new__, "kind": kind}
    values |= {f"set_{name}": getattr(kind, name).__set__ for name in names}
    lines = [f"def make({', '.join(names)}):", " self = new(kind)", *(f" set_{name}(self, {name})" for name in names)]
    exec("\n".join([*lines, " return self"]), values)  # noqa: S102 - of our own dataclasses' field names
    function: Callable[..., T] = values["make"]
    return function
