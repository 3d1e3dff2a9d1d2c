"""Signatures: ours under requests, an insurer's under its callbacks; HMAC or RSA over what the insurer asks for."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key
from cryptography.x509 import load_pem_x509_certificate

from sluice_server.insurers.secret import Secret

HMAC_ALGORITHMS = ("hmac-sha256", "hmac-sha512")
RSA_ALGORITHMS = ("rsa-sha256", "rsa-sha512", "rsa-pss-sha256", "rsa-pss-sha512")
"""``rsa-``: PKCS #1 v1.5 (RFC 8017, section 8.2); ``rsa-pss-``: PSS with MGF1 and a salt as long as the digest."""
ENCODINGS = ("hex", "base64")
PIECES = ("timestamp", "method", "path", "body", "body_sha256", "idempotency_key")
"""What may be signed. ``path`` is with the query, as sent; ``timestamp`` is Unix time in whole seconds."""
PIECE = re.compile(r"\{([^{}]*)\}")
LEAST_RSA_BITS = 2048


class KeyUnusable(Exception):
    """The key cannot be signed or verified with; the text says why, without the key."""


class RsaPrivateKey:
    """A private key and where it came from. Shown, logged or formatted, it is only its reference."""

    __slots__ = ("_key", "reference")

    def __init__(self, key: rsa.RSAPrivateKey, reference: str) -> None:
        self._key = key
        self.reference = reference

    @classmethod
    def parse(cls, pem: Secret, password: Secret | None) -> RsaPrivateKey:
        """From PEM (PKCS #1 or #8). Raises KeyUnusable."""
        try:
            key = load_pem_private_key(pem.reveal().encode(), password.reveal().encode() if password else None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            raise KeyUnusable("is no private key in PEM form, or private_key_password does not open it") from None
        if not isinstance(key, rsa.RSAPrivateKey):
            raise KeyUnusable("is not an RSA key")
        _refuse_short(key.key_size)
        return cls(key, pem.reference)

    def sign(self, message: bytes, algorithm: str) -> bytes:
        scheme, digest = _scheme(algorithm)
        return self._key.sign(message, scheme, digest)

    def __repr__(self) -> str:
        return f"RsaPrivateKey({self.reference})"

    __str__ = __repr__

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a secret is not serialised")


class RsaPublicKey:
    """An insurer's public key."""

    def __init__(self, key: rsa.RSAPublicKey) -> None:
        self._key = key

    @classmethod
    def read(cls, path: Path) -> RsaPublicKey:
        """From PEM, a public key or a certificate. Raises KeyUnusable."""
        try:
            pem = path.read_bytes()
            in_certificate = b"BEGIN CERTIFICATE" in pem
            key: object = load_pem_x509_certificate(pem).public_key() if in_certificate else load_pem_public_key(pem)
        except (OSError, ValueError, UnsupportedAlgorithm):
            raise KeyUnusable("holds no public key and no certificate in PEM form") from None
        if not isinstance(key, rsa.RSAPublicKey):
            raise KeyUnusable("is not an RSA key")
        _refuse_short(key.key_size)
        return cls(key)

    def fits(self, signature: bytes, message: bytes, algorithm: str) -> bool:
        scheme, digest = _scheme(algorithm)
        try:
            self._key.verify(signature, message, scheme, digest)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signing:
    """How an insurer wants its requests signed."""

    algorithm: str
    key: Secret | RsaPrivateKey
    over: str
    """The signed text, such as ``{timestamp}\\n{method}\\n{path}\\n{body}``."""
    header: str
    prefix: str
    """Before the signature in the header, such as ``sha256=``."""
    timestamp_header: str
    encoding: str

    def headers(self, *, method: str, path: str, body: bytes, idempotency_key: str, at: datetime) -> dict[str, str]:
        """The headers that prove who sent the request."""
        timestamp = str(int(at.timestamp()))
        message = _message(self.over, timestamp, method, path, body, idempotency_key)
        if isinstance(self.key, Secret):
            signature = self.key.sign(message, self.algorithm.removeprefix("hmac-"))
        else:
            signature = self.key.sign(message, self.algorithm)
        return {self.timestamp_header: timestamp, self.header: self.prefix + _encoded(signature, self.encoding)}


@dataclass(frozen=True, slots=True)
class Verification:
    """How an insurer signs its callbacks."""

    algorithm: str
    key: Secret | RsaPublicKey
    over: str
    header: str
    prefix: str
    timestamp_header: str
    encoding: str
    tolerance_seconds: float
    """A signed moment further away than this is refused: an old callback that somebody sends again. Without a
    ``{timestamp}`` in ``over`` there is no such moment."""

    def accepts(
        self, headers: Mapping[str, str], *, method: str, path: str, body: bytes, idempotency_key: str, at: datetime
    ) -> bool:
        """Whether the insurer has sent this now."""
        timestamp = headers.get(self.timestamp_header, "")
        if "{timestamp}" in self.over:
            if not (timestamp.isascii() and timestamp.isdecimal() and len(timestamp) <= 12):
                return False
            if abs(at.timestamp() - int(timestamp)) > self.tolerance_seconds:
                return False
        given = headers.get(self.header, "")
        if not given.startswith(self.prefix):
            return False
        signature = _decoded(given.removeprefix(self.prefix), self.encoding)
        if signature is None:
            return False
        message = _message(self.over, timestamp, method, path, body, idempotency_key)
        if isinstance(self.key, Secret):
            return hmac.compare_digest(signature, self.key.sign(message, self.algorithm.removeprefix("hmac-")))
        return self.key.fits(signature, message, self.algorithm)


def _message(over: str, timestamp: str, method: str, path: str, body: bytes, idempotency_key: str) -> bytes:
    pieces = {
        "timestamp": timestamp.encode(),
        "method": method.encode(),
        "path": path.encode(),
        "body": body,
        "body_sha256": hashlib.sha256(body).hexdigest().encode(),
        "idempotency_key": idempotency_key.encode(),
    }
    message = b""
    at_position = 0
    for piece in PIECE.finditer(over):
        message += over[at_position : piece.start()].encode() + pieces[piece[1]]
        at_position = piece.end()
    return message + over[at_position:].encode()


def _scheme(algorithm: str) -> tuple[padding.AsymmetricPadding, hashes.HashAlgorithm]:
    digest = hashes.SHA512() if algorithm.endswith("sha512") else hashes.SHA256()
    if algorithm.startswith("rsa-pss-"):
        return padding.PSS(padding.MGF1(digest), padding.PSS.DIGEST_LENGTH), digest
    return padding.PKCS1v15(), digest


def _refuse_short(bits: int) -> None:
    if bits < LEAST_RSA_BITS:
        raise KeyUnusable(f"has {bits} bits; at least {LEAST_RSA_BITS} are needed")


def _encoded(signature: bytes, encoding: str) -> str:
    return signature.hex() if encoding == "hex" else base64.b64encode(signature).decode()


def _decoded(text: str, encoding: str) -> bytes | None:
    try:
        return bytes.fromhex(text) if encoding == "hex" else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None
