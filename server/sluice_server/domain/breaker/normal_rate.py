"""What is normal for one scope: its own rate of technical failures, learned slowly and within bounds.

An insurer that fails at 5 % all year is not out of order; judged by the p0 of a good one it would be cut for nothing
some times a year. So p0 follows what is seen outside of incidents, as a shrunk estimate,

    r = (F + K r0) / (N + K),

F failures among the N contrasting outcomes of a sliding (exponentially forgetting) window of WINDOW_ORDERS, r0 what is
believed before anything is seen: the floor for an insurer, the insurer's own estimate for one of its product lines (so
that a line with little traffic borrows from its insurer). The test uses a step of a geometric grid, not r itself: few
designs are computed, and p0 does not flicker. It rises one step at a time, each after STEP_SECONDS, because a
deterioration must be cut and not be learned; it falls at once, which only makes the test quicker.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

WINDOW_ORDERS = 5_000.0
KEEP = 1.0 - 1.0 / WINDOW_ORDERS
"""What an order leaves of the weight of those before it."""
PRIOR_ORDERS = 500.0
"""K: how many orders the belief weighs."""
STEP = 1.25
STEP_SECONDS = 1_800.0
RISES_ABOVE = 1.1
"""How far above its step the estimate must be before the next one is taken."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What a scope has learned, as it outlives a restart."""

    failures: float
    """F …"""
    orders: float
    """… and N of the window."""
    steps: int
    """How many steps of the grid p0 is above the floor."""
    moved_at: float
    """When it took the last step up, seconds since 1970; 0 before the first outcome."""
    through: float
    """When the newest outcome ended that is counted, seconds since 1970."""


class NormalRate:
    """p0 of one scope. Constant memory."""

    __slots__ = (
        "_adopted_through",
        "_ceiling",
        "_failures",
        "_floor",
        "_moved_at",
        "_orders",
        "_steps",
        "_through",
        "prior",
        "value",
    )

    def __init__(self, floor: float, ceiling: float, prior: NormalRate | None = None) -> None:
        """``ceiling`` at or below ``floor``: nothing is learned, p0 is the floor."""
        self._failures = self._orders = 0.0
        self._steps = 0
        self._moved_at = self._through = self._adopted_through = -math.inf
        self.prior = prior
        self.bound(floor, ceiling)

    def bound(self, floor: float, ceiling: float) -> None:
        """Other bounds; what was learned stays within them."""
        self._floor, self._ceiling = floor, max(floor, ceiling)
        self._step_to(self._steps)

    @property
    def learned(self) -> Learned:
        return Learned(self._failures, self._orders, self._steps, max(0.0, self._moved_at), max(0.0, self._through))

    def adopt(self, learned: Learned) -> None:
        """Takes over what was learned before a restart. Outcomes up to there are not counted again."""
        self._failures, self._orders = learned.failures, learned.orders
        self._through = self._adopted_through = learned.through
        self.move(learned)

    def move(self, learned: Learned) -> None:
        """Takes over the step that another replica has come to."""
        self._step_to(learned.steps)
        self._moved_at = learned.moved_at or -math.inf

    @property
    def estimate(self) -> float:
        """r, not below the floor."""
        believed = self._floor if self.prior is None else self.prior.estimate
        shrunk = (self._failures + PRIOR_ORDERS * believed) / (self._orders + PRIOR_ORDERS)
        return max(self._floor, shrunk)

    def moves(self, timestamp: float, successes: int) -> bool:
        """Whether one of so many successes may change the step (True also where that is not certain). After the last of
        them the estimate is at its lowest."""
        if self._ceiling <= self._floor:
            return False
        if self._moved_at == -math.inf:
            return True
        if self._steps and self._estimate_after(successes) <= self._floor * STEP ** (self._steps - 1):
            return True
        return timestamp - self._moved_at >= STEP_SECONDS and self.estimate > RISES_ABOVE * self.value

    def _estimate_after(self, successes: int) -> float:
        """The estimate after so many successes, which its prior has seen too."""
        believed = self._floor if self.prior is None else self.prior._estimate_after(successes)
        kept = KEEP**successes
        orders = self._orders * kept + (1.0 - kept) * WINDOW_ORDERS
        return max(self._floor, (self._failures * kept + PRIOR_ORDERS * believed) / (orders + PRIOR_ORDERS))

    def observe(self, *, failed: bool, timestamp: float, count: int = 1) -> None:
        """One contrasting outcome in normal times; or so many successes that do not move it (``moves``)."""
        if timestamp <= self._adopted_through:
            return
        self._through = max(self._through, timestamp)
        if count > 1:
            kept = KEEP**count
            self._orders = self._orders * kept + (1.0 - kept) * WINDOW_ORDERS
            self._failures *= kept
            return
        self._orders = self._orders * KEEP + 1.0
        self._failures = self._failures * KEEP + failed
        if self._ceiling <= self._floor:
            return
        if self._moved_at == -math.inf:
            self._moved_at = timestamp
        if not self._steps and timestamp - self._moved_at < STEP_SECONDS:
            return
        estimate = self.estimate
        if self._steps and estimate <= self._floor * STEP ** (self._steps - 1):
            self._step_to(self._steps - 1)
        elif (
            estimate > RISES_ABOVE * self.value
            and self._steps < self._most_steps()
            and timestamp - self._moved_at >= STEP_SECONDS
        ):
            self._step_to(self._steps + 1)
            self._moved_at = timestamp

    def _step_to(self, steps: int) -> None:
        self._steps = min(steps, self._most_steps())
        self.value = min(self._ceiling, self._floor * STEP**self._steps)
        """p0: the step of the grid that it is at."""

    def _most_steps(self) -> int:
        return math.ceil(math.log(self._ceiling / self._floor) / math.log(STEP) - 1e-9)
