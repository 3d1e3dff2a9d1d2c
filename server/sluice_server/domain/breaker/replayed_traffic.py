"""The rules over all breakers in a replay: what the file's own orders say about shares."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from datetime import datetime

from sluice_server.domain.breaker.cut_limits import TRAFFIC_WINDOW, kept_because
from sluice_server.domain.breaker.model import Breaker, Scope


class ReplayedTraffic:
    """The orders of the last half hour; while somebody is cut, of the half hour before."""

    def __init__(self) -> None:
        self._orders: deque[tuple[datetime, Scope, int]] = deque()
        self._counts: Counter[Scope] = Counter()
        self._before_cuts: Mapping[Scope, int] | None = None
        self.insurers: set[str] = set()
        """Those that the orders have named."""

    def count(self, at: datetime, scope: Scope, count: int) -> None:
        """Orders of an insurer and product line, in the order of time."""
        self._orders.append((at, scope, count))
        self._counts[scope] += count
        while self._orders[0][0] < at - TRAFFIC_WINDOW:
            _, old, gone = self._orders.popleft()
            self._counts[old] -= gone

    def keeps(self, breaker: Breaker, breakers: Iterable[Breaker]) -> bool:
        """Whether a rule forbids the cut. There are rules where the file has named more than one insurer up to now."""
        if len(self.insurers) < 2:
            return False
        return bool(kept_because(breaker, breakers, self._counts if self._before_cuts is None else self._before_cuts))

    def cuts_stand(self, *, any_stands: bool) -> None:
        """Somebody was cut, or has come back."""
        if not any_stands:
            self._before_cuts = None
        elif self._before_cuts is None:
            self._before_cuts = dict(self._counts)
