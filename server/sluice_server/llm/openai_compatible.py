"""Any endpoint that speaks OpenAI's chat completions: POST /chat/completions with a system and a user message."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import aiohttp
import orjson

from sluice_server.domain.risk.groups.ports import Completion, LanguageModelFailed

_FIRST_PAUSE_SECONDS = 0.5
_LONGEST_PAUSE_SECONDS = 10.0
_MOST_BYTES = 1_000_000
_REPEATABLE = frozenset({408, 409, 429, 500, 502, 503, 504})
_LETTERS_A_TOKEN = 3


class OpenAiCompatible:
    """Implements ``domain.risk.groups.ports.LanguageModel``. ``url``: up to and without ``/chat/completions``."""

    def __init__(
        self,
        url: str,
        model: str,
        *,
        api_key: str = "",
        timeout_seconds: float = 60.0,
        attempts: int = 3,
        first_pause_seconds: float = _FIRST_PAUSE_SECONDS,
    ) -> None:
        """``timeout_seconds``: of one attempt, whatever trickles in."""
        self._url = f"{url.rstrip('/')}/chat/completions"
        self._model = model
        self._headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._attempts = attempts
        self._first_pause_seconds = first_pause_seconds
        self._session: aiohttp.ClientSession | None = None

    @property
    def name(self) -> str:
        return self._model

    async def answer(self, instruction: str, material: str, *, most_tokens: int) -> Completion:
        body = orjson.dumps(
            {
                "model": self._model,
                "messages": [{"role": "system", "content": instruction}, {"role": "user", "content": material}],
                "temperature": 0,
                "max_tokens": most_tokens,
                "response_format": {"type": "json_object"},
            }
        )
        pause = self._first_pause_seconds
        for attempt in range(1, self._attempts + 1):
            try:
                status, answer = await self._post(body)
            except (aiohttp.ClientError, TimeoutError) as error:
                failure = "timed out" if isinstance(error, TimeoutError) else f"failed: {type(error).__name__}"
            else:
                if status == 200:
                    return _completion(answer, len(body))
                failure = f"answered HTTP {status}"
                if status not in _REPEATABLE:
                    raise LanguageModelFailed(f"the language model {failure}")
            if attempt < self._attempts:
                # Spread, so that replicas that failed together do not come back together.
                await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - no secret
                pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)
        raise LanguageModelFailed(f"the language model {failure}, {self._attempts} times")

    async def close(self) -> None:
        """Closes the connection."""
        if self._session is not None:
            await self._session.close()

    async def _post(self, body: bytes) -> tuple[int, bytes]:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=self._timeout)
        headers = {"Content-Type": "application/json", **self._headers}
        # A redirect would take the key elsewhere.
        async with self._session.post(self._url, data=body, headers=headers, allow_redirects=False) as response:
            answer = bytearray()
            async for chunk in response.content.iter_any():
                answer += chunk
                if len(answer) > _MOST_BYTES:
                    raise LanguageModelFailed(f"the language model answered more than {_MOST_BYTES:,} bytes")
            return response.status, bytes(answer)


def _completion(answer: bytes, question_bytes: int) -> Completion:
    try:
        document: Any = orjson.loads(answer)
        text = document["choices"][0]["message"]["content"]
    except (orjson.JSONDecodeError, KeyError, IndexError, TypeError) as error:
        raise LanguageModelFailed("the language model's answer is no chat completion") from error
    if not isinstance(text, str):
        raise LanguageModelFailed("the language model's answer has no text")
    usage = document.get("usage")
    told = usage.get("total_tokens") if isinstance(usage, dict) else None
    # One that does not tell what it used is charged by length.
    tokens = told if isinstance(told, int) and told > 0 else (question_bytes + len(text)) // _LETTERS_A_TOKEN
    return Completion(text, tokens)
