"""OAuth2 client credentials (RFC 6749, section 4.4): one token for all calls, renewed before it ends."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from urllib.parse import quote

import aiohttp
import orjson

from sluice_server.domain.context import Clock
from sluice_server.insurers.body import read_body
from sluice_server.insurers.secret import Secret

log = logging.getLogger(__name__)

LONGEST_ANSWER_BYTES = 1 << 16
WITHOUT_EXPIRY_SECONDS = 300.0
"""A token whose answer does not say how long it lasts is used for so long."""


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """How to get a token."""

    token_url: str
    client_id: str
    client_secret: Secret
    scope: str
    """Space-separated; empty: not sent."""
    audience: str
    """Empty: not sent."""
    credentials_in_body: bool
    """As form fields instead of HTTP Basic (RFC 6749, section 2.3.1)."""
    refresh_before_seconds: float
    """So long before its end a new token is got while the old one is still used."""
    timeout_seconds: float


class TokenUnavailable(Exception):
    """There is no token; ``code`` goes into the submission's record. Nothing was sent to the insurer's interface."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True, slots=True)
class _Token:
    value: str
    ends_at: datetime
    renew_at: datetime


class TokenSource:
    """The token of one insurer. Calls that need one at the same time share one request for it."""

    def __init__(
        self, credentials: ClientCredentials, *, clock: Clock, session: Callable[[], aiohttp.ClientSession]
    ) -> None:
        self._credentials = credentials
        self._clock = clock
        self._session = session
        self._token: _Token | None = None
        self._request: asyncio.Task[_Token] | None = None

    async def token(self) -> str:
        """A token that is valid now. Raises TokenUnavailable; one that is about to end is renewed aside."""
        now = self._clock.now()
        token = self._token
        if token is not None and now < token.ends_at:
            if now >= token.renew_at:
                self._renew()
            return token.value
        return (await asyncio.shield(self._renew())).value

    def refused(self, token: str) -> None:
        """The insurer did not take this token: the next call gets another one."""
        if self._token is not None and self._token.value == token:
            self._token = None

    async def close(self) -> None:
        """Ends a request that is under way."""
        if self._request is not None and not self._request.done():
            self._request.cancel()
            await asyncio.wait({self._request})

    def _renew(self) -> asyncio.Task[_Token]:
        if self._request is None or self._request.done():
            self._request = asyncio.create_task(self._fetch(), name="oauth2 token")
            self._request.add_done_callback(_noted)
        return self._request

    async def _fetch(self) -> _Token:
        credentials = self._credentials
        form = {"grant_type": "client_credentials"}
        headers = {"Accept": "application/json"}
        if credentials.scope:
            form["scope"] = credentials.scope
        if credentials.audience:
            form["audience"] = credentials.audience
        if credentials.credentials_in_body:
            form |= {"client_id": credentials.client_id, "client_secret": credentials.client_secret.reveal()}
        else:
            pair = f"{quote(credentials.client_id, safe='')}:{quote(credentials.client_secret.reveal(), safe='')}"
            headers["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode()}"
        asked_at = self._clock.now()
        try:
            async with self._session().post(
                credentials.token_url,
                data=form,
                headers=headers,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=credentials.timeout_seconds),
            ) as response:
                content = await read_body(response, LONGEST_ANSWER_BYTES) or b""
                status = response.status
        except TimeoutError:
            raise TokenUnavailable("TOKEN_TIMEOUT", "the token server did not answer in time") from None
        except (aiohttp.ClientError, OSError):
            raise TokenUnavailable("TOKEN_UNREACHABLE", "the token server cannot be reached") from None
        if status != 200:
            raise TokenUnavailable(f"TOKEN_HTTP_{status}", "the token server gave no token")
        token = _read(content, asked_at, credentials.refresh_before_seconds)
        self._token = token
        return token


def _read(content: bytes, asked_at: datetime, refresh_before_seconds: float) -> _Token:
    try:
        answer = orjson.loads(content)
    except orjson.JSONDecodeError:
        answer = None
    value = answer.get("access_token") if isinstance(answer, dict) else None
    if not isinstance(value, str) or not value or not (value.isascii() and value.isprintable()):
        raise TokenUnavailable("TOKEN_UNREADABLE", "the token server's answer holds no access_token")
    lasts = answer.get("expires_in")
    if isinstance(lasts, str) and lasts.isdecimal():
        lasts = int(lasts)
    if isinstance(lasts, bool) or not isinstance(lasts, int | float) or not 0 < lasts < 10**9:
        lasts = WITHOUT_EXPIRY_SECONDS
    # A short-lived token is used for most of its life all the same.
    early = min(refresh_before_seconds, lasts / 5)
    ends_at = asked_at + timedelta(seconds=lasts)
    return _Token(value, ends_at, ends_at - timedelta(seconds=early))


def _noted(request: asyncio.Task[_Token]) -> None:
    """A renewal aside has nobody who waits for its failure; the next call tries again."""
    if not request.cancelled() and (error := request.exception()) is not None:
        log.warning("no OAuth2 token: %s", error)
