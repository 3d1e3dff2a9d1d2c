"""Orders of one scope in a replay that have begun and not ended: what live is read from the store."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import takewhile

from sluice_server.domain.breaker.evidence import ScopeEvidence
from sluice_server.domain.breaker.evidence_source import BacklogCount

TICK = timedelta(seconds=1)


class WaitingOrders:
    """The backlog of one scope, kept up with each order. Orders are numbered in the order of their decisions."""

    def __init__(self, known: ScopeEvidence) -> None:
        self._known = known
        self._window = timedelta(seconds=known.breaker.policy.window_seconds)
        self._decided: deque[tuple[datetime, str, int]] = deque()
        """All orders of the window, with their product lines: so many of each moment."""
        self._orders = 0
        """Their number."""
        self._late: dict[int, tuple[datetime, str]] = {}
        """Unfinished past the grace."""
        self._silent: dict[int, datetime] = {}
        """Of these, the ones that were decided after the last success began."""
        self._told = False
        self._looked_at: datetime | None = None
        self._hangs = False

    @property
    def quiet(self) -> bool:
        """Nothing is late, and the evidence has been told so."""
        return not self._late and not self._told

    def begins(self, decided_at: datetime, line: str, count: int = 1) -> None:
        """So many orders are decided."""
        self._decided.append((decided_at, line, count))
        self._orders += count

    def is_late(self, number: int, decided_at: datetime, line: str) -> None:
        """It is older than the grace."""
        self._late[number] = (decided_at, line)
        self._silent[number] = decided_at

    def ends(self, number: int) -> None:
        self._late.pop(number, None)
        self._silent.pop(number, None)

    def drop(self, line: str) -> None:
        """Of an insurer: the line is cut, its orders are no longer the insurer's backlog."""
        self._decided = deque(each for each in self._decided if each[1] != line)
        self._orders = sum(count for _, _, count in self._decided)
        self._late = {number: each for number, each in self._late.items() if each[1] != line}
        self._silent = {number: at for number, at in self._silent.items() if number in self._late}

    def forget(self) -> None:
        """Traffic returns: what was decided before is void."""
        self._decided.clear()
        self._orders = 0
        self._late.clear()
        self._silent.clear()

    def still_hangs(self, at: datetime) -> bool:
        """Whether too many of the newest orders that can be late are late: those of one rate window. Looks once a
        second."""
        if self._looked_at is None or at - self._looked_at >= TICK:
            self._looked_at, policy = at, self._known.breaker.policy
            until = at - timedelta(seconds=policy.backlog_grace_seconds)
            start = until - timedelta(seconds=policy.rate_window_seconds)
            late = _since(start, ((decided_at, 1) for decided_at, _ in reversed(self._late.values())))
            decided = ((decided_at, count) for decided_at, _, count in reversed(self._decided) if decided_at <= until)
            orders = _since(start, decided)
            self._hangs = late > 0 and late >= policy.backlog_ratio * orders
        return self._hangs

    def was_seen_hanging(self, at: datetime) -> bool:
        """Whether ``still_hangs`` says so without another look."""
        return self._hangs and self._looked_at == at

    def tell(self, at: datetime) -> None:
        """Gives the evidence its backlog as of ``at``."""
        start = at - self._window
        while self._decided and self._decided[0][0] < start:
            self._orders -= self._decided.popleft()[2]
        if not self._late and not self._told:
            return
        while self._late and (first := next(iter(self._late.items())))[1][0] < start:
            self.ends(first[0])
        success = self._known.last_success_began
        if success is not None:
            while self._silent and (oldest_silent := next(iter(self._silent.items())))[1] < success:
                del self._silent[oldest_silent[0]]
        scope, late, silent = self._known.breaker.scope, self._late, self._silent
        oldest = next(iter(late.values()))[0] if late else None
        self._known.set_backlog(BacklogCount(scope, self._orders, len(late), oldest))
        self._known.set_silence(BacklogCount(scope, len(silent), len(silent), next(iter(silent.values()), None)))
        self._told = bool(late)


def _since(start: datetime, newest_first: Iterable[tuple[datetime, int]]) -> int:
    return sum(count for _, count in takewhile(lambda each: each[0] >= start, newest_first))
