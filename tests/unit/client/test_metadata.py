"""What goes along with a call."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from sluice.client._metadata import Sender, installed_trace_context


def test_every_call_gets_a_request_id_of_its_own() -> None:
    sender = Sender("", dict)
    (first, first_id), (second, second_id) = sender.metadata(None), sender.metadata(None)
    assert first == (("sluice-request-id", first_id),)
    assert first_id != second_id
    assert second != first


def test_what_the_caller_gives_wins() -> None:
    sender = Sender("wang.li", lambda: {"traceparent": "of the client"})
    given = (("sluice-request-id", "r-1"), ("sluice-actor", "zhao"), ("traceparent", "of the caller"))
    assert sender.metadata(given) == (given, "r-1")


@pytest.mark.parametrize(
    ("actor", "entry"),
    [("wang.li", ("sluice-actor", "wang.li")), ("王丽", ("sluice-actor-bin", "王丽".encode()))],
)
def test_the_actor_goes_along_in_a_form_that_metadata_can_carry(actor: str, entry: tuple[str, str | bytes]) -> None:
    assert entry in Sender(actor, dict).metadata(None)[0]


def test_opentelemetrys_trace_goes_along_where_it_is_installed() -> None:
    span = NonRecordingSpan(SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED)))
    with trace.use_span(span):
        metadata, _ = Sender("", installed_trace_context()).metadata(None)
    assert dict(metadata)["traceparent"] == f"00-{1:032x}-{2:016x}-01"
