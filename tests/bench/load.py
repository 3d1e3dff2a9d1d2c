"""The load: unary gRPC calls over HTTP/2, from a process of its own: ``python -m tests.bench.load JSON``.

A client made with grpcio costs as much for each call as the server that is to be measured, and on two cores it would be
the limit. This one writes frames that are prepared but for the stream and the application's id, and reads only what it
must. gRPC's errors carry no message, so a call is good when it brought one of at least the wanted size.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from array import array
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import cast

import uvloop

PLACEHOLDER = b"0123456789"
"""Ten bytes of the message that are replaced by the call's number: they make the application's id unique."""

_DATA, _HEADERS, _RST, _SETTINGS, _PING, _GOAWAY = 0, 1, 3, 4, 6, 7
_END_STREAM, _ACK = 1, 1
_WINDOW = 2**31 - 1
_TICK_SECONDS = 0.001


@dataclass(frozen=True, slots=True)
class Load:
    """What to do. ``addresses`` are host:port; the connections are dealt out over them."""

    addresses: list[str]
    path: str
    message_hex: str
    first_number: int
    """Numbers from here on are this load's own."""
    seconds: float
    warm_up_seconds: float = 0.5
    connections: int = 4
    concurrency: int = 128
    """Calls in flight, over all connections. With a rate: the most there may be."""
    calls_per_second: float = 0.0
    """0: as many as there are answers. Otherwise calls begin on schedule, and a late one's wait counts."""
    least_answer_bytes: int = 1


@dataclass(frozen=True, slots=True)
class Measured:
    """What came of it, after the warm-up."""

    calls_per_second: float
    p50_seconds: float
    p99_seconds: float
    failed: int
    last_number: int
    cpu_share: float
    """Of one core, that the load itself used: near 1 it was the limit."""


class _Calls:
    """Begins calls and times them."""

    def __init__(self, load: Load) -> None:
        prefix, *parts = bytes.fromhex(load.message_hex).split(PLACEHOLDER)
        self._join = parts
        self._prefix = prefix
        self.number = load.first_number
        self.least = load.least_answer_bytes
        self.latencies = array("d")
        self.failed = 0
        self.measuring = False

    def message(self) -> bytes:
        """The next call's message."""
        self.number += 1
        number = b"%010d" % self.number
        return number.join((self._prefix, *self._join))

    def ended(self, began: float, now: float, *, good: bool) -> None:
        if self.measuring:
            self.latencies.append(now - began)
            self.failed += not good


class _Connection(asyncio.Protocol):
    def __init__(self, calls: _Calls, headers: tuple[bytes, bytes], again: Callable[[_Connection], None]) -> None:
        self._calls = calls
        self._first_headers, self._headers = headers
        self._again = again
        self._stream = -1
        self._rest = b""
        self._out: list[bytes] = []
        self._began: dict[int, float] = {}
        self._received: dict[int, int] = {}
        self._transport: asyncio.WriteTransport | None = None
        self.lost: str = ""

    @property
    def running(self) -> int:
        return len(self._began)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's.
        self._transport = cast(asyncio.WriteTransport, transport)
        settings = b"\x00\x02\x00\x00\x00\x00" + b"\x00\x04" + _WINDOW.to_bytes(4, "big")
        grow = (_WINDOW - 65_535).to_bytes(4, "big")
        self._transport.write(
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(_SETTINGS, 0, 0, settings) + _frame(8, 0, 0, grow)
        )

    def begin(self, began: float) -> None:
        """Adds a call to what is written next."""
        self._stream += 2
        headers = self._headers if self._stream > 1 else self._first_headers
        message = self._calls.message()
        self._out.append(_frame(_HEADERS, 4, self._stream, headers))
        self._out.append(_frame(_DATA, _END_STREAM, self._stream, b"\0" + len(message).to_bytes(4, "big") + message))
        self._began[self._stream] = began

    def flush(self) -> None:
        if self._out and self._transport is not None:
            self._transport.write(b"".join(self._out))
            self._out.clear()

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        data = self._rest + data
        place, size = 0, len(data)
        while size - place >= 9:
            length = int.from_bytes(data[place : place + 3], "big")
            if size - place - 9 < length:
                break
            kind, flags = data[place + 3], data[place + 4]
            stream = int.from_bytes(data[place + 5 : place + 9], "big")
            place += 9
            if kind == _DATA:
                self._received[stream] = self._received.get(stream, 0) + length
            elif kind == _SETTINGS and not flags & _ACK:
                self._out.append(_frame(_SETTINGS, _ACK, 0, b""))
            elif kind == _PING and not flags & _ACK:
                self._out.append(_frame(_PING, _ACK, 0, data[place : place + length]))
            elif kind == _GOAWAY:
                self.lost = f"GOAWAY: {data[place + 8 : place + length]!r}"
            if stream and (kind == _RST or (kind in (_HEADERS, _DATA) and flags & _END_STREAM)):
                began = self._began.pop(stream, None)
                if began is not None:
                    good = kind == _HEADERS and self._received.pop(stream, 0) > self._calls.least
                    self._calls.ended(began, now, good=good)
                    self._again(self)
            place += length
        self._rest = data[place:]
        self.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = self.lost or f"connection lost: {exc}"


