"""Groups of rows whose risk differs: proposed on one half, judged on the other, with a permuted run beside it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from scipy import special, stats

from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.intervals import Interval
from sluice_server.domain.risk.models.columns import Codes, Floats, Mask, TextColumn
from sluice_server.domain.risk.multiple_testing import q_values
from sluice_server.domain.risk.semantic_model import IntervalMethod

MOST_LEVELS = 30
"""Of a column only its levels with the greatest exposure are tried."""
_LEVEL = 0.95
_HALVES, _SHUFFLE = 1, 2
"""Beside the seed, so that a table that was simulated from the same seed is dealt independently of it."""
_WORTH_JUDGING = 1.645
"""Standard deviations from the rest that a group must have in the discovery half to be proposed. Low, because what
decides is the hold-out half: a group that chance made small where it was sought may still be shown there."""


class Side(StrEnum):
    """How a group differs from the rest."""

    HIGHER = "higher"
    LOWER = "lower"


@dataclass(frozen=True, slots=True)
class GroupSearch:
    """How groups are sought and judged."""

    depth: int = 2
    """Most conditions of a group."""
    proposals: int = 20
    """Most groups that reach the hold-out half; the false discovery rate is controlled over so many."""
    minimum_share: float = 0.01
    """Least share of the exposure that a group must have, in either half."""
    minimum_events: float = 5
    """Least outcomes that a proposed group's exposure would give in the hold-out half at the mean rate."""
    false_discovery_rate: float = 0.01
    seed: int = 1


@dataclass(frozen=True, slots=True)
class Condition:
    """One level of one column."""

    dimension: str
    value: str


@dataclass(frozen=True, slots=True)
class JudgedGroup:
    """A proposed group, with what the hold-out half says about it."""

    conditions: tuple[Condition, ...]
    side: Side
    accepted: bool
    refusal: str
    """Why it was refused; empty when accepted."""
    discovery_effect: float
    """Rate of the group over that of the rest in the half where it was found: flattered by the search."""
    effect: float
    """The same in the hold-out half."""
    effect_interval: Interval
    p_value: float
    q_value: float
    exposure: float
    outcomes: float


@dataclass(frozen=True, slots=True)
class GroupFindings:
    """All that was proposed, the accepted ones first, and the permuted run."""

    groups: tuple[JudgedGroup, ...]
    tried: int
    """Combinations that were looked at in the discovery half."""
    permuted_proposed: int
    permuted_accepted: int
    """Groups that the same search and gate accepted after the outcomes were shuffled over the rows. It must be 0."""


@dataclass(frozen=True, slots=True)
class _Candidate:
    conditions: tuple[Condition, ...]
    rows: Mask
    strength: float
    side: Side
    effect: float


def find_groups(
    dimensions: Mapping[str, TextColumn],
    outcome: Floats,
    exposure: Floats,
    search: GroupSearch = GroupSearch(),
    subject: Codes | None = None,
) -> GroupFindings:
    """Searches one half of the rows and judges what it found on the other.

    ``outcome``: whole numbers, such as claims, or 0 and 1; ``exposure``: what they are counted per. Rows of one
    ``subject`` are in the same half. Raises InvalidInput.
    """
    _check(dimensions, outcome, exposure, search)
    discovery = discovery_half(len(outcome), search.seed, subject)
    proposed, tried = _propose(dimensions, outcome, exposure, discovery, search)
    judged = _judge(proposed, outcome, exposure, ~discovery, search)

    # Outcome and exposure move together, so that only their connection with the dimensions is broken.
    order = np.random.default_rng([search.seed, _SHUFFLE]).permutation(len(outcome))
    shuffled, years = outcome[order], exposure[order]
    control, _ = _propose(dimensions, shuffled, years, discovery, search)
    of_control = _judge(control, shuffled, years, ~discovery, search)
    return GroupFindings(
        tuple(sorted(judged, key=lambda g: (not g.accepted, g.q_value, g.p_value))),
        tried,
        len(control),
        sum(group.accepted for group in of_control),
    )


