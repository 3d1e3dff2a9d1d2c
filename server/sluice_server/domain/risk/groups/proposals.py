"""What the language model is asked, and how its answer is taken: strictly, and every refusal counted.

It gets the catalogue of dimensions and sums over the discovery half: nothing that names a customer or a device, and
nothing of the half that will judge. Of its answer only conditions and side are used, never a number or a sentence.
"""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sluice_server.domain.risk.groups.cells import DIMENSIONS, GroupCells
from sluice_server.domain.risk.groups.difference import described
from sluice_server.domain.risk.groups.group import MOST_LEVELS, Candidate, Condition, GroupSearch, Side, Source
from sluice_server.domain.risk.groups.ports import Completion, LanguageModel, LanguageModelFailed
from sluice_server.domain.risk.models.columns import Floats, Mask

ATTEMPTS = 2
"""Answers that are no JSON are asked for once more."""
ANSWER_TOKENS = 2_000
LETTERS_A_TOKEN = 3
"""Low, so that the estimate is rather too high."""
MOST_PAIRS = 400
INSTRUCTION = (
    "You look for groups of device-protection policies whose claim frequency differs from the rest, for a statistical "
    "test on other data. Use only the dimensions and values of the catalogue. Answer with one JSON object and nothing "
    'else: {"groups": [{"conditions": [{"dimension": "...", "value": "..."}], "side": "higher" or "lower"}]}. '
    "At most %d groups of at most %d conditions, each on another dimension, the most plausible first."
)


@dataclass(frozen=True, slots=True)
class Proposed:
    """What came of asking."""

    candidates: tuple[Candidate, ...]
    refused: Mapping[str, int]
    tokens: int
    failure: str = ""


async def ask(
    model: LanguageModel, cells: GroupCells, claims: Floats, half: Mask, search: GroupSearch, *, token_budget: int
) -> Proposed:
    """Never raises for what the model does: a failure is part of the result."""
    instruction = INSTRUCTION % (search.proposals, search.depth)
    room = token_budget - ANSWER_TOKENS - _tokens(instruction)
    text = material(cells, claims, half, search, most_letters=max(room, 0) * LETTERS_A_TOKEN)
    spent, failure = 0, ""
    for _ in range(ATTEMPTS):
        if spent + _tokens(instruction) + _tokens(text) + ANSWER_TOKENS > token_budget:
            reason = f"the token budget of {token_budget:,} is used up"
            return Proposed((), {}, spent, f"{failure}; {reason}" if failure else reason)
        try:
            completion: Completion = await model.answer(instruction, text, most_tokens=ANSWER_TOKENS)
        except LanguageModelFailed as error:
            return Proposed((), {}, spent, str(error))
        spent += completion.tokens
        found = parsed(completion.text)
        if isinstance(found, str):
            failure = found
            continue
        candidates, refused = checked(found, cells, claims, half, search)
        return Proposed(candidates, refused, spent)
    return Proposed((), {"not_json": ATTEMPTS}, spent, failure)


