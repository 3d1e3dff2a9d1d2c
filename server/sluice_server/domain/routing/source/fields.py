"""The fields of an application that a plan may name: in ``match``, in templates, as a sticky key and in CEL."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from enum import StrEnum
from operator import attrgetter

from sluice_server.domain.routing.model import Application

FactorValue = str | int | float | bool
Getter = Callable[[Application, datetime], "str | int | None"]

ATTRIBUTE_PREFIX = "attributes."
FACTOR_PREFIX = "factors."


class FieldKind(StrEnum):
    """What a field holds."""

    TEXT = "text"
    NUMBER = "number"


def device_age_days(application: Application, now: datetime) -> int:
    """Whole days from the purchase to ``now`` (UTC), -1 when the day of purchase is unknown; not below 0 otherwise."""
    purchased = application.device.purchased_on
    return -1 if purchased is None else max(0, (now.date() - purchased).days)


def _purchased_on(application: Application, now: datetime) -> str:
    purchased = application.device.purchased_on
    return "" if purchased is None else purchased.isoformat()


_TEXT, _NUMBER = FieldKind.TEXT, FieldKind.NUMBER

FIELDS: dict[str, tuple[FieldKind, Getter]] = {
    "application_id": (_TEXT, lambda a, now: a.application_id),
    "product_code": (_TEXT, lambda a, now: a.product_code),
    "product_line": (_TEXT, lambda a, now: a.product_line),
    "customer_ref": (_TEXT, lambda a, now: a.customer_ref),
    "term_months": (_NUMBER, lambda a, now: a.term_months),
    "premium.amount_minor": (_NUMBER, lambda a, now: a.premium.amount_minor),
    "premium.currency_code": (_TEXT, lambda a, now: a.premium.currency_code),
    "device.device_ref": (_TEXT, lambda a, now: a.device.device_ref),
    "device.model_id": (_TEXT, lambda a, now: a.device.model_id),
    "device.category": (_TEXT, lambda a, now: a.device.category),
    "device.brand": (_TEXT, lambda a, now: a.device.brand),
    "device.price.amount_minor": (_NUMBER, lambda a, now: a.device.price.amount_minor),
    "device.price.currency_code": (_TEXT, lambda a, now: a.device.price.currency_code),
    "device.purchased_on": (_TEXT, _purchased_on),
    "device.age_days": (_NUMBER, device_age_days),
    "channel.channel_id": (_TEXT, lambda a, now: a.channel.channel_id),
    "channel.store_id": (_TEXT, lambda a, now: a.channel.store_id),
    "channel.tier": (_TEXT, lambda a, now: a.channel.tier),
}
"""Path without ``application.`` → kind and value. ``attributes.KEY`` is a further one for every KEY."""


def attribute_of(path: str) -> str | None:
    """The attribute's key when the path is ``attributes.KEY``."""
    return path.removeprefix(ATTRIBUTE_PREFIX) or None if path.startswith(ATTRIBUTE_PREFIX) else None


def kind_of(path: str) -> FieldKind | None:
    """What the field holds; None when there is no such field."""
    if path in FIELDS:
        return FIELDS[path][0]
    return FieldKind.TEXT if attribute_of(path) is not None else None


def getter(path: str) -> Getter:
    """How to read the field. An absent attribute reads as None. KeyError when there is no such field."""
    key = attribute_of(path)
    if key is None:
        return FIELDS[path][1]
    return lambda application, now: application.attributes.get(key)


_COMPUTED = frozenset({"device.purchased_on", "device.age_days"})


def plain_reader(paths: Iterable[str]) -> Callable[[Application], tuple[str | int, ...]] | None:
    """Reads several fields at once, by their paths; None where one of them is not simply an attribute."""
    paths = tuple(paths)
    if not paths or any(path not in FIELDS or path in _COMPUTED for path in paths):
        return None
    if len(paths) == 1:
        # attrgetter of one name gives the value alone.
        return attrgetter(*paths, *paths)
    return attrgetter(*paths)