def discovery_half(rows: int, seed: int, subject: Codes | None = None) -> Mask:
    """The rows that groups are sought in; the others judge them. Rows of one ``subject`` are on one side."""
    random = np.random.default_rng([seed, _HALVES])
    if subject is None:
        return random.random(rows) < 0.5
    _, numbers = np.unique(subject, return_inverse=True)
    return np.asarray((random.random(int(numbers.max()) + 1) < 0.5)[numbers])


def _propose(
    dimensions: Mapping[str, TextColumn], outcome: Floats, exposure: Floats, half: Mask, search: GroupSearch
) -> tuple[list[_Candidate], int]:
    """The strongest differences of the discovery half, without those that a part of their conditions explains."""
    y, e = outcome[half], exposure[half]
    whole, rate = float(e.sum()), float(y.sum() / e.sum())
    least = max(search.minimum_share * whole, search.minimum_events / rate if rate > 0 else np.inf)
    single = [
        (Condition(name, column.levels[i]), column.codes == i)
        for name, column in dimensions.items()
        for i in _greatest(column, exposure)
    ]
    found: dict[frozenset[Condition], _Candidate] = {}
    tried = 0
    for depth in range(1, search.depth + 1):
        for parts in itertools.combinations(single, depth):
            if len({condition.dimension for condition, _ in parts}) < depth:
                continue
            rows = np.logical_and.reduce([mask for _, mask in parts])
            inside = rows[half]
            group_exposure = float(e[inside].sum())
            if group_exposure < least or whole - group_exposure < least:
                continue
            tried += 1
            events = float(y[inside].sum())
            candidate = _candidate(tuple(c for c, _ in parts), rows, events, group_exposure, float(y.sum()), whole)
            if depth == 1 or _adds(candidate, found, y, e, half):
                found[frozenset(candidate.conditions)] = candidate
    ranked = sorted(found.values(), key=lambda one: -one.strength)
    return [one for one in ranked[: search.proposals] if one.strength >= _WORTH_JUDGING], tried


def _candidate(
    conditions: tuple[Condition, ...], rows: Mask, events: float, exposure: float, all_events: float, whole: float
) -> _Candidate:
    side = Side.HIGHER if events * whole >= all_events * exposure else Side.LOWER
    share = exposure / whole
    deviance = special.xlogy(events, events / (all_events * share)) if events > 0 else 0.0
    rest = all_events - events
    deviance += special.xlogy(rest, rest / (all_events * (1 - share))) if rest > 0 else 0.0
    effect = (events / exposure) / (rest / (whole - exposure)) if rest > 0 else np.inf
    return _Candidate(conditions, rows, float(np.sqrt(max(2 * deviance, 0.0))), side, float(effect))


def _adds(
    candidate: _Candidate, found: Mapping[frozenset[Condition], _Candidate], y: Floats, e: Floats, half: Mask
) -> bool:
    """True where the group differs also from each group with one condition less, by two standard deviations."""
    inside = candidate.rows[half]
    events, exposure = float(y[inside].sum()), float(e[inside].sum())
    for conditions in itertools.combinations(candidate.conditions, len(candidate.conditions) - 1):
        parent = found.get(frozenset(conditions))
        if parent is None:
            continue
        outer = parent.rows[half]
        expected = float(y[outer].sum()) / float(e[outer].sum()) * exposure
        if expected <= 0:
            return False
        excess = (events - expected) / np.sqrt(expected)
        if (excess if candidate.side is Side.HIGHER else -excess) < 2:
            return False
    return True


