"""Groups of rows whose risk differs: proposed on one half, judged on the other, with a permuted run beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sluice_server.domain.errors import InvalidInput, Violation
from sluice_server.domain.risk.groups.gate import judge
from sluice_server.domain.risk.groups.group import GroupSearch, JudgedGroup
from sluice_server.domain.risk.groups.search import propose
from sluice_server.domain.risk.models.columns import Codes, Floats, Mask, TextColumn

_HALVES, _SHUFFLE = 1, 2
"""Beside the seed, so that a table that was simulated from the same seed is dealt independently of it."""


@dataclass(frozen=True, slots=True)
class GroupFindings:
    """All that was proposed, the accepted ones first, and the permuted run."""

    groups: tuple[JudgedGroup, ...]
    tried: int
    """Combinations that were looked at in the discovery half."""
    permuted_proposed: int
    permuted_accepted: int
    """Groups that the same search and gate accepted after the outcomes were shuffled over the rows. It must be 0."""


def find_groups(
    dimensions: Mapping[str, TextColumn],
    outcome: Floats,
    exposure: Floats,
    search: GroupSearch = GroupSearch(),  # noqa: B008 - frozen
    subject: Codes | None = None,
) -> GroupFindings:
    """Searches one half of the rows and judges what it found on the other.

    ``outcome``: whole numbers, such as claims, or 0 and 1; ``exposure``: what they are counted per. Rows of one
    ``subject`` are in the same half. Raises InvalidInput.
    """
    _check(dimensions, outcome, exposure, search)
    discovery = discovery_half(len(outcome), search.seed, subject)
    proposed, tried = propose(dimensions, outcome, exposure, discovery, search)
    judged = judge(proposed, dimensions, outcome, exposure, ~discovery, search)

    # Outcome and exposure move together, so that only their connection with the dimensions is broken.
    order = np.random.default_rng([search.seed, _SHUFFLE]).permutation(len(outcome))
    shuffled, years = outcome[order], exposure[order]
    control, _ = propose(dimensions, shuffled, years, discovery, search)
    of_control = judge(control, dimensions, shuffled, years, ~discovery, search)
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
