"""The simulated insurer's callbacks: signed, sent again until they are taken."""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Mapping
from urllib.parse import urlsplit

import aiohttp
import orjson

from sluice_server.domain.context import Clock

log = logging.getLogger(__name__)

ATTEMPTS = 8
FIRST_PAUSE_SECONDS = 0.1
"""It doubles with every attempt."""


class CallbackSender:
    """Sends to one address. X-Signature is the HMAC-SHA256 (hexadecimal) over X-Timestamp, method, path and body, each
    on its line."""

    def __init__(self, url: str, secret: bytes, clock: Clock) -> None:
        self._url = url
        self._secret = secret
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self.taken = 0
        """Callbacks that were answered with 2xx."""

    def later(self, content: Mapping[str, str], *, seconds: float) -> None:
        """Sends when so many seconds have passed."""
        task = asyncio.create_task(self._wait_and_send(content, seconds), name="callback")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def send(self, content: Mapping[str, str]) -> bool:
        """Whether it was taken, by the last attempt at the latest."""
        pause = FIRST_PAUSE_SECONDS
        for attempt in range(ATTEMPTS):
            if attempt:
                await asyncio.sleep(pause)
                pause *= 2
            try:
                if await self._post(orjson.dumps(content)):
                    self.taken += 1
                    return True
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                log.info("callback not delivered: %s", type(error).__name__)
        return False

    async def close(self) -> None:
        """Ends what is under way: an insurer that stops forgets its callbacks; its inquiry still answers."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            await asyncio.wait(self._tasks)
        if self._session is not None:
            await self._session.close()

    async def _wait_and_send(self, content: Mapping[str, str], seconds: float) -> None:
        await asyncio.sleep(seconds)
        await self.send(content)

    async def _post(self, body: bytes) -> bool:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5))
        timestamp = str(int(self._clock.now().timestamp()))
        message = f"{timestamp}\nPOST\n{urlsplit(self._url).path}\n".encode() + body
        headers = {
            "Content-Type": "application/json",
            "X-Timestamp": timestamp,
            "X-Signature": hmac.digest(self._secret, message, "sha256").hex(),
        }
        async with self._session.post(self._url, data=body, headers=headers) as answer:
            return answer.status // 100 == 2