def material(cells: GroupCells, claims: Floats, half: Mask, search: GroupSearch, *, most_letters: int) -> str:
    """The catalogue and the sums of the discovery half as JSON, the greatest cells first, as many as have room. Sums
    over less than the minimum share of the exposure are left out."""
    y, e = claims[half], cells.exposure[half]
    least = search.minimum_share * float(e.sum())
    catalogue = [
        {
            "dimension": name,
            "label": DIMENSIONS[name].en,
            "label_zh": DIMENSIONS[name].zh,
            "values": _levels(cells, name),
        }
        for name in cells.dimensions
    ]
    rows: list[tuple[float, dict[str, object]]] = []
    singles: dict[tuple[str, str], Mask] = {}
    for name, column in cells.dimensions.items():
        for level in _levels(cells, name):
            inside = (column.codes == column.levels.index(level))[half]
            if float(e[inside].sum()) >= least:
                singles[(name, level)] = inside
    for depth in range(1, min(search.depth, 2) + 1):
        for parts in itertools.combinations(singles, depth):
            if len({name for name, _ in parts}) < depth:
                continue
            inside = np.logical_and.reduce([singles[part] for part in parts])
            years = float(e[inside].sum())
            if years >= least:
                row = {"policy_years": round(years, 1), "claims": int(y[inside].sum()), **dict(parts)}
                rows.append((years if depth == 2 else float("inf"), row))
    rows.sort(key=lambda one: -one[0])
    whole = {"policy_years": round(float(e.sum()), 1), "claims": int(y.sum())}
    kept = [row for _, row in rows[: len(singles) + MOST_PAIRS]]
    while True:
        text = json.dumps({"catalogue": catalogue, "all": whole, "cells": kept}, ensure_ascii=False)
        if len(text) <= most_letters or not kept:
            return text
        kept = kept[: len(kept) // 2]


def parsed(text: str) -> list[object] | str:
    """The proposals of an answer, or what is wrong with it as a whole. A fence of Markdown around the JSON is taken."""
    stripped = text.strip()
    if stripped.startswith("```") and stripped.endswith("```"):
        stripped = stripped.removeprefix("```json").removeprefix("```").removesuffix("```")
    try:
        document = json.loads(stripped)
    except ValueError:
        return "the answer is not JSON"
    groups = document.get("groups") if isinstance(document, dict) else None
    return groups if isinstance(groups, list) else "the answer has no list of groups"


def checked(
    proposals: list[object], cells: GroupCells, claims: Floats, half: Mask, search: GroupSearch
) -> tuple[tuple[Candidate, ...], dict[str, int]]:
    """The proposals that can be judged, and why the others cannot be, counted."""
    taken: dict[frozenset[Condition], Candidate] = {}
    refused: Counter[str] = Counter()
    for one in proposals:
        found = _conditions(one, cells, search)
        if isinstance(found, str):
            refused[found] += 1
            continue
        conditions, side = found
        if frozenset(conditions) in taken:
            refused["duplicate"] += 1
        elif len(taken) == search.proposals:
            refused["beyond_budget"] += 1
        else:
            taken[frozenset(conditions)] = described(
                conditions, side, Source.LLM, cells.dimensions, claims, cells.exposure, half
            )
    return tuple(taken.values()), dict(refused)


def _conditions(one: object, cells: GroupCells, search: GroupSearch) -> tuple[tuple[Condition, ...], Side] | str:
    if not isinstance(one, dict) or not isinstance(one.get("conditions"), list):
        return "malformed"
    if one.get("side") not in set(Side):
        return "unknown_side"
    conditions = []
    for part in one["conditions"]:
        if not isinstance(part, dict) or not isinstance(part.get("value"), str):
            return "malformed"
        column = cells.dimensions.get(part["dimension"]) if isinstance(part.get("dimension"), str) else None
        if column is None:
            return "unknown_dimension"
        if part["value"] not in column.levels:
            return "unknown_value"
        conditions.append(Condition(part["dimension"], part["value"]))
    if not 1 <= len(conditions) <= search.depth:
        return "too_many_conditions" if conditions else "malformed"
    if len({part.dimension for part in conditions}) < len(conditions):
        return "dimension_twice"
    order = list(cells.dimensions)
    return tuple(sorted(conditions, key=lambda part: order.index(part.dimension))), Side(one["side"])


def _levels(cells: GroupCells, name: str) -> list[str]:
    column = cells.dimensions[name]
    years = np.bincount(column.codes, weights=cells.exposure, minlength=len(column.levels))
    return [column.levels[i] for i in np.argsort(-years, kind="stable")[:MOST_LEVELS] if years[i] > 0]


def _tokens(text: str) -> int:
    return len(text) // LETTERS_A_TOKEN + 1
