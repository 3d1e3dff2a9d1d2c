"""The breaker's transitions: a table, and one pure function over it.

Every change of a breaker's state anywhere in Sluice goes through ``next_state`` (or ``advance``, which applies its
answer to a stored breaker). What is not in the table does not happen: there is no other way from OPEN back to CLOSED
than CONFIRM by a named person, the retries of every abnormal order (or an explicit override of them), and the ramp.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from sluice_server.domain.breaker.model import Breaker, BreakerMode, BreakerState
from sluice_server.domain.errors import AbnormalOrdersRemain, FailedPrecondition, IllegalTransition
from sluice_server.domain.routing.ports import ALL, Admission

MAXIMUM_HOLD_FACTOR = 16
"""The hold time doubles with every trip in a row, up to this many times the policy's."""


class BreakerEvent(StrEnum):
    """What can happen to a breaker."""

    TRIP = "TRIP"
    """The evidence trips."""
    CUT_MANUALLY = "CUT_MANUALLY"
    """A person cuts."""
    CONFIRM = "CONFIRM"
    """A named person has confirmed with the insurer that it works again."""
    START_RETRY = "START_RETRY"
    """The retries of the abnormal orders begin, or go on after an interruption."""
    RETRY_FAILED = "RETRY_FAILED"
    """A retried order failed technically."""
    RETRY_COMPLETED = "RETRY_COMPLETED"
    """Every abnormal order of the incident is final."""
    RESTORE = "RESTORE"
    """A second person gives the traffic back."""
    OVERRIDE = "OVERRIDE"
    """The same although abnormal orders remain: their later fate is taken over by who overrides."""
    STEP = "STEP"
    """The next step of the ramp."""
    RAMP_DONE = "RAMP_DONE"
    """The last step of the ramp is passed."""


class Guard(StrEnum):
    """What must be the case for a transition."""

    CONFIRMED_BY_A_PERSON = "CONFIRMED_BY_A_PERSON"
    HOLD_TIME_PASSED = "HOLD_TIME_PASSED"
    RETRIES_COMPLETED = "RETRIES_COMPLETED"
    NO_ABNORMAL_ORDERS = "NO_ABNORMAL_ORDERS"
    STEPS_REMAIN = "STEPS_REMAIN"
    LAST_STEP = "LAST_STEP"


@dataclass(frozen=True, slots=True)
class Facts:
    """What the guards look at; the defaults are the harmless side."""

    confirmed: bool = False
    """The open incident names who confirmed the recovery."""
    hold_left_seconds: float = math.inf
    """How much longer the cut must last before its recovery may be confirmed."""
    retries_completed: bool = False
    """Since the confirmation a run of retries has gone through to its end."""
    abnormal_orders: int = 0
    """Of the incident, not final yet."""
    steps_left: int = 0
    """Steps of the ramp after the present one."""


@dataclass(frozen=True, slots=True)
class Transition:
    """A row of the table."""

    to: BreakerState
    guards: tuple[Guard, ...] = ()


_CLOSED, _OPEN, _CONFIRMED = BreakerState.CLOSED, BreakerState.OPEN, BreakerState.CONFIRMED
_RETRYING, _RAMPING = BreakerState.RETRYING, BreakerState.RAMPING
_E = BreakerEvent

TRANSITIONS: Mapping[BreakerEvent, Mapping[BreakerState, Transition]] = {
    _E.TRIP: {
        _CLOSED: Transition(_OPEN),
        _RAMPING: Transition(_OPEN),
        # The normal stream is cut already: late evidence of it says nothing about the recovery.
        _OPEN: Transition(_OPEN),
        _CONFIRMED: Transition(_CONFIRMED),
        _RETRYING: Transition(_RETRYING),
    },
    _E.CUT_MANUALLY: {
        _CLOSED: Transition(_OPEN),
        _RAMPING: Transition(_OPEN),
        _OPEN: Transition(_OPEN),
    },
    _E.CONFIRM: {
        _OPEN: Transition(_CONFIRMED, (Guard.HOLD_TIME_PASSED,)),
        _CONFIRMED: Transition(_CONFIRMED),
    },
    _E.START_RETRY: {
        _CONFIRMED: Transition(_RETRYING, (Guard.CONFIRMED_BY_A_PERSON,)),
        _RETRYING: Transition(_RETRYING),
    },
    _E.RETRY_FAILED: {
        _RETRYING: Transition(_OPEN),
        _OPEN: Transition(_OPEN),
    },
    _E.RETRY_COMPLETED: {
        _RETRYING: Transition(_RETRYING, (Guard.NO_ABNORMAL_ORDERS,)),
    },
    _E.RESTORE: {
        _RETRYING: Transition(
            _RAMPING, (Guard.CONFIRMED_BY_A_PERSON, Guard.NO_ABNORMAL_ORDERS, Guard.RETRIES_COMPLETED)
        ),
        _RAMPING: Transition(_RAMPING),
    },
    _E.OVERRIDE: {
        _CONFIRMED: Transition(_RAMPING, (Guard.CONFIRMED_BY_A_PERSON,)),
        _RETRYING: Transition(_RAMPING, (Guard.CONFIRMED_BY_A_PERSON,)),
        _RAMPING: Transition(_RAMPING),
    },
    _E.STEP: {_RAMPING: Transition(_RAMPING, (Guard.STEPS_REMAIN,))},
    _E.RAMP_DONE: {
        _RAMPING: Transition(_CLOSED, (Guard.LAST_STEP,)),
        _CLOSED: Transition(_CLOSED),
    },
}

