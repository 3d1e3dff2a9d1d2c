"""From an insurer's HTTP callback to a notice in our words: checked, read, mapped."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import orjson

from sluice_server.domain.orders.callback import InsurerNotice
from sluice_server.domain.orders.model import Outcome
from sluice_server.domain.orders.ports import SubmissionResult
from sluice_server.insurers.answers import Answer
from sluice_server.insurers.configuration import Callback

LARGEST_BODY_BYTES = 1 << 18
_LONGEST_ID = 128


class CallbackRefused(Exception):
    """The callback is not taken. ``status`` is HTTP's; the text is for whoever works at the insurer."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


def read_callback(
    insurer_id: str, callback: Callback, headers: Mapping[str, str], *, path: str, body: bytes, at: datetime
) -> InsurerNotice | None:
    """What the insurer tells; None when it tells nothing that decides (still processing, or nothing that is mapped).

    ``path``: as sent, with the query. Raises CallbackRefused.
    """
    try:
        content = orjson.loads(body)
    except orjson.JSONDecodeError:
        content = None
    key = "" if callback.idempotency_key is None else callback.idempotency_key.text(content)[:_LONGEST_ID]
    genuine = callback.verification.accepts(headers, method="POST", path=path, body=body, idempotency_key=key, at=at)
    if not genuine:
        raise CallbackRefused(401, "SIGNATURE_INVALID", "the signature is missing, wrong or too old")
    if content is None:
        raise CallbackRefused(400, "UNREADABLE", "the body is no JSON")
    application_id = "" if callback.application_id is None else callback.application_id.text(content)[:_LONGEST_ID]
    if not application_id and not key:
        raise CallbackRefused(400, "ORDER_MISSING", "the body names no order")
    result = callback.mapping.inquiry(Answer(200, content))
    if not isinstance(result, SubmissionResult) or result.outcome is Outcome.UNKNOWN:
        return None
    return InsurerNotice(insurer_id, application_id, key, result)
