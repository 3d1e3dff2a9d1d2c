"""What is routed, and the answer: applications and decisions."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

import orjson

from sluice_server.domain.money import Money


@dataclass(frozen=True, slots=True)
class Device:
    """The device to be insured."""

    device_ref: str
    """Opaque reference of the one device; never a serial number."""
    model_id: str
    category: str
    """One of the seller's device categories: phone, tablet, tv …"""
    brand: str
    price: Money
    purchased_on: date | None = None


@dataclass(frozen=True, slots=True)
class Channel:
    """Where the plan is sold."""

    channel_id: str
    store_id: str = ""
    tier: str = ""
    """The operator's class of the channel: gold, silver …"""


class _Kept:
    """Room for what is worked out once for a value that does not change. No field: it is neither compared nor shown."""

    __slots__ = ("_content",)
    _content: bytes


_content_slot: Any = vars(_Kept)["_content"]
set_content: Callable[[_Kept, bytes], None] = _content_slot.__set__
"""For whoever has made an application's ``content()`` together with it."""


@dataclass(frozen=True, slots=True)
class Application(_Kept):
    """投保单: what a seller wants insured."""

    application_id: str
    product_code: str
    product_line: str
    """Kind of protection: screen, warranty, accident …"""
    device: Device
    channel: Channel
    customer_ref: str
    """Opaque reference of the customer; never a name or a number of an identity document."""
    premium: Money
    term_months: int
    attributes: Mapping[str, str] = field(default_factory=dict)
    """What else the plan's rules and bindings may read."""

    def content(self) -> bytes:
        """All of it as JSON with sorted names: equal exactly when the content is equal. Made once."""
        try:
            made = self._content
        except AttributeError:
            made = orjson.dumps(self, default=dict, option=orjson.OPT_SORT_KEYS)
            set_content(self, made)
        return made

    def digest(self) -> bytes:
        """SHA-256 of the content."""
        return hashlib.sha256(self.content()).digest()

    def fingerprint(self) -> str:
        """``digest()`` in hexadecimal."""
        return self.digest().hex()


class Disposition(StrEnum):
    """What a decision says."""

    ROUTED = "ROUTED"
    """An insurer takes it."""
    PARKED = "PARKED"
    """No insurer is left; the order is kept and routed later."""
    KEPT_LAST = "KEPT_LAST"
    """No insurer is left; the rule keeps the last one (the excluded insurer with the highest share)."""
    REJECTED = "REJECTED"
    """No insurer is left; the rule rejects."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An insurer of the matched rule and why it could or could not be chosen."""

    insurer_id: str
    share_basis_points: int
    """The share the rule gives, of 10,000."""
    weight_basis_points: int
    """The share times what the breaker admits: 0 when excluded, less than the share while ramping."""
    excluded_because: str = ""
    """Empty when it took part: ``CUT``, ``FAILED_BEFORE``, ``CAPACITY`` …"""


@dataclass(frozen=True, slots=True)
class Binding:
    """参数绑定: the insurer's own parameters, fixed to the order by the decision."""

    insurer_product_code: str
    insurer_plan_code: str = ""
    endpoint: str = ""
    """Name of the endpoint in the insurer's adapter configuration; empty for its default."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """Values after the templates over the application were filled in."""


@dataclass(frozen=True, slots=True)
class Decision:
    """分流结果: the stored answer to "who insures this application", with all that is needed to re-derive it."""

    decision_id: str
    application_id: str
    number: int
    """1 for the first decision of an application, 2 after the first re-route …"""
    disposition: Disposition
    insurer_id: str
    """Empty when parked or rejected."""
    binding: Binding | None
    plan_name: str
    plan_version: int
    rule: str
    factors: Mapping[str, str | int | float | bool]
    split_key: str
    """The value hashed by a STICKY split."""
    ledger_position: int | None
    """EXACT: the how-manieth order of its page of the share ledger it is; None for STICKY and when nobody is left."""
    candidates: tuple[Candidate, ...]
    traffic_version: int
    """Version of the breakers' snapshot that was applied."""
    decided_at: datetime
    ledger_orders: tuple[int, ...] = ()
    """EXACT: each candidate's orders before this one on that page; with the shares and weights they give the insurer
    again (``ledger.next_insurer``). Empty without a ledger position."""


def plain(value: object) -> object:
    """A frozen dataclass as nested dicts that JSON can hold; dates and times as RFC 3339."""
    if is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in fields(value)}
    if isinstance(value, Mapping):
        return {str(k): plain(v) for k, v in value.items()}
    if isinstance(value, tuple | list | frozenset):
        return [plain(v) for v in value]
    if isinstance(value, date | datetime):
        return value.isoformat()
    return value
