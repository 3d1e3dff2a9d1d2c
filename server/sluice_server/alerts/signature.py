"""The webhook's signature: who receives alarms can know that they are ours, unchanged and new.

Header ``Sluice-Signature: t=UNIX_SECONDS,v1=HEX`` with HEX = HMAC-SHA256(secret, UNIX_SECONDS + "." + body).
"""

from __future__ import annotations

import hmac
import re
from datetime import datetime

SIGNATURE_HEADER = "Sluice-Signature"
TOLERANCE_SECONDS = 300
"""How old or how far ahead a signature may be: the window in which a recorded delivery could be played again."""

_FORM = re.compile(r"t=(\d{1,12}),v1=([0-9a-f]{64})", re.ASCII)


class SignatureRefused(Exception):
    """The signature does not prove the body; the text says why."""


def sign(secret: bytes, body: bytes, at: datetime) -> str:
    """The header's value."""
    seconds = int(at.timestamp())
    return f"t={seconds},v1={_digest(secret, str(seconds), body)}"


def verify(secret: bytes, body: bytes, header: str, now: datetime) -> None:
    """Raises SignatureRefused when the header does not prove this body at this time."""
    form = _FORM.fullmatch(header)
    if form is None:
        raise SignatureRefused(f"the header {SIGNATURE_HEADER} is missing or malformed")
    if not hmac.compare_digest(_digest(secret, form[1], body), form[2]):
        raise SignatureRefused("the signature does not fit the body")
    if abs(now.timestamp() - int(form[1])) > TOLERANCE_SECONDS:
        raise SignatureRefused(f"the signature is more than {TOLERANCE_SECONDS} seconds off")


def _digest(secret: bytes, seconds: str, body: bytes) -> str:
    return hmac.digest(secret, seconds.encode() + b"." + body, "sha256").hex()
