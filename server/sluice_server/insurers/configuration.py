"""What is known of one insurer's interface, read from the adapters' file and checked."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from sluice_server.insurers.answers import AnswerMapping, JsonPath
from sluice_server.insurers.oauth import ClientCredentials
from sluice_server.insurers.secret import Secret
from sluice_server.insurers.signing import Signing, Verification
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
class Callback:
    """What the insurer sends by itself when it has decided."""

    verification: Verification
    application_id: JsonPath | None
    """Where the application's id is, if the insurer tells it. One of the two is there."""
    idempotency_key: JsonPath | None
    mapping: AnswerMapping


@dataclass(frozen=True, slots=True)
class PolicyList:
    """The call that lists a day's policies, page by page."""

    method: str
    path: Template
    """Over ``{day}``, ``{next_day}``, ``{start}``, ``{end}``, ``{cursor}``, ``{page}``."""
    headers: Mapping[str, HeaderValue]
    body: BodyTemplate | None
    timeout_seconds: float
    items: JsonPath
    """Where the list is in an answer; an empty path: the answer is the list."""
    policy_number: JsonPath
    """Within an item, like the next two."""
    application_id: JsonPath | None
    idempotency_key: JsonPath | None
    next_cursor: JsonPath | None
    """Where the answer says how to go on; nothing there: it was the last page. None: pages are counted, and one without
    items is behind the last."""
    time_zone: ZoneInfo
    """Of the insurer's calendar."""


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
    oauth2: ClientCredentials | None
    callback: Callback | None
    list: PolicyList | None
    inquire: Operation | None
    """None: this insurer cannot be asked; an UNKNOWN order needs a person."""

    def needed_of_bindings(self) -> frozenset[str]:
        """What a binding must say, or no order can be submitted: ``insurer_plan_code``, ``parameters.region``."""
        found: set[str] = set()
        for value in (*self.headers.values(), *self.submit.headers.values(), self.submit.path, self.submit.body):
            if isinstance(value, Template | BodyTemplate):
                found |= value.required
        return frozenset(path.removeprefix("binding.") for path in found if path.startswith("binding."))


@dataclass(frozen=True, slots=True)
class PythonInsurer:
    """An insurer with an adapter of its own, found by entry point."""

    insurer_id: str
    adapter: str
    """Name in the entry-point group ``sluice.insurers``."""
    options: Mapping[str, object]


InsurerConfiguration = HttpInsurer | PythonInsurer
