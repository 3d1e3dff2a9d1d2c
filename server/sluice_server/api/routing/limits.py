"""How much one request may bring. Every refusal names the limit that it comes from."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RequestLimits:
    """Bounds on a request's lists and texts: the settings of the same names."""

    max_batch: int = 1_000
    """Applications in one RouteBatch, and in one chunk of RouteStream."""
    max_simulated: int = 10_000
    """Applications that one SimulatePlan brings along."""
    max_text_length: int = 64
    """Characters of an application's codes, names and references."""
    max_attributes: int = 64
    """Attributes of an application."""
    max_attribute_length: int = 256
    """Characters of an attribute's value."""


DEFAULT_REQUEST_LIMITS = RequestLimits()
