"""Entities whose rows stand out among those of all entities: shops by their claims, stores by their sales.

Each indicator compares an entity with what the others' rows of the same peers (part, region) would give for as many
rows, so size alone is never abnormal, and allows for the variation between ordinary entities (`dispersion`).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.dispersion import Excess, excess_amount, excess_count, excess_share
from sluice_server.domain.risk.models.cells import distinct_rows
from sluice_server.domain.risk.models.columns import Codes, Floats, TextColumn
from sluice_server.domain.risk.multiple_testing import combined_p, q_values

DEFAULT_RATE = 0.01
"""Share of false findings tolerated among the flagged."""
_LARGE_SHARE = 0.05
_FEWEST_PEERS = 20
"""A peer cell with fewer rows has no level of its own: its rows are compared with all."""
_LEAST_MEANT = 0.05
"""An indicator with a p-value above this is no reason."""


@dataclass(frozen=True, slots=True)
class Rows:
    """One row for each claim. All columns are equally long."""

    entity: TextColumn
    amount: Floats
    """At least 0."""
    day: Floats | None = None
    """Days since any moment."""
    peers: Mapping[str, TextColumn] | None = None
    """What makes rows alike, by column."""
    subject: Codes | None = None
    """Rows about the same thing (a device, a policy) have the same number."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One way in which an entity stands out."""

    indicator: str
    observed: float
    expected: float
    ratio: float
    p_value: float
    text: str


@dataclass(frozen=True, slots=True)
class AbnormalEntity:
    """An entity with its evidence."""

    entity: str
    volume: int
    """Its rows."""
    observed: float
    """Its amount."""
    expected: float
    """The amount that its peers' rows would have."""
    score: float
    """Minus the decimal logarithm of ``p_value``."""
    p_value: float
    q_value: float
    flagged: bool
    reasons: tuple[Reason, ...]
    """The strongest first; only those that mean something."""


@dataclass(frozen=True, slots=True)
class _Indicator:
    name: str
    excess: Excess
    text: Callable[[float, float, int], str]
    """From observed, expected and volume to a sentence."""


def find_abnormal(rows: Rows, false_discovery_rate: float = DEFAULT_RATE) -> list[AbnormalEntity]:
    """Screens all entities, the strongest evidence first. Raises InvalidInput."""
    _check(rows)
    entity = rows.entity.codes
    entities = len(rows.entity.levels)
    volume = np.bincount(entity, minlength=entities).astype(np.float64)

    def by_entity(values: Floats) -> Floats:
        return np.bincount(entity, weights=values, minlength=entities).astype(np.float64)

    cell = _peer_cells(rows)
    mean = _mean_of_others(cell, entity, rows.amount)
    observed, expected = by_entity(rows.amount), by_entity(mean)
    indicators = [
        _cost(rows.amount, mean, observed, expected, volume),
        _large(rows.amount, cell, entity, by_entity, volume),
        _equal_amounts(rows.amount, entity, by_entity, volume),
    ]
    if rows.subject is not None:
        indicators.append(_repeats(rows.subject, entity, cell, by_entity, volume))
    if rows.day is not None:
        indicators.append(_bursts(rows.day, entity, volume))
    for name, column in (rows.peers or {}).items():
        indicators.append(_concentration(name, column, entity, volume))

    p = combined_p(np.column_stack([one.excess.p_values for one in indicators]))
    q = q_values(p)
    found = [
        AbnormalEntity(
            level,
            int(volume[i]),
            float(observed[i]),
            float(expected[i]),
            -math.log10(max(float(p[i]), 1e-300)),
            float(p[i]),
            float(q[i]),
            bool(q[i] <= false_discovery_rate),
            _reasons(indicators, i, int(volume[i])),
        )
        for i, level in enumerate(rows.entity.levels)
        if volume[i] > 0
    ]
    return sorted(found, key=lambda one: (one.p_value, -one.volume, one.entity))


def _cost(amount: Floats, mean: Floats, observed: Floats, expected: Floats, volume: Floats) -> _Indicator:
    relative = np.divide(amount, mean, out=np.ones(len(amount)), where=mean > 0)
    # Winsorized: one fire in a hundred thousand claims must not hide everybody else behind a huge variance.
    variation = float(np.var(np.minimum(relative, np.quantile(relative, 0.999))))
    return _Indicator(
        "cost_against_peers",
        excess_amount(observed, volume, expected, max(variation, 1e-6)),
        lambda seen, hoped, _: f"amount {seen:,.0f} where peers' rows give {hoped:,.0f} ({_times(seen, hoped)})",
    )


