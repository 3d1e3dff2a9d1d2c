"""The JSON of a first decision, as the decision log writes it thousands of times a second."""

from __future__ import annotations

import orjson

from sluice_server.domain.routing.frame import FirstDecision
from sluice_server.domain.routing.model import Decision
from sluice_server.store.content import DECISION
from sluice_server.store.types import json_text

_OWN = ("rule", "split_key")
"""What decisions with the same frame do not share, of that which has no column of its own."""


def first_decision_text(first: FirstDecision) -> str:
    """``json_text(DECISION.encode(first.decision()))``, the names in another order.

    What decisions with the same frame share is written once: to write all of it takes five times as long.
    """
    own = orjson.dumps({"rule": first.rule, "split_key": first.split_key}).decode()
    return own[:-1] + first.frame.kept(_shared, first)


def _shared(decision: Decision) -> str:
    """Behind a decision's own fields: a comma, the others, the closing brace."""
    content = DECISION.encode(decision)
    for name in _OWN:
        del content[name]
    return "," + json_text(content)[1:]
