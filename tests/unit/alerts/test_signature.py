from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from sluice_server.alerts.signature import SignatureRefused, sign, verify

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
BODY = b'{"alarms": []}'
HEADER = sign(b"secret", BODY, NOW)


def test_a_signature_can_be_computed_by_anybody_who_reads_the_description() -> None:
    # echo -n '1772366400.{"alarms": []}' | openssl dgst -sha256 -hmac secret
    assert HEADER == "t=1772366400,v1=e651223869fd0107b6755c2a6fac7e8596a3576db1b964956c76fc5d03eda599"


@pytest.mark.parametrize("minutes", [-5, 0, 5])
def test_our_own_signature_is_accepted_within_its_time(minutes: int) -> None:
    verify(b"secret", BODY, HEADER, NOW + timedelta(minutes=minutes))


@pytest.mark.parametrize(
    ("secret", "body", "header", "seconds", "says"),
    [
        (b"secret", BODY + b" ", HEADER, 0, "does not fit"),
        (b"Secret", BODY, HEADER, 0, "does not fit"),
        (b"secret", BODY, HEADER.replace("t=1772366400", "t=1772366401"), 0, "does not fit"),
        (b"secret", BODY, HEADER[:-1] + ("0" if HEADER[-1] != "0" else "1"), 0, "does not fit"),
        (b"secret", BODY, HEADER, 301, "more than 300 seconds off"),
        (b"secret", BODY, HEADER, -301, "more than 300 seconds off"),
        (b"secret", BODY, "", 0, "missing or malformed"),
        (b"secret", BODY, HEADER + "\n", 0, "missing or malformed"),
        (b"secret", BODY, HEADER.upper(), 0, "missing or malformed"),
    ],
)
def test_whatever_was_tampered_with_is_refused(
    secret: bytes, body: bytes, header: str, seconds: int, says: str
) -> None:
    with pytest.raises(SignatureRefused, match=says):
        verify(secret, body, header, NOW + timedelta(seconds=seconds))
