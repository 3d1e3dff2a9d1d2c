"""How we prove who we are: OAuth2 tokens, RSA signatures, certificates; against servers that check."""

from __future__ import annotations

import asyncio
import base64
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from ruamel.yaml import YAML

from sluice_server.domain.context import SystemClock
from sluice_server.domain.orders.model import Outcome
from sluice_server.domain.tracing import Untraced
from sluice_server.insurers.config import load_insurers
from sluice_server.insurers.configuration import HttpInsurer
from sluice_server.insurers.configuration_file import InvalidConfigurationFile
from sluice_server.insurers.http import HttpInsurerAdapter
from sluice_server.insurers.signing import Verification
from tests.integration.insurers.test_http_adapter import adapter, served
from tests.support.submissions import decided, submission_request

SECRET = "s3cret:with/odd chars"


@dataclass
class Authority:
    """A token server and an insurer in one: gives tokens, counts them, and takes only the newest."""

    lasts_seconds: int = 3600
    fails: int = 0
    gate: asyncio.Event | None = None
    given: int = 0
    forms: list[Mapping[str, str]] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    refuse_tokens: set[str] = field(default_factory=set)
    renewed: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        if request.path == "/token":
            return await self._token(request)
        bearer = request.headers.get("Authorization", "")
        self.authorizations.append(bearer)
        if bearer.removeprefix("Bearer ") in self.refuse_tokens or not bearer.startswith("Bearer token-"):
            return web.json_response({"code": "EXPIRED"}, status=401)
        return web.json_response({"code": "OK", "number": "P-1"})

    async def _token(self, request: web.Request) -> web.Response:
        if self.gate is not None:
            await self.gate.wait()
        if self.fails:
            self.fails -= 1
            return web.json_response({"error": "temporarily_unavailable"}, status=503)
        self.given += 1
        sent = {name: str(value) for name, value in (await request.post()).items()}
        self.forms.append({**sent, "basic": request.headers.get("Authorization", "")})
        if self.given > 1:
            self.renewed.set()
        return web.json_response(
            {"access_token": f"token-{self.given}", "token_type": "Bearer", "expires_in": self.lasts_seconds}
        )