def _judge(
    proposed: Sequence[_Candidate], outcome: Floats, exposure: Floats, half: Mask, search: GroupSearch
) -> list[JudgedGroup]:
    """The gate: exact one-sided test on the hold-out half, false discovery rate over everything proposed."""
    y, e = outcome[half], exposure[half]
    all_events, whole = float(y.sum()), float(e.sum())
    trials = bool(np.all((outcome == 0) | (outcome == 1)) and np.all(exposure == 1))
    results = []
    for one in proposed:
        inside = one.rows[half]
        events, own = float(y[inside].sum()), float(e[inside].sum())
        p = _exact(one.side, events, own, all_events, whole, trials)
        results.append((one, events, own, p))
    # Over the whole budget of proposals, those not made counted as failed: how many there are is itself found in data.
    unused = [1.0] * (search.proposals - len(results))
    q = q_values(np.array([*(p for *_, p in results), *unused]))[: len(results)]
    judged = []
    for (one, events, own, p), q_value in zip(results, q, strict=True):
        effect, interval = _effect(events, own, all_events, whole)
        small = own < search.minimum_share * whole
        refusal = ""
        if small:
            refusal = f"only {own / max(whole, 1e-300):.2%} of the exposure in the hold-out half"
        elif q_value > search.false_discovery_rate:
            refusal = (
                f"q {q_value:.3g} on the hold-out half, {len(proposed)} proposed of a budget of {search.proposals}"
            )
        judged.append(
            JudgedGroup(
                one.conditions,
                one.side,
                not refusal,
                refusal,
                one.effect,
                effect,
                interval,
                p,
                float(q_value),
                own,
                events,
            )
        )
    return judged


def _exact(side: Side, events: float, own: float, all_events: float, whole: float, trials: bool) -> float:
    """Given all outcomes, those of the group are binomial with its share of the exposure (Poisson counts; Przyborowski
    and Wilenski, Biometrika 31, 1940), or hypergeometric where each row is a trial (Fisher's exact test)."""
    if own <= 0 or own >= whole or all_events <= 0:
        return 1.0
    if trials:
        law = stats.hypergeom(int(whole), int(all_events), int(own))
    else:
        law = stats.binom(int(all_events), own / whole)
    return float(law.sf(events - 1) if side is Side.HIGHER else law.cdf(events))


def _effect(events: float, own: float, all_events: float, whole: float) -> tuple[float, Interval]:
    """Rate of the group over that of the rest, with Clopper and Pearson's limits of the conditional binomial."""
    rest, other = all_events - events, whole - own
    tail = (1 - _LEVEL) / 2
    low = float(special.betaincinv(events, rest + 1, tail)) if events > 0 else 0.0
    high = float(special.betaincinv(events + 1, rest, 1 - tail)) if rest > 0 else 1.0
    odds = other / own if own > 0 else np.inf

    def ratio(share: float) -> float:
        return share / (1 - share) * odds if share < 1 else np.inf

    upper = ratio(high)
    effect = events / rest * odds if rest > 0 else np.inf
    bounds = Interval(ratio(low), None if np.isinf(upper) else upper, _LEVEL, IntervalMethod.EXACT_BINOMIAL)
    return float(effect), bounds


def _greatest(column: TextColumn, exposure: Floats) -> list[int]:
    years = np.bincount(column.codes, weights=exposure, minlength=len(column.levels))
    order = np.argsort(-years, kind="stable")[:MOST_LEVELS]
    return [int(i) for i in order if years[i] > 0]


def _check(dimensions: Mapping[str, TextColumn], outcome: Floats, exposure: Floats, search: GroupSearch) -> None:
    violations = []
    if not dimensions:
        violations.append(Violation("dimension", "at least one is needed"))
    if (outcome < 0).any() or (outcome != np.floor(outcome)).any():
        text = "must be whole numbers from 0: the tests are of counts (claims, or 0 and 1)"
        violations.append(Violation("outcome", text))
    elif outcome.sum() <= 0:
        violations.append(Violation("outcome", "is 0 in every row"))
    if (exposure <= 0).any():
        violations.append(Violation("exposure", f"not above 0 in {int((exposure <= 0).sum())} rows"))
    if not 1 <= search.depth <= 3:
        violations.append(Violation("depth", "from 1 to 3"))
    if not 0 < search.false_discovery_rate <= 0.5:
        violations.append(Violation("false_discovery_rate", "above 0 and at most 0.5"))
    if violations:
        raise InvalidInput(violations)
