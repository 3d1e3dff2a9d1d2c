from __future__ import annotations

from pathlib import Path

import pytest

from sluice_server.domain.context import SystemClock
from sluice_server.domain.errors import InsurerNotConfigured, InvalidInput
from sluice_server.domain.tracing import Untraced
from sluice_server.insurers.config import load_insurers
from sluice_server.insurers.configuration import HttpInsurer, SecretHeader
from sluice_server.insurers.configuration_file import InvalidConfigurationFile
from sluice_server.insurers.directory import build_adapters

EXAMPLE = Path(__file__).parents[3] / "docs" / "example-insurers.yaml"
SECRETS = {"NORTHSTAR_TOKEN": "tok-5f2c", "NORTHSTAR_SIGNING_KEY": "key-9a1b"}


def problems(tmp_path: Path, source: str, environment: dict[str, str] | None = None) -> list[str]:
    """The lines of the refusal, without the file's name."""
    file = tmp_path / "insurers.yaml"
    file.write_text(source)
    with pytest.raises(InvalidConfigurationFile) as refused:
        load_insurers(file, environment=environment or {})
    lines = refused.value.message.splitlines()
    assert all(line.startswith(f"{file}:") for line in lines)
    assert len(refused.value.violations) == len(lines)
    return [line.removeprefix(f"{file}:") for line in lines]


def test_the_documented_example_is_valid_and_within_thirty_lines() -> None:
    insurer = load_insurers(EXAMPLE, environment=SECRETS)["northstar-mutual"]
    assert isinstance(insurer, HttpInsurer)
    assert insurer.inquire is not None
    assert insurer.submit.mapping.error_code == insurer.inquire.mapping.error_code
    assert len(EXAMPLE.read_text().splitlines()) <= 30


def test_secrets_show_nowhere_but_where_they_are_sent() -> None:
    insurer = load_insurers(EXAMPLE, environment=SECRETS)["northstar-mutual"]
    assert isinstance(insurer, HttpInsurer)
    header = insurer.headers["Authorization"]
    assert isinstance(header, SecretHeader)
    assert header.text() == "Bearer tok-5f2c"
    assert insurer.signing is not None
    shown = f"{insurer!r} {insurer} {header} {insurer.signing.key:>40} {[insurer.signing.key]}"
    assert not any(secret in shown for secret in SECRETS.values())
    assert "env:NORTHSTAR_TOKEN" in shown


def test_missing_secrets_are_named_by_their_reference(tmp_path: Path) -> None:
    found = problems(tmp_path, EXAMPLE.read_text())
    assert found == [
        (
            "8: insurers.northstar-mutual.headers.Authorization.secret: "
            "the environment variable NORTHSTAR_TOKEN is not set or empty"
        ),
        (
            "9: insurers.northstar-mutual.signing.secret: "
            "the environment variable NORTHSTAR_SIGNING_KEY is not set or empty"
        ),
    ]


def test_a_secret_written_into_the_file_is_refused_without_repeating_it(tmp_path: Path) -> None:
    source = EXAMPLE.read_text().replace("env:NORTHSTAR_SIGNING_KEY", "hunter2-in-plain")
    found = problems(tmp_path, source, SECRETS)
    assert found == [
        (
            "9: insurers.northstar-mutual.signing.secret: "
            "must be env:NAME or file:PATH; the secret itself does not belong into this file"
        )
    ]


def test_secrets_come_from_files_beside_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("tok-from-file\n")
    file = tmp_path / "insurers.yaml"
    file.write_text(EXAMPLE.read_text().replace("env:NORTHSTAR_TOKEN", "file:token"))
    insurer = load_insurers(file, environment=SECRETS)["northstar-mutual"]
    assert isinstance(insurer, HttpInsurer)
    header = insurer.headers["Authorization"]
    assert isinstance(header, SecretHeader)
    assert header.text() == "Bearer tok-from-file"