async def apply(load: Load) -> Measured:
    """Runs the load. Raises RuntimeError when a connection breaks."""
    calls = _Calls(load)
    loop = asyncio.get_running_loop()
    stopping = False
    waiting: deque[float] = deque()

    def again(connection: _Connection) -> None:
        if load.calls_per_second:
            if waiting:
                connection.begin(waiting.popleft())
        elif not stopping:
            connection.begin(time.perf_counter())

    connections = []
    for place in range(load.connections):
        address = load.addresses[place % len(load.addresses)]
        host, _, port = address.rpartition(":")
        headers = _headers(load.path, address)
        _, connection = await loop.create_connection(
            lambda headers=headers: _Connection(calls, headers, again),  # type: ignore[misc]  # the default binds it
            host,
            int(port),
        )
        connections.append(connection)

    most = load.concurrency // load.connections
    began = time.perf_counter()
    measured_from, ends = began + load.warm_up_seconds, began + load.warm_up_seconds + load.seconds
    cpu = 0.0
    due = began
    if not load.calls_per_second:
        for connection in connections:
            for _ in range(most):
                connection.begin(time.perf_counter())
            connection.flush()
    turn = 0
    while (now := time.perf_counter()) < ends:
        if not calls.measuring and now >= measured_from:
            calls.measuring, measured_from, cpu = True, now, time.process_time()
        while load.calls_per_second and due <= now:
            free = next((c for c in connections[turn:] + connections[:turn] if c.running < most), None)
            turn = (turn + 1) % len(connections)
            if free is None:
                waiting.append(due)
            else:
                free.begin(due)
            due += 1 / load.calls_per_second
        for connection in connections:
            connection.flush()
            if connection.lost:
                raise RuntimeError(connection.lost)
        await asyncio.sleep(_TICK_SECONDS if load.calls_per_second else 0.02)
    calls.measuring = False
    took, cpu = time.perf_counter() - measured_from, time.process_time() - cpu
    stopping = True
    waiting.clear()
    async with asyncio.timeout(10):
        while any(connection.running for connection in connections):  # noqa: ASYNC110 - an event would cost each call
            await asyncio.sleep(0.005)
    ordered = sorted(calls.latencies)
    if not ordered:
        raise RuntimeError("no call was answered")
    return Measured(
        calls_per_second=len(ordered) / took,
        p50_seconds=ordered[len(ordered) // 2],
        p99_seconds=ordered[len(ordered) * 99 // 100],
        failed=calls.failed,
        last_number=calls.number,
        cpu_share=cpu / took,
    )


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3, "big") + bytes((kind, flags)) + stream.to_bytes(4, "big") + payload


def _headers(path: str, authority: str) -> tuple[bytes, bytes]:
    """HPACK (RFC 7541): the block of a connection's first call, and of all others, which point into its table."""
    named = (
        (b"\x44", path),  # :path
        (b"\x41", authority),  # :authority
        (b"\x5f", "application/grpc"),  # content-type
        (b"\x7a", "sluice-bench"),  # user-agent
        (b"\x40\x02te", "trailers"),
        (b"\x40\x0cgrpc-timeout", "10S"),
    )
    fixed = b"\x83\x86"  # :method POST, :scheme http
    first = fixed + b"".join(name + bytes((len(value),)) + value.encode() for name, value in named)
    return first, fixed + bytes(0x80 | 62 + place for place in reversed(range(len(named))))


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(asdict(runner.run(apply(Load(**json.loads(sys.argv[1])))))))
