"""How the simulated insurer behaves: a mode, its numbers, and what they make of one request.

The draw for a request comes from the seed, its idempotency key and how often that key was sent, so that a run can be
repeated whatever the order of arrival.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from enum import StrEnum
from random import Random

from sluice_server.domain.errors import InvalidInput, Violation

_NINETY_NINTH = 2.3263478740408408  # of the standard normal distribution


class ModeName(StrEnum):
    """What a script can ask for."""

    HEALTHY = "healthy"
    JITTER = "jitter"
    """Some requests fail: refused with 503, or taken and answered with 500."""
    ERRORS = "errors"
    """Errors without taking anything: 500, 502, 503, or the one given as ``status``."""
    OUTAGE = "outage"
    """503, silence, and requests that are taken and never answered; the inquiry fails as well."""
    HANG = "hang"
    """Takes nothing, answers nothing, not even an inquiry."""
    ACCEPT_THEN_TIMEOUT = "accept-then-timeout"
    """Takes every request and never answers; the inquiry works."""
    SLOW = "slow"
    """Answers right, after ``slow_seconds``."""
    LYING_200 = "lying-200"
    """Answers 200 with an error in the body; half of the requests are taken nevertheless."""
    ASYNC = "async"
    """Takes every request with 202 and decides ``settle_seconds`` later; the inquiry says that it is being processed.
    Where it knows where to (``--callback-url``), it then tells its decision by a callback."""
    DUPLICATE_CALLBACKS = "duplicate-callbacks"
    """As async; every callback is sent three times."""
    OUT_OF_ORDER_CALLBACKS = "out-of-order-callbacks"
    """As async; half of the decisions are told before the 202 is sent, and behind every decision comes an older
    callback that says that the request is being processed."""


class Reply(StrEnum):
    """What comes back."""

    ANSWER = "ANSWER"
    ERROR = "ERROR"
    LIE = "LIE"
    LATER = "LATER"
    """202: decided later."""
    SILENCE = "SILENCE"


@dataclass(frozen=True, slots=True)
class Reaction:
    """What happens to one request."""

    accept: bool
    """Whether it comes into the ledger."""
    reply: Reply
    status: int = 503
    """Of an error."""
    callbacks: int = 1
    """How often a later decision is told."""
    told_first: bool = False
    """Whether the decision is told before the request is answered."""
    stale_callback: bool = False
    """Whether a callback follows that is older than the decision."""


@dataclass(frozen=True, slots=True)
class Mode:
    """A mode with its numbers."""

    mode: ModeName = ModeName.HEALTHY
    seed: int = 1
    error_rate: float = 0.05
    """Part of the requests that fail under jitter."""
    status: int = 0
    """The status of ``errors``; 0: a mixture."""
    slow_seconds: float = 5.0
    settle_seconds: float = 2.0
    """From accepting a request to deciding it."""
    latency_median_ms: float = 15.0
    latency_p99_ms: float = 60.0
    """Time to an answer is log-normal with these two."""
    decline_rate: float = 0.0
    """Part of the applications that are declined by the insurer's own rules, whatever the mode."""

    def changed(self, script: Mapping[str, object]) -> Mode:
        """This mode with the script's numbers. Raises InvalidInput naming every wrong one."""
        kinds = {item.name: item.type for item in fields(self)}
        violations = [Violation(name, f"is none of {', '.join(kinds)}") for name in script if name not in kinds]
        numbers: dict[str, int | float] = {}
        for name, value in script.items():
            if name == "mode" or name not in kinds:
                continue
            whole = kinds[name] == "int"
            if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
                violations.append(Violation(name, f"must be a {'whole ' if whole else ''}number"))
            elif not math.isfinite(value) or not _LIMITS[name][0] <= value <= _LIMITS[name][1]:
                violations.append(Violation(name, f"must be from {_LIMITS[name][0]:g} to {_LIMITS[name][1]:g}"))
            else:
                numbers[name] = value
        asked = script.get("mode", self.mode.value)
        if asked not in list(ModeName):
            violations.append(Violation("mode", f"must be one of {', '.join(ModeName)}"))
        if violations:
            raise InvalidInput(violations)
        return replace(self, mode=ModeName(str(asked)), **numbers)  # type: ignore[arg-type]  # names and types checked above

    def declines(self, idempotency_key: str) -> bool:
        """Whether the insurer's rules decline: the same for every repeat of a key."""
        return self._draw(idempotency_key, 0, "decline").random() < self.decline_rate

    def latency_seconds(self, idempotency_key: str, call: int) -> float:
        """Time until the answer."""
        spread = math.log(max(self.latency_p99_ms / self.latency_median_ms, 1.0)) / _NINETY_NINTH
        drawn = math.exp(self._draw(idempotency_key, call, "latency").gauss(0, spread))
        return self.latency_median_ms / 1000 * drawn + (self.slow_seconds if self.mode is ModeName.SLOW else 0.0)

    def submission(self, idempotency_key: str, call: int) -> Reaction:
        """What happens to the ``call``-th submission under a key."""
        draw = self._draw(idempotency_key, call, "submit")
        match self.mode:
            case ModeName.HEALTHY | ModeName.SLOW:
                return _RIGHT
            case ModeName.JITTER:
                if draw.random() >= self.error_rate:
                    return _RIGHT
                return draw.choice((_REFUSED, _REFUSED, Reaction(True, Reply.ERROR, 500)))
            case ModeName.ERRORS:
                return Reaction(False, Reply.ERROR, self.status or draw.choice((500, 502, 503)))
            case ModeName.OUTAGE:
                return draw.choice((_REFUSED, Reaction(False, Reply.SILENCE), Reaction(True, Reply.SILENCE)))
            case ModeName.HANG:
                return Reaction(False, Reply.SILENCE)
            case ModeName.ACCEPT_THEN_TIMEOUT:
                return Reaction(True, Reply.SILENCE)
            case ModeName.LYING_200:
                return Reaction(draw.random() < 0.5, Reply.LIE)
            case ModeName.ASYNC:
                return _LATER
            case ModeName.DUPLICATE_CALLBACKS:
                return replace(_LATER, callbacks=3)
            case ModeName.OUT_OF_ORDER_CALLBACKS:
                return replace(_LATER, told_first=draw.random() < 0.5, stale_callback=True)

    def inquiry(self, idempotency_key: str, call: int) -> Reaction:
        """What happens to the ``call``-th inquiry about a key."""
        draw = self._draw(idempotency_key, call, "inquire")
        match self.mode:
            case ModeName.JITTER:
                return _REFUSED if draw.random() < self.error_rate else _RIGHT
            case ModeName.ERRORS:
                return Reaction(False, Reply.ERROR, self.status or draw.choice((500, 502, 503)))
            case ModeName.OUTAGE:
                return draw.choice((_REFUSED, Reaction(False, Reply.SILENCE)))
            case ModeName.HANG:
                return Reaction(False, Reply.SILENCE)
            case _:
                return _RIGHT

    def _draw(self, idempotency_key: str, call: int, purpose: str) -> Random:
        return Random(f"{self.seed}/{idempotency_key}/{call}/{purpose}")  # noqa: S311 - a simulation, repeatable by seed


_RIGHT = Reaction(True, Reply.ANSWER)
_LATER = Reaction(True, Reply.LATER)
_REFUSED = Reaction(False, Reply.ERROR, 503)
_LIMITS: Mapping[str, tuple[float, float]] = {
    "seed": (0, 2**63 - 1),
    "error_rate": (0, 1),
    "status": (400, 599),
    "slow_seconds": (0, 3600),
    "settle_seconds": (0, 86_400),
    "latency_median_ms": (0.1, 600_000),
    "latency_p99_ms": (0.1, 600_000),
    "decline_rate": (0, 1),
}
