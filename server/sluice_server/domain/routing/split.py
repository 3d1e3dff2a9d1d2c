"""STICKY: weighted rendezvous hashing.

Every insurer draws a score for the key, and the highest score wins::

    h     = xxh3_64(utf8(insurer_id) + 0x1F + utf8(key)), seed 0, an unsigned 64-bit number
    u     = ((h >> 12) + 0.5) / 2^52          exact in a double, never 0 or 1
    score = -weight / ln(u)                   equal scores: the smaller insurer_id wins

``-ln(u)`` is exponentially distributed with rate 1, so ``-ln(u) / weight`` is with rate ``weight``, and the smallest of
independent exponentials falls to each with probability proportional to its rate: an insurer's expected share is its
weight over the sum of the weights. A score depends on nothing but its own insurer, its own weight and the key. So an
insurer that leaves moves exactly its own keys, to the others in proportion to their weights; one whose weight changes
moves only keys to or from itself.

Sources: D. Thaler and C. Ravishankar, "Using name-based mappings to increase hit rates", IEEE/ACM Transactions on
Networking 6(1), 1998 (rendezvous hashing); C. Schindelhauer and G. Schomaker, "Weighted distributed hash tables", SPAA
2005 (the logarithmic method). Test vectors: docs/plans.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import log

from xxhash import xxh3_64_intdigest

_STEP = 2.0**-52


def unit_hash(insurer_id: str, key: str) -> float:
    """``u``: the insurer's draw for the key, strictly between 0 and 1."""
    digest = xxh3_64_intdigest(insurer_id.encode() + b"\x1f" + key.encode())
    return ((digest >> 12) + 0.5) * _STEP


def score(insurer_id: str, weight: int, key: str) -> float:
    """The insurer's score for the key; ``weight`` is positive."""
    return -weight / log(unit_hash(insurer_id, key))


class StickySplit:
    """The split of one rule: its insurers' hash prefixes, laid out once."""

    __slots__ = ("_insurers", "_prefixes")

    def __init__(self, insurers: Sequence[str]) -> None:
        self._insurers = tuple(insurers)
        self._prefixes = tuple(i.encode() + b"\x1f" for i in insurers)

    def choose(self, weights: Sequence[int], key: str) -> int:
        """Index of the insurer that gets the key; -1 when no weight is positive. Weights are in the insurers' order."""
        suffix = key.encode()
        best, best_score = -1, -1.0
        for index, weight in enumerate(weights):
            if weight <= 0:
                continue
            u = ((xxh3_64_intdigest(self._prefixes[index] + suffix) >> 12) + 0.5) * _STEP
            drawn = -weight / log(u)
            if drawn > best_score or (drawn == best_score and self._insurers[index] < self._insurers[best]):
                best, best_score = index, drawn
        return best


def admitted_weight(share_basis_points: int, admitted_basis_points: int) -> int:
    """The share times what the breaker admits, in basis points, rounded down; at least 1 while anything is admitted."""
    if admitted_basis_points <= 0 or share_basis_points <= 0:
        return 0
    return max(1, share_basis_points * min(admitted_basis_points, 10_000) // 10_000)
