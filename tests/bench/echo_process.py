"""What Route is measured against: a bare grpc.aio server on uvloop that answers every call with as many bytes as Route.

``python -m tests.bench.echo_process PORT ANSWER_BYTES [tuned]``. No interceptor, no protobuf, no store. Bare is gRPC as
it comes; ``tuned`` has gRPC's listener set as ``sluice serve`` sets it, which is part of what makes Sluice fast.
"""

from __future__ import annotations

import asyncio
import sys
from typing import Any

import uvloop

if "tuned" in sys.argv:
    # gRPC reads this once, while it is imported.
    import sluice_server.cli  # noqa: F401 - sets it


async def serve(port: int, answer_bytes: int) -> None:
    """Serves ``/bench.Echo/Call`` until the process is ended."""
    import grpc

    answer = b"\0" * answer_bytes

    async def call(request: bytes, context: Any) -> bytes:
        return answer

    server = grpc.aio.server(options=(("grpc.so_reuseport", 0), ("grpc.server.max_pending_requests", 100_000)))
    handler: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(call)
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("bench.Echo", {"Call": handler}),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    print("serving", flush=True)
    await server.wait_for_termination()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(int(sys.argv[1]), int(sys.argv[2])))
