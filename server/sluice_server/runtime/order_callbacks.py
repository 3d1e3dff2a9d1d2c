"""Where insurers tell what they have decided: ``POST /v1/callbacks/{insurer_id}`` on an own port."""

from __future__ import annotations

import ssl
from collections.abc import Mapping

import orjson
import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry, Counter

from sluice_server.domain.context import Clock
from sluice_server.domain.errors import ConcurrentChange, OrderNotFound, Unavailable
from sluice_server.domain.orders.callback import ReceiveCallback
from sluice_server.insurers.callbacks import LARGEST_BODY_BYTES, CallbackRefused, read_callback
from sluice_server.insurers.configuration import Callback
from sluice_server.runtime.http_port import HttpPort

log = structlog.get_logger("sluice.callbacks")


class CallbackEndpoint:
    """Answers 200 when the notice is durable (or changes nothing), 401 and 400 when it is not taken, 404 when nothing
    is known (yet) that it could tell of, 503 when the store does not answer: the insurer shall send those again."""

    def __init__(
        self,
        listen: str,
        callbacks: Mapping[str, Callback],
        receive: ReceiveCallback,
        *,
        clock: Clock,
        registry: CollectorRegistry,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        """``listen``: HOST:PORT; ``callbacks``: by insurer."""
        self._http = HttpPort(listen, "SLUICE_CALLBACK_LISTEN", tls=tls)
        self._callbacks = callbacks
        self._receive = receive
        self._clock = clock
        self._received = Counter(
            "sluice_insurer_callbacks", "Callbacks of insurers by answer.", ("insurer_id", "status"), registry=registry
        )

    @property
    def port(self) -> int:
        return self._http.port

    async def start(self) -> None:
        """Listens. Raises SettingsError where the address is taken."""
        application = web.Application(client_max_size=LARGEST_BODY_BYTES)
        application.router.add_post("/v1/callbacks/{insurer_id}", self._handle)
        # A notice that has arrived is recorded, whether or not the insurer waits for the answer.
        await self._http.open(
            web.AppRunner(application, access_log=None, handler_cancellation=False, shutdown_timeout=5.0)
        )

    async def stop(self) -> None:
        """Takes no more; those under way are answered."""
        await self._http.close()

    async def _handle(self, request: web.Request) -> web.Response:
        insurer_id = request.match_info["insurer_id"]
        callback = self._callbacks.get(insurer_id)
        if callback is None:
            return _answer(404, "NO_CALLBACKS", "no callbacks are taken under this name")
        try:
            status, code, message = await self._take(insurer_id, callback, request)
        except CallbackRefused as refused:
            log.warning("callback refused", insurer_id=insurer_id, code=refused.code)
            status, code, message = refused.status, refused.code, refused.message
        self._received.labels(insurer_id, str(status)).inc()
        return _answer(status, code, message)

    async def _take(self, insurer_id: str, callback: Callback, request: web.Request) -> tuple[int, str, str]:
        body = await request.read()
        notice = read_callback(
            insurer_id, callback, request.headers, path=request.raw_path, body=body, at=self._clock.now()
        )
        if notice is None:
            return 200, "NOTED", "it decides nothing"
        try:
            order = await self._receive(notice)
        except OrderNotFound:
            return 404, "ORDER_UNKNOWN", "nothing is known of this order (yet); send it again later"
        except (Unavailable, ConcurrentChange):
            return 503, "UNAVAILABLE", "send it again later"
        log.info("callback", insurer_id=insurer_id, outcome=notice.result.outcome.value, state=order.state.value)
        return 200, "TAKEN", ""


def _answer(status: int, code: str, message: str) -> web.Response:
    body = orjson.dumps({"code": code, "message": message} if message else {"code": code})
    return web.Response(status=status, body=body, content_type="application/json")
