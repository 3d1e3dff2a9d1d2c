"""Bindings that many applications share are filled in as if each were alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from sluice_server.domain.routing import binder
from sluice_server.domain.routing.binder import Binder
from sluice_server.domain.routing.source.allocations import ResolvedBinding
from sluice_server.domain.routing.source.templates import compile_template
from tests.unit.routing.builders import application

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def bound(code: str, **parameters: str) -> Binder:
    return Binder(
        ResolvedBinding(
            insurer_product_code=compile_template(code, {"f"}),
            insurer_plan_code=compile_template("", ()),
            endpoint="main",
            parameters={name: compile_template(source, {"f"}) for name, source in parameters.items()},
        )
    )


def test_applications_with_the_same_values_get_the_same_object() -> None:
    binder = bound("A-{application.product_code}", months="{application.term_months}")
    first = binder.bind(application(), {}, NOW)
    assert binder.shared
    assert binder.bind(replace(application(), customer_ref="other"), {}, NOW) is first
    other = binder.bind(replace(application(), product_code="other"), {}, NOW)
    assert other.insurer_product_code == "A-other"
    assert other.parameters == {"months": str(application().term_months)}


def test_factors_that_are_equal_and_read_differently_are_kept_apart() -> None:
    binder = bound("{factors.f}")
    codes = [binder.bind(application(), {"f": value}, NOW).insurer_product_code for value in (1, True, 1.0, "1", 1)]
    assert codes == ["1", "true", "1.0", "1", "1"]


def test_what_is_each_customers_own_is_not_kept() -> None:
    binder = bound("A", customer="{application.customer_ref}")
    assert not binder.shared
    made = binder.bind(replace(application(), customer_ref="other"), {}, NOW)
    assert made.parameters == {"customer": "other"}


def test_no_more_are_kept_than_allowed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binder, "MAXIMUM_FILLED", 2)
    codes = bound("A-{application.product_code}")
    for code in ("a", "b", "c", "a"):
        filled = codes.bind(replace(application(), product_code=code), {}, NOW)
        assert filled.insurer_product_code == f"A-{code}"