class HandClock:
    """Time that is moved by hand, beginning now."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def now(self) -> datetime:
        return SystemClock().now() + timedelta(seconds=self.ahead)


def oauth2(folder: Path, url: str, clock: HandClock, **changes: object) -> HttpInsurerAdapter:
    configuration: dict[str, object] = {
        "base_url": url,
        "oauth2": {
            "token_url": f"{url}/token",
            "client_id": "sluice",
            "client_secret": "env:CLIENT_SECRET",
            "scope": "policies",
            **changes,
        },
        "submit": {
            "path": "/policies",
            "body": {},
            "policy_number": "number",
            "error_code": "code",
            "outcomes": [{"status": 200, "path": "code", "table": {"OK": "SUCCESS"}}],
        },
    }
    file = folder / "insurers.yaml"
    with file.open("w") as stream:
        YAML().dump({"insurers": {"insurer-a": configuration}}, stream)
    read = load_insurers(file, environment={"CLIENT_SECRET": SECRET})["insurer-a"]
    assert isinstance(read, HttpInsurer)
    assert SECRET not in repr(read)
    return HttpInsurerAdapter(read, clock=clock, tracer=Untraced())


async def test_calls_at_the_same_time_share_a_token_and_later_ones_keep_it(tmp_path: Path) -> None:
    authority = Authority(gate=asyncio.Event())
    async with served(authority.answer) as url:
        adapted = oauth2(tmp_path, url, HandClock())
        calls = [asyncio.create_task(adapted.submit(submission_request())) for _ in range(5)]
        assert authority.gate is not None
        authority.gate.set()
        assert {decided(await call).outcome for call in calls} == {Outcome.SUCCESS}
        assert decided(await adapted.submit(submission_request())).outcome is Outcome.SUCCESS
        await adapted.close()
    assert authority.given == 1
    assert set(authority.authorizations) == {"Bearer token-1"}
    pair = base64.b64encode(b"sluice:s3cret%3Awith%2Fodd%20chars").decode()
    assert authority.forms == [{"grant_type": "client_credentials", "scope": "policies", "basic": f"Basic {pair}"}]


async def test_credentials_may_go_into_the_body(tmp_path: Path) -> None:
    authority = Authority()
    async with served(authority.answer) as url:
        adapted = oauth2(tmp_path, url, HandClock(), credentials_in="body", audience="api")
        await adapted.submit(submission_request())
        await adapted.close()
    (form,) = authority.forms
    assert (form["client_id"], form["client_secret"], form["audience"], form["basic"]) == ("sluice", SECRET, "api", "")


async def test_a_token_is_renewed_before_it_ends_while_the_old_one_is_still_used(tmp_path: Path) -> None:
    authority, clock = Authority(), HandClock()
    async with served(authority.answer) as url:
        adapted = oauth2(tmp_path, url, clock)
        await adapted.submit(submission_request())
        clock.ahead = 3600 - 30
        await adapted.submit(submission_request(seconds=3600 + 30))
        await asyncio.wait_for(authority.renewed.wait(), 5)
        assert authority.authorizations == ["Bearer token-1", "Bearer token-1"]
        clock.ahead = 3600 + 30
        await adapted.submit(submission_request(seconds=3600 + 60))
        await adapted.close()
    assert authority.authorizations[-1] == "Bearer token-2"
    assert authority.given == 2


async def test_a_token_that_is_refused_before_its_end_is_replaced_once(tmp_path: Path) -> None:
    authority = Authority(refuse_tokens={"token-1"})
    async with served(authority.answer) as url:
        adapted = oauth2(tmp_path, url, HandClock())
        assert decided(await adapted.submit(submission_request())).outcome is Outcome.SUCCESS
        authority.refuse_tokens = {"token-2", "token-3"}
        refused = decided(await adapted.submit(submission_request()))
        await adapted.close()
    assert (refused.outcome, refused.error_code) == (Outcome.TECHNICAL_FAILURE, "EXPIRED")
    assert authority.given == 3, "no endless exchange of tokens"


async def test_without_a_token_nothing_is_sent_and_the_failure_is_certain(tmp_path: Path) -> None:
    authority = Authority(fails=1)
    async with served(authority.answer) as url:
        adapted = oauth2(tmp_path, url, HandClock())
        first = decided(await adapted.submit(submission_request()))
        assert (first.outcome, first.error_code) == (Outcome.TECHNICAL_FAILURE, "TOKEN_HTTP_503")
        assert authority.authorizations == []
        assert decided(await adapted.submit(submission_request())).outcome is Outcome.SUCCESS, (
            "the next call tries again"
        )
        await adapted.close()


async def test_a_token_server_that_hangs_does_not_outlast_the_deadline(tmp_path: Path) -> None:
    authority = Authority(gate=asyncio.Event())
    async with served(authority.answer) as url:
        adapted = oauth2(tmp_path, url, HandClock())
        result = decided(await adapted.submit(submission_request(seconds=0.2)))
        await adapted.close()
    assert (result.outcome, result.error_code) == (Outcome.TECHNICAL_FAILURE, "TOKEN_TIMEOUT")


@pytest.mark.parametrize("algorithm", ["rsa-sha256", "rsa-sha512", "rsa-pss-sha256", "rsa-pss-sha512"])
async def test_rsa_signatures_are_what_the_standard_says(tmp_path: Path, algorithm: str) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = serialization.Encoding.PEM
    protected = serialization.BestAvailableEncryption(b"open")
    (tmp_path / "key.pem").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, protected))
    (tmp_path / "pass").write_text("open")
    seen: list[tuple[bytes, bytes]] = []

    async def check(request: web.Request) -> web.Response:
        body = await request.read()
        message = f"{request.headers['X-Timestamp']}\n{request.method}\n{request.raw_path}\n".encode() + body
        seen.append((base64.b64decode(request.headers["X-Sign"]), message))
        return web.json_response({"code": "OK", "number": "P-1"})

    signing = {
        "algorithm": algorithm,
        "private_key": "file:key.pem",
        "private_key_password": "file:pass",
        "header": "X-Sign",
        "encoding": "base64",
    }
    async with served(check) as url, adapter(tmp_path, url, {"signing": signing}) as adapted:
        assert decided(await adapted.submit(submission_request())).outcome is Outcome.SUCCESS
    ((signature, message),) = seen
    digest = hashes.SHA512() if algorithm.endswith("512") else hashes.SHA256()
    scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    if "pss" in algorithm:
        scheme = padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH)
    key.public_key().verify(signature, message, scheme, digest)


async def test_an_insurer_that_wants_our_certificate_gets_it_and_refuses_us_without(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    ours = authority.issue_cert("sluice.example")
    ours.cert_chain_pems[0].write_to_path(tmp_path / "ours.pem")
    ours.private_key_pem.write_to_path(tmp_path / "ours.key")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED

    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"code": "OK", "number": "P-1"})

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        known = {"authorities_file": "ca.pem", "certificate_file": "ours.pem", "key_file": "ours.key"}
        async with adapter(tmp_path, url, {"tls": known}) as adapted:
            assert decided(await adapted.submit(submission_request())).outcome is Outcome.SUCCESS
        async with adapter(tmp_path, url, {"tls": {"authorities_file": "ca.pem"}}) as adapted:
            assert decided(await adapted.submit(submission_request())).outcome is not Outcome.SUCCESS
        async with adapter(tmp_path, url) as adapted:
            unknown = decided(await adapted.submit(submission_request()))
            assert (unknown.outcome, unknown.error_code) == (Outcome.TECHNICAL_FAILURE, "TLS")
    finally:
        await runner.cleanup()


def test_a_key_that_cannot_sign_stops_the_start_and_is_not_repeated(tmp_path: Path) -> None:
    short = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    pem = short.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    for text, why in ((pem, "has 1024 bits"), ("hunter2", "is no private key in PEM form")):
        (tmp_path / "key.pem").write_text(text)
        insurer = {
            "base_url": "https://a.example",
            "signing": {"algorithm": "rsa-sha256", "private_key": "file:key.pem"},
            "submit": {
                "path": "/x",
                "body": {},
                "policy_number": "p",
                "outcomes": [{"status": 200, "outcome": "SUCCESS"}],
            },
        }
        with (tmp_path / "insurers.yaml").open("w") as stream:
            YAML().dump({"insurers": {"insurer-a": insurer}}, stream)
        with pytest.raises(InvalidConfigurationFile, match=why) as refused:
            load_insurers(tmp_path / "insurers.yaml", environment={})
        assert text not in refused.value.message
        assert [p.path for p in refused.value.mistakes] == ["insurers.insurer-a.signing.private_key"]


def test_a_callback_signed_with_rsa_is_accepted_once_in_time_and_only_unchanged(tmp_path: Path) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "insurer.pem").write_bytes(public)
    signing = {"algorithm": "rsa-sha256", "public_key_file": "insurer.pem", "encoding": "base64", "prefix": "v1="}
    insurer = {
        "base_url": "https://a.example",
        "callback": {
            "signing": signing,
            "application_id": "app",
            "policy_number": "p",
            "outcomes": [{"path": "s", "table": {"ok": "SUCCESS"}}],
        },
        "submit": {"path": "/x", "body": {}, "policy_number": "p", "outcomes": [{"status": 202, "outcome": "PENDING"}]},
    }
    with (tmp_path / "insurers.yaml").open("w") as stream:
        YAML().dump({"insurers": {"insurer-a": insurer}}, stream)
    read = load_insurers(tmp_path / "insurers.yaml", environment={})["insurer-a"]
    assert isinstance(read, HttpInsurer)
    assert read.callback is not None
    verification: Verification = read.callback.verification
    now, body = SystemClock().now(), b'{"app": "app-1"}'
    stamp = str(int(now.timestamp()))
    signature = key.sign(f"{stamp}\nPOST\n/cb\n".encode() + body, padding.PKCS1v15(), hashes.SHA256())
    headers = {"X-Timestamp": stamp, "X-Signature": "v1=" + base64.b64encode(signature).decode()}

    def accepts(
        *, path: str = "/cb", sent: bytes = body, changed: Mapping[str, str] | None = None, late: float = 0
    ) -> bool:
        return verification.accepts(
            {**headers, **(changed or {})},
            method="POST",
            path=path,
            body=sent,
            idempotency_key="",
            at=now + timedelta(seconds=late),
        )

    assert accepts()
    assert not accepts(sent=b'{"app": "app-2"}')
    assert not accepts(path="/other")
    assert not accepts(late=301)
    assert not accepts(changed={"X-Timestamp": str(int(stamp) + 1)})
    assert not accepts(changed={"X-Signature": headers["X-Signature"].removeprefix("v1=")})
    assert not accepts(changed={"X-Signature": "v1=%%%"})
