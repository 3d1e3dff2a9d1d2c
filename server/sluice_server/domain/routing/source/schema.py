"""The JSON Schema of plans: what an editor completes and checks while a plan is written.

It says what ``parse`` says about structure, types and lengths, and which fields there are. What words mean together
(shares that sum, factors that exist, rules that are reached) only ``sluice plan validate`` knows. Draft 7, because that
is what YAML editors speak.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from sluice_server.domain.routing.source.document import Deficit, OnExhausted, Split
from sluice_server.domain.routing.source.fields import FIELDS, FieldKind
from sluice_server.domain.routing.source.limits import DEFAULT_LIMITS, PlanLimits
from sluice_server.domain.routing.source.parse import DEFAULT_STICKY_KEY, FACTOR_NAME, INSURER_ID

Schema = dict[str, Any]

SHOWN = r"(?:[^\p{C}\p{Zl}\p{Zp}]|[\n\t])*"
"""What can be printed: no control characters but line breaks and tabs."""
TEXT = rf"^{SHOWN}[^\p{{C}}\p{{Z}}\n\t]{SHOWN}$"
"""The same, and not blank."""


def plan_schema(limits: PlanLimits = DEFAULT_LIMITS) -> Schema:
    """The schema, ready to be written as JSON."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Sluice plan (分流配置)",
        "description": "Who insures what. `sluice plan validate FILE` checks what a schema cannot.",
        **_mapping(
            {
                "plan": _text("Name of the plan.", 64),
                "description": _optional(_text("What the plan is for.", limits.max_description_length)),
                "insurers": _insurers(limits),
                "products": _list(
                    "What the plan serves; other applications are refused.", _product(), limits.max_products
                ),
                "factors": _factors(limits),
                "rules": _list("The first rule that matches decides.", _rule(limits), limits.max_rules),
            },
            required=("plan", "products", "rules"),
        ),
        "definitions": {"condition": _condition(limits), "binding": _binding(limits)},
    }


def _mapping(properties: Mapping[str, Schema], *, required: Iterable[str] = (), description: str = "") -> Schema:
    """A mapping with these keys and no others."""
    found: Schema = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    if description:
        found["description"] = description
    if required := list(required):
        found["required"] = required
    return found


def _text(description: str, maximum: int, **more: Any) -> Schema:
    return {"description": description, "type": "string", "maxLength": maximum, "pattern": TEXT, **more}


def _optional(schema: Schema) -> Schema:
    """The same, or nothing: a key without a value counts as absent."""
    if "enum" in schema:
        return schema | {"enum": [*schema["enum"], None]}
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return schema | {"type": [*kinds, "null"]}


def _list(description: str, items: Schema, maximum: int) -> Schema:
    return {"description": description, "type": "array", "items": items, "minItems": 1, "maxItems": maximum}


def _reference(name: str, description: str) -> Schema:
    # In draft 7 everything beside a $ref is ignored.
    return {"description": description, "allOf": [{"$ref": f"#/definitions/{name}"}]}


def _insurers(limits: PlanLimits) -> Schema:
    insurer = _mapping({"binding": _reference("binding", "What all of this insurer's allocations take over.")})
    return _optional(
        {
            "description": "The insurers that the plan may name. When given, any other insurer is an error.",
            "type": "object",
            "propertyNames": {"pattern": f"^(?:{INSURER_ID.pattern})$"},
            "additionalProperties": _optional(insurer),
            "maxProperties": limits.max_insurers,
        }
    )


def _product() -> Schema:
    names = {
        "code": "The product_code of its applications.",
        "product_line": "The product_line of its applications: screen, warranty …",
        "category": "The device.category of its applications: phone, tablet …",
    }
    product = _mapping(
        {name: _optional(_text(description, 64)) for name, description in names.items()},
        description="All the fields that are given must agree.",
    )
    return product | {"anyOf": [{"required": [name]} for name in names]}


def _factors(limits: PlanLimits) -> Schema:
    expression = _text(
        'CEL over application and now; rating("KIND", ID) and score("KIND", ID) read the risk data.',
        limits.max_expression_length,
        examples=["application.term_months", 'rating("channel", application.channel.channel_id)'],
    )
    whole = _mapping(
        {
            "expression": expression,
            "default": {
                "description": "Taken when the expression cannot be computed; required where it reads the risk data.",
                "type": ["string", "number", "boolean", "null"],
            },
            "description": {"description": "For readers."},
        },
        required=("expression",),
    )
    return _optional(
        {
            "description": "Values computed from the application; decisions record them.",
            "type": "object",
            "propertyNames": {"pattern": f"^(?:{FACTOR_NAME.pattern})$"},
            "additionalProperties": {"anyOf": [expression, whole]},
            "maxProperties": limits.max_factors,
        }
    )


