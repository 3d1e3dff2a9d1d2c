"""The probe's server as a process of its own: ``python -m tests.support.probe_process BEHAVIOR``.

Prints ``serving PORT METRICS_PORT`` when it serves, ``called`` when a call has begun, ``closed`` when the application
was closed. Settings come from the environment, as for the real server. BEHAVIOR is what calls do: ``answer`` at once,
``finish`` when SIGUSR1 comes, or ``hang``.
"""

from __future__ import annotations

import asyncio
import signal
import sys

from sluice.routing.v1 import routing_pb2_grpc
from sluice_server.runtime.lifecycle import Application, Platform, Server, Service, run
from sluice_server.runtime.settings import load_settings
from tests.support.probe import ROUTING, Probe, ProbeRouting


def say(*words: object) -> None:
    print(*words, flush=True)


def ready(server: Server) -> None:
    say("serving", server.port, server.metrics_port)


async def build(platform: Platform) -> Application:
    finish = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, finish.set)

    async def behavior() -> None:
        say("called")
        match sys.argv[1]:
            case "finish":
                await finish.wait()
            case "hang":
                await asyncio.Event().wait()

    async def close() -> None:
        say("closed")

    routing = ProbeRouting(Probe(behavior=behavior))
    return Application(
        services=[Service(ROUTING, lambda server: routing_pb2_grpc.add_RoutingServicer_to_server(routing, server))],
        close=close,
    )


if __name__ == "__main__":
    run(build, load_settings(), on_ready=ready)
