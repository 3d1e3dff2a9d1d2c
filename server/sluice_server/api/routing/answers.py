"""Route's answers as they go over the wire, thousands of them a second.

What the decisions of one frame share is encoded once; the rest is put behind it. The two parts of an answer are a valid
message: protobuf merges what it reads of the same message, and takes a field again where it comes again
(https://protobuf.dev/programming-guides/encoding/#last-one-wins).
"""

from __future__ import annotations

from datetime import datetime

from sluice_server.api.routing import render
from sluice_server.domain.orders.decide import Answer
from sluice_server.domain.orders.model import OrderState
from sluice_server.domain.routing.frame import FirstDecision
from sluice_server.domain.routing.model import Decision

_OWN = ("decision_id", "application_id", "rule", "split_key", "decide_time")
"""What decisions with the same frame do not share."""
# Tags of length-delimited fields: number * 8 + 2 (tests/unit/api/test_fast_path.py reads what is written with them).
_DECISION = b"\x0a"
_DECISION_ID, _APPLICATION_ID, _RULE, _SPLIT_KEY, _DECIDE_TIME = b"\x0a", b"\x12", b"\x4a", b"\x5a", b"\x7a"
_RESULT_ID, _RESULT_RESPONSE = b"\x0a", b"\x12"
OF_BATCH, OF_STREAM = b"\x0a", b"\x12"
"""Tag of ``results`` in the response of RouteBatch, and of RouteStream."""


def route_answer(routed: Answer) -> bytes:
    """A RouteResponse, serialized."""
    if not isinstance(routed, FirstDecision):
        return render.route_response(routed).SerializeToString()
    first = routed
    decision_id, application_id = first.decision_id.encode(), first.application.application_id.encode()
    rule, split_key, at = first.rule.encode(), first.split_key.encode(), _moment(first.decided_at)
    own = b"".join(
        (
            _DECISION_ID,
            _LENGTHS[len(decision_id)],
            decision_id,
            _APPLICATION_ID,
            _LENGTHS[len(application_id)],
            application_id,
            _RULE,
            length(rule),
            rule,
            _SPLIT_KEY,
            length(split_key),
            split_key,
            _DECIDE_TIME,
            at,
        )
    )
    return b"".join((first.frame.kept(_shared, first), _DECISION, length(own), own))


def result(tag: bytes, application_id: str, answer: bytes) -> bytes:
    """An entry of ``results``: a RouteResult that holds what ``route_answer`` gave."""
    name = application_id.encode()
    return entry(tag, b"".join((_RESULT_ID, length(name), name, _RESULT_RESPONSE, length(answer), answer)))


def entry(tag: bytes, message: bytes) -> bytes:
    """An entry of a repeated field."""
    return b"".join((tag, length(message), message))


def length(value: bytes) -> bytes:
    """A value's length, as it stands before it."""
    size = len(value)
    return _LENGTHS[size] if size < len(_LENGTHS) else _varint(size)


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    encoded.append(value)
    return bytes(encoded)


_LENGTHS = tuple(_varint(size) for size in range(2_048))


class _Moments:
    """Timestamps as they are written, their length before them. The last one is kept: a batch's decisions share it."""

    def __init__(self) -> None:
        self._last: datetime | None = None
        self._written = b""

    def __call__(self, at: datetime) -> bytes:
        if at is not self._last:
            written = render.timestamp(at).SerializeToString()
            self._last, self._written = at, length(written) + written
        return self._written


_moment = _Moments()


def _shared(decision: Decision) -> bytes:
    response = render.state_and_decision(OrderState.ROUTED, decision)
    for name in _OWN:
        response.decision.ClearField(name)
    return response.SerializeToString()
