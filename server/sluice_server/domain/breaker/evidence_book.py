"""The evidence of all breakers, and whom it is held against: an insurer, or one of its product lines.

An order counts for its product line's breaker, where there is one, and for its insurer's. When both trip at once, the
lines alone are cut if the insurer's other lines answer well (or were never asked), and the insurer otherwise. A line
that is cut takes its evidence with it: what it has shown is no longer held against the rest of its insurer, and what
still ends of its orders is not counted there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from sluice_server.domain.breaker.backlog import BacklogCounts, Window, window_of
from sluice_server.domain.breaker.evidence import ScopeEvidence
from sluice_server.domain.breaker.evidence_source import OutcomeRecord
from sluice_server.domain.breaker.machine import admission
from sluice_server.domain.breaker.model import Breaker, BreakerMode, BreakerState, Scope

ADMITTING = frozenset({BreakerState.CLOSED, BreakerState.RAMPING})


class InsurerEvidence:
    """An insurer and its product lines that have breakers."""

    __slots__ = ("_seen", "cut_lines", "lines", "whole")

    def __init__(self) -> None:
        self.whole: ScopeEvidence | None = None
        self.lines: dict[str, ScopeEvidence] = {}
        self.cut_lines: frozenset[str] = frozenset()
        """Lines that get no traffic of their own accord."""
        self._seen: set[str] = set()
        """Lines with a breaker that have had an outcome; "" for those without."""

    def all(self) -> list[ScopeEvidence]:
        return [*((self.whole,) if self.whole is not None else ()), *self.lines.values()]

    def follow(self) -> None:
        """The breakers have changed: who borrows, and whose evidence counts for the whole."""
        whole, cut = self.whole, frozenset(name for name, line in self.lines.items() if not _admits(line.breaker))
        if whole is not None:
            for line in self.lines.values():
                line.borrow_from(whole)
            for name in cut - self.cut_lines:
                whole.disregard(self.lines[name])
        self.cut_lines = cut

    def observe(self, record: OutcomeRecord, suspects: set[ScopeEvidence], count: int) -> None:
        """Counts so many like outcomes; who is now suspect is added."""
        name = record.scope.product_line
        line, whole = self.lines.get(name), None if name in self.cut_lines else self.whole
        while count > 1 and not all(each.alike(record, count) for each in (line, whole) if each is not None):
            self._observe(record, suspects, line, 1)
            count -= 1
        self._observe(record, suspects, line, count)

    def _observe(
        self, record: OutcomeRecord, suspects: set[ScopeEvidence], line: ScopeEvidence | None, count: int
    ) -> None:
        name = record.scope.product_line
        if line is not None:
            line.observe(record, count)
            if line.suspicious:
                suspects.add(line)
        if name in self.cut_lines:
            return
        self._seen.add(name if line is not None else "")
        whole = self.whole
        if whole is not None:
            whole.observe(record, count)
            if whole.suspicious:
                suspects.add(whole)

    def to_cut(self, judged: Iterable[ScopeEvidence], now: datetime) -> list[ScopeEvidence]:
        """Those of ``judged`` against whom the evidence is held."""
        whole = self.whole
        tripping = [each for each in judged if each.breaker.state in ADMITTING and each.tripped(now)]
        if whole is None:
            return tripping
        lines = [each for each in tripping if each is not whole]
        if _covers(whole.breaker) and whole.breaker.state not in ADMITTING:
            # The whole insurer is cut: that is enough.
            return []
        if len(lines) == len(tripping) or not lines:
            return tripping
        if not _covers(whole.breaker):
            return tripping
        return lines if self._confined_to(whole, lines, now) else [whole]

    def _confined_to(self, whole: ScopeEvidence, lines: list[ScopeEvidence], now: datetime) -> bool:
        """Whether nothing but these lines fails."""
        if len(lines) == 1 and self._seen == {lines[0].breaker.scope.product_line}:
            # Nothing is known of any other.
            return True
        return whole.works_without(lines, now)


def _admits(breaker: Breaker) -> bool:
    return admission(breaker).admitted_basis_points > 0


def _covers(breaker: Breaker) -> bool:
    """Whether a cut of the insurer takes its lines' traffic too."""
    return breaker.mode in (BreakerMode.ENFORCING, BreakerMode.FORCED_OPEN)


