"""Python's cyclic garbage collector, held off while a large plan is read."""

from __future__ import annotations

import gc
import threading
from types import TracebackType


class _Collector:
    """``with COLLECTOR_HELD_OFF:``, in any thread, also in several at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._holding_off = 0
        self._was_enabled = False

    def __enter__(self) -> None:
        with self._lock:
            if not self._holding_off:
                self._was_enabled = gc.isenabled()
                gc.disable()
            self._holding_off += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._holding_off -= 1
            if not self._holding_off and self._was_enabled:
                gc.enable()


COLLECTOR_HELD_OFF = _Collector()
"""A plan's millions of objects hold each other in no cycle. The collector would look for some every few hundred objects
and, in a process with its default thresholds, take as long as all the rest. The last one to leave puts it back as it
was."""
