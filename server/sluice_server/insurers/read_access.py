"""Reading how an insurer wants us to prove who we are, and how it proves that a callback is its own: headers, OAuth2,
signatures, certificates."""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from sluice_server.domain.located_yaml import Section
from sluice_server.insurers.configuration import PLACEHOLDER, HeaderValue, SecretHeader
from sluice_server.insurers.oauth import ClientCredentials
from sluice_server.insurers.secret import Secret, SecretUnavailable, resolve_secret
from sluice_server.insurers.signing import (
    ENCODINGS,
    HMAC_ALGORITHMS,
    PIECE,
    PIECES,
    RSA_ALGORITHMS,
    KeyUnusable,
    RsaPrivateKey,
    RsaPublicKey,
    Signing,
    Verification,
)
from sluice_server.insurers.template import InvalidTemplate, Template

_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
# What the client writes itself; a configured one would contradict it.
_RESERVED_HEADERS = frozenset(
    {"content-length", "transfer-encoding", "connection", "host", "traceparent", "tracestate"}
)


class Reader:
    """What following references needs while one file is read."""

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        self._environment = environment
        self._directory = directory

    def secret(self, section: Section, key: str, *, required: bool = True) -> Secret | None:
        """None where there is none, or none that can be followed; that is reported."""
        reference = section.text(key, required=required)
        if reference:
            try:
                return resolve_secret(reference, environment=self._environment, beside=self._directory)
            except SecretUnavailable as error:
                section.report(key, str(error))
        return None

    def file(self, section: Section, key: str, *, required: bool = False) -> str:
        name = section.text(key, required=required)
        if not name:
            return ""
        path = self._directory / name
        if not path.is_file():
            section.report(key, f"there is no file {name}")
        return str(path)


def read_headers(section: Section, reader: Reader) -> Mapping[str, HeaderValue]:
    headers = section.section("headers")
    found: dict[str, HeaderValue] = {}
    if headers is None:
        return found
    for name in headers:
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _RESERVED_HEADERS:
            headers.report(name, "cannot be set as a header")
        if not isinstance(headers.plain(name), dict):
            found[name] = read_template(headers, name, headers.text(name, required=True))
            continue
        secret = headers.section(name)
        assert secret is not None
        form = secret.text("format", default=PLACEHOLDER)
        if PLACEHOLDER not in form:
            secret.report("format", f"must hold {PLACEHOLDER}")
        value = reader.secret(secret, "secret")
        if value is not None:
            if not value.reveal().isprintable():
                secret.report("secret", "holds characters that no header can carry")
            found[name] = SecretHeader(form, value)
        secret.done()
    return found


def read_template(section: Section, key: str, source: str, roots: Mapping[str, type] | None = None) -> Template:
    try:
        return Template(source) if roots is None else Template(source, roots)
    except InvalidTemplate as error:
        section.report(key, str(error))
        return Template("/")


def read_oauth2(section: Section, reader: Reader, *, plain_http: bool) -> ClientCredentials | None:
    oauth2 = section.section("oauth2")
    if oauth2 is None:
        return None
    token_url = read_url(oauth2, "token_url", required=True, plain_http=plain_http)
    client_id = oauth2.text("client_id", required=True)
    secret = reader.secret(oauth2, "client_secret")
    scope, audience = oauth2.text("scope"), oauth2.text("audience")
    placement = oauth2.one_of("credentials_in", ("header", "body"), default="header")
    refresh_before = oauth2.number("refresh_before_seconds", above=0, at_most=3600) or 60.0
    timeout = oauth2.number("timeout_seconds", above=0, at_most=60) or 5.0
    headers = section.section("headers")
    if headers is not None and any(name.lower() == "authorization" for name in headers):
        section.report("oauth2", "sets the header Authorization, which headers sets as well; remove one of them")
    oauth2.done()
    if secret is None or not token_url or not client_id:
        return None
    return ClientCredentials(
        token_url=token_url,
        client_id=client_id,
        client_secret=secret,
        scope=scope,
        audience=audience,
        credentials_in_body=placement == "body",
        refresh_before_seconds=refresh_before,
        timeout_seconds=timeout,
    )