_WHAT_TO_DO: Mapping[BreakerEvent, str] = {
    _E.CUT_MANUALLY: "no traffic but the retries goes to the insurer now",
    _E.CONFIRM: "ConfirmRecovery follows a cut",
    _E.START_RETRY: "RetryAbnormalOrders follows ConfirmRecovery",
    _E.RESTORE: "RestoreTraffic follows ConfirmRecovery and a completed RetryAbnormalOrders",
    _E.OVERRIDE: "an override also follows ConfirmRecovery",
}


def next_state(state: BreakerState, event: BreakerEvent, facts: Facts) -> BreakerState:
    """The state after the event; the same state where the event changes nothing.

    Raises IllegalTransition (metadata ``state``, ``allowed_states``, ``event``) or AbnormalOrdersRemain.
    """
    row = TRANSITIONS[event].get(state)
    if row is None:
        hint = _WHAT_TO_DO.get(event, "")
        raise _illegal(state, event, f"{event} is not possible while the breaker is {state}", hint)
    for guard in row.guards:
        refusal = _refusal(guard, facts)
        if refusal is None:
            continue
        if guard is Guard.NO_ABNORMAL_ORDERS:
            raise AbnormalOrdersRemain(
                refusal, subject="incident", state=state, abnormal_orders=str(facts.abnormal_orders)
            )
        raise _illegal(state, event, f"{event} is not possible yet: {refusal}", "", guard)
    return row.to


def _refusal(guard: Guard, facts: Facts) -> str | None:
    """Why the guard refuses; None when it lets pass."""
    match guard:
        case Guard.CONFIRMED_BY_A_PERSON:
            return None if facts.confirmed else "nobody has confirmed the recovery; ConfirmRecovery first"
        case Guard.HOLD_TIME_PASSED:
            if facts.hold_left_seconds <= 0:
                return None
            return f"the policy holds the cut for another {facts.hold_left_seconds:.0f} seconds"
        case Guard.RETRIES_COMPLETED:
            return None if facts.retries_completed else "the retries are not completed; RetryAbnormalOrders first"
        case Guard.NO_ABNORMAL_ORDERS:
            if facts.abnormal_orders == 0:
                return None
            return f"{facts.abnormal_orders} abnormal orders of the incident are not final; RetryAbnormalOrders first"
        case Guard.STEPS_REMAIN:
            return None if facts.steps_left > 0 else "the ramp is at its last step"
        case Guard.LAST_STEP:
            return None if facts.steps_left == 0 else "the ramp is not at its last step"


def _illegal(
    state: BreakerState, event: BreakerEvent, message: str, hint: str, guard: Guard | None = None
) -> FailedPrecondition:
    allowed = [str(each) for each in BreakerState if each in TRANSITIONS[event]]
    metadata = {"state": str(state), "allowed_states": ",".join(allowed), "event": str(event)}
    if guard is not None:
        metadata["guard"] = str(guard)
    text = f"{message} (possible while {' or '.join(allowed)})" + (f": {hint}" if hint else "")
    return IllegalTransition(text, subject="breaker", **metadata)


def advance(breaker: Breaker, event: BreakerEvent, facts: Facts, at: datetime, *, incident_id: str = "") -> Breaker:
    """The breaker after the event, ready for compare-and-set (``version`` is still the one that was read).

    The very same object where the event changes nothing. ``incident_id``: of the incident that a first cut opens.
    """
    state = next_state(breaker.state, event, facts)
    if event is _E.STEP:
        return replace(breaker, ramp_step=breaker.ramp_step + 1, state_since=at)
    if state is breaker.state:
        return breaker
    changed = replace(breaker, state=state, state_since=at, ramp_step=0)
    if state is _OPEN:
        return replace(
            changed, incident_id=breaker.incident_id or incident_id, trips_in_a_row=breaker.trips_in_a_row + 1
        )
    if state is _RAMPING:
        # What the insurer did while it was down must not trip it again.
        return replace(changed, evidence_since=at)
    if state is _CLOSED:
        return replace(changed, incident_id="", trips_in_a_row=0)
    return changed


def steps_left(breaker: Breaker) -> int:
    """Steps of the ramp after the present one."""
    return max(0, len(breaker.policy.ramp_steps_basis_points) - 1 - breaker.ramp_step)


def hold_until(breaker: Breaker) -> datetime:
    """The moment from which the recovery of an OPEN breaker may be confirmed: the policy's hold time after the cut,
    doubled with each further trip in a row (an insurer that fails again right after its return waits longer)."""
    factor = min(MAXIMUM_HOLD_FACTOR, 2 ** max(0, breaker.trips_in_a_row - 1))
    return breaker.state_since + timedelta(seconds=breaker.policy.hold_seconds * factor)


def admission(breaker: Breaker) -> Admission:
    """What part of its normal share the breaker lets through.

    METRICS_ONLY stops automatic cuts; a cut that exists, or that a person makes, holds until it is restored. Only
    FORCED_CLOSED lets traffic through against the state.
    """
    if breaker.mode is BreakerMode.FORCED_OPEN:
        return Admission(0, "FORCED_OPEN")
    if breaker.mode is BreakerMode.FORCED_CLOSED or breaker.state is _CLOSED:
        return ALL
    if breaker.state is _RAMPING:
        steps = breaker.policy.ramp_steps_basis_points
        # The policy may have been given fewer steps since the ramp began.
        return Admission(steps[min(breaker.ramp_step, len(steps) - 1)], "RAMPING")
    return Admission(0, f"CUT: {breaker.state}")
