"""What is known of one insurer's interface, read from the adapters' file and checked."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass

from sluice_server.insurers.answers import AnswerMapping
from sluice_server.insurers.secret import Secret
from sluice_server.insurers.signing import Signing
from sluice_server.insurers.template import BodyTemplate, Template

PLACEHOLDER = "{secret}"
"""Where the secret goes in the format of a header."""


@dataclass(frozen=True, slots=True)
class SecretHeader:
    """A header's value that holds a secret, such as ``Bearer {secret}``."""

    format: str
    secret: Secret

    def text(self) -> str:
        return self.format.replace(PLACEHOLDER, self.secret.reveal())


HeaderValue = Template | SecretHeader


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of call to the insurer."""

    method: str
    path: Template
    """Beneath the base URL or the endpoint; values are escaped for URLs."""
    headers: Mapping[str, HeaderValue]
    body: BodyTemplate | None
    timeout_seconds: float
    mapping: AnswerMapping


@dataclass(frozen=True, slots=True)
class HttpInsurer:
    """An insurer that the generic HTTP/JSON adapter speaks to."""

    insurer_id: str
    base_url: str
    endpoints: Mapping[str, str]
    """Base URLs by the name that a binding may give as its endpoint."""
    connect_timeout_seconds: float
    concurrency: int
    """Connections, and so calls, at the same time."""
    largest_answer_bytes: int
    headers: Mapping[str, HeaderValue]
    signing: Signing | None
    tls: ssl.SSLContext | None
    """Own authorities and a certificate of ours, where the insurer wants one; None: the system's authorities."""
    submit: Operation
    inquire: Operation | None
    """None: this insurer cannot be asked; an UNKNOWN order needs a person."""


@dataclass(frozen=True, slots=True)
class PythonInsurer:
    """An insurer with an adapter of its own, found by entry point."""

    insurer_id: str
    adapter: str
    """Name in the entry-point group ``sluice.insurers``."""
    options: Mapping[str, object]


InsurerConfiguration = HttpInsurer | PythonInsurer
