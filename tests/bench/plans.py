"""The plans that are measured."""

from __future__ import annotations

_HEAD = """\
plan: bench
description: Two insurers, shares 60 and 40 per cent.
insurers:
  insurer-a: {binding: {insurer_product_code: "A-{application.product_code}", parameters: {months: "{application.term_months}"}}}
  insurer-b: {binding: {insurer_product_code: B-SCREEN, parameters: {band: "{factors.price_band}"}}}
factors:
  price_band: >-
    application.device.price.amount_minor >= 600000 ? "high"
    : application.device.price.amount_minor >= 200000 ? "middle" : "low"
"""  # noqa: E501 - YAML
_SHARES = "[{insurer: insurer-a, share: 6000}, {insurer: insurer-b, share: 4000}]"


def plan(rules: int, products: int) -> str:
    """Rules by product code and, for products with two of them, the channel's tier; then one for everything else.

    Every product ``p00000`` … has at least one rule.
    """
    lines = [_HEAD, "products:\n"]
    lines += [f"- {{code: {code(place)}}}\n" for place in range(products)]
    lines += ["rules:\n"]
    for place in range(rules - 1):
        tier = f", channel.tier: t{place // products}" if place + products < rules - 1 else ""
        match = f"{{product_code: {code(place % products)}{tier}}}"
        lines.append(f"- {{name: r{place}, match: {match}, allocations: {_SHARES}}}\n")
    lines.append(f"- {{name: everything-else, on_exhausted: PARK, allocations: {_SHARES}}}\n")
    return "".join(lines)


def code(place: int) -> str:
    """The code of a product."""
    return f"p{place:05d}"
