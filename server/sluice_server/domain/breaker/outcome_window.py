"""The outcomes of the last seconds of one scope, counted in one bucket a second."""

from __future__ import annotations

from collections import deque


class OutcomeWindow:
    """Counts of outcomes by the second in which they ended. Memory: one bucket for each second that holds any."""

    __slots__ = ("_buckets", "failures", "outcomes", "slow")

    def __init__(self) -> None:
        self._buckets: deque[list[int]] = deque()
        """[second, outcomes, failures, slow], by second."""
        self.outcomes = self.failures = self.slow = 0

    def __len__(self) -> int:
        return len(self._buckets)

    def add(self, second: int, *, failed: bool, slow: bool, count: int = 1) -> None:
        """So many like outcomes."""
        buckets = self._buckets
        bucket = buckets[-1] if buckets and buckets[-1][0] == second else self._bucket(second)
        bucket[1] += count
        self.outcomes += count
        if failed:
            bucket[2] += count
            self.failures += count
        if slow:
            bucket[3] += count
            self.slow += count

    def slide(self, oldest: float) -> None:
        """Forgets the buckets that ended at ``oldest`` (seconds since 1970) or before."""
        buckets = self._buckets
        while buckets and buckets[0][0] + 1 <= oldest:
            self._subtract(buckets.popleft())

    def take_out(self, part: OutcomeWindow) -> None:
        """Forgets what ``part`` has counted of it, second by second."""
        theirs = {bucket[0]: bucket for bucket in part._buckets}
        for mine in self._buckets:
            gone = theirs.get(mine[0])
            if gone is not None:
                out = [min(have, less) for have, less in zip(mine[1:], gone[1:], strict=True)]
                mine[1:] = [have - less for have, less in zip(mine[1:], out, strict=True)]
                self._subtract([mine[0], *out])

    def clear(self) -> None:
        self._buckets.clear()
        self.outcomes = self.failures = self.slow = 0

    def _subtract(self, bucket: list[int]) -> None:
        self.outcomes -= bucket[1]
        self.failures -= bucket[2]
        self.slow -= bucket[3]

    def _bucket(self, second: int) -> list[int]:
        """The bucket of that second. Records come nearly in order, so it is at or near the right end."""
        buckets = self._buckets
        if not buckets or buckets[-1][0] < second:
            fresh = [second, 0, 0, 0]
            buckets.append(fresh)
            return fresh
        for bucket in reversed(buckets):
            if bucket[0] == second:
                return bucket
            if bucket[0] < second:
                break
        fresh = [second, 0, 0, 0]
        place = next(index for index, bucket in enumerate(buckets) if bucket[0] > second)
        buckets.insert(place, fresh)
        return fresh
