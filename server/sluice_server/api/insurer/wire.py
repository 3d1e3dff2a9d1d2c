"""Requests of InsurerControl in the domain's words. Every function names all wrong fields of a request at once."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask

from sluice.insurer.v1 import breaker_pb2, insurer_control_pb2, insurer_pb2
from sluice_server.api.insurer.checks import Checks
from sluice_server.api.insurer.paging import read_page_token
from sluice_server.domain.breaker.commands import Command
from sluice_server.domain.breaker.control import Confirmation
from sluice_server.domain.breaker.model import BreakerMode, BreakerPolicy, Scope
from sluice_server.domain.breaker.ports import Capacity, Insurer
from sluice_server.domain.breaker.registry import UPDATABLE
from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.money import Money

INSURER_ID = re.compile(r"[a-z0-9-]{1,64}")
PRODUCT_LINE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
CURRENCY_CODE = re.compile(r"[A-Z]{3}")
LONGEST_REASON = 1_000
LARGEST_PAGE = 1_000

SECONDS_FIELDS: Mapping[str, str] = {
    "window": "window_seconds",
    "backlog_grace": "backlog_grace_seconds",
    "rate_window": "rate_window_seconds",
    "slow_after": "slow_seconds",
    "hold": "hold_seconds",
    "ramp_dwell": "ramp_dwell_seconds",
}
"""Durations of the proto, by the domain's names for them. All other fields are called the same on both sides."""
_EPOCH = datetime.fromtimestamp(0, UTC)


def insurer_id_of(request: insurer_control_pb2.GetInsurerRequest) -> str:
    checks = Checks()
    insurer_id = _insurer_id(checks, "insurer_id", request.insurer_id)
    checks.raise_if_any()
    return insurer_id


def incident_id_of(request: insurer_control_pb2.GetIncidentRequest) -> str:
    checks = Checks()
    incident_id = checks.text("incident_id", request.incident_id, most=64, required=True)
    checks.raise_if_any()
    return incident_id


def watched_insurers(request: insurer_control_pb2.WatchInsurersRequest) -> list[str]:
    checks = Checks()
    if len(request.insurer_ids) > LARGEST_PAGE:
        checks.refuse("insurer_ids", f"at most {LARGEST_PAGE}, or none for all")
    else:
        for index, insurer_id in enumerate(request.insurer_ids):
            _insurer_id(checks, f"insurer_ids[{index}]", insurer_id)
    checks.raise_if_any()
    return list(request.insurer_ids)


def command(request: Any) -> Command:
    """Of the calls on a breaker that need nothing else."""
    checks = Checks()
    asked = _command(checks, request)
    checks.raise_if_any()
    return asked


def confirmation(request: insurer_control_pb2.ConfirmRecoveryRequest) -> tuple[Command, Confirmation]:
    checks = Checks()
    asked = _command(checks, request)
    confirmed = Confirmation(
        contact=checks.text("contact", request.contact, most=256, required=True),
        evidence=checks.text("evidence", request.evidence, most=1_000, required=True),
    )
    checks.raise_if_any()
    return asked, confirmed


def mode(request: insurer_control_pb2.SetBreakerModeRequest) -> tuple[Command, BreakerMode]:
    checks = Checks()
    asked = _command(checks, request)
    name = _enum_name(breaker_pb2.BreakerMode, request.mode, "BREAKER_MODE_")
    if name not in BreakerMode.__members__:
        checks.refuse("mode", f"required: one of {', '.join(BreakerMode)}")
    checks.raise_if_any()
    return asked, BreakerMode[name]


def policy_update(
    request: insurer_control_pb2.UpdateBreakerPolicyRequest,
) -> tuple[Command, BreakerPolicy, list[str]]:
    """The new values, and which of the policy's fields (in the domain's names) are meant."""
    checks = Checks()
    asked = _command(checks, request)
    if not request.HasField("policy"):
        checks.refuse("policy", "required")
    known = {f.name for f in request.policy.DESCRIPTOR.fields}
    mask = _mask(checks, request.update_mask, known)
    checks.raise_if_any()
    values = policy(request.policy, mask)
    return asked, values, [SECONDS_FIELDS.get(name, name) for name in mask]


def policy(message: breaker_pb2.BreakerPolicy, names: Iterable[str]) -> BreakerPolicy:
    """The named fields of the proto's policy, the others by default. Ranges are the domain's business."""
    values: dict[str, Any] = {}
    for name in names:
        value = getattr(message, name)
        if name in SECONDS_FIELDS:
            values[SECONDS_FIELDS[name]] = seconds(value)
        elif name == "ramp_steps_basis_points":
            values[name] = tuple(value)
        else:
            values[name] = value
    return BreakerPolicy(**values)


def in_proto_names(invalid: InvalidInput) -> InvalidInput:
    """A policy's violations as the caller knows the fields: ``policy.window_seconds`` is ``policy.window`` to them."""
    names = {domain: proto for proto, domain in SECONDS_FIELDS.items()}
    renamed = []
    for violation in invalid.violations:
        head, _, name = violation.field.partition(".")
        field = f"{head}.{names.get(name, name)}" if name else head
        renamed.append(Violation(field, violation.description))
    return InvalidInput(renamed)


