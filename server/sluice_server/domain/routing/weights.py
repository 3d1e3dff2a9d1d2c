"""What is left of a rule's shares, and who is kept when nothing is."""

from __future__ import annotations

from collections.abc import Sequence
from collections.abc import Set as AbstractSet

from sluice_server.domain.routing.capacity import CAPACITY
from sluice_server.domain.routing.model import Candidate, Disposition
from sluice_server.domain.routing.ports import TrafficSnapshot
from sluice_server.domain.routing.source.document import OnExhausted
from sluice_server.domain.routing.source.resolve import ResolvedRule
from sluice_server.domain.routing.split import admitted_weight

CUT, FAILED_BEFORE = "CUT", "FAILED_BEFORE"


def weigh(
    rule: ResolvedRule, product_line: str, traffic: TrafficSnapshot, failed: frozenset[str]
) -> tuple[Candidate, ...]:
    """The rule's insurers with what the breakers leave of their shares; ``failed`` ones take no part."""
    candidates: list[Candidate] = []
    for insurer, share in zip(rule.insurers, rule.shares, strict=True):
        if insurer in failed:
            weight, excluded = 0, FAILED_BEFORE
        else:
            admission = traffic.admission(insurer, product_line)
            weight = admitted_weight(share, admission.admitted_basis_points)
            excluded = "" if weight else admission.reason or CUT
        candidates.append(Candidate(insurer, share, weight, excluded))
    return tuple(candidates)


def exhausted(
    rule: ResolvedRule,
    candidates: Sequence[Candidate],
    failed: AbstractSet[str],
    full: AbstractSet[str] = frozenset(),
) -> tuple[Disposition, int]:
    """What the rule says when no insurer is left, and the insurer kept.

    KEEP_LAST keeps the highest share among those that have not failed for this application and have room; when there is
    none, the order is parked: an insurer that has just failed definitely would be called in a circle, and a capacity
    holds whatever the rule says.
    """
    match rule.text.on_exhausted:
        case OnExhausted.REJECT:
            return Disposition.REJECTED, -1
        case OnExhausted.KEEP_LAST:
            left = [
                i
                for i, candidate in enumerate(candidates)
                if candidate.insurer_id not in failed | full and candidate.excluded_because != CAPACITY
            ]
            if left:
                return Disposition.KEPT_LAST, max(left, key=lambda i: (rule.shares[i], -i))
    return Disposition.PARKED, -1
