"""What a model is fitted on, and what it must predict: other groups, and later."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.models.columns import Codes, Mask, ModelTable
from sluice_server.domain.risk.models.leakage import identifying_tuples

HELD_OUT_SHARE = 0.3
"""Share of the groups, and of the exposure at the end of time, that is held out."""


class SplitKind(StrEnum):
    """What decides on which side a row is."""

    GIVEN = "given"
    """The table says it."""
    GROUPS_AND_TIME = "groups_and_time"
    GROUPS = "groups"
    TIME = "time"
    TUPLES = "tuples"
    """Equal tuples of factors are on one side; where no group is given and tuples tell records apart."""
    ROWS = "rows"


@dataclass(frozen=True, slots=True)
class Split:
    """Masks over the rows of a table."""

    kind: SplitKind
    learn: Mask
    held_out: Mask
    """The sternest: other groups, and later, where the table has both."""
    parts: Mapping[str, Mask]
    """All that is held out, by name: ``held_out``, and with both ``held_out_groups`` (other groups, the same time) and
    ``held_out_time`` (later, the known groups)."""
    cut: float | None = None
    """The moment from which on rows are later."""


def given_split(table: ModelTable, learn: Mask) -> Split:
    """The split that the table itself states."""
    _check(table, learn, ~learn)
    return Split(SplitKind.GIVEN, learn, ~learn, {"held_out": ~learn})


def make_split(table: ModelTable, seed: int = 1) -> Split:
    """Holds out groups, the last part of time, or both, as the table has them. Raises InvalidInput."""
    # Beside the seed, so that a table simulated from the same seed is dealt independently of it.
    random = np.random.default_rng([seed, 1])
    group = table.group if table.group is not None else None
    kind = SplitKind.GROUPS
    if group is None and table.time is None:
        group = identifying_tuples(table, seed)
        kind = SplitKind.ROWS if group is None else SplitKind.TUPLES
    others = _drawn(group, len(table), random) if group is not None or table.time is None else None
    if table.time is None:
        assert others is not None
        _check(table, ~others, others)
        return Split(kind, ~others, others, {"held_out": others})
    cut = _cut(table)
    later = table.time >= cut
    if others is None:
        _check(table, ~later, later)
        return Split(SplitKind.TIME, ~later, later, {"held_out": later}, cut)
    parts = {"held_out": others & later, "held_out_groups": others & ~later, "held_out_time": ~others & later}
    _check(table, ~others & ~later, parts["held_out"])
    return Split(SplitKind.GROUPS_AND_TIME, ~others & ~later, parts["held_out"], parts, cut)


def _drawn(group: Codes | None, rows: int, random: np.random.Generator) -> Mask:
    if group is None:
        return random.random(rows) < HELD_OUT_SHARE
    _, numbers = np.unique(group, return_inverse=True)
    return np.asarray((random.random(int(numbers.max()) + 1) < HELD_OUT_SHARE)[numbers])


def _cut(table: ModelTable) -> float:
    assert table.time is not None
    order = np.argsort(table.time, kind="stable")
    cumulative = np.cumsum(table.exposure[order])
    place = int(np.searchsorted(cumulative, (1 - HELD_OUT_SHARE) * cumulative[-1]))
    cut = float(table.time[order][min(place, len(order) - 1)])
    if cut == table.time.min():
        later = table.time[table.time > cut]
        if not later.size:
            raise InvalidInput([Violation("time", "is the same in every row; leave it out, or give a split")])
        cut = float(later.min())
    return cut


def _check(table: ModelTable, learn: Mask, held_out: Mask) -> None:
    violations = [
        Violation("split", f"there are no claims among the {int(mask.sum())} {name} rows; nothing can be said of them")
        for name, mask in (("learning", learn), ("held-out", held_out))
        if table.claims[mask].sum() <= 0
    ]
    if violations:
        raise InvalidInput(violations)
