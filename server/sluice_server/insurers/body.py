"""Reading an HTTP answer's body without letting it grow over a limit."""

from __future__ import annotations

import aiohttp


async def read_body(response: aiohttp.ClientResponse, at_most: int) -> bytes | None:
    """The body; None when it is longer than allowed."""
    content = bytearray()
    async for chunk in response.content.iter_chunked(1 << 16):
        content += chunk
        if len(content) > at_most:
            return None
    return bytes(content)
