"""The ways in which an entity's rows may stand out among those of all, each tested alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from scipy import stats

from sluice_server.domain.risk.anomalies.dispersion import Excess, excess_amount, excess_count, excess_share
from sluice_server.domain.risk.any_table.peers import Peers, chance_surplus, surplus
from sluice_server.domain.risk.models.cells import distinct_rows
from sluice_server.domain.risk.models.columns import Codes, Floats, TextColumn
from sluice_server.domain.risk.multiple_testing import combined_p

_LARGE_SHARE = 0.05
_CAPS = (0.9, 0.98)
"""The dearest amounts are cut for the tests of the cost: one fire must not make a shop abnormal. A low cap sees most in
few rows, a high one in many."""
_FEWEST_EQUAL = 3
"""Rows that repeat an amount: one or two are no proof, where nobody has any."""
_WINDOWS = ((1.0, 1), (7.0, 2), (30.0, 2))
"""Days that a burst may last, and how many grids of such windows are laid, the second half a window later."""
_SPAN = 364.0
"""A time column of plain numbers is taken for so many days: its unit is not known."""
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Indicator:
    """One test of every entity. ``text``: from an entity's number, observed, expected and volume to a sentence."""

    name: str
    excess: Excess
    text: Callable[[int, float, float, int], str]


@dataclass(frozen=True, slots=True)
class Screened:
    """The rows under test with what all indicators need of them."""

    entity: Codes
    volume: Floats
    """Rows of each entity."""
    peers: Peers

    def by_entity(self, values: Floats) -> Floats:
        """Sums for each entity."""
        return np.bincount(self.entity, weights=values, minlength=len(self.volume)).astype(np.float64)


def cost(of: Screened, amount: Floats) -> Indicator:
    """Amounts against what the peers' rows would have. Reported as they are, tested with a cap."""
    mean = of.peers.mean_of_others(amount)
    relative = np.divide(amount, mean, out=np.where(amount > 0, np.inf, 1.0), where=mean > 0)
    tests = [_capped_cost(of, relative, cap) for cap in _CAPS]
    p = combined_p(np.column_stack([test.p_values for test in tests]))
    return Indicator(
        "cost_against_peers",
        Excess(of.by_entity(amount), of.by_entity(mean), p, tests[-1].dispersion),
        lambda _, seen, hoped, rows: f"amount {seen:,.0f} where peers' rows give {hoped:,.0f} ({_times(seen, hoped)})",
    )


def _capped_cost(of: Screened, relative: Floats, quantile: float) -> Excess:
    capped = np.minimum(relative, max(float(np.quantile(relative, quantile)), 1e-9))
    level = of.peers.mean_of_others(capped)
    around = np.divide(capped, level, out=np.ones(len(capped)), where=level > 0) - 1
    variation = max(float(np.mean(around**2)), 1e-6)
    return excess_amount(of.by_entity(capped), of.volume, of.by_entity(level), variation, float(np.mean(around**3)))


def large_amounts(of: Screened, amount: Floats) -> Indicator:
    """Rows among the dearest twentieth of their peers."""
    cell = of.peers.cell
    order = np.lexsort((amount, cell))
    start = np.searchsorted(cell[order], cell[order], side="left")
    size = np.bincount(cell)[cell[order]]
    # Equal amounts share the rank of their first one, so that a price list makes nobody large.
    key = distinct_rows([cell, amount])
    first: Floats = np.full(int(key.max()) + 1, np.inf)
    rank = (np.arange(len(amount)) - start) / size
    np.minimum.at(first, key[order], rank)
    large = (first[key] >= 1 - _LARGE_SHARE).astype(np.float64)
    share = of.peers.mean_of_others(large)
    return Indicator(
        "large_amounts",
        excess_share(of.by_entity(large), of.volume, of.by_entity(share)),
        lambda _, seen, hoped, rows: (
            f"{seen:.0f} of {rows} rows are among the dearest twentieth of their peers, "
            f"where {hoped:.1f} were to be expected"
        ),
    )


