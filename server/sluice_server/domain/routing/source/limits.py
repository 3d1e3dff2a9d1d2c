"""How big a plan may be. Every refusal names the limit that it comes from, as the setting ``plan_max_…``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PlanLimits:
    """Bounds on a plan's text, so that a plan can exhaust neither memory nor time."""

    max_source_bytes: int = 12_000_000
    """Size of the YAML, UTF-8."""
    max_rules: int = 60_000
    max_products: int = 60_000
    max_factors: int = 64
    max_insurers: int = 1_000
    max_allocations: int = 64
    """Per rule."""
    max_conditions: int = 32
    """Fields in one rule's match."""
    max_listed_values: int = 10_000
    """Values in one in-list or prefix list."""
    max_lookup_entries: int = 500_000
    """Combinations of listed values under which rules are looked up, over all rules."""
    max_parameters: int = 64
    """Per binding."""
    max_text_length: int = 512
    """Characters of a name, code, value or template."""
    max_description_length: int = 2_000
    max_expression_length: int = 1_000
    """Characters of a CEL expression."""
    max_comprehensions: int = 1
    """Macros (all, exists, exists_one, map, filter) in one CEL expression: nested ones multiply its cost."""
    max_findings: int = 200
    """Findings reported at once; further ones are counted."""


DEFAULT_LIMITS = PlanLimits()
TEXT_LIMIT = "plan_max_text_length"
