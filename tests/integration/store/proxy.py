"""A network between the store and its database that can be cut."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self


class CuttableProxy:
    """Passes bytes between a port of its own on loopback and ``target_port``, until it is cut."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._cut = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._passing: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        assert self._server is not None, "entered"
        return int(self._server.sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._server is not None
        self._server.close()
        self.cut()
        await asyncio.gather(*self._passing, return_exceptions=True)

    def cut(self) -> None:
        """Breaks every connection and refuses new ones."""
        self._cut = True
        for writer in self._writers:
            writer.transport.abort()

    def mend(self) -> None:
        """New connections pass again."""
        self._cut = False

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._cut:
            writer.transport.abort()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        self._writers |= {writer, far_writer}
        self._passing |= {
            asyncio.ensure_future(_pass(reader, far_writer)),
            asyncio.ensure_future(_pass(far_reader, writer)),
        }


async def _pass(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65_536):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # cut: the other side is told by the closing below
    finally:
        writer.close()