def test_all_mistakes_are_named_at_once_with_their_lines(tmp_path: Path) -> None:
    source = """\
insurers:
  Alpha:
    base_url: ftp://alpha.example
    timeout_seconds: -1
    concurency: 5
    headers: { "Bad Header": x, Host: y }
    signing: { algorithm: md5, secret: env:MISSING, over: "{timestamp} {colour}" }
    submit:
      method: DELETE
      path: v1/policies
      body: { model: "{application.device.serial}" }
      outcomes:
        - { status: 999, outcome: SUCCES }
        - { path: code, in: [0000], outcome: BUSINESS_REJECTION }
        - { outcome: UNKNOWN }
  beta:
    base_url: http://beta.example
    submit: { path: /x, body: {}, policy_number: p, outcomes: [ { status: 200, outcome: SUCCESS } ] }
    inquire: { path: "/x/{idempotency_key", outcomes: [ { status: 200, outcome: CALLER_FAULT } ] }
  gamma: 7
plans: {}
"""
    a, b = "insurers.Alpha", "insurers.beta"
    assert problems(tmp_path, source) == [
        f"2: {a}: an insurer's id is lower-case letters, digits and hyphens, at most 63",
        f"3: {a}.base_url: must be https://host or http://host",
        f"4: {a}.timeout_seconds: must be more than 0 and at most 300, not -1",
        f"5: {a}.concurency: unknown key 'concurency'; did you mean 'concurrency'?",
        f"6: {a}.headers.Bad Header: cannot be set as a header",
        f"6: {a}.headers.Host: cannot be set as a header",
        (
            f"7: {a}.signing.algorithm: must be one of hmac-sha256, hmac-sha512, rsa-sha256, rsa-sha512, "
            "rsa-pss-sha256, rsa-pss-sha512, not 'md5'"
        ),
        (
            f"7: {a}.signing.over: {{colour}} cannot be signed; there are timestamp, method, path, body, body_sha256, "
            "idempotency_key"
        ),
        f"7: {a}.signing.over: must hold {{body}} or {{body_sha256}}, or the body could be changed on its way",
        f"7: {a}.signing.secret: the environment variable MISSING is not set or empty",
        f"8: {a}.submit.policy_number: missing; submit needs it",
        f"9: {a}.submit.method: must be one of GET, POST, PUT, PATCH, not 'DELETE'",
        f"10: {a}.submit.path: must begin with / and hold nothing that a URL cannot, such as a space",
        (
            f"11: {a}.submit.body: at body.model: {{application.device.serial}}: application.device has no 'serial'; "
            "it has device_ref, model_id, category, brand, price, purchased_on"
        ),
        f"12: {a}.submit.outcomes: no rule says SUCCESS or PENDING, so it would never be known",
        (
            f"13: {a}.submit.outcomes[0].outcome: must be one of SUCCESS, BUSINESS_REJECTION, TECHNICAL_FAILURE, "
            "UNKNOWN, CALLER_FAULT, PENDING, not 'SUCCES'"
        ),
        f"13: {a}.submit.outcomes[0].status: 999 is no HTTP status; write 200, 2xx or a list of them",
        f"14: {a}.submit.outcomes[1].in: must be a list of codes in quotes",
        f"15: {a}.submit.outcomes[2].outcome: has no condition; give a status, a path or both",
        f"17: {b}.base_url: is not encrypted; use https://, or say insecure_plain_http: true",
        f"19: {b}.inquire.outcomes: no rule says SUCCESS, so it would never be known",
        f"19: {b}.inquire.outcomes: no rule says NOT_FOUND, so it would never be known",
        (
            f"19: {b}.inquire.outcomes[0].outcome: must be one of SUCCESS, BUSINESS_REJECTION, NOT_FOUND, UNKNOWN, "
            "PENDING, TECHNICAL_FAILURE, not 'CALLER_FAULT'"
        ),
        f"19: {b}.inquire.path: has a brace without its partner at position 4",
        "20: insurers.gamma: must be a mapping, this is a number",
        "21: plans: unknown key 'plans'; known are insurers",
    ]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("insurers: [", "is not YAML"),
        ("insurers:\n  a: 1\n  a: 2\n", "3: insurers.a: the key 'a' is there twice, first in line 2"),
        ("- x", "must be a mapping"),
        ("", "must be a mapping"),
        ("insurers:\n", "1: insurers: missing"),
        ("insurers: &a\n  x: !!python/object:os.system y\n", "must be a mapping"),
    ],
)
def test_what_is_no_configuration_is_refused(tmp_path: Path, source: str, says: str) -> None:
    assert says in "\n".join(problems(tmp_path, source))


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidConfigurationFile, match="cannot be read: No such file"):
        load_insurers(tmp_path / "none.yaml", environment={})
    (tmp_path / "latin.yaml").write_bytes(b"insurers: \xe4")
    with pytest.raises(InvalidConfigurationFile, match="is not UTF-8 at byte 10"):
        load_insurers(tmp_path / "latin.yaml", environment={})