def equal_amounts(of: Screened, amount: Floats) -> Indicator:
    """Rows whose amount an earlier row of the entity has, beyond what common amounts make likely."""
    paid = amount > 0
    observed, expected = np.zeros(len(of.volume)), np.zeros(len(of.volume))
    if paid.any():
        entity, cell = of.entity[paid], np.unique(of.peers.cell[paid], return_inverse=True)[1].astype(np.int64)
        # Prices are those of a part: a shop that repairs little else repeats its price more.
        price = distinct_rows([cell, amount[paid]])
        observed = np.bincount(entity, weights=surplus(entity, price), minlength=len(of.volume)).astype(np.float64)
        expected = chance_surplus(entity, cell, price, len(of.volume))
    tested = excess_count(observed, np.where(of.volume > 1, expected + 0.05, 0.0))
    p = np.where(observed < _FEWEST_EQUAL, np.fmax(tested.p_values, 0.1), tested.p_values)
    return Indicator(
        "equal_amounts",
        Excess(observed, np.maximum(tested.expected, expected), p, tested.dispersion),
        lambda _, seen, hoped, rows: (
            f"{seen:.0f} of {rows} rows repeat an amount of another row, where {hoped:.1f} were to be expected"
        ),
    )


def repeats(of: Screened, subject: Codes) -> Indicator:
    """Rows whose subject came to the entity before, beyond the others' share and the chance of a common subject."""
    repeated = surplus(of.entity, subject)
    observed = of.by_entity(repeated)
    # Each subject once for each entity: how the others' subjects come back is no chance that this one's do.
    _, once = np.unique(distinct_rows([of.entity, subject]), return_index=True)
    chance = chance_surplus(of.entity[once], np.zeros(len(once), dtype=np.int64), subject[once], len(of.volume))
    loyal = max(1 - float(chance.sum() / observed.sum()), 0.0) if observed.sum() > 0 else 0.0
    expected = np.minimum(chance + loyal * of.by_entity(of.peers.mean_of_others(repeated)), of.volume)
    return Indicator(
        "repeat_subjects",
        excess_share(observed, of.volume, expected),
        lambda _, seen, hoped, rows: (
            f"{seen:.0f} of {rows} rows are of subjects that had come before, where {hoped:.1f} were to be expected"
        ),
    )


def bursts(of: Screened, day: Floats, dated: bool) -> Indicator:
    """The most improbable day, week or month of each entity against the others' season."""
    span = float(day.max() - day.min())
    unit = 1.0 if dated or span == 0 else span / _SPAN
    since = (day - day.min()) / unit
    entities = len(of.volume)
    log_p, tries = np.zeros(entities), 0
    observed, expected, begin, width = (np.zeros(entities) for _ in range(4))
    dispersion = 0.0
    for days, grids in _WINDOWS:
        for grid in range(grids):
            offset = days * grid / grids
            window = np.floor((since + offset) / days).astype(np.int64)
            found = _fullest(of, window)
            tries += int(window.max()) + 1
            better = found.log_p < log_p
            log_p = np.where(better, found.log_p, log_p)
            observed, expected = np.where(better, found.seen, observed), np.where(better, found.hoped, expected)
            begin = np.where(better, day.min() + (found.window * days - offset) * unit, begin)
            width = np.where(better, days * unit, width)
            dispersion = max(dispersion, found.dispersion)
    p = -np.expm1(tries * np.log1p(-np.minimum(np.exp(log_p), 1 - 1e-16)))

    def text(i: int, seen: float, hoped: float, rows: int) -> str:
        first = (_EPOCH + timedelta(days=int(begin[i]))).isoformat() if dated else f"{begin[i]:,.6g}"
        long = f"{width[i]:,.0f} {'day' if width[i] == 1 else 'days'}" if dated else f"{width[i]:,.4g}"
        return f"{seen:.0f} of {rows} rows fall within {long} from {first}, where {hoped:.1f} were to be expected"

    return Indicator("burst", Excess(observed, expected, np.where(of.volume > 0, p, np.nan), dispersion), text)


@dataclass(frozen=True, slots=True)
class _Fullest:
    """Of each entity the most improbable window."""

    window: Floats
    seen: Floats
    hoped: Floats
    log_p: Floats
    dispersion: float


