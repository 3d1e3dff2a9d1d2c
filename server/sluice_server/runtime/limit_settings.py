"""Settings that bound what one call may bring: the errors name them."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from sluice_server.api.routing.limits import RequestLimits
from sluice_server.domain.routing.source.limits import PlanLimits

_PLAN = PlanLimits()
_REQUEST = RequestLimits()
_PLAN_PREFIX = "plan_"


def _count(most: int) -> Any:
    return Field(ge=1, le=most)


class LimitSettings(BaseModel):
    """The part of the settings that are limits. ``plan_max_…`` are ``PlanLimits``, the others ``RequestLimits``."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    max_batch: Annotated[int, _count(1_000)] = _REQUEST.max_batch
    """Applications in one RouteBatch, and in one chunk of RouteStream."""
    max_simulated: Annotated[int, _count(100_000)] = _REQUEST.max_simulated
    """Applications that one SimulatePlan brings along (stored ones do not count)."""
    max_text_length: Annotated[int, _count(512)] = _REQUEST.max_text_length
    """Characters of an application's codes, names and references."""
    max_attributes: Annotated[int, _count(1_000)] = _REQUEST.max_attributes
    """Attributes of an application."""
    max_attribute_length: Annotated[int, _count(10_000)] = _REQUEST.max_attribute_length
    """Characters of an attribute's value."""

    plan_max_source_bytes: Annotated[int, _count(15_000_000)] = _PLAN.max_source_bytes
    """Size of a plan's text, UTF-8. A message has at most 16 MiB."""
    plan_max_rules: Annotated[int, _count(1_000_000)] = _PLAN.max_rules
    """Rules of a plan."""
    plan_max_products: Annotated[int, _count(1_000_000)] = _PLAN.max_products
    """Entries of a plan's ``products``."""
    plan_max_factors: Annotated[int, _count(1_000)] = _PLAN.max_factors
    """Factors of a plan: every decision computes all of them."""
    plan_max_insurers: Annotated[int, _count(100_000)] = _PLAN.max_insurers
    """Entries of a plan's ``insurers``."""
    plan_max_allocations: Annotated[int, _count(1_000)] = _PLAN.max_allocations
    """Insurers of a rule."""
    plan_max_conditions: Annotated[int, _count(1_000)] = _PLAN.max_conditions
    """Fields in a rule's ``match``."""
    plan_max_listed_values: Annotated[int, _count(1_000_000)] = _PLAN.max_listed_values
    """Values in one in-list, or in one list of prefixes."""
    plan_max_lookup_entries: Annotated[int, _count(10_000_000)] = _PLAN.max_lookup_entries
    """Combinations of listed values under which rules are looked up, over all rules of a plan: they are its memory."""
    plan_max_parameters: Annotated[int, _count(1_000)] = _PLAN.max_parameters
    """Parameters of a binding."""
    plan_max_text_length: Annotated[int, _count(10_000)] = _PLAN.max_text_length
    """Characters of a value, code or template in a plan."""
    plan_max_description_length: Annotated[int, _count(100_000)] = _PLAN.max_description_length
    """Characters of a plan's description."""
    plan_max_expression_length: Annotated[int, _count(10_000)] = _PLAN.max_expression_length
    """Characters of a CEL expression: with ``plan_max_comprehensions`` what bounds its cost."""
    plan_max_comprehensions: Annotated[int, Field(ge=0, le=8)] = _PLAN.max_comprehensions
    """Macros (all, exists, exists_one, map, filter) in one CEL expression: nested ones multiply its cost."""
    plan_max_findings: Annotated[int, _count(10_000)] = _PLAN.max_findings
    """Findings that are reported of a plan at once."""

    @property
    def plan_limits(self) -> PlanLimits:
        """As the domain takes them."""
        return PlanLimits(**{each.name: getattr(self, _PLAN_PREFIX + each.name) for each in fields(PlanLimits)})

    @property
    def request_limits(self) -> RequestLimits:
        """As the service takes them."""
        return RequestLimits(**{each.name: getattr(self, each.name) for each in fields(RequestLimits)})
