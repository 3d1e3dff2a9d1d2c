"""Reading the adapters' file: every insurer's base URL, signing, calls and the meaning of its answers.

``docs/insurers.md`` explains the file, ``docs/example-insurers.yaml`` is one. It is read once, at the start; a mistake
stops the start with all mistakes named at once.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from sluice_server.domain.located_yaml import Section
from sluice_server.insurers.answers import JsonPath, Settlement, Verdict
from sluice_server.insurers.configuration import (
    Callback,
    HttpInsurer,
    InsurerConfiguration,
    Operation,
    PolicyList,
    PythonInsurer,
)
from sluice_server.insurers.configuration_file import InvalidConfigurationFile, read_file
from sluice_server.insurers.mapping import Use, read_mapping, read_path
from sluice_server.insurers.read_access import (
    Reader,
    read_headers,
    read_oauth2,
    read_signing,
    read_template,
    read_tls,
    read_url,
    read_verification,
)
from sluice_server.insurers.template import ROOTS, BodyTemplate, Template

_INSURER_ID = re.compile(r"[a-z][a-z0-9-]{0,62}")
_PATH = re.compile(r"/[A-Za-z0-9\-._~!$&'()*+,;=:@/?%{}|]*")
_METHODS = ("GET", "POST", "PUT", "PATCH")
_LIST_ROOTS: Mapping[str, type] = {
    "day": date,
    "next_day": date,
    "start": str,
    "end": str,
    "cursor": str,
    "page": int,
}
"""What the templates of a list of policies may name: fields of ``policies.ListRequest``."""


def load_insurers(path: Path, *, environment: Mapping[str, str]) -> Mapping[str, InsurerConfiguration]:
    """The insurers of a file, by id, with their secrets resolved from ``environment`` and from files beside it.

    Raises InvalidConfigurationFile naming every mistake with its line.
    """
    top = read_file(path)
    reader = Reader(environment, path.parent)
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
    top.done()
    if top.mistakes.has_errors:
        raise InvalidConfigurationFile(path, top.mistakes.errors())
    return found


def _python_insurer(insurer_id: str, section: Section) -> PythonInsurer:
    adapter = section.text("adapter", required=True)
    options = section.section("options")
    plain = {} if options is None else {key: options.plain(key) for key in options}
    section.done()
    return PythonInsurer(insurer_id, adapter, plain)


def _http_insurer(insurer_id: str, section: Section, reader: Reader) -> HttpInsurer | None:
    """None when there is nothing to submit with, which is reported."""
    plain = section.flag("insecure_plain_http")
    base_url = read_url(section, "base_url", required=True, plain_http=plain)
    endpoints: dict[str, str] = {}
    named = section.section("endpoints")
    if named is not None:
        endpoints = {name: read_url(named, name, required=True, plain_http=plain) for name in named}
    timeout = section.number("timeout_seconds", above=0, at_most=300) or 10.0
    settlement = _settlement(section)
    submit_section = section.section("submit", required=True)
    inquire_section = section.section("inquire")
    submit = inquire = None
    if inquire_section is not None:
        inquire, _ = _operation(inquire_section, timeout, reader, Use.INQUIRY, settlement, like=submit_section)
    callback = _callback(section, reader, settlement, like=submit_section)
    if submit_section is not None:
        submit, said = _operation(submit_section, timeout, reader, Use.SUBMISSION, settlement)
        if Verdict.PENDING in said and inquire_section is None and "callback" not in section:
            submit_section.report(
                "outcomes", "PENDING needs inquire or callback, or nobody would ever know the outcome"
            )
    policies = _policy_list(section, timeout, reader)
    connect_timeout = section.number("connect_timeout_seconds", above=0, at_most=60) or 2.0
    concurrency = section.integer("concurrency", minimum=1, maximum=10_000) or 64
    largest_answer = section.integer("largest_answer_bytes", minimum=64, maximum=1 << 26) or 1 << 20
    headers, signing, tls = read_headers(section, reader), read_signing(section, reader), read_tls(section, reader)
    oauth2 = read_oauth2(section, reader, plain_http=plain)
    section.done()
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
        oauth2=oauth2,
        callback=callback,
        list=policies,
        inquire=inquire,
    )


def _settlement(section: Section) -> Settlement:
    settlement = section.section("settlement")
    if settlement is None:
        return Settlement()
    read = Settlement(
        within_seconds=settlement.number("within_seconds", above=0, at_most=7 * 86_400) or 900.0,
        poll_seconds=settlement.number("poll_seconds", above=0, at_most=3600) or 10.0,
    )
    settlement.done()
    return read


def _operation(
    section: Section,
    timeout: float,
    reader: Reader,
    use: Use,
    settlement: Settlement,
    *,
    like: Section | None = None,
) -> tuple[Operation, frozenset[Verdict]]:
    """The operation, and what its rules can say. ``like``: the submission, whose paths into the answer hold where an
    inquiry names none."""
    method, path, body = _request(section, "GET" if use is Use.INQUIRY else "POST", ROOTS)
    mapping, said = read_mapping(section, use, settlement=settlement, like=like)
    operation = Operation(
        method=method,
        path=path,
        headers=read_headers(section, reader),
        body=body,
        timeout_seconds=section.number("timeout_seconds", above=0, at_most=300) or timeout,
        mapping=mapping,
    )
    section.done()
    return operation, said


def _request(section: Section, method: str, roots: Mapping[str, type]) -> tuple[str, Template, BodyTemplate | None]:
    """Method (``method`` where none is given), path and body of a call."""
    method = section.one_of("method", _METHODS, default=method)
    path = read_template(section, "path", section.text("path", required=True, default="/"), roots)
    if not _PATH.fullmatch(path.source):
        section.report("path", "must begin with / and hold nothing that a URL cannot, such as a space")
    body = None
    if section.get("body") is not None:
        if method == "GET":
            section.report("body", "a GET has no body")
        body = BodyTemplate(
            section.plain("body"),
            lambda where, what: section.report("body", f"at body{where}: {what}"),
            roots,
        )
    elif method != "GET":
        section.report("body", f"is required: what the {method} sends")
    return method, path, body


def _callback(section: Section, reader: Reader, settlement: Settlement, *, like: Section | None) -> Callback | None:
    callback = section.section("callback")
    if callback is None:
        return None
    verification = read_verification(callback, reader)
    application_id = read_path(callback, "application_id", None)
    idempotency_key = read_path(callback, "idempotency_key", None)
    if "application_id" not in callback and "idempotency_key" not in callback:
        section.report("callback", "needs application_id or idempotency_key: where it says which order it tells of")
    mapping, _ = read_mapping(callback, Use.CALLBACK, settlement=settlement, like=like)
    callback.done()
    return None if verification is None else Callback(verification, application_id, idempotency_key, mapping)


def _policy_list(section: Section, timeout: float, reader: Reader) -> PolicyList | None:
    policies = section.section("list")
    if policies is None:
        return None
    method, path, body = _request(policies, "GET", _LIST_ROOTS)
    application_id = read_path(policies, "application_id", None)
    idempotency_key = read_path(policies, "idempotency_key", None)
    if "application_id" not in policies and "idempotency_key" not in policies:
        section.report("list", "needs application_id or idempotency_key: where an item says which order it is of")
    zone = policies.text("time_zone", default="UTC")
    try:
        time_zone = ZoneInfo(zone)
    except (KeyError, OSError, ValueError):
        policies.report("time_zone", f"{zone!r} is no time zone; write one such as Asia/Shanghai")
        time_zone = ZoneInfo("UTC")
    read = PolicyList(
        method=method,
        path=path,
        headers=read_headers(policies, reader),
        body=body,
        timeout_seconds=policies.number("timeout_seconds", above=0, at_most=300) or max(timeout, 30.0),
        items=read_path(policies, "items", None) or JsonPath(()),
        policy_number=read_path(policies, "policy_number", None, required=True) or JsonPath(()),
        application_id=application_id,
        idempotency_key=idempotency_key,
        next_cursor=read_path(policies, "next_cursor", None),
        time_zone=time_zone,
    )
    if read.next_cursor is None and "{page" not in path.source and "page" not in str(policies.plain("body")):
        section.report("list", "needs next_cursor, or {page} in its path or body: how to get the next page")
    policies.done()
    return read
