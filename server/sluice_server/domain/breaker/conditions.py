"""When the conditions of ``standing_alarms`` begin and end. Pure: fed with what the watch has read."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sluice_server.domain.breaker.evidence_source import BacklogCount, OutcomeRecord, ParkedCount
from sluice_server.domain.breaker.model import Breaker, Scope
from sluice_server.domain.breaker.standing_alarms import Condition, since
from sluice_server.domain.orders.model import Outcome

FAILURE, BACKLOG, EXHAUSTED = "failure/", "backlog/", "exhausted/"
QUIET = timedelta(minutes=5)
"""A kind of failure that has not been seen for so long is over."""
MOST_KINDS = 1_000
"""Insurers may invent error codes: from so many kinds on new ones are counted together."""
OTHER = "OTHER"
LEAST_BACKLOG = 5
GROWTH = 1.5
"""A backlog grows when it is so many times what it was …"""
GROWTH_TIME = timedelta(seconds=60)
"""… so long ago."""
_TECHNICAL = frozenset({Outcome.TECHNICAL_FAILURE, Outcome.UNKNOWN})


@dataclass(slots=True)
class _Kind:
    """One kind of failure in its present episode."""

    scope: Scope
    code: str
    count: int
    first: datetime
    last: datetime
    submission_id: str


class FailureKinds:
    """Technical failures and unknown outcomes by insurer, product line and error code; retries included."""

    def __init__(self) -> None:
        self._kinds: dict[str, _Kind] = {}

    def observe(self, record: OutcomeRecord) -> None:
        if record.outcome not in _TECHNICAL:
            return
        code = record.error_code or record.outcome.value
        key = _failure_key(record.scope, code)
        kind = self._kinds.get(key)
        if kind is None and len(self._kinds) >= MOST_KINDS:
            code = OTHER
            key = _failure_key(record.scope, code)
            kind = self._kinds.get(key)
        at = record.finished_at
        if kind is None or at - kind.last > QUIET:
            self._kinds[key] = _Kind(record.scope, code, 1, at, at, record.submission_id)
            return
        kind.count += 1
        kind.first, kind.last = min(kind.first, at), max(kind.last, at)
        kind.submission_id = record.submission_id

    def conditions(self, now: datetime) -> dict[str, Condition]:
        """By key. One that has ended is given once."""
        found = {key: _failing(key, kind, now) for key, kind in self._kinds.items()}
        for key, condition in found.items():
            if condition.ended_at is not None:
                del self._kinds[key]
        return found


def _failure_key(scope: Scope, code: str) -> str:
    return f"{FAILURE}{scope.insurer_id}/{scope.product_line}/{code}"


def _failing(key: str, kind: _Kind, now: datetime) -> Condition:
    ended = kind.last + QUIET if now - kind.last > QUIET else None
    times = f"{kind.count} times " if kind.count > 1 else ""
    return Condition(
        key=key,
        name="InsurerTechnicalFailure",
        severity="warning",
        labels={
            "insurer_id": kind.scope.insurer_id,
            "product_line": kind.scope.product_line,
            "error_code": kind.code,
        },
        began_at=kind.first,
        count=kind.count,
        summary=(
            f"{kind.scope.insurer_id} fails technically for {kind.scope.product_line or 'all lines'}: {kind.code}, "
            f"{times}{since(kind.first)}"
        ),
        annotations={"submission_id": kind.submission_id, "last_at": kind.last.isoformat()},
        ended_at=ended,
    )


@dataclass(slots=True)
class _Backlog:
    seen: deque[tuple[datetime, int]] = field(default_factory=deque)
    began_at: datetime | None = None
    worst: int = 0


class BacklogGrowth:
    """Backlogs that grow, before they are large enough to cut: half of the policy's count and half as many again
    within a minute. Over when a quarter of the policy's count is left."""

    def __init__(self) -> None:
        self._lines: dict[Scope, _Backlog] = {}

    def conditions(
        self, counts: Sequence[BacklogCount], breakers: Mapping[Scope, Breaker], now: datetime
    ) -> dict[str, Condition]:
        """``counts``: a reading of this moment, by insurer and product line."""
        unfinished = {count.scope: count for count in counts if count.unfinished}
        found: dict[str, Condition] = {}
        for scope in {*unfinished, *self._lines}:
            breaker = breakers.get(scope) or breakers.get(Scope(scope.insurer_id))
            if breaker is None:
                continue
            count = unfinished.get(scope) or BacklogCount(scope, 0, 0, None)
            condition = self._follow(self._lines.setdefault(scope, _Backlog()), breaker, count, now)
            if condition is not None:
                found[condition.key] = condition
            if not count.unfinished:
                del self._lines[scope]
        return found

    def _follow(self, line: _Backlog, breaker: Breaker, count: BacklogCount, now: datetime) -> Condition | None:
        least = max(LEAST_BACKLOG, breaker.policy.backlog_count // 2)
        while line.seen and now - line.seen[0][0] > GROWTH_TIME:
            line.seen.popleft()
        before = line.seen[0][1] if line.seen else 0
        if not line.seen or (now - line.seen[-1][0]).total_seconds() >= 1.0:
            line.seen.append((now, count.unfinished))
        if line.began_at is None:
            if count.unfinished < least or count.unfinished < GROWTH * before:
                return None
            line.began_at, line.worst = now, 0
        line.worst = max(line.worst, count.unfinished)
        condition = _growing(line, count)
        if count.unfinished <= least // 2:
            condition.ended_at, line.began_at = now, None
        return condition


def _growing(line: _Backlog, count: BacklogCount) -> Condition:
    assert line.began_at is not None, "it has begun"
    scope = count.scope
    return Condition(
        key=f"{BACKLOG}{scope.insurer_id}/{scope.product_line}",
        name="InsurerBacklogGrows",
        severity="warning",
        labels={"insurer_id": scope.insurer_id, "product_line": scope.product_line},
        began_at=line.began_at,
        count=line.worst,
        summary=f"{count.unfinished} orders of {scope} are unfinished, growing {since(line.began_at)}",
        annotations={
            "orders": str(count.orders),
            "oldest_decided_at": count.oldest_decided_at.isoformat() if count.oldest_decided_at else "",
        },
    )


class ExhaustedRules:
    """Rules whose orders wait because no insurer is left to take them."""

    def __init__(self) -> None:
        self._known: dict[str, Condition] = {}

    def conditions(self, parked: Sequence[ParkedCount], now: datetime) -> dict[str, Condition]:
        found: dict[str, Condition] = {}
        for count in parked:
            key = f"{EXHAUSTED}{count.rule}"
            began = self._known[key].began_at if key in self._known else count.oldest_at
            found[key] = Condition(
                key=key,
                name="RuleExhausted",
                severity="critical",
                labels={"rule": count.rule},
                began_at=began,
                count=count.orders,
                summary=f"{count.orders} orders of the rule {count.rule!r} wait: no insurer is left to take them",
                annotations={"product_lines": ", ".join(count.product_lines), "oldest_at": count.oldest_at.isoformat()},
            )
        over = {key: known for key, known in self._known.items() if key not in found}
        self._known = dict(found)
        for key, known in over.items():
            known.ended_at = now
            known.summary = f"orders of the rule {known.labels['rule']!r} have an insurer again"
            found[key] = known
        return found
