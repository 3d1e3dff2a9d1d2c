"""What happens around every call, in this order."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry.trace import Tracer
from prometheus_client import CollectorRegistry

from sluice_server.api.interceptors.identify import Identify
from sluice_server.api.interceptors.log import Log
from sluice_server.api.interceptors.measure import Measure
from sluice_server.api.interceptors.pipeline import Interceptor, Pipeline
from sluice_server.api.interceptors.shed import Shed
from sluice_server.api.interceptors.trace import Trace
from sluice_server.api.interceptors.translate import Translate
from sluice_server.domain.context import Clock, Role

__all__ = ["Pipeline", "pipeline"]


def pipeline(
    *,
    clock: Clock,
    registry: CollectorRegistry,
    tracer: Tracer | None,
    sample_ratio: float,
    max_in_flight: int,
    max_streams: int,
    roles: Mapping[str, frozenset[Role]] | None = None,
    client_certificates: bool = True,
) -> Pipeline:
    """All interceptors; the first is outermost. ``client_certificates``: whether clients may show one.

    Audit rows are written by the use cases, in the transaction of what they record; requests are validated where they
    are parsed, in each service's ``wire.py``.
    """
    interceptors: tuple[Interceptor, ...] = (
        # Outermost, so that the span covers everything and all that follows knows the trace id.
        Trace(tracer, sample_ratio),
        # Names the call before anything can fail, so that every failure and every line carries the request id.
        Log(),
        # Outside of the translation: it counts statuses and reasons as the caller gets them.
        Measure(registry),
        # Outside of all that may refuse or fail. The pipeline alone then ends the call.
        Translate(),
        # Before shedding: control calls, which need an actor, must get through when the server is full.
        Identify(clock, roles, certificates=client_certificates),
        # Innermost: only calls that would really be served take up room.
        Shed(max_in_flight, max_streams, registry),
    )
    return Pipeline(interceptors)
