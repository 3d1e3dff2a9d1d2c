"""Fills in an insurer's parameters for an application."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from sluice_server.domain.construct import constructor
from sluice_server.domain.routing.model import Application, Binding
from sluice_server.domain.routing.source.allocations import ResolvedBinding
from sluice_server.domain.routing.source.fields import FIELDS, FactorValue, Getter
from sluice_server.domain.routing.source.templates import Template, factor_text

MAXIMUM_FILLED = 16_384
"""Filled-in bindings of one template that are kept at once."""
_REPEATED = frozenset(
    FIELDS[path][1]
    for path in (
        "product_code",
        "product_line",
        "term_months",
        "premium.currency_code",
        "device.category",
        "device.brand",
        "device.price.currency_code",
        "channel.tier",
    )
)
"""Fields that have the same few values in all applications."""

_binding = constructor(Binding)


class Binder:
    """One binding of a plan. Where it reads only what is the same in many applications, they get the same object."""

    __slots__ = ("_factors", "_filled", "_reads", "_templates", "literal", "shared")

    def __init__(self, binding: ResolvedBinding) -> None:
        templates = (binding.insurer_product_code, binding.insurer_plan_code, *binding.parameters.values())
        pieces = dict.fromkeys(piece for template in templates for piece in template.pieces)
        self._templates = binding
        self._reads: tuple[Getter, ...] = tuple(piece for piece in pieces if not isinstance(piece, str))
        self._factors = tuple(piece[1:] for piece in pieces if isinstance(piece, str) and piece.startswith("\0"))
        self._filled: dict[tuple[object, ...], Binding] = {}
        self.literal = _literal(binding) if all(template.is_literal for template in templates) else None
        """The binding of every application, when it reads nothing of them."""
        self.shared = _REPEATED.issuperset(self._reads)
        """Whether many applications get the same object."""

    def bind(self, application: Application, factors: Mapping[str, FactorValue], now: datetime) -> Binding:
        """The binding with its templates filled in."""
        if self.literal is not None:
            return self.literal
        if not self.shared:
            return self._fill(application, factors, now)
        # Factors by their texts: 1, 1.0 and true are equal, and give different ones.
        key = (
            *[read(application, now) for read in self._reads],
            *[factor_text(factors[name]) for name in self._factors],
        )
        filled = self._filled.get(key)
        if filled is None:
            if len(self._filled) >= MAXIMUM_FILLED:
                self._filled = {}
            filled = self._filled[key] = self._fill(application, factors, now)
        return filled

    def _fill(self, application: Application, factors: Mapping[str, FactorValue], now: datetime) -> Binding:
        templates = self._templates
        return _binding(
            templates.insurer_product_code.fill(application, factors, now),
            templates.insurer_plan_code.fill(application, factors, now),
            templates.endpoint,
            {key: value.fill(application, factors, now) for key, value in templates.parameters.items()},
        )


def _literal(binding: ResolvedBinding) -> Binding:
    def text(template: Template) -> str:
        return "".join(str(piece) for piece in template.pieces)

    return Binding(
        insurer_product_code=text(binding.insurer_product_code),
        insurer_plan_code=text(binding.insurer_plan_code),
        endpoint=binding.endpoint,
        parameters={key: text(value) for key, value in binding.parameters.items()},
    )
