"""The gRPC port. Several servers of this process listen on it, and each takes in the calls of its own connections.

A grpc.aio server takes calls in one by one, one in each round of the event loop. While a batch is decided and answered,
a round takes milliseconds, and whatever has arrived meanwhile waits outside; several servers take in several a round.
The kernel deals the connections out among them (SO_REUSEPORT).
"""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import grpc

from sluice_server.runtime.settings import Settings, address_taken

LISTENERS = 8
# The same keepalive as the clients' (sluice.client): a server that does not expect pings answers them with GOAWAY.
KEEPALIVE_SECONDS = 30
GRPC_OPTIONS: tuple[tuple[str, Any], ...] = (
    # gRPC's own limit of 1,000 cancels calls without a word; max_in_flight refuses them with one.
    ("grpc.server.max_pending_requests", 100_000),
    ("grpc.server.max_pending_requests_hard_limit", 200_000),
    ("grpc.keepalive_time_ms", KEEPALIVE_SECONDS * 1000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_ping_interval_without_data_ms", KEEPALIVE_SECONDS * 500),
    ("grpc.max_receive_message_length", 16 * 1024 * 1024),
)


class Listeners:
    """Listens on ``settings.listen`` for one handler of all calls, ``count`` times over. ``port`` tells where."""

    def __init__(self, handler: grpc.GenericRpcHandler, settings: Settings, *, count: int = LISTENERS) -> None:
        """Binds the port. Raises SettingsError when it is taken."""
        shared = int(count > 1)
        self._servers = [grpc.aio.server(options=(*GRPC_OPTIONS, ("grpc.so_reuseport", shared))) for _ in range(count)]
        credentials = _credentials(settings)
        host, _, port = settings.listen.rpartition(":")
        self.port = int(port)
        try:
            if shared and self.port:
                _refuse_another(host, self.port)
            for server in self._servers:
                server.add_generic_rpc_handlers((handler,))
                # With port 0 the first finds a free one, and the others take the same.
                address = f"{host}:{self.port}"
                if credentials is None:
                    self.port = server.add_insecure_port(address)
                else:
                    self.port = server.add_secure_port(address, credentials)
        except (OSError, RuntimeError) as error:
            raise address_taken(settings.listen, "SLUICE_LISTEN") from error

    async def start(self) -> None:
        """Takes calls in from now on."""
        for server in self._servers:
            await server.start()

    async def stop(self, grace_seconds: float | None) -> None:
        """Takes no more calls, and ends those that still run after the grace; None: at once."""
        await asyncio.gather(*(server.stop(grace_seconds) for server in self._servers))


def _credentials(settings: Settings) -> grpc.ServerCredentials | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    authorities = settings.tls_client_ca.read_bytes() if settings.tls_client_ca else None
    return grpc.ssl_server_credentials(
        [(settings.tls_key.read_bytes(), settings.tls_cert.read_bytes())],
        root_certificates=authorities,
        require_client_auth=authorities is not None,
    )


def _refuse_another(host: str, port: int) -> None:
    """Raises OSError when somebody listens there: whoever shares a port as we do would silently share our calls."""
    found = socket.getaddrinfo(host.strip("[]") or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    for family, kind, protocol, _, address in found:
        with socket.socket(family, kind, protocol) as probe:
            # Connections that ended a moment ago do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            probe.bind(address)
