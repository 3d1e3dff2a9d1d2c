"""Signing of requests: HMAC over what the insurer asks for."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import datetime

from sluice_server.insurers.secret import Secret

ALGORITHMS = ("hmac-sha256", "hmac-sha512")
ENCODINGS = ("hex", "base64")
PIECES = ("timestamp", "method", "path", "body", "body_sha256", "idempotency_key")
"""What may be signed. ``path`` is with the query, as sent; ``timestamp`` is Unix time in whole seconds."""
PIECE = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Signing:
    """How an insurer wants its requests signed."""

    algorithm: str
    secret: Secret
    over: str
    """The signed text, such as ``{timestamp}\\n{method}\\n{path}\\n{body}``."""
    header: str
    prefix: str
    """Before the signature in the header, such as ``sha256=``."""
    timestamp_header: str
    encoding: str

    def headers(self, *, method: str, path: str, body: bytes, idempotency_key: str, at: datetime) -> dict[str, str]:
        """The headers that prove who sent the request."""
        pieces = {
            "timestamp": str(int(at.timestamp())).encode(),
            "method": method.encode(),
            "path": path.encode(),
            "body": body,
            "body_sha256": hashlib.sha256(body).hexdigest().encode(),
            "idempotency_key": idempotency_key.encode(),
        }
        message = b""
        at_position = 0
        for piece in PIECE.finditer(self.over):
            message += self.over[at_position : piece.start()].encode() + pieces[piece[1]]
            at_position = piece.end()
        message += self.over[at_position:].encode()
        digest = self.secret.sign(message, self.algorithm.removeprefix("hmac-"))
        signature = digest.hex() if self.encoding == "hex" else base64.b64encode(digest).decode()
        return {self.timestamp_header: pieces["timestamp"].decode(), self.header: self.prefix + signature}