def read_signing(section: Section, reader: Reader) -> Signing | None:
    """How our requests are signed."""
    signing = section.section("signing")
    if signing is None:
        return None
    algorithm = signing.one_of("algorithm", (*HMAC_ALGORITHMS, *RSA_ALGORITHMS), default=HMAC_ALGORITHMS[0])
    key = _private_key(signing, reader) if algorithm in RSA_ALGORITHMS else reader.secret(signing, "secret")
    form = _signature_form(signing)
    signing.done()
    return None if key is None else Signing(algorithm=algorithm, key=key, **form)


def read_verification(section: Section, reader: Reader) -> Verification | None:
    """How the insurer's callbacks are signed. None when that cannot be said, which is reported."""
    signing = section.section("signing", required=True)
    if signing is None:
        return None
    algorithm = signing.one_of("algorithm", (*HMAC_ALGORITHMS, *RSA_ALGORITHMS), default=HMAC_ALGORITHMS[0])
    key: Secret | RsaPublicKey | None = None
    if algorithm in RSA_ALGORITHMS:
        file = reader.file(signing, "public_key_file", required=True)
        if file and Path(file).is_file():
            try:
                key = RsaPublicKey.read(Path(file))
            except KeyUnusable as error:
                signing.report("public_key_file", str(error))
    else:
        key = reader.secret(signing, "secret")
    tolerance = signing.number("tolerance_seconds", above=0, at_most=86_400) or 300.0
    form = _signature_form(signing)
    signing.done()
    return None if key is None else Verification(algorithm=algorithm, key=key, tolerance_seconds=tolerance, **form)


def _private_key(signing: Section, reader: Reader) -> RsaPrivateKey | None:
    pem = reader.secret(signing, "private_key")
    password = reader.secret(signing, "private_key_password", required=False)
    if pem is None:
        return None
    try:
        return RsaPrivateKey.parse(pem, password)
    except KeyUnusable as error:
        signing.report("private_key", str(error))
        return None


def _signature_form(signing: Section) -> dict[str, str]:
    over = signing.text("over", default="{timestamp}\n{method}\n{path}\n{body}")
    for piece in PIECE.findall(over):
        if piece not in PIECES:
            signing.report("over", f"{{{piece}}} cannot be signed; there are {', '.join(PIECES)}")
    if not {"body", "body_sha256"} & set(PIECE.findall(over)):
        signing.report("over", "must hold {body} or {body_sha256}, or the body could be changed on its way")
    form = {
        "over": over,
        "header": signing.text("header", default="X-Signature"),
        "prefix": signing.text("prefix"),
        "timestamp_header": signing.text("timestamp_header", default="X-Timestamp"),
        "encoding": signing.one_of("encoding", ENCODINGS, default=ENCODINGS[0]),
    }
    for key in ("header", "timestamp_header"):
        if not _HEADER_NAME.fullmatch(form[key]):
            signing.report(key, "is no name of a header")
    return form


def read_tls(section: Section, reader: Reader) -> ssl.SSLContext | None:
    tls = section.section("tls")
    if tls is None:
        return None
    authorities = reader.file(tls, "authorities_file")
    certificate, key = reader.file(tls, "certificate_file"), reader.file(tls, "key_file")
    if bool(certificate) != bool(key):
        tls.report("certificate_file", "certificate_file and key_file go together")
    tls.done()
    try:
        context = ssl.create_default_context(cafile=authorities or None)
    except (OSError, ssl.SSLError):
        tls.report("authorities_file", "holds no certificates in PEM form")
        return None
    if certificate and key:
        try:
            context.load_cert_chain(certificate, key)
        except (OSError, ssl.SSLError):
            tls.report("certificate_file", "is no certificate in PEM form, or the key does not belong to it")
    return context


def read_url(section: Section, key: str, *, required: bool, plain_http: bool) -> str:
    value = section.text(key, required=required)
    if not value:
        return ""
    try:
        url = urlsplit(value)
        host, _ = url.hostname, url.port
    except ValueError as error:
        section.report(key, f"is no URL: {error}")
        return ""
    if url.scheme not in ("http", "https") or not host:
        section.report(key, "must be https://host or http://host")
    elif url.username or url.password:
        section.report(key, "must not hold a name or a password; use a header with a secret")
    elif url.query or url.fragment:
        section.report(key, "must not have a query or a fragment; they belong into the path of a call")
    elif url.scheme == "http" and not plain_http and not _is_loopback(host):
        section.report(key, "is not encrypted; use https://, or say insecure_plain_http: true")
    return value.rstrip("/")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
