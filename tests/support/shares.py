"""The proof of EXACT shares and of capacities: what all stored decisions say together."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from sluice.insurer.v1 import insurer_pb2
from sluice.routing.v1 import decision_pb2

_DAY_SECONDS = 86_400


def share_faults(
    decisions: Iterable[decision_pb2.Decision],
    capacities: Mapping[str, insurer_pb2.Capacity],
    repaying: Sequence[str] = (),
) -> list[str]:
    """Where ledgers or capacities (by insurer_id) were not kept. ``decisions``: all of them, those that were replaced
    too; ``repaying``: the rules whose ledger repays."""
    pages: dict[tuple[int, str, tuple[int, ...]], list[decision_pb2.Decision]] = defaultdict(list)
    given: dict[str, list[int]] = defaultdict(list)
    for decision in decisions:
        if decision.insurer_id in capacities:
            given[decision.insurer_id].append(decision.decide_time.seconds)
        if decision.HasField("ledger_position"):
            weights = tuple(candidate.weight_basis_points for candidate in decision.candidates)
            pages[decision.plan_version, decision.rule, () if decision.rule in repaying else weights].append(decision)
    found: list[str] = []
    for (version, rule, weights), page in sorted(pages.items()):
        name = f"plan {version}, {rule}, weights {weights or 'all'}"
        found += [f"{name}: {text}" for text in _page_faults(page, weights)]
    for insurer_id, seconds in sorted(given.items()):
        found += [f"{insurer_id}: {text}" for text in _overfull(seconds, capacities[insurer_id])]
    return found


def _page_faults(page: Sequence[decision_pb2.Decision], weights: Sequence[int]) -> Iterator[str]:
    """A page is the chain of its decisions: each is the next position, and has found what the ones before have left."""
    counts: Counter[str] = Counter()
    for position, decision in enumerate(sorted(page, key=lambda d: d.ledger_position), start=1):
        if decision.ledger_position != position:
            yield f"position {position} is missing, or {decision.ledger_position} was given twice"
            return
        before = {candidate.insurer_id: candidate.ledger_orders for candidate in decision.candidates}
        if before != {insurer_id: counts[insurer_id] for insurer_id in before}:
            yield f"position {position} has found {before}, but the orders before it are {dict(counts)}"
            return
        counts[decision.insurer_id] += 1
        # A ledger that repays has no weights here: who was missing may be ahead or behind.
        for candidate, weight in zip(decision.candidates, weights, strict=False):
            # In whole numbers: |orders - position * weight / sum| < 1.
            off = counts[candidate.insurer_id] * sum(weights) - position * weight
            if abs(off) >= sum(weights):
                yield f"position {position}: {candidate.insurer_id} has {counts[candidate.insurer_id]} orders"
                return


def _overfull(seconds: Sequence[int], capacity: insurer_pb2.Capacity) -> Iterator[str]:
    windows = (
        ("second", Counter(seconds), capacity.orders_per_second),
        ("day", Counter(second // _DAY_SECONDS for second in seconds), capacity.orders_per_day),
    )
    for name, used, limit in windows:
        if limit and used:
            most = max(used.values())
            if most > limit:
                yield f"{most} orders in a {name}, {limit} are agreed"