def _rule(limits: PlanLimits) -> Schema:
    fields = {
        path: _reference("condition", f"{'Number' if kind is FieldKind.NUMBER else 'Text'} application.{path}.")
        for path, (kind, _) in FIELDS.items()
    }
    named = {
        r"^attributes\.[\s\S]": _reference("condition", "An attribute of the application."),
        r"^factors\.[\s\S]": _reference("condition", "A factor of this plan."),
    }
    return _mapping(
        {
            "name": _text("Unique in the plan; decisions record it.", 128),
            "match": _optional(
                _mapping(fields, description="Conditions by field; all must hold. None: matches everything.")
                | {"patternProperties": named, "maxProperties": limits.max_conditions}
            ),
            "when": _optional(_text("A CEL condition for what match cannot say.", limits.max_expression_length)),
            "split": _optional(
                _choice(
                    "How the orders are divided. STICKY: the same key always goes to the same insurer. "
                    "EXACT: by a ledger, shares hold at any moment.",
                    Split,
                    Split.STICKY,
                )
            ),
            "deficit": _optional(
                _choice(
                    "EXACT only: what becomes of the orders that an insurer misses while it is cut. "
                    "FORGIVEN: it takes up its share again. REPAID: it is given them on top of its share.",
                    Deficit,
                    Deficit.FORGIVEN,
                )
            ),
            "sticky_key": _optional(
                _text(
                    "The field whose value stays with one insurer.",
                    limits.max_text_length,
                    default=DEFAULT_STICKY_KEY,
                    examples=[*FIELDS],
                )
            ),
            "on_exhausted": _optional(
                _choice(
                    "When no insurer is left. PARK: kept and routed later. "
                    "KEEP_LAST: the excluded one with the highest share.",
                    OnExhausted,
                    OnExhausted.PARK,
                )
            ),
            "allocations": _list(
                "The rule's insurers; the shares sum to 10,000.", _allocation(), limits.max_allocations
            ),
            "description": {"description": "For readers."},
        },
        required=("name", "allocations"),
    )


def _choice(description: str, kind: type[StrEnum], default: StrEnum) -> Schema:
    return {"description": description, "enum": [member.value for member in kind], "default": default.value}


def _allocation() -> Schema:
    return _mapping(
        {
            "insurer": {
                "description": "Id of the insurer.",
                "type": "string",
                "pattern": f"^(?:{INSURER_ID.pattern})$",
            },
            "share": {
                "description": "Basis points: 2500 is a quarter.",
                "type": "integer",
                "minimum": 1,
                "maximum": 10_000,
            },
            "binding": _reference("binding", "The insurer's own parameters, over those of `insurers`."),
        },
        required=("insurer", "share"),
    )


def _binding(limits: PlanLimits) -> Schema:
    longest = limits.max_text_length
    return _optional(
        _mapping(
            {
                "insurer_product_code": _optional(
                    _text("The insurer's product code; a template such as A-{application.product_code}.", longest)
                ),
                "insurer_plan_code": _optional(_text("The insurer's plan code; a template.", longest)),
                "endpoint": _optional(_text("Name of the endpoint in the insurer's adapter configuration.", 64)),
                "parameters": _optional(
                    {
                        "description": "What else the insurer's interface wants; values are templates.",
                        "type": "object",
                        "propertyNames": {"minLength": 1, "maxLength": 64, "pattern": r"^[^\p{C}\p{Zl}\p{Zp}]*$"},
                        "additionalProperties": _text("A template.", longest),
                        "maxProperties": limits.max_parameters,
                    }
                ),
            }
        )
    )


def _condition(limits: PlanLimits) -> Schema:
    value: Schema = {
        "anyOf": [
            {"type": ["number", "boolean"]},
            {"const": ""},
            {"type": "string", "maxLength": limits.max_text_length, "pattern": TEXT},
        ]
    }
    prefix = _text("Begins with this.", limits.max_text_length)
    bounds = {"at_least": "≥ this.", "above": "> this.", "at_most": "≤ this.", "below": "< this."}
    return {
        "anyOf": [
            {"description": "Exactly this.", **value},
            _list("One of these.", value, limits.max_listed_values),
            _mapping(
                {
                    "prefix": {
                        "description": "Begins with this text, or with one of these.",
                        "anyOf": [prefix, _list("One of these.", prefix, limits.max_listed_values)],
                    }
                },
                required=("prefix",),
            ),
            _mapping(
                {
                    **{name: {"description": text, "type": ["number", "null"]} for name, text in bounds.items()},
                    "prefix": {"type": "null"},
                }
            )
            | {"minProperties": 1},
        ]
    }
