"""``rating(kind, id)`` and ``score(kind, id)`` in factors: what the risk data says of a channel, a device model …"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Set
from typing import TypeGuard

from sluice_server.domain.routing.ports import NO_RISK_FACTS, RiskFacts, RiskNeed

RATING, SCORE = "rating", "score"
RISK_FUNCTIONS = frozenset({RATING, SCORE})

_CALL = re.compile(r"(\.\s*)?\b(rating|score)\s*\(\s*")
_KIND = re.compile(r"\"([a-z][a-z0-9_]{0,63})\"\s*,|'([a-z][a-z0-9_]{0,63})'\s*,")


def read_needs(source: str, masked: str, *, allowed: bool) -> tuple[frozenset[RiskNeed], list[str]]:
    """Which kinds an expression asks for, and what is wrong with how it does.

    ``masked``: the source with blanks for its string literals, of the same length. ``allowed``: it is a factor's.
    """
    needs: set[RiskNeed] = set()
    problems: list[str] = []
    for call in _CALL.finditer(masked):
        function = call[2]
        if not allowed:
            problems.append(f"{function}() is for factors, whose values a decision records; read factors.NAME here")
            continue
        # The kind itself is a literal, so blank in the masked text.
        kind = _KIND.match(source, source.index("(", call.start(2)) + 1 + _blanks(source, call.start(2)))
        if call[1] or kind is None:
            problems.append(f'write {function}("KIND", ID): the kind as a text, so that its data is at hand beforehand')
        else:
            needs.add((function, kind[1] or kind[2]))
    return frozenset(needs), problems


def _blanks(source: str, start: int) -> int:
    inside = source[source.index("(", start) + 1 :]
    return len(inside) - len(inside.lstrip())


class RiskLookup:
    """Answers the two functions during the evaluations for one application."""

    __slots__ = ("_facts", "nothing_found")

    def __init__(self, facts: RiskFacts) -> None:
        self._facts = facts
        self.nothing_found = False
        """Whether something was asked for that is not there: the expression's value then means nothing."""

    def functions(self) -> dict[str, Callable[..., object]]:
        """For a CEL context."""
        return {RATING: self.rating, SCORE: self.score}

    def rating(self, *given: object) -> object:
        return self._found(self._facts.ratings, given)

    def score(self, *given: object) -> object:
        return self._found(self._facts.scores, given)

    def _found(self, values: Mapping[tuple[str, str], object], given: tuple[object, ...]) -> object:
        # None and a note, no exception: the library logs an exception of a function to standard error.
        found = values.get((given[0], given[1])) if _is_kind_and_id(given) else None
        if found is None:
            self.nothing_found = True
        return found


class ExampleLookup(RiskLookup):
    """Knows something of everybody, to find out what an expression gives."""

    def __init__(self) -> None:
        super().__init__(NO_RISK_FACTS)

    def rating(self, *given: object) -> object:
        return "C" if _is_kind_and_id(given) else self._found({}, given)

    def score(self, *given: object) -> object:
        return 50.0 if _is_kind_and_id(given) else self._found({}, given)


def _is_kind_and_id(given: tuple[object, ...]) -> TypeGuard[tuple[str, str]]:
    return len(given) == 2 and all(isinstance(part, str) for part in given)


class NothingRated:
    """A RiskFactsSource without data: a plan that is only looked at, or a server without a risk store."""

    def snapshot(self) -> RiskFacts:
        return NO_RISK_FACTS

    def kinds(self, function: str) -> frozenset[str]:
        return frozenset()

    async def need(self, needs: Set[RiskNeed]) -> None:
        """There is nothing to load."""