def _fullest(of: Screened, window: Codes) -> _Fullest:
    windows = int(window.max()) + 1
    total = np.bincount(window, minlength=windows).astype(np.float64)
    key, counts = np.unique(of.entity * windows + window, return_counts=True)
    who, when = key // windows, key % windows
    others = np.maximum(len(window) - of.volume[who], 1.0)
    # Half a row more: a window in which nobody else has a row is not impossible.
    seen_by_others = total[when] - counts + 0.5
    expected = of.volume[who] * seen_by_others / others
    tau2 = _between_windows(counts.astype(np.float64), expected, of.volume, total)
    # The others' rows in the window are a sample too: what is expected is known as well as their number.
    shape = 1 / (tau2 + 1 / seen_by_others)
    log_p = stats.nbinom.logsf(counts - 1, shape, shape / (shape + expected))
    order = np.lexsort((log_p, who))
    _, first = np.unique(who[order], return_index=True)
    best = order[first]
    place, seen, hoped, least = (np.zeros(len(of.volume)) for _ in range(4))
    place[who[best]], seen[who[best]], hoped[who[best]] = when[best], counts[best], expected[best]
    least[who[best]] = np.maximum(log_p[best], -690.0)
    return _Fullest(place, seen, hoped, least, float(np.sqrt(tau2)))


def _between_windows(counts: Floats, expected: Floats, volume: Floats, total: Floats) -> float:
    """Relative variance of the ordinary cells' true rates, by moments over all cells; those without rows are known by
    their sums alone, and cells that stand out are left out from round to round."""
    share = total / total.sum()
    squares = float((volume**2).sum() * (share**2).sum())
    kept = np.ones(len(counts), dtype=np.bool_)
    tau2 = 0.0
    for _ in range(4):
        seen, hoped = counts[kept], expected[kept]
        empty = max(squares - float((expected**2).sum()), 0.0)
        left_out = float(expected[~kept].sum())
        excess = float(((seen - hoped) ** 2).sum()) + empty - (float(volume.sum()) - left_out)
        tau2 = max(excess / max(squares - float((expected[~kept] ** 2).sum()), 1e-12), 0.0)
        scores = (counts - expected) ** 2 / (expected + tau2 * expected**2)
        remaining = ~((counts > expected) & (scores > 16))
        if (remaining == kept).all():
            break
        kept = remaining
    return tau2


def concentration(of: Screened, name: str, column: TextColumn) -> Indicator:
    """The level of a peer column that an entity has more of than all others."""
    levels = len(column.levels)
    key, counts = np.unique(of.entity * levels + column.codes, return_counts=True)
    who, what = key // levels, key % levels
    total = np.bincount(column.codes, minlength=levels).astype(np.float64)
    others = np.maximum(len(of.entity) - of.volume[who], 1.0)
    # A hundredth of a row more, so that a level that nobody else has still has an expectation.
    expected = of.volume[who] * (total[what] - counts + 0.01) / others
    tested = excess_share(
        counts.astype(np.float64), of.volume[who], np.minimum(expected, of.volume[who]), all_ordinary=True
    )
    # The most improbable level of each entity, its p-value corrected for so many tries (Šidák).
    p = np.where(np.isnan(tested.p_values), 1.0, tested.p_values)
    order = np.lexsort((p, who))
    _, first = np.unique(who[order], return_index=True)
    best = order[first]
    entities = len(of.volume)
    observed, hoped, corrected = np.zeros(entities), np.zeros(entities), np.full(entities, np.nan)
    which: Codes = np.zeros(entities, dtype=np.int64)
    observed[who[best]], hoped[who[best]], which[who[best]] = counts[best], expected[best], what[best]
    corrected[who[best]] = -np.expm1(levels * np.log1p(-np.minimum(p[best], 1 - 1e-16)))
    return Indicator(
        f"concentration_{name}",
        Excess(observed, hoped, corrected, tested.dispersion),
        lambda i, seen, hoped, rows: (
            f"{seen:.0f} of {rows} rows have {name} {column.levels[which[i]]}, where {hoped:.1f} were to be expected"
        ),
    )


def _times(seen: float, hoped: float) -> str:
    return f"{seen / hoped:.2f} times" if hoped > 0 else "nothing"