def test_a_python_adapter_that_is_not_installed_is_named(tmp_path: Path) -> None:
    file = tmp_path / "insurers.yaml"
    file.write_text("insurers: { own: { adapter: soap-dinosaur, options: { wsdl: x } } }")
    with pytest.raises(InvalidInput, match=r"insurers\.own\.adapter: no adapter 'soap-dinosaur' is installed"):
        build_adapters(load_insurers(file, environment={}), clock=SystemClock(), tracer=Untraced())


def test_an_insurer_without_adapter_is_a_precondition() -> None:
    adapters = build_adapters({}, clock=SystemClock(), tracer=Untraced())
    with pytest.raises(InsurerNotConfigured, match="insurer 'x' has no adapter"):
        adapters.get("x")


def test_adapters_tell_what_they_offer_to_bindings_and_want_from_them() -> None:
    adapters = build_adapters(load_insurers(EXAMPLE, environment=SECRETS), clock=SystemClock(), tracer=Untraced())
    name = "northstar-mutual"
    assert adapters.endpoints(name) == frozenset()
    assert adapters.needed_of_bindings(name) == {"insurer_product_code"}, "what ends in ? may be missing"
    assert (adapters.endpoints("x"), adapters.needed_of_bindings("x")) == (None, frozenset())


def test_pending_without_a_way_to_learn_the_outcome_is_refused(tmp_path: Path) -> None:
    source = """\
insurers:
  alpha:
    base_url: https://alpha.example
    submit: { path: /x, body: {}, policy_number: p, outcomes: [ { status: 202, outcome: PENDING } ] }
"""
    assert problems(tmp_path, source) == [
        "4: insurers.alpha.submit.outcomes: PENDING needs inquire or callback, or nobody would ever know the outcome"
    ]


def test_mistakes_in_tokens_callbacks_lists_and_settlement_are_named(tmp_path: Path) -> None:
    source = """\
insurers:
  alpha:
    base_url: https://alpha.example
    headers: { Authorization: x }
    oauth2: { token_url: "http://tokens.example/t", client_id: c, client_secret: plain, credentials_in: cookie }
    settlement: { within_seconds: 0 }
    submit: { path: /x, body: {}, policy_number: p, outcomes: [ { status: 200, outcome: SUCCESS } ] }
    callback:
      signing: { algorithm: rsa-sha256, public_key_file: missing.pem }
      outcomes: [ { path: s, table: { ok: SUCCESS, none: NOT_FOUND } } ]
    list: { path: "/p/{application.application_id}", policy_number: n, time_zone: Mars/North }
"""
    a = "insurers.alpha"
    assert problems(tmp_path, source) == [
        f"5: {a}.oauth2: sets the header Authorization, which headers sets as well; remove one of them",
        (
            f"5: {a}.oauth2.client_secret: "
            "must be env:NAME or file:PATH; the secret itself does not belong into this file"
        ),
        f"5: {a}.oauth2.credentials_in: must be one of header, body, not 'cookie'",
        f"5: {a}.oauth2.token_url: is not encrypted; use https://, or say insecure_plain_http: true",
        f"6: {a}.settlement.within_seconds: must be more than 0 and at most 604800, not 0",
        f"8: {a}.callback: needs application_id or idempotency_key: where it says which order it tells of",
        f"9: {a}.callback.signing.public_key_file: there is no file missing.pem",
        (
            f"10: {a}.callback.outcomes[0].table.none: must be one of SUCCESS, BUSINESS_REJECTION, UNKNOWN, PENDING, "
            "TECHNICAL_FAILURE, not 'NOT_FOUND'"
        ),
        f"11: {a}.list: needs application_id or idempotency_key: where an item says which order it is of",
        f"11: {a}.list: needs next_cursor, or {{page}} in its path or body: how to get the next page",
        (
            f"11: {a}.list.path: {{application.application_id}} begins with none of day, next_day, start, end, cursor, "
            "page"
        ),
        f"11: {a}.list.time_zone: 'Mars/North' is no time zone; write one such as Asia/Shanghai",
    ]
