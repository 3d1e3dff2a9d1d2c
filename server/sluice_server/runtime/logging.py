"""Logs as JSON lines on stderr, each with the trace id and request id of the call it belongs to."""

from __future__ import annotations

import logging
import sys
from typing import IO, Any

import orjson
import structlog
from opentelemetry import trace
from structlog.typing import EventDict, WrappedLogger

from sluice_server.api.context import current_call

_LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


def configure_logging(level: str, stream: IO[str] | None = None) -> None:
    """Sends structlog's and the standard library's records to ``stream`` (stderr) in one format.

    ``level`` holds for our own records; of libraries only warnings are kept.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        add_ids,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *shared[:4],
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream if stream is not None else sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(serializer=_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    for ours in ("sluice", "sluice_server"):
        logging.getLogger(ours).setLevel(_LEVELS[level])


def add_ids(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Names the call that the record belongs to, or the trace of the background work."""
    call = current_call()
    if call is not None:
        event["request_id"] = call.request_id
        if call.trace_id:
            event["trace_id"] = call.trace_id
        return event
    span = trace.get_current_span().get_span_context()
    if span.is_valid:
        event["trace_id"] = f"{span.trace_id:032x}"
    return event


def _json(event: EventDict, **_: Any) -> str:
    # Whatever cannot be said in JSON is shown by its repr: a log line must not fail.
    return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
