"""RouteBatch from a process of its own: ``python -m tests.bench.batch_load ADDRESS MESSAGE_HEX FIRST_NUMBER SECONDS``.

``MESSAGE_HEX`` is one application's message with the placeholder of ``load``. Prints the decisions a second as JSON.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time

import uvloop

from tests.bench.load import PLACEHOLDER

BATCH = 500
_AT_ONCE = 4


async def decisions_per_second(address: str, message: bytes, first_number: int, seconds: float) -> float:
    """Counts what came back as decided and raises when anything came back otherwise."""
    import grpc

    from sluice.routing.v1 import routing_pb2

    number = first_number
    decided = 0

    def batch() -> bytes:
        nonlocal number
        parts = []
        for _ in range(BATCH):
            number += 1
            application = message.replace(PLACEHOLDER, b"%010d" % number)
            parts.append(b"\x0a" + _varint(len(application)) + application)
        return b"".join(parts)

    async def call_until(end: float, prepared: list[bytes]) -> None:
        nonlocal decided
        while time.perf_counter() < end:
            answer = await route_batch(prepared.pop() if prepared else batch(), timeout=30)
            response = routing_pb2.RouteBatchResponse.FromString(answer)
            wrong = [result for result in response.results if not result.HasField("response")]
            if wrong:
                raise RuntimeError(f"not decided: {wrong[0]}")
            decided += len(response.results)

    options = (("grpc.max_receive_message_length", -1),)
    async with grpc.aio.insecure_channel(address, options) as channel:
        route_batch: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes] = channel.unary_unary(
            "/sluice.routing.v1.Routing/RouteBatch"
        )
        await route_batch(batch(), timeout=30)
        # Made before the clock starts: the load must not take the time that is measured.
        ready = [batch() for _ in range(int(seconds * 120))]
        began = time.perf_counter()
        await asyncio.gather(*(call_until(began + seconds, ready) for _ in range(_AT_ONCE)))
        return decided / (time.perf_counter() - began)


def _varint(value: int) -> bytes:
    encoded = b""
    while value > 0x7F:
        encoded += bytes((value & 0x7F | 0x80,))
        value >>= 7
    return encoded + bytes((value,))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        address, message, first, seconds = sys.argv[1:]
        print(json.dumps(runner.run(decisions_per_second(address, bytes.fromhex(message), int(first), float(seconds)))))
