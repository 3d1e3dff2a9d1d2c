from __future__ import annotations

from urllib.parse import quote

import pytest

from sluice_server.insurers.template import BodyTemplate, InvalidTemplate, MissingValue, Template
from tests.support.submissions import submission_request


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("{application.device.model_id}", "aurora-12"),
        ("{application.premium.amount_minor}", 12900),
        ("{application.premium.amount_minor|text}", "12900"),
        ("{application.premium|major}", "129.00"),
        ("{application.term_months} months", "12 months"),
        ("{application.device.purchased_on}", "2026-02-28"),
        ("{binding.parameters.region}", "east"),
        ("{binding.parameters.city?}", None),
        ("x{binding.parameters.city?}y", "xy"),
        ("{{{idempotency_key}}}", "{key-1}"),
        ("plain", "plain"),
    ],
)
def test_a_template_gives_the_value_it_names(source: str, value: object) -> None:
    assert Template(source).value(submission_request()) == value


def test_values_are_escaped_in_urls_and_the_text_around_is_not() -> None:
    template = Template("/v1/{application.attributes.color}?a=b")
    assert template.text(submission_request(), lambda v: quote(v, safe="")) == "/v1/blue%2Fgr%C3%BCn?a=b"


def test_a_missing_value_is_named() -> None:
    with pytest.raises(MissingValue, match=r"\{binding.parameters.city\} has no value"):
        Template("{binding.parameters.city}").value(submission_request())
    with pytest.raises(MissingValue, match="purchased_on"):
        Template("{application.device.purchased_on}").value(submission_request(purchased_on=None))


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("{applicaton.device}", "begins with none of application, binding, idempotency_key"),
        ("{application.device.serial}", "application.device has no 'serial'; it has device_ref, model_id"),
        ("{application.device}", "is a group; name one of device_ref"),
        ("{application.premium}", "is an amount"),
        ("{application.term_months|major}", "for amounts of money"),
        ("{application.term_months|upper}", r"\|upper is not known"),
        ("{binding.parameters}", "is a map"),
        ("{binding.parameters.a.b}", "name exactly one entry"),
        ("{idempotency_key.x}", "has no 'x'"),
        ("a } b", "brace without its partner at position 3"),
        ("{a", "brace without its partner at position 1"),
        ("{}", "begins with none of"),
    ],
)
def test_a_wrong_template_is_refused_and_says_why(source: str, says: str) -> None:
    with pytest.raises(InvalidTemplate, match=says):
        Template(source)


def test_a_body_keeps_its_shape_and_types() -> None:
    problems: list[tuple[str, str]] = []
    body = BodyTemplate(
        {"a": ["{application.term_months}", 1, None, True], "b": {"c": "{binding.parameters.city?}"}},
        lambda where, what: problems.append((where, what)),
    )
    assert problems == []
    assert body.value(submission_request()) == {"a": [12, 1, None, True], "b": {"c": None}}


def test_every_wrong_template_of_a_body_is_reported_with_its_place() -> None:
    places: list[str] = []
    BodyTemplate({"a": ["{x}"], "b": {"c": "{y}"}}, lambda where, what: places.append(where))
    assert places == [".a[0]", ".b.c"]


def test_a_template_tells_what_must_have_a_value() -> None:
    body = BodyTemplate(
        {"code": "{binding.insurer_product_code}", "of": [{"region": "r-{binding.parameters.region}"}, 1, None]},
        lambda path, message: pytest.fail(f"{path}: {message}"),
    )
    assert body.required == {"binding.insurer_product_code", "binding.parameters.region"}
    assert Template("{binding.endpoint?}{{x}}").required == frozenset()
