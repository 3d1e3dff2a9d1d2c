"""The gate that every proposed group passes, whoever proposed it: an exact test on rows that did not suggest it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import special, stats

from sluice_server.domain.risk.groups.group import Candidate, GroupSearch, JudgedGroup, Side, members
from sluice_server.domain.risk.intervals import Interval
from sluice_server.domain.risk.models.columns import Floats, Mask, TextColumn
from sluice_server.domain.risk.multiple_testing import q_values
from sluice_server.domain.risk.semantic.semantic_model import IntervalMethod

LEVEL = 0.95


def judge(
    proposed: Sequence[Candidate],
    dimensions: Mapping[str, TextColumn],
    outcome: Floats,
    exposure: Floats,
    half: Mask,
    search: GroupSearch,
    budget: int | None = None,
) -> list[JudgedGroup]:
    """Minimum exposure, exact one-sided test on the rows of ``half``, false discovery rate over everything proposed.

    The rate is controlled over the whole ``budget`` of proposals (``search.proposals``), those not made counted as
    failed: how many there are is itself found in the data.
    """
    y, e = outcome[half], exposure[half]
    all_events, whole = float(y.sum()), float(e.sum())
    trials = bool(np.all((outcome == 0) | (outcome == 1)) and np.all(exposure == 1))
    places = max(search.proposals if budget is None else budget, len(proposed))
    results = []
    for one in proposed:
        inside = members(one.conditions, dimensions)[half]
        events, own = float(y[inside].sum()), float(e[inside].sum())
        results.append((one, events, own, exact(one.side, events, own, all_events, whole, trials)))
    unused = [1.0] * (places - len(results))
    q = q_values(np.array([*(p for *_, p in results), *unused]))[: len(results)]
    judged = []
    for (one, events, own, p), q_value in zip(results, q, strict=True):
        effect, interval = effect_of(events, own, all_events, whole)
        refusal = ""
        if own < search.minimum_share * whole:
            refusal = f"only {own / max(whole, 1e-300):.2%} of the exposure in the hold-out half"
        elif q_value > search.false_discovery_rate:
            refusal = f"q {q_value:.3g} on the hold-out half, {len(proposed)} proposed of a budget of {places}"
        judged.append(
            JudgedGroup(
                conditions=one.conditions,
                side=one.side,
                accepted=not refusal,
                refusal=refusal,
                discovery_effect=one.effect,
                effect=effect,
                effect_interval=interval,
                p_value=p,
                q_value=float(q_value),
                exposure=own,
                outcomes=events,
                source=one.source,
                also_by_search=one.also_by_search,
            )
        )
    return judged


def exact(side: Side, events: float, own: float, all_events: float, whole: float, trials: bool) -> float:
    """Given all outcomes, those of the group are binomial with its share of the exposure (Poisson counts; Przyborowski
    and Wilenski, Biometrika 31, 1940), or hypergeometric where each row is a trial (Fisher's exact test)."""
    if own <= 0 or own >= whole or all_events <= 0:
        return 1.0
    if trials:
        law = stats.hypergeom(int(whole), int(all_events), int(own))
    else:
        law = stats.binom(int(all_events), own / whole)
    return float(law.sf(events - 1) if side is Side.HIGHER else law.cdf(events))


def effect_of(events: float, own: float, all_events: float, whole: float) -> tuple[float, Interval]:
    """Rate of the group over that of the rest, with Clopper and Pearson's limits of the conditional binomial."""
    rest, other = all_events - events, whole - own
    tail = (1 - LEVEL) / 2
    low = float(special.betaincinv(events, rest + 1, tail)) if events > 0 else 0.0
    high = float(special.betaincinv(events + 1, rest, 1 - tail)) if rest > 0 else 1.0
    odds = other / own if own > 0 else np.inf

    def ratio(share: float) -> float:
        return share / (1 - share) * odds if share < 1 else np.inf

    upper = ratio(high) if own > 0 else np.inf
    effect = (events / rest * odds if events > 0 else 0.0) if rest > 0 else np.inf
    lower = ratio(low) if low > 0 else 0.0
    return float(effect), Interval(lower, None if np.isinf(upper) else upper, LEVEL, IntervalMethod.EXACT_BINOMIAL)
