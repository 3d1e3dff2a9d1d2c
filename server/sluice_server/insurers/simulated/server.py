"""The simulated insurer's HTTP interface.

POST /v1/policies with Idempotency-Key, GET /v1/policies/{idempotency_key}, GET /v1/policies?after=&limit=&from=&until=
(RFC 3339); for scripts GET and PUT /admin/mode, GET /admin/ledger (policies as JSON lines; ``?declined=1`` adds the
declined), GET /admin/statistics.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
from collections import Counter
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import orjson
from aiohttp import web

from sluice_server.domain.context import Clock
from sluice_server.domain.errors import InvalidInput
from sluice_server.insurers.simulated.callbacks import FIRST_PAUSE_SECONDS, CallbackSender
from sluice_server.insurers.simulated.ledger import Draft, Entry, Ledger
from sluice_server.insurers.simulated.modes import Mode, Reaction, Reply

_ACCEPTED_CLOCK_SKEW_SECONDS = 300
_LARGEST_PAGE = 1000


class SimulatedInsurer:
    """One insurer. ``secret``: requests must carry X-Signature, the HMAC-SHA256 (hexadecimal) over timestamp, method,
    path with query and body, each on its line; without a secret nothing is checked. ``callbacks``: where later
    decisions are told; None: they are only answered to inquiries."""

    def __init__(
        self,
        name: str,
        ledger: Ledger,
        mode: Mode,
        clock: Clock,
        secret: bytes | None = None,
        callbacks: CallbackSender | None = None,
    ) -> None:
        self.mode = mode
        self._name = name
        self._ledger = ledger
        self._clock = clock
        self._secret = secret
        self._submissions: Counter[str] = Counter()
        self._inquiries: Counter[str] = Counter()
        self._callbacks = callbacks
        self._undecided: dict[str, datetime] = {}
        """When what was accepted for later is decided, by key. A restart decides at once."""
        self._stopping = asyncio.Event()

    def application(self) -> web.Application:
        """The interface, to be served."""
        app = web.Application(client_max_size=1 << 20)
        app.on_shutdown.append(self._release)
        app.add_routes(
            [
                web.post("/v1/policies", self._submit),
                web.get("/v1/policies", self._list),
                web.get("/v1/policies/{idempotency_key}", self._inquire),
                web.get("/admin/mode", self._show_mode),
                web.put("/admin/mode", self._set_mode),
                web.get("/admin/ledger", self._show_ledger),
                web.get("/admin/statistics", self._show_statistics),
            ]
        )
        return app

    async def _submit(self, request: web.Request) -> web.Response:
        body = await request.read()
        self._check_signature(request, body)
        key = request.headers.get("Idempotency-Key", "")
        try:
            content = orjson.loads(body)
        except orjson.JSONDecodeError:
            content = None
        application_id = content.get("application_id") if isinstance(content, dict) else None
        if not key or not isinstance(application_id, str) or not application_id:
            return _error(400, "INVALID_REQUEST", "needs the header Idempotency-Key and application_id in a JSON body")
        mode = self.mode
        self._submissions[key] += 1
        call = self._submissions[key]
        reaction = mode.submission(key, call)
        entry = None
        if reaction.accept:
            entry = await self._ledger.record(
                Draft(
                    idempotency_key=key,
                    application_id=application_id,
                    fingerprint=hashlib.sha256(body).hexdigest(),
                    status="DECLINED" if mode.declines(key) else "ISSUED",
                    body=body.decode(),
                    traceparent=request.headers.get("traceparent", ""),
                    received_at=self._clock.now().isoformat(),
                )
            )
            if entry.fingerprint != hashlib.sha256(body).hexdigest():
                return _error(409, "IDEMPOTENCY_KEY_REUSED", "this key came with another body before")
            if reaction.reply is Reply.LATER:
                return await self._accept(entry, reaction, mode, call)
        return await self._reply(request, reaction, mode.latency_seconds(key, call), entry, 201)

    async def _inquire(self, request: web.Request) -> web.Response:
        self._check_signature(request, b"")
        key = request.match_info["idempotency_key"]
        mode = self.mode
        self._inquiries[key] += 1
        call = self._inquiries[key]
        entry = await self._ledger.find(key)
        decided_at = self._undecided.get(key)
        if decided_at is not None and self._clock.now() < decided_at and mode.inquiry(key, call).reply is Reply.ANSWER:
            return _json(200, {"status": "PROCESSING", "reference": f"req-{key[:12]}"})
        return await self._reply(request, mode.inquiry(key, call), mode.latency_seconds(key, call), entry, 200)

    async def _accept(self, entry: Entry, reaction: Reaction, mode: Mode, call: int) -> web.Response:
        """202 at the first call of a key; a repeat after the decision is answered with it."""
        key, now = entry.idempotency_key, self._clock.now()
        if entry.calls == 1:
            self._undecided[key] = now + timedelta(seconds=0.0 if reaction.told_first else mode.settle_seconds)
            await self._tell(entry, reaction, mode)
        if key not in self._undecided or (now >= self._undecided[key] and not reaction.told_first):
            return _decided(entry, 200)
        await asyncio.sleep(mode.latency_seconds(key, call))
        return _json(202, {"status": "ACCEPTED", "reference": f"req-{key[:12]}"})

    async def _tell(self, entry: Entry, reaction: Reaction, mode: Mode) -> None:
        if self._callbacks is None:
            return
        who = {"idempotency_key": entry.idempotency_key, "application_id": entry.application_id}
        decision = {**who, **_decision(entry)}
        if reaction.told_first:
            # Nobody may know this key yet: it is tried once now, and again until it is taken.
            self._callbacks.later(decision, seconds=0.0)
            await asyncio.sleep(FIRST_PAUSE_SECONDS)
        else:
            for _ in range(reaction.callbacks):
                self._callbacks.later(decision, seconds=mode.settle_seconds)
        if reaction.stale_callback:
            self._callbacks.later({**who, "status": "PROCESSING"}, seconds=mode.settle_seconds + FIRST_PAUSE_SECONDS)

    async def _reply(
        self, request: web.Request, reaction: Reaction, latency_seconds: float, entry: Entry | None, status: int
    ) -> web.Response:
        if reaction.reply is Reply.SILENCE:
            await self._say_nothing(request)
        await asyncio.sleep(latency_seconds)
        if reaction.reply is Reply.ERROR:
            return _error(reaction.status, "UNAVAILABLE", "scripted")
        if reaction.reply is Reply.LIE:
            return _error(200, "SYSTEM_ERROR", "scripted")
        if entry is None:
            return _error(404, "POLICY_NOT_FOUND", "nothing is known under this key")
        return _decided(entry, status)

    async def _say_nothing(self, request: web.Request) -> NoReturn:
        """Until the caller hangs up (which cancels this) or the server stops; then the connection is torn down."""
        await self._stopping.wait()
        if request.transport is not None:
            request.transport.abort()
        raise web.HTTPServiceUnavailable

    async def _list(self, request: web.Request) -> web.Response:
        self._check_signature(request, b"")
        after, limit = request.query.get("after") or "0", request.query.get("limit", "100")
        if not (after.isascii() and after.isdecimal() and limit.isascii() and limit.isdecimal()):
            return _error(400, "INVALID_REQUEST", "after and limit are whole numbers")
        size = min(max(int(limit), 1), _LARGEST_PAGE)
        try:
            begin = _utc(request.query.get("from"), datetime.min.replace(tzinfo=UTC))
            until = _utc(request.query.get("until"), datetime.max.replace(tzinfo=UTC))
        except ValueError:
            return _error(400, "INVALID_REQUEST", "from and until are moments with an offset (RFC 3339)")
        entries = await self._ledger.policies(after=min(int(after), 2**62), limit=size, begin=begin, until=until)
        return _json(
            200,
            {
                "policies": [
                    {
                        "policy_number": entry.policy_number,
                        "idempotency_key": entry.idempotency_key,
                        "application_id": entry.application_id,
                        "issued_at": entry.received_at,
                    }
                    for entry in entries
                ],
                "next": entries[-1].sequence if len(entries) == size else None,
            },
        )

    async def _show_mode(self, _: web.Request) -> web.Response:
        return _json(200, asdict(self.mode))

    async def _set_mode(self, request: web.Request) -> web.Response:
        try:
            script = orjson.loads(await request.read())
        except orjson.JSONDecodeError:
            script = None
        if not isinstance(script, dict):
            return _error(400, "INVALID_REQUEST", 'needs a JSON object such as {"mode": "jitter", "error_rate": 0.02}')
        try:
            self.mode = self.mode.changed(script)
        except InvalidInput as error:
            return _error(400, "INVALID_REQUEST", error.message)
        return _json(200, asdict(self.mode))

    async def _show_ledger(self, request: web.Request) -> web.Response:
        entries = await self._ledger.all()
        declined = request.query.get("declined") == "1"
        lines = [orjson.dumps(asdict(entry)) for entry in entries if declined or entry.status == "ISSUED"]
        return web.Response(body=b"".join(line + b"\n" for line in lines), content_type="application/x-ndjson")

    async def _show_statistics(self, _: web.Request) -> web.Response:
        entries = await self._ledger.all()
        issued = Counter(entry.application_id for entry in entries if entry.status == "ISSUED")
        return _json(
            200,
            {
                "name": self._name,
                "issued": sum(issued.values()),
                "declined": len(entries) - sum(issued.values()),
                "applications_insured_twice": sorted(key for key, count in issued.items() if count > 1),
                "submissions_since_start": self._submissions.total(),
                "inquiries_since_start": self._inquiries.total(),
            },
        )

    def _check_signature(self, request: web.Request, body: bytes) -> None:
        if self._secret is None:
            return
        timestamp = request.headers.get("X-Timestamp", "")
        message = f"{timestamp}\n{request.method}\n{request.raw_path}\n".encode() + body
        expected = hmac.digest(self._secret, message, "sha256").hex()
        fresh = (
            timestamp.isdecimal()
            and abs(self._clock.now().timestamp() - int(timestamp)) <= _ACCEPTED_CLOCK_SKEW_SECONDS
        )
        if not fresh or not hmac.compare_digest(expected, request.headers.get("X-Signature", "")):
            raise web.HTTPUnauthorized(
                body=orjson.dumps({"code": "SIGNATURE_INVALID", "message": "the signature does not fit the request"}),
                content_type="application/json",
            )

    async def _release(self, _: web.Application) -> None:
        self._stopping.set()
        if self._callbacks is not None:
            await self._callbacks.close()


def _decision(entry: Entry) -> dict[str, str]:
    if entry.status == "DECLINED":
        return {"status": "DECLINED", "code": "DECLINED_BY_RULE", "message": "declined by own rules"}
    return {"status": "ISSUED", "policy_number": entry.policy_number}


def _decided(entry: Entry, status: int) -> web.Response:
    return _json(200 if entry.status == "DECLINED" else status, _decision(entry))


def _utc(text: str | None, fallback: datetime) -> str:
    """As the ledger writes moments, so that they compare as text."""
    moment = fallback if text is None else datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("no offset")
    return moment.astimezone(UTC).isoformat()


def _json(status: int, content: object) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(content), content_type="application/json")


def _error(status: int, code: str, message: str) -> web.Response:
    return _json(status, {"status": "ERROR", "code": code, "message": message})
