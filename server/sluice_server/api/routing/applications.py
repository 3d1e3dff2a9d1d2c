"""Applications as they come in: read, and every violation named."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from functools import cache, lru_cache

from sluice.routing.v1 import application_pb2, routing_pb2
from sluice_server.api.routing.fields import MAXIMUM_MINOR, Fields
from sluice_server.api.routing.limits import DEFAULT_REQUEST_LIMITS, RequestLimits
from sluice_server.domain.construct import constructor
from sluice_server.domain.money import Money
from sluice_server.domain.routing.model import Application, Channel, Device, set_content

LONGEST_TERM_MONTHS = 120

_money, _device_of = constructor(Money), constructor(Device)
_day = lru_cache(maxsize=4_096)(date.fromisoformat)
_channel_of, _application_of = constructor(Channel), constructor(Application)


def application_of(
    request: routing_pb2.RouteRequest | routing_pb2.SubmitRequest, limits: RequestLimits = DEFAULT_REQUEST_LIMITS
) -> Application:
    """A request's one application. Raises InvalidInput with every violation, named from ``application.`` on."""
    plain = _plain(request.application, limits)
    if plain is not None:
        return plain
    fields = Fields(limits)
    if not request.HasField("application"):
        fields.wrong("application", "required")
        fields.done()
    read = application_in(request.application, fields, "application")
    fields.done()
    return read


def application(message: application_pb2.Application) -> Application:
    """One that came out of Sluice before. Raises InvalidInput."""
    return application_of(routing_pb2.RouteRequest(application=message))


def _plain(message: application_pb2.Application, limits: RequestLimits) -> Application | None:
    """The application when all of it is in order beyond doubt: nearly all of them, in a third of the time. None when
    something may be wrong with it, or is only unusual: then ``application_in`` reads it, and names what is wrong.

    Whether a message is there need not be asked: an absent one reads as empty, which no required text may be.
    """
    device, channel, premium = message.device, message.channel, message.premium
    price, attributes = device.price, message.attributes
    premium_minor, price_minor, term_months = premium.amount_minor, price.amount_minor, message.term_months
    texts = (
        message.application_id,
        message.product_code,
        message.product_line,
        message.customer_ref,
        device.device_ref,
        device.model_id,
        device.category,
        channel.channel_id,
        device.brand,
        channel.store_id,
        channel.tier,
        premium.currency_code,
        price.currency_code,
        device.purchased_on,
    )
    if (
        not (0 <= premium_minor <= MAXIMUM_MINOR and 0 <= price_minor <= MAXIMUM_MINOR)
        or not 1 <= term_months <= LONGEST_TERM_MONTHS
        or attributes
        or _pattern(limits.max_text_length)("\n".join(texts)) is None
    ):
        return None
    application_id, code, line, customer, ref, model, category, channel_id, brand, store, tier, paid, priced, day = (
        texts
    )
    purchased_on = None
    if day:
        try:
            purchased_on = _day(day)
        except ValueError:
            return None
    read = _application_of(
        application_id,
        code,
        line,
        _device_of(ref, model, category, brand, _money(price_minor, priced), purchased_on),
        _channel_of(channel_id, store, tier),
        customer,
        _money(premium_minor, paid),
        term_months,
        {},
    )
    on_day = f'"{day}"' if day else "null"
    # No text has a sign that JSON escapes, so that it can be put together in a third of the time.
    set_content(
        read,
        (
            f'{{"application_id":"{application_id}","product_code":"{code}","product_line":"{line}","device":'
            f'{{"device_ref":"{ref}","model_id":"{model}","category":"{category}","brand":"{brand}","price":'
            f'{{"amount_minor":{price_minor},"currency_code":"{priced}"}},"purchased_on":{on_day}}},"channel":'
            f'{{"channel_id":"{channel_id}","store_id":"{store}","tier":"{tier}"}},"customer_ref":"{customer}","premium":'
            f'{{"amount_minor":{premium_minor},"currency_code":"{paid}"}},"term_months":{term_months},"attributes":{{}}}}'
        ).encode(),
    )
    return read