def _large(
    amount: Floats, cell: Codes, entity: Codes, by_entity: Callable[[Floats], Floats], volume: Floats
) -> _Indicator:
    """Rows among the dearest twentieth of their peers."""
    order = np.lexsort((amount, cell))
    start = np.searchsorted(cell[order], cell[order], side="left")
    size = np.bincount(cell)[cell[order]]
    # Equal amounts share the rank of their first one, so that a price list makes nobody large.
    key = distinct_rows([cell, amount])
    first: Floats = np.full(int(key.max()) + 1, np.inf)
    rank = (np.arange(len(amount)) - start) / size
    np.minimum.at(first, key[order], rank)
    large = (first[key] >= 1 - _LARGE_SHARE).astype(np.float64)
    share = _mean_of_others(cell, entity, large)
    return _Indicator(
        "large_amounts",
        excess_share(by_entity(large), volume, by_entity(share)),
        lambda seen, hoped, rows: (
            f"{seen:.0f} of {rows} rows are among the dearest twentieth of their peers, "
            f"where {hoped:.1f} were to be expected"
        ),
    )


def _equal_amounts(amount: Floats, entity: Codes, by_entity: Callable[[Floats], Floats], volume: Floats) -> _Indicator:
    """Rows whose amount another row of the entity has too, beyond what common amounts make likely."""
    paid = amount > 0
    key = np.unique(distinct_rows([entity, amount]), return_inverse=True)[1]
    equal = ((np.bincount(key)[key] > 1) & paid).astype(np.float64)
    _, place = np.unique(amount, return_inverse=True)
    # Of the amount over all rows, the entity's own left out.
    others = np.bincount(place)[place] - np.bincount(key)[key]
    rest = np.maximum(len(amount) - volume[entity], 1.0)
    likely = np.where(paid, -np.expm1((volume[entity] - 1) * np.log1p(-np.minimum(others / rest, 1 - 1e-12))), 0.0)
    return _Indicator(
        "equal_amounts",
        # Half a row more: where nobody has equal amounts, one pair is no proof.
        excess_share(by_entity(equal), volume, np.minimum(by_entity(likely) + 0.5, volume)),
        lambda seen, hoped, rows: f"{seen:.0f} of {rows} rows repeat an amount, where {hoped:.1f} were to be expected",
    )


def _repeats(
    subject: Codes, entity: Codes, cell: Codes, by_entity: Callable[[Floats], Floats], volume: Floats
) -> _Indicator:
    """Rows whose subject has more rows at the entity."""
    key = np.unique(distinct_rows([entity, subject]), return_inverse=True)[1]
    repeated = (np.bincount(key)[key] > 1).astype(np.float64)
    share = _mean_of_others(cell, entity, repeated)
    return _Indicator(
        "repeat_subjects",
        excess_share(by_entity(repeated), volume, by_entity(share)),
        lambda seen, hoped, rows: (
            f"{seen:.0f} of {rows} rows are of subjects that came more than once, expected {hoped:.1f}"
        ),
    )


def _bursts(day: Floats, entity: Codes, volume: Floats) -> _Indicator:
    """The fullest week of each entity against its own level and the season of all."""
    week = np.floor((day - day.min()) / 7).astype(np.int64)
    weeks = int(week.max()) + 1
    season = np.bincount(week, minlength=weeks) / len(week)
    key, counts = np.unique(entity * weeks + week, return_counts=True)
    who, when = key // weeks, key % weeks
    expected = volume[who] * season[when]
    tested = excess_count(counts.astype(np.float64), expected)
    return _Indicator(
        "burst", _worst_of(who, counts, expected, tested, np.full(len(volume), float(weeks))), _burst_text
    )


def _concentration(name: str, column: TextColumn, entity: Codes, volume: Floats) -> _Indicator:
    """The level of a peer column that an entity has more of than all others."""
    levels = len(column.levels)
    key, counts = np.unique(entity * levels + column.codes, return_counts=True)
    who, what = key // levels, key % levels
    total = np.bincount(column.codes, minlength=levels).astype(np.float64)
    others = np.maximum(len(entity) - volume[who], 1.0)
    # A hundredth of a row more, so that a level that nobody else has still has an expectation.
    expected = volume[who] * (total[what] - counts + 0.01) / others
    tested = excess_share(counts.astype(np.float64), volume[who], np.minimum(expected, volume[who]), all_ordinary=True)
    worst = _worst_of(who, counts, expected, tested, np.full(len(volume), float(levels)))
    return _Indicator(
        f"concentration_{name}",
        worst,
        lambda seen, hoped, rows: f"{seen:.0f} of {rows} rows have one {name}, where {hoped:.1f} were to be expected",
    )


