from __future__ import annotations

import pytest

from sluice_server.domain.orders.model import Outcome
from sluice_server.insurers.answers import Answer, AnswerMapping, JsonPath, Rule, Verdict, default_outcome
from tests.support.submissions import decided

OK = range(200, 300)
MAPPING = AnswerMapping(
    rules=[
        Rule((OK,), JsonPath(("code",)), {"0": Verdict.SUCCESS, "D1": Verdict.BUSINESS_REJECTION}, None),
        Rule((OK,), JsonPath(("busy",)), {}, Verdict.TECHNICAL_FAILURE),
        Rule((range(404, 405),), JsonPath(("code",)), {"NONE": Verdict.NOT_FOUND}, None),
    ],
    policy_number=JsonPath(("policies", "0", "number")),
    error_code=JsonPath(("code",)),
    message=JsonPath(("text",)),
)


@pytest.mark.parametrize(
    ("status", "body", "outcome", "code"),
    [
        (200, {"code": 0, "policies": [{"number": "P1"}]}, Outcome.SUCCESS, ""),
        (200, {"code": "0"}, Outcome.UNKNOWN, "POLICY_NUMBER_MISSING"),
        (200, {"code": "0", "policies": []}, Outcome.UNKNOWN, "POLICY_NUMBER_MISSING"),
        (200, {"code": "D1"}, Outcome.BUSINESS_REJECTION, "D1"),
        (200, {"code": "E9"}, Outcome.UNKNOWN, "E9"),
        (200, {"busy": True}, Outcome.TECHNICAL_FAILURE, "HTTP_200"),
        (200, None, Outcome.UNKNOWN, "HTTP_200"),
        (200, [1], Outcome.UNKNOWN, "HTTP_200"),
        (404, {"code": "NONE"}, Outcome.UNKNOWN, "NONE"),
        (400, {"code": "0"}, Outcome.CALLER_FAULT, "0"),
    ],
)
def test_rules_speak_first_and_silence_is_unknown(status: int, body: object, outcome: Outcome, code: str) -> None:
    result = decided(MAPPING.submission(Answer(status, body)))
    assert (result.outcome, result.error_code) == (outcome, code)


def test_an_inquiry_knows_nothing_only_where_a_rule_says_so() -> None:
    assert MAPPING.inquiry(Answer(404, {"code": "NONE"})) is None
    for answer in (Answer(404, None), Answer(404, {"code": "NO_ROUTE"}), Answer(503, None), Answer(400, None)):
        assert decided(MAPPING.inquiry(answer)).outcome is Outcome.UNKNOWN


def test_a_success_carries_the_policy_number() -> None:
    result = decided(MAPPING.submission(Answer(200, {"code": "0", "policies": [{"number": 77}]})))
    assert result.policy_number == "77"


def test_the_insurers_text_is_cut_and_made_printable() -> None:
    result = decided(MAPPING.submission(Answer(200, {"code": "E" * 500, "text": "a\x1b[31m\nb" + "x" * 500})))
    assert result.error_code == "E" * 64
    assert result.message.startswith("a [31m b")
    assert len(result.message) == 200


def test_the_default_errs_to_safety_for_every_status() -> None:
    outcomes = {status: default_outcome(status) for status in range(100, 600)}
    certain = {status for status, outcome in outcomes.items() if outcome is Outcome.TECHNICAL_FAILURE}
    assert certain == {401, 403, 404, 405, 407, 425, 429, 503}
    ours = {status for status, outcome in outcomes.items() if outcome is Outcome.CALLER_FAULT}
    assert ours == set(range(400, 500)) - certain - {408, 409}
    assert {outcomes[s] for s in outcomes.keys() - certain - ours} == {Outcome.UNKNOWN}
