"""Posting JSON to an alarm platform: any failure is AlarmNotDelivered."""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import aiohttp

from sluice_server.domain.breaker.ports import AlarmNotDelivered

MOST_OF_ANSWER = 65_536
"""Bytes of an answer that are looked at."""


class HttpPost:
    """A session with one platform, opened at the first post."""

    def __init__(self, timeout_seconds: float) -> None:
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._session: aiohttp.ClientSession | None = None

    async def send(self, url: str, body: bytes, headers: Mapping[str, str]) -> bytes:
        """Posts once; the beginning of the answer. Raises AlarmNotDelivered on anything but a 2xx; the text holds
        neither body nor URL, because robots' URLs hold tokens."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        try:
            async with self._session.post(
                url, data=body, headers={"Content-Type": "application/json", **headers}, allow_redirects=False
            ) as response:
                if not 200 <= response.status < 300:
                    raise AlarmNotDelivered(f"the platform answered {response.status}")
                return await response.content.read(MOST_OF_ANSWER)
        except TimeoutError:
            raise AlarmNotDelivered("no answer in time") from None
        except (aiohttp.ClientError, OSError) as error:
            raise AlarmNotDelivered(f"not reached: {type(error).__name__}") from None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()
