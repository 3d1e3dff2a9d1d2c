"""Reading the adapters' file: every insurer's base URL, signing, calls and the meaning of its answers.

``docs/insurers.md`` explains the file, ``docs/example-insurers.yaml`` is one. It is read once, at the start; a mistake
stops the start with all mistakes named at once.
"""

from __future__ import annotations

import re
import ssl
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from sluice_server.insurers.configuration import (
    PLACEHOLDER,
    HeaderValue,
    HttpInsurer,
    InsurerConfiguration,
    Operation,
    PythonInsurer,
    SecretHeader,
)
from sluice_server.insurers.located import Section, plain_value, read_file
from sluice_server.insurers.mapping import read_mapping
from sluice_server.insurers.secret import Secret, SecretUnavailable, resolve_secret
from sluice_server.insurers.signing import ALGORITHMS, ENCODINGS, PIECE, PIECES, Signing
from sluice_server.insurers.template import BodyTemplate, InvalidTemplate, Template

_INSURER_ID = re.compile(r"[a-z][a-z0-9-]{0,62}")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PATH = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@/?%{}|]*")
_METHODS = ("GET", "POST", "PUT", "PATCH")
# What the client writes itself; a configured one would contradict it.
_RESERVED_HEADERS = frozenset(
    {"content-length", "transfer-encoding", "connection", "host", "traceparent", "tracestate"}
)


class _Reader:
    """What following references needs while one file is read."""

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        self._environment = environment
        self._directory = directory

    def secret(self, section: Section, key: str) -> Secret:
        reference = section.text(key, required=True)
        if reference:
            try:
                return resolve_secret(reference, environment=self._environment, beside=self._directory)
            except SecretUnavailable as error:
                section.report(key, str(error))
        return Secret("", "missing")

    def file(self, section: Section, key: str) -> str:
        name = section.text(key)
        if not name:
            return ""
        path = self._directory / name
        if not path.is_file():
            section.report(key, f"there is no file {name}")
        return str(path)


def load_insurers(path: Path, *, environment: Mapping[str, str]) -> Mapping[str, InsurerConfiguration]:
    """The insurers of a file, by id, with their secrets resolved from ``environment`` and from files beside it.

    Raises InvalidConfigurationFile naming every mistake with its line.
    """
    top = read_file(path)
    reader = _Reader(environment, path.parent)
    found: dict[str, InsurerConfiguration] = {}
    insurers = top.section("insurers", required=True)
    if insurers is not None:
        for insurer_id in insurers:
            if not _INSURER_ID.fullmatch(insurer_id):
                insurers.report(insurer_id, "an insurer's id is lower-case letters, digits and hyphens, at most 63")
            section = insurers.section(insurer_id, required=True)
            if section is None:
                continue
            insurer: InsurerConfiguration | None
            if "adapter" in section:
                insurer = _python_insurer(insurer_id, section)
            else:
                insurer = _http_insurer(insurer_id, section, reader)
            if insurer is not None:
                found[insurer_id] = insurer
    top.refuse_unknown()
    top.findings.raise_if_any()
    return found


def _python_insurer(insurer_id: str, section: Section) -> PythonInsurer:
    adapter = section.text("adapter", required=True)
    options = section.raw("options")
    plain = {} if options is None else plain_value(options)
    if not isinstance(plain, dict):
        section.report("options", "must be a mapping")
        plain = {}
    section.refuse_unknown()
    return PythonInsurer(insurer_id, adapter, plain)


def _http_insurer(insurer_id: str, section: Section, reader: _Reader) -> HttpInsurer | None:
    """None when there is nothing to submit with, which is reported."""
    plain_http = section.raw("insecure_plain_http")
    if plain_http not in (None, True, False):
        section.report("insecure_plain_http", "must be true or false")
    base_url = _url(section, "base_url", required=True, plain_http=plain_http is True)
    endpoints: dict[str, str] = {}
    named = section.section("endpoints")
    if named is not None:
        endpoints = {name: _url(named, name, required=True, plain_http=plain_http is True) for name in named}
    timeout = section.number("timeout_seconds", fallback=10.0, above=0, at_most=300)
    submit_section = section.section("submit", required=True)
    inquire_section = section.section("inquire")
    submit = None if submit_section is None else _operation(submit_section, timeout, reader)
    inquire = None
    if inquire_section is not None:
        inquire = _operation(inquire_section, timeout, reader, inquiry=True, like=submit_section)
    connect_timeout = section.number("connect_timeout_seconds", fallback=2.0, above=0, at_most=60)
    concurrency = section.whole_number("concurrency", fallback=64, at_least=1, at_most=10_000)
    largest_answer = section.whole_number("largest_answer_bytes", fallback=1 << 20, at_least=64, at_most=1 << 26)
    headers, signing, tls = _headers(section, reader), _signing(section, reader), _tls(section, reader)
    section.refuse_unknown()
    if submit is None:
        return None
    return HttpInsurer(
        insurer_id=insurer_id,
        base_url=base_url,
        endpoints=endpoints,
        connect_timeout_seconds=connect_timeout,
        concurrency=concurrency,
        largest_answer_bytes=largest_answer,
        headers=headers,
        signing=signing,
        tls=tls,
        submit=submit,
        inquire=inquire,
    )


