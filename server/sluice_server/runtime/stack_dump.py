"""Shows where everybody is when something takes longer than it should."""

from __future__ import annotations

import asyncio
import faulthandler
import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import structlog


@contextmanager
def dump_if_slow(seconds: float) -> Iterator[None]:
    """While the block takes longer than ``seconds``: every task's stack to the log, and every thread's to stderr.

    The threads' come from a watchdog outside of Python, so they come also when the event loop is blocked.
    """
    loop = asyncio.get_running_loop()
    timer = loop.call_later(seconds, _dump_tasks)
    descriptor = _descriptor(sys.__stderr__)
    if descriptor is not None:
        faulthandler.dump_traceback_later(seconds, file=descriptor)
    try:
        yield
    finally:
        timer.cancel()
        if descriptor is not None:
            faulthandler.cancel_dump_traceback_later()


def _dump_tasks() -> None:
    log = structlog.get_logger("sluice.lifecycle")
    for task in asyncio.all_tasks():
        text = io.StringIO()
        task.print_stack(file=text)
        log.warning("still running", task=task.get_name(), stack=text.getvalue())


def _descriptor(stream: TextIO | None) -> int | None:
    """None where there is no real file behind the stream, as in a daemon."""
    try:
        return None if stream is None else stream.fileno()
    except (OSError, ValueError):
        return None