@cache
def _pattern(max_text_length: int) -> Callable[[str], re.Match[str] | None]:
    """Matches the texts of ``_plain``, a line each, when they hold nothing but ASCII and Chinese characters,
    and none that JSON escapes."""
    first, rest = r"[!#-\[\]-~一-鿿]", r"[ !#-\[\]-~一-鿿]"
    required = f"{first}{rest}{{0,{max_text_length - 1}}}\n"
    optional = f"(?:{first}{rest}{{0,{max_text_length - 1}}})?\n"
    currency, day = "[A-Z]{3}\n", "(?:[0-9]{4}-[0-9]{2}-[0-9]{2})?"
    return re.compile("[A-Za-z0-9._:-]{1,64}\n" + 7 * required + 3 * optional + 2 * currency + day).fullmatch


def application_in(message: application_pb2.Application, fields: Fields, path: str) -> Application:
    """One of a request that has more; what is wrong with it is noted in ``fields``, under ``path``."""
    # The paths are constants: at thousands of calls a second it would cost too much to put them together for nothing.
    fields = fields.under(path)
    application_id = fields.identifier("application_id", message.application_id)
    product_code = fields.text("product_code", message.product_code)
    product_line = fields.text("product_line", message.product_line)
    return Application(
        application_id=application_id,
        product_code=product_code,
        product_line=product_line,
        device=_device(message, fields),
        channel=_channel(message, fields),
        customer_ref=fields.text("customer_ref", message.customer_ref),
        premium=fields.money("premium", message.premium, given=message.HasField("premium")),
        term_months=fields.whole("term_months", message.term_months, minimum=1, maximum=LONGEST_TERM_MONTHS),
        attributes=_attributes(message.attributes, fields),
    )


def _device(message: application_pb2.Application, fields: Fields) -> Device:
    if not message.HasField("device"):
        fields.wrong("device", "required")
        return Device("", "", "", "", Money(0, ""))
    device = message.device
    return Device(
        device_ref=fields.text("device.device_ref", device.device_ref),
        model_id=fields.text("device.model_id", device.model_id),
        category=fields.text("device.category", device.category),
        brand=fields.text("device.brand", device.brand, required=False),
        price=fields.money("device.price", device.price, given=device.HasField("price")),
        purchased_on=fields.day("device.purchased_on", device.purchased_on),
    )


def _channel(message: application_pb2.Application, fields: Fields) -> Channel:
    if not message.HasField("channel"):
        fields.wrong("channel", "required")
        return Channel("")
    channel = message.channel
    return Channel(
        channel_id=fields.text("channel.channel_id", channel.channel_id),
        store_id=fields.text("channel.store_id", channel.store_id, required=False),
        tier=fields.text("channel.tier", channel.tier, required=False),
    )


def _attributes(given: Mapping[str, str], fields: Fields) -> Mapping[str, str]:
    if not given:
        return {}
    attributes = dict(given)
    limits = fields.limits
    if len(attributes) > limits.max_attributes:
        accepted = f"at most {limits.max_attributes} are accepted (max_attributes)"
        fields.wrong("attributes", f"{len(attributes)} entries; {accepted}")
        return {}
    for key, value in attributes.items():
        if not 1 <= len(key) <= 64 or not key.isprintable():
            fields.wrong("attributes", f"a key must have 1 to 64 printable characters; {key[:64]!r} has not")
        path = f"attributes[{key[:64]}]"
        if len(value) > limits.max_attribute_length:
            accepted = f"at most {limits.max_attribute_length} are accepted (max_attribute_length)"
            fields.wrong(path, f"{len(value)} characters; {accepted}")
        else:
            fields.text(path, value, maximum=limits.max_attribute_length, required=False)
    return attributes


def batch(messages: Sequence[application_pb2.Application], limits: RequestLimits) -> None:
    """Checks what concerns a batch as a whole. Raises InvalidInput."""
    fields = Fields(limits)
    accepted = f"1 to {limits.max_batch:,} are accepted (max_batch)"
    if not messages:
        fields.wrong("applications", f"empty; {accepted}")
    elif len(messages) > limits.max_batch:
        fields.wrong("applications", f"{len(messages)} applications; {accepted}")
    else:
        fields.repeated("applications", (m.application_id for m in messages), "application_id")
    fields.done()


def batch_item(message: application_pb2.Application, index: int, limits: RequestLimits) -> Application:
    """One application of a batch. Raises InvalidInput, named from ``applications[index].`` on."""
    plain = _plain(message, limits)
    if plain is not None:
        return plain
    fields = Fields(limits)
    read = application_in(message, fields, f"applications[{index}]")
    fields.done()
    return read
