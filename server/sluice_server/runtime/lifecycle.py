"""From the settings to a serving server, and from a signal to a stopped one.

The composition root gives a ``build`` function that makes the application (services, workers, what is to be closed)
from a ``Platform``; everything around it is here: interceptors, health, reflection, metrics, signals, the order of the
stop.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from sluice_server.api.interceptors import pipeline
from sluice_server.domain.context import Clock, Role, SystemClock
from sluice_server.domain.tracing import Tracer
from sluice_server.runtime.health import Health
from sluice_server.runtime.listeners import Listeners
from sluice_server.runtime.logging import configure_logging
from sluice_server.runtime.metrics import MetricsEndpoint, new_registry
from sluice_server.runtime.readiness import Readiness
from sluice_server.runtime.reflection import add_reflection
from sluice_server.runtime.settings import Settings, SettingsError
from sluice_server.runtime.stack_dump import dump_if_slow
from sluice_server.runtime.telemetry import Telemetry
from sluice_server.runtime.workers import Worker, Workers

WORKER_STOP_SECONDS = 10.0
TELEMETRY_FLUSH_SECONDS = 3.0
SLOW_STOP_SECONDS = 5.0
"""How long a stop may take beyond the drain before the stacks are dumped."""


@dataclass(frozen=True)
class Platform:
    """What the composition root builds upon."""

    settings: Settings
    clock: Clock
    tracer: Tracer
    registry: CollectorRegistry


@dataclass(frozen=True)
class Service:
    """A gRPC service: its full name, and what adds its servicer to a server."""

    name: str
    add: Callable[[Any], None]
    needs_ready: bool = True
    """Whether it is NOT_SERVING while the application is not ready."""


async def _nothing() -> None:
    """What there is to close where nothing is open."""


def _always_ready() -> str:
    """Of an application that nothing can make unfit."""
    return ""


@dataclass(frozen=True)
class Application:
    """What the composition root has built."""

    services: Sequence[Service]
    workers: Sequence[Worker] = ()
    not_ready_because: Callable[[], str] = _always_ready
    """Asked all the time: why calls of the services are refused now; empty when they are served."""
    close: Callable[[], Awaitable[None]] = _nothing
    """Closes the store and connections; called last, when no call and no worker runs any more."""


Build = Callable[[Platform], Awaitable[Application]]


class Server:
    """One server: ``start()``, then ``stop()`` once. ``port`` and ``metrics_port`` tell what it listens on."""

    def __init__(self, build: Build, settings: Settings, clock: Clock | None = None) -> None:
        self._build = build
        self._settings = settings
        self._clock = clock or SystemClock()
        self._registry = new_registry()
        self._log = structlog.get_logger("sluice.lifecycle")
        self._health = Health()
        self._metrics: MetricsEndpoint | None = None
        self._listeners: Listeners | None = None
        self._to_stop = contextlib.AsyncExitStack()
        self.port = 0
        self.metrics_port = 0

    async def start(self) -> None:
        """Builds the application and serves it. What was started is stopped again if anything fails."""
        async with contextlib.AsyncExitStack() as started:
            await self._start(started)
            self._to_stop = started.pop_all()

    async def stop(self, drain_seconds: float | None = None) -> None:
        """NOT_SERVING, no new calls, drain, workers, telemetry, store: in this order, each bounded."""
        drain = self._settings.drain_seconds if drain_seconds is None else drain_seconds
        self._log.info("stopping", drain_seconds=drain)
        with dump_if_slow(drain + SLOW_STOP_SECONDS):
            self._drain_seconds = drain
            await self._to_stop.aclose()
        self._log.info("stopped")

    async def hurry(self) -> None:
        """Ends a drain that is under way."""
        if self._listeners is not None:
            await self._listeners.stop(None)

    async def _start(self, started: contextlib.AsyncExitStack) -> None:
        """Registers each part's stop as it is started: the stop goes through them in the opposite order."""
        settings = self._settings
        self._drain_seconds = 0.0
        roles = read_roles(settings.roles_file)
        endpoint = str(settings.otlp_endpoint) if settings.otlp_endpoint else None
        telemetry = Telemetry(endpoint, settings.trace_sample_ratio)
        # Twice: here for a build that fails, and below so that it is flushed before the store is closed.
        started.push_async_callback(telemetry.close, TELEMETRY_FLUSH_SECONDS)
        application = await self._build(Platform(settings, self._clock, telemetry.tracer, self._registry))
        started.push_async_callback(application.close)
        started.push_async_callback(telemetry.close, TELEMETRY_FLUSH_SECONDS)
        if settings.metrics_listen is not None:
            self._metrics = MetricsEndpoint(self._registry, settings.metrics_listen)
            started.push_async_callback(self._metrics.stop)
            await self._metrics.start()
            self.metrics_port = self._metrics.port
        calls = pipeline(
            clock=self._clock,
            registry=self._registry,
            tracer=telemetry.call_tracer,
            sample_ratio=settings.trace_sample_ratio,
            max_in_flight=settings.max_in_flight,
            max_streams=settings.max_streams,
            roles=roles,
            client_certificates=settings.tls_client_ca is not None,
        )
        for service in application.services:
            service.add(calls)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, calls)
        names = [service.name for service in application.services]
        add_reflection(calls, [*names, health_pb2.DESCRIPTOR.services_by_name["Health"].full_name])
        listeners = self._listeners = Listeners(calls, settings)
        self.port = listeners.port
        readiness = Readiness(
            self._health,
            ["", *(service.name for service in application.services if service.needs_ready)],
            application.not_ready_because,
        )
        workers = Workers([*application.workers, readiness], self._registry)
        started.push_async_callback(workers.stop, WORKER_STOP_SECONDS)

        async def drain() -> None:
            await self._health.enter_graceful_shutdown()
            await calls.end_subscriptions()
            await listeners.stop(self._drain_seconds)

        started.push_async_callback(drain)
        await listeners.start()
        for name in ("", *names):
            await self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        workers.start()
        self._log.info("serving", port=self.port, metrics_port=self.metrics_port, tls=settings.tls, services=names)