def new_insurer(request: insurer_control_pb2.CreateInsurerRequest) -> tuple[Insurer, str, str]:
    """The insurer (without times and version), the reason, the request id."""
    checks = Checks()
    if not request.HasField("insurer"):
        checks.refuse("insurer", "required")
    wanted = _insurer(checks, request.insurer, ("display_name", "description", "contact", "capacity"))
    reason, request_id = _reason(checks, request)
    checks.raise_if_any()
    return wanted, reason, request_id


def insurer_update(request: insurer_control_pb2.UpdateInsurerRequest) -> tuple[Insurer, list[str], str, str, str]:
    """The new values, the mask, the etag, the reason, the request id."""
    checks = Checks()
    if not request.HasField("insurer"):
        checks.refuse("insurer", "required")
    mask = _mask(checks, request.update_mask, UPDATABLE)
    wanted = _insurer(checks, request.insurer, mask)
    etag = checks.text("insurer.etag", request.insurer.etag, most=64)
    reason, request_id = _reason(checks, request)
    checks.raise_if_any()
    return wanted, mask, etag, reason, request_id


def page(request: Any, list_name: str, filters: Collection[object], *, default: int) -> tuple[str, int]:
    """Where the page begins ("" for the first), and how many rows it has at most."""
    checks = Checks()
    if not 0 <= request.page_size <= LARGEST_PAGE:
        checks.refuse("page_size", f"must be from 0 to {LARGEST_PAGE}")
    for name in ("insurer_id", "subject", "actor"):
        if name in request.DESCRIPTOR.fields_by_name:
            pattern = INSURER_ID if name == "insurer_id" else None
            checks.text(name, getattr(request, name), most=256, pattern=pattern)
    checks.raise_if_any()
    position = read_page_token(request.page_token, list_name, filters)
    return position, request.page_size or default


def seconds(duration: Duration) -> float:
    """A duration in seconds; also one that the proto's rules forbid (the domain then refuses it by its range)."""
    return float(duration.seconds + duration.nanos / 1e9)


def _command(checks: Checks, request: Any) -> Command:
    insurer_id = _insurer_id(checks, "insurer_id", request.insurer_id)
    line = checks.text("product_line", request.product_line, most=64, pattern=PRODUCT_LINE)
    etag = checks.text("etag", request.etag, most=64)
    reason, request_id = _reason(checks, request)
    return Command(Scope(insurer_id, line), reason, request_id, etag)


def _reason(checks: Checks, request: Any) -> tuple[str, str]:
    reason = checks.text("reason", request.reason, most=LONGEST_REASON, required=True)
    request_id = checks.text("request_id", request.request_id, most=64)
    return reason.strip(), request_id


def _insurer_id(checks: Checks, field: str, value: str) -> str:
    return checks.text(field, value, most=64, required=True, pattern=INSURER_ID)


def _mask(checks: Checks, mask: FieldMask, known: Collection[str]) -> list[str]:
    if not mask.paths:
        checks.refuse("update_mask", f"required: some of {', '.join(sorted(known))}")
    for path in mask.paths:
        if path not in known:
            checks.refuse("update_mask", f"{path[:64]!r} is not one of {', '.join(sorted(known))}")
    return [path for path in dict.fromkeys(mask.paths) if path in known]


def _insurer(checks: Checks, message: insurer_pb2.Insurer, names: Collection[str]) -> Insurer:
    insurer_id = _insurer_id(checks, "insurer.insurer_id", message.insurer_id)
    if "display_name" in names:
        checks.text("insurer.display_name", message.display_name, most=128, required=True)
    if "description" in names:
        checks.text("insurer.description", message.description, most=1_000)
    if "contact" in names:
        checks.text("insurer.contact", message.contact, most=256)
    capacity = _capacity(checks, message.capacity) if "capacity" in names else Capacity()
    return Insurer(
        insurer_id=insurer_id,
        display_name=message.display_name,
        description=message.description,
        capacity=capacity,
        contact=message.contact,
        created_at=_EPOCH,
        updated_at=_EPOCH,
        version=0,
    )


def _capacity(checks: Checks, message: insurer_pb2.Capacity) -> Capacity:
    limits: dict[str, int | None] = {}
    for name in ("orders_per_second", "orders_per_day"):
        limits[name] = getattr(message, name) if message.HasField(name) else None
        if limits[name] is not None and getattr(message, name) < 1:
            checks.refuse(f"insurer.capacity.{name}", "must be at least 1; leave it out for no limit")
    premium = None
    if message.HasField("premium_per_day"):
        premium = Money(message.premium_per_day.amount_minor, message.premium_per_day.currency_code)
        if premium.amount_minor < 1:
            checks.refuse("insurer.capacity.premium_per_day.amount_minor", "must be at least 1")
        if not CURRENCY_CODE.fullmatch(premium.currency_code):
            checks.refuse("insurer.capacity.premium_per_day.currency_code", "must be a code such as CNY")
    return Capacity(premium_per_day=premium, **limits)


def _enum_name(enum: Any, number: int, prefix: str) -> str:
    """The name of an enum's number without its prefix; empty for a number that this version does not know."""
    return enum.Name(number).removeprefix(prefix) if number in enum.values() else ""


assert {SECONDS_FIELDS.get(f.name, f.name) for f in breaker_pb2.BreakerPolicy.DESCRIPTOR.fields} == {
    f.name for f in fields(BreakerPolicy)
}, "the proto's policy and the domain's have the same fields"
