"""From an insurer's HTTP answer to an outcome in our words: the configured rules, then a default that errs to safety.

What is not mapped and may have insured is UNKNOWN: it is inquired about, never sent to another insurer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from sluice_server.domain.orders.model import Outcome
from sluice_server.domain.orders.ports import SubmissionPending, SubmissionResult

_LONGEST_CODE = 64
_LONGEST_MESSAGE = 200
_LONGEST_REFERENCE = 128


class Verdict(StrEnum):
    """What a rule can say: an outcome, that the insurer will decide later, and for inquiries that it knows nothing."""

    SUCCESS = "SUCCESS"
    BUSINESS_REJECTION = "BUSINESS_REJECTION"
    TECHNICAL_FAILURE = "TECHNICAL_FAILURE"
    UNKNOWN = "UNKNOWN"
    CALLER_FAULT = "CALLER_FAULT"
    NOT_FOUND = "NOT_FOUND"
    PENDING = "PENDING"


SUBMISSION_VERDICTS = tuple(v for v in Verdict if v is not Verdict.NOT_FOUND)
INQUIRY_VERDICTS = (
    Verdict.SUCCESS,
    Verdict.BUSINESS_REJECTION,
    Verdict.NOT_FOUND,
    Verdict.UNKNOWN,
    Verdict.PENDING,
    # The insurer's own word that it has processed the request in vain: nothing is insured.
    Verdict.TECHNICAL_FAILURE,
)
CALLBACK_VERDICTS = tuple(v for v in INQUIRY_VERDICTS if v is not Verdict.NOT_FOUND)


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer that was received whole."""

    status: int
    body: object
    """The parsed JSON; None when there was none or it could not be read."""


@dataclass(frozen=True, slots=True)
class JsonPath:
    """Where a value is in a body: ``error.code``, with numbers for places in lists: ``policies.0.number``."""

    steps: tuple[str, ...]

    def find(self, body: object) -> object:
        """The value, or None."""
        for step in self.steps:
            if isinstance(body, Mapping):
                body = body.get(step)
            elif isinstance(body, list) and step.isdecimal() and int(step) < len(body):
                body = body[int(step)]
            else:
                return None
        return body

    def text(self, body: object) -> str:
        """The value as text: numbers and truth values as JSON writes them, everything else as nothing."""
        value = self.find(body)
        if isinstance(value, bool):
            return "true" if value else "false"
        return str(value) if isinstance(value, str | int | float) else ""


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of the mapping. It speaks where every condition that it has holds."""

    statuses: tuple[range, ...]
    """Empty: whatever the status."""
    path: JsonPath | None
    table: Mapping[str, Verdict]
    """Verdict by the text at ``path`` …"""
    verdict: Verdict | None
    """… or, without a table, this one; with a ``path`` only where something is there."""

    def judge(self, answer: Answer) -> Verdict | None:
        """None when the rule does not speak about this answer."""
        if self.statuses and not any(answer.status in span for span in self.statuses):
            return None
        if self.path is None:
            return self.verdict
        value = self.path.text(answer.body)
        return self.table.get(value) if self.table else (self.verdict if value else None)


@dataclass(frozen=True, slots=True)
class Settlement:
    """How an insurer decides what it has accepted for later."""

    within_seconds: float = 900.0
    """So long it may take; then the outcome is unknown, which is evidence against the insurer."""
    poll_seconds: float = 10.0
    """How often it is asked meanwhile."""


@dataclass(frozen=True, slots=True)
class AnswerMapping:
    """The rules of one operation, in order, and where the answer's particulars are."""

    rules: Sequence[Rule]
    policy_number: JsonPath
    error_code: JsonPath | None
    message: JsonPath | None
    reference: JsonPath | None = None
    """Of an answer that the insurer will decide later: what it calls the request."""
    settlement: Settlement | None = None
    """How long that may take; there where a rule says PENDING."""

    def submission(self, answer: Answer) -> SubmissionResult | SubmissionPending:
        """What came of asking the insurer to insure."""
        verdict = self._judge(answer)
        if verdict is Verdict.PENDING:
            return self._pending(answer)
        return self._result(answer, default_outcome(answer.status) if verdict is None else _outcome(verdict))

    def inquiry(self, answer: Answer) -> SubmissionResult | SubmissionPending | None:
        """What the insurer knows. Only a rule can say that it knows nothing: a 404 alone may come from a gateway."""
        verdict = self._judge(answer)
        if verdict is Verdict.NOT_FOUND:
            return None
        if verdict is Verdict.PENDING:
            return self._pending(answer)
        return self._result(answer, Outcome.UNKNOWN if verdict is None else _outcome(verdict))

    def _pending(self, answer: Answer) -> SubmissionPending:
        settlement = self.settlement or Settlement()
        reference = self.reference.text(answer.body) if self.reference else ""
        return SubmissionPending(
            ask_after_seconds=settlement.poll_seconds,
            settled_within_seconds=settlement.within_seconds,
            reference=_printable(reference, _LONGEST_REFERENCE),
        )

    def _judge(self, answer: Answer) -> Verdict | None:
        for rule in self.rules:
            verdict = rule.judge(answer)
            if verdict is not None:
                return verdict
        return None

    def _result(self, answer: Answer, outcome: Outcome) -> SubmissionResult:
        if outcome is Outcome.SUCCESS:
            number = _printable(self.policy_number.text(answer.body), 128)
            if number:
                return SubmissionResult(outcome, policy_number=number)
            return SubmissionResult(
                Outcome.UNKNOWN, "POLICY_NUMBER_MISSING", "the answer reads like a success but has no policy number"
            )
        code = self.error_code.text(answer.body) if self.error_code else ""
        message = self.message.text(answer.body) if self.message else ""
        return SubmissionResult(
            outcome, _printable(code, _LONGEST_CODE) or f"HTTP_{answer.status}", _printable(message, _LONGEST_MESSAGE)
        )


def default_outcome(status: int) -> Outcome:
    """What a status means where no rule speaks.

    TECHNICAL_FAILURE (nothing was insured, another insurer may): refused before processing, by a gateway (404, 405),
    an access check (401, 403, 407) or for load (425, 429, 503). CALLER_FAULT: the other 4xx. UNKNOWN: 408 and 409 (an
    earlier request may be under way or done), and everything else, above all 500, 502, 504 and an unmapped 200.
    """
    if status in (401, 403, 404, 405, 407, 425, 429, 503):
        return Outcome.TECHNICAL_FAILURE
    if status in (408, 409) or not 400 <= status < 500:
        return Outcome.UNKNOWN
    return Outcome.CALLER_FAULT


def _outcome(verdict: Verdict) -> Outcome:
    match verdict:
        case Verdict.SUCCESS:
            return Outcome.SUCCESS
        case Verdict.BUSINESS_REJECTION:
            return Outcome.BUSINESS_REJECTION
        case Verdict.TECHNICAL_FAILURE:
            return Outcome.TECHNICAL_FAILURE
        case Verdict.CALLER_FAULT:
            return Outcome.CALLER_FAULT
        case Verdict.UNKNOWN | Verdict.NOT_FOUND | Verdict.PENDING:
            return Outcome.UNKNOWN
        case _:
            assert_never(verdict)


def _printable(text: str, longest: int) -> str:
    """The insurer's text without control characters, cut to length."""
    return "".join(c if c.isprintable() else " " for c in text[:longest]).strip()