def run(build: Build, settings: Settings, *, on_ready: Callable[[Server], None] | None = None) -> None:
    """Serves until SIGTERM or SIGINT, then stops gracefully; a second signal ends the drain. Blocks.

    Raises SettingsError where the server cannot start with these settings.
    """
    import uvloop

    configure_logging(settings.log_level)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(build, settings, on_ready=on_ready))


async def serve(build: Build, settings: Settings, *, on_ready: Callable[[Server], None] | None = None) -> None:
    """As ``run``, in a loop that already runs."""
    loop = asyncio.get_running_loop()
    signals: asyncio.Queue[signal.Signals] = asyncio.Queue()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, signals.put_nowait, number)
    server = Server(build, settings)
    await server.start()
    tune_interpreter()
    if on_ready is not None:
        on_ready(server)
    await signals.get()
    stopping = asyncio.create_task(server.stop())
    again = asyncio.create_task(signals.get())
    await asyncio.wait({stopping, again}, return_when=asyncio.FIRST_COMPLETED)
    if not stopping.done():
        await server.hurry()
    again.cancel()
    await stopping


SWITCH_SECONDS = 0.0003


def tune_interpreter() -> None:
    """What the interpreter does for many small calls between threads, after the start.

    The garbage that the start has made is taken out of the collector's sight, and the collector comes often: grpc.aio
    leaves a ring of five objects behind for every call, which nobody else takes away. The longer it waits, the colder
    they are: a collection every 100,000 objects took 54 to 100 ms, in which no call was answered; one every 5,000 takes
    1 ms, and half the processor time a call.

    A thread that has written a batch, or met the next call, asks for the interpreter's lock to say so. By default it
    waits for 5 ms while the event loop is busy, which is longer than most commits take.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(5_000, 20, 100)
    sys.setswitchinterval(SWITCH_SECONDS)


def read_roles(path: Path | None) -> Mapping[str, frozenset[Role]] | None:
    """The roles of verified actors by common name, from the YAML file; None without one."""
    if path is None:
        return None
    try:
        loaded = YAML(typ="safe").load(path.read_text(encoding="utf-8"))
        if not isinstance(loaded, dict):
            raise SettingsError(f"roles_file: {path}: must be a map from common name to a list of roles")
        return {str(name): frozenset(Role(role) for role in roles) for name, roles in loaded.items()}
    except (OSError, YAMLError, ValueError, TypeError) as error:
        allowed = ", ".join(Role)
        raise SettingsError(f"roles_file: {path}: {error} (roles are: {allowed})") from error
