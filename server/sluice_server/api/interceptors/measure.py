"""Prometheus metrics of served calls."""

from __future__ import annotations

import time
from typing import Any

import grpc
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from sluice_server.api.context import ServerCall
from sluice_server.api.errors import CallFailed
from sluice_server.api.interceptors.pipeline import Proceed
from sluice_server.api.interceptors.trace import ended_with

BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Measure:
    """Counts calls by method, status and reason, and times the unary ones (a stream's length says nothing)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter("sluice_rpc_calls", "Finished calls.", ("method", "code", "reason"), registry=registry)
        self._seconds = Histogram(
            "sluice_rpc_seconds",
            "Time from a unary call's arrival to its answer, in seconds.",
            ("method",),
            buckets=BUCKETS_SECONDS,
            registry=registry,
        )
        self._running = Gauge("sluice_rpc_running", "Calls being served now.", ("method",), registry=registry)
        # labels() looks up under a lock for every call.
        self._of_method: dict[str, tuple[Counter, Histogram, Gauge]] = {}

    async def __call__(self, call: ServerCall, proceed: Proceed) -> Any:
        served, seconds, running = self._of_method.get(call.method) or self._add(call.method)
        running.inc()
        started = time.perf_counter()
        try:
            answer = await proceed(call)
        except CallFailed as failed:
            self._calls.labels(call.method, failed.failure.code.name, failed.failure.reason).inc()
            raise
        except grpc.aio.AbortError:
            self._calls.labels(call.method, ended_with(call).name, "").inc()
            raise
        except BaseException:
            self._calls.labels(call.method, grpc.StatusCode.CANCELLED.name, "").inc()
            raise
        else:
            served.inc()
            return answer
        finally:
            running.dec()
            if not call.streaming:
                seconds.observe(time.perf_counter() - started)

    def _add(self, method: str) -> tuple[Counter, Histogram, Gauge]:
        made = (
            self._calls.labels(method, grpc.StatusCode.OK.name, ""),
            self._seconds.labels(method),
            self._running.labels(method),
        )
        self._of_method[method] = made
        return made
