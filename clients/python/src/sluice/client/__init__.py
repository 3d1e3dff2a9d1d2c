"""Calls Sluice: ``Sluice`` for threads, ``AsyncSluice`` for asyncio, and the errors that calls raise.

Needs grpcio and protobuf, nothing else.
"""

from __future__ import annotations

from sluice.client import errors
from sluice.client._aio import AsyncSluice
from sluice.client._metadata import TraceContext
from sluice.client._methods import DEFAULT_TIMEOUT_SECONDS, REPEATABLE
from sluice.client._sync import Sluice
from sluice.client.errors import SluiceError, Violation

__all__ = [
    "DEFAULT_TIMEOUT_SECONDS",
    "REPEATABLE",
    "AsyncSluice",
    "Sluice",
    "SluiceError",
    "TraceContext",
    "Violation",
    "errors",
]