def _operation(
    section: Section, timeout: float, reader: _Reader, *, inquiry: bool = False, like: Section | None = None
) -> Operation:
    """``like``: the submission, whose paths into the answer hold where an inquiry names none."""
    method = section.choice("method", _METHODS, fallback="GET" if inquiry else "POST")
    path = _template(section, "path", section.text("path", required=True, fallback="/"))
    if not _PATH.fullmatch(path.source):
        section.report("path", "must begin with / and hold nothing that a URL cannot, such as a space")
    body = None
    if section.raw("body") is not None:
        if method == "GET":
            section.report("body", "a GET has no body")
        body = BodyTemplate(
            plain_value(section.raw("body")), lambda where, what: section.report("body", f"at body{where}: {what}")
        )
    elif method != "GET":
        section.report("body", f"is required: what the {method} sends")
    operation = Operation(
        method=method,
        path=path,
        headers=_headers(section, reader),
        body=body,
        timeout_seconds=section.number("timeout_seconds", fallback=timeout, above=0, at_most=300),
        mapping=read_mapping(section, inquiry=inquiry, like=like),
    )
    section.refuse_unknown()
    return operation


def _template(section: Section, key: str, source: str) -> Template:
    try:
        return Template(source)
    except InvalidTemplate as error:
        section.report(key, str(error))
        return Template("/")


def _headers(section: Section, reader: _Reader) -> Mapping[str, HeaderValue]:
    headers = section.section("headers")
    found: dict[str, HeaderValue] = {}
    if headers is None:
        return found
    for name in headers:
        if not _HEADER_NAME.fullmatch(name) or name.lower() in _RESERVED_HEADERS:
            headers.report(name, "cannot be set as a header")
        if isinstance(headers.raw(name), dict):
            secret = headers.section(name)
            assert secret is not None
            value = SecretHeader(secret.text("format", fallback=PLACEHOLDER), reader.secret(secret, "secret"))
            if PLACEHOLDER not in value.format:
                secret.report("format", f"must hold {PLACEHOLDER}")
            if not value.secret.reveal().isprintable():
                secret.report("secret", "holds characters that no header can carry")
            secret.refuse_unknown()
            found[name] = value
        else:
            found[name] = _template(headers, name, headers.text(name, required=True))
    return found


def _signing(section: Section, reader: _Reader) -> Signing | None:
    signing = section.section("signing")
    if signing is None:
        return None
    over = signing.text("over", fallback="{timestamp}\n{method}\n{path}\n{body}")
    for piece in PIECE.findall(over):
        if piece not in PIECES:
            signing.report("over", f"{{{piece}}} cannot be signed; there are {', '.join(PIECES)}")
    if not {"body", "body_sha256"} & set(PIECE.findall(over)):
        signing.report("over", "must hold {body} or {body_sha256}, or the body could be changed on its way")
    found = Signing(
        algorithm=signing.choice("algorithm", ALGORITHMS, fallback=ALGORITHMS[0]),
        secret=reader.secret(signing, "secret"),
        over=over,
        header=signing.text("header", fallback="X-Signature"),
        prefix=signing.text("prefix"),
        timestamp_header=signing.text("timestamp_header", fallback="X-Timestamp"),
        encoding=signing.choice("encoding", ENCODINGS, fallback=ENCODINGS[0]),
    )
    for key, name in (("header", found.header), ("timestamp_header", found.timestamp_header)):
        if not _HEADER_NAME.fullmatch(name):
            signing.report(key, "is no name of a header")
    signing.refuse_unknown()
    return found


def _tls(section: Section, reader: _Reader) -> ssl.SSLContext | None:
    tls = section.section("tls")
    if tls is None:
        return None
    authorities = reader.file(tls, "authorities_file")
    certificate, key = reader.file(tls, "certificate_file"), reader.file(tls, "key_file")
    if bool(certificate) != bool(key):
        tls.report("certificate_file", "certificate_file and key_file go together")
    tls.refuse_unknown()
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


def _url(section: Section, key: str, *, required: bool, plain_http: bool) -> str:
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
