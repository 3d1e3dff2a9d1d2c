"""A small HTTP server of this process on an address of its own."""

from __future__ import annotations

import ssl

from aiohttp import web

from sluice_server.runtime.settings import address_taken


class HttpPort:
    """Serves one application at a time on HOST:PORT. ``port`` tells which one it got."""

    def __init__(self, listen: str, setting: str, *, tls: ssl.SSLContext | None = None) -> None:
        """``setting``: the variable that names the address, for whoever has to choose another."""
        host, _, port = listen.rpartition(":")
        self._listen, self._setting = listen, setting
        self._host, self._port = host.strip("[]"), int(port)
        self._tls = tls
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def open(self, runner: web.AppRunner) -> None:
        """Listens. Raises SettingsError where the address is taken."""
        self._runner = runner
        await runner.setup()
        try:
            await web.TCPSite(runner, self._host, self._port, ssl_context=self._tls).start()
        except OSError as error:
            raise address_taken(self._listen, self._setting) from error
        self.port = runner.addresses[0][1]

    async def close(self) -> None:
        """Ends as the runner says."""
        if self._runner is not None:
            await self._runner.cleanup()
