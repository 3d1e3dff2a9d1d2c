"""What goes along with every call: who calls, the call's name, the trace it belongs to."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

REQUEST_ID_KEY = "sluice-request-id"
ACTOR_KEY = "sluice-actor"

TraceContext = Callable[[], Mapping[str, str]]
"""Returns the W3C headers (``traceparent``, ``tracestate``) of the present span, or nothing."""

MetadataEntries = Iterable[tuple[str, str | bytes]]


def no_trace_context() -> Mapping[str, str]:
    """For applications without tracing."""
    return {}


def installed_trace_context() -> TraceContext:
    """OpenTelemetry's, where the application has it; it is no dependency of the client."""
    try:
        from opentelemetry import propagate  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        return no_trace_context

    def present() -> Mapping[str, str]:
        headers: dict[str, str] = {}
        propagate.inject(headers)
        return headers

    return present


@dataclass(frozen=True, slots=True)
class Sender:
    """Makes the metadata of one client's calls."""

    actor: str
    trace_context: TraceContext

    def metadata(self, given: MetadataEntries | None) -> tuple[tuple[tuple[str, str | bytes], ...], str]:
        """The metadata of one call, and its request id. What the caller gives wins."""
        own = [(key, value) for key, value in (given or ())]
        keys = {key for key, _ in own}
        request_id = next((str(value) for key, value in own if key == REQUEST_ID_KEY), "")
        if not request_id:
            request_id = uuid.uuid4().hex
            own.append((REQUEST_ID_KEY, request_id))
        if self.actor and not keys & {ACTOR_KEY, f"{ACTOR_KEY}-bin"}:
            # Metadata is ASCII, names are not.
            if self.actor.isascii():
                own.append((ACTOR_KEY, self.actor))
            else:
                own.append((f"{ACTOR_KEY}-bin", self.actor.encode()))
        own.extend((key, value) for key, value in self.trace_context().items() if key not in keys)
        return tuple(own), request_id