def _worst_of(who: Codes, counts: Codes, expected: Floats, tested: Excess, tries: Floats) -> Excess:
    """The most improbable cell of each entity, its p-value corrected for so many tries (Šidák)."""
    p = np.where(np.isnan(tested.p_values), 1.0, tested.p_values)
    order = np.lexsort((p, who))
    _, first = np.unique(who[order], return_index=True)
    best = order[first]
    entities = len(tries)
    observed, hoped, corrected = np.zeros(entities), np.zeros(entities), np.full(entities, np.nan)
    observed[who[best]], hoped[who[best]] = counts[best], expected[best]
    corrected[who[best]] = -np.expm1(tries[who[best]] * np.log1p(-np.minimum(p[best], 1 - 1e-16)))
    return Excess(observed, hoped, corrected, tested.dispersion)


def _peer_cells(rows: Rows) -> Codes:
    """The peer cell of each row; small ones are one cell."""
    if not rows.peers:
        return np.zeros(len(rows.amount), dtype=np.int64)
    cell = np.unique(distinct_rows([column.codes for column in rows.peers.values()]), return_inverse=True)[1]
    size = np.bincount(cell)
    cell = np.where(size[cell] >= _FEWEST_PEERS, cell, len(size))
    return np.unique(cell, return_inverse=True)[1].astype(np.int64)


def _mean_of_others(cell: Codes, entity: Codes, values: Floats) -> Floats:
    """For each row the mean of its cell without the entity's own rows; the whole cell's where there are no others."""
    key = np.unique(distinct_rows([cell, entity]), return_inverse=True)[1]
    whole, number = np.bincount(cell, weights=values), np.bincount(cell)
    own, own_number = np.bincount(key, weights=values)[key], np.bincount(key)[key]
    others = number[cell] - own_number
    mean = whole[cell] / number[cell]
    return np.where(others >= _FEWEST_PEERS / 2, (whole[cell] - own) / np.maximum(others, 1), mean)


def _reasons(indicators: list[_Indicator], i: int, volume: int) -> tuple[Reason, ...]:
    reasons = []
    for one in indicators:
        p, seen, hoped = (
            float(values[i]) for values in (one.excess.p_values, one.excess.observed, one.excess.expected)
        )
        if p <= _LEAST_MEANT:
            ratio = seen / hoped if hoped > 0 else math.inf
            reasons.append(Reason(one.name, seen, hoped, ratio, p, one.text(seen, hoped, volume)))
    return tuple(sorted(reasons, key=lambda reason: reason.p_value))


def _burst_text(seen: float, hoped: float, rows: int) -> str:
    return f"{seen:.0f} of {rows} rows fall in one week, where {hoped:.1f} were to be expected"


def _times(seen: float, hoped: float) -> str:
    return f"{seen / hoped:.2f} times" if hoped > 0 else "nothing"


def _check(rows: Rows) -> None:
    violations = []
    if (rows.amount < 0).any():
        violations.append(Violation("amount", f"negative in {int((rows.amount < 0).sum())} rows"))
    if len(rows.entity.levels) < 8:
        count = len(rows.entity.levels)
        violations.append(
            Violation("entity", f"only {count} different ones: there is nobody to compare with (8 are needed)")
        )
    if violations:
        raise InvalidInput(violations)


def area_under_curve(scores: Floats, positive: Floats) -> float:
    """Probability that a positive scores above a negative; ties count half. NaN without both."""
    ones = int((positive > 0).sum())
    zeros = len(positive) - ones
    if not ones or not zeros:
        return math.nan
    order = np.argsort(scores, kind="stable")
    ranks = np.empty(len(scores))
    ranks[order] = np.arange(1, len(scores) + 1)
    _, place = np.unique(scores, return_inverse=True)
    mean_rank = np.bincount(place, weights=ranks) / np.bincount(place)
    total = float(mean_rank[place][positive > 0].sum())
    return (total - ones * (ones + 1) / 2) / (ones * zeros)