class EvidenceBook:
    """The evidence of all breakers. It knows which of them something speaks against: only those need to be judged."""

    def __init__(self) -> None:
        self._scopes: dict[Scope, ScopeEvidence] = {}
        self._insurers: dict[str, InsurerEvidence] = {}
        self.suspects: set[ScopeEvidence] = set()
        """Those that something may speak against."""
        self.ramping: set[ScopeEvidence] = set()
        self._windows: Counter[Window] = Counter()

    def follow(self, breakers: Sequence[Breaker]) -> None:
        """Takes over breakers that have changed; a new one starts without evidence, and the others stay as they are."""
        changed: set[str] = set()
        for breaker in breakers:
            known = self._scopes.get(breaker.scope)
            if known is None:
                self._add(breaker)
                changed.add(breaker.scope.insurer_id)
            elif known.breaker.version != breaker.version:
                self._leave(known)
                known.follow(breaker)
                self.suspects.add(known)
                changed.add(breaker.scope.insurer_id)
            else:
                continue
            self._windows[window_of(breaker)] += 1
            if breaker.state is BreakerState.RAMPING:
                self.ramping.add(self._scopes[breaker.scope])
        for insurer_id in changed:
            self._insurers[insurer_id].follow()

    def _leave(self, known: ScopeEvidence) -> None:
        """What its breaker was is not any more."""
        self.ramping.discard(known)
        window = window_of(known.breaker)
        self._windows[window] -= 1
        if not self._windows[window]:
            del self._windows[window]

    @property
    def windows(self) -> Collection[Window]:
        """The different windows of the backlog."""
        return self._windows.keys()

    def _add(self, breaker: Breaker) -> None:
        scope = breaker.scope
        known = self._scopes[scope] = ScopeEvidence(breaker)
        insurer = self._insurers.setdefault(scope.insurer_id, InsurerEvidence())
        if scope.product_line:
            insurer.lines[scope.product_line] = known
        else:
            insurer.whole = known

    def observe(self, record: OutcomeRecord, count: int = 1) -> None:
        """Counts an outcome for its product line's breaker, where there is one, and for its insurer's; or a run of so
        many like it, with the same result as one after the other."""
        insurer = self._insurers.get(record.scope.insurer_id)
        if insurer is not None:
            insurer.observe(record, self.suspects, count)

    def suspect(self, counts: BacklogCounts) -> None:
        """Looks for those with a backlog."""
        for count in counts.waiting:
            insurer = self._insurers.get(count.scope.insurer_id)
            if insurer is None:
                continue
            line = insurer.lines.get(count.scope.product_line)
            self.suspects.update(each for each in (insurer.whole, line) if each is not None)

    def to_cut(self, judged: Collection[ScopeEvidence], now: datetime) -> set[ScopeEvidence]:
        """Those of ``judged`` that are to be cut."""
        by_insurer: dict[str, list[ScopeEvidence]] = {}
        for each in judged:
            by_insurer.setdefault(each.breaker.scope.insurer_id, []).append(each)
        return {
            found
            for insurer_id, scopes in by_insurer.items()
            for found in self._insurers[insurer_id].to_cut(scopes, now)
        }

    def backlog_of(self, known: ScopeEvidence, counts: BacklogCounts) -> None:
        """Gives the scope its backlog out of a reading: an insurer's without its lines that are cut."""
        known.set_backlog(counts.of(known.breaker.scope, self._without(known)))

    def silence_of(self, known: ScopeEvidence, counts: BacklogCounts) -> None:
        """The same for the run without an answer; the counts begin at the last success."""
        known.set_silence(counts.of(known.breaker.scope, self._without(known)))

    def _without(self, known: ScopeEvidence) -> frozenset[str]:
        scope = known.breaker.scope
        return frozenset() if scope.product_line else self._insurers[scope.insurer_id].cut_lines

    def scopes(self) -> Mapping[Scope, ScopeEvidence]:
        return self._scopes

    def insurer(self, insurer_id: str) -> InsurerEvidence:
        """Raises KeyError for one without a breaker."""
        return self._insurers[insurer_id]
