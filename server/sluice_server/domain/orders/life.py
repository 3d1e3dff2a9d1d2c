"""订单的一生: the life of an order as a table of transitions and one pure function.

The table says which state follows; ``history`` holds what a state alone cannot say (who may be asked while an outcome
is unknown).
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from sluice_server.domain.errors import OrderStateRefused
from sluice_server.domain.orders.model import OrderState, Outcome


class OrderEvent(StrEnum):
    """What happens to an order."""

    ROUTED = "ROUTED"
    """A decision names an insurer: the first one, or another after a cut, a wait or a definite failure."""
    PARKED = "PARKED"
    """A decision finds no insurer, and the rule keeps the order."""
    REFUSED = "REFUSED"
    """A decision finds no insurer, and the rule rejects the order."""
    SUBMISSION_BEGUN = "SUBMISSION_BEGUN"
    """A submission is written; the call follows."""
    SUCCEEDED = "SUCCEEDED"
    """The insurer insures: its answer, its answer to an inquiry, or a report."""
    DECLINED = "DECLINED"
    """The insurer declines, or the request was malformed."""
    FAILED = "FAILED"
    """A technical failure: it is certain that this call insured nothing."""
    LOST = "LOST"
    """Nobody knows what came of the call."""
    CANCELLED = "CANCELLED"
    """Withdrawn before anything could have been insured."""


_S = OrderState

TRANSITIONS: Mapping[OrderEvent, Mapping[OrderState, OrderState]] = MappingProxyType(
    {
        OrderEvent.ROUTED: {
            _S.RECEIVED: _S.ROUTED,
            _S.ROUTED: _S.ROUTED,
            _S.PARKED: _S.ROUTED,
            _S.ABNORMAL: _S.ROUTED,
        },
        OrderEvent.PARKED: {
            _S.RECEIVED: _S.PARKED,
            _S.ROUTED: _S.PARKED,
            _S.PARKED: _S.PARKED,
            _S.ABNORMAL: _S.PARKED,
        },
        OrderEvent.REFUSED: {
            _S.RECEIVED: _S.REJECTED,
            _S.ROUTED: _S.REJECTED,
            _S.PARKED: _S.REJECTED,
            _S.ABNORMAL: _S.REJECTED,
        },
        OrderEvent.SUBMISSION_BEGUN: {
            _S.ROUTED: _S.SUBMITTING,
            # The same insurer again, with the same idempotency key.
            _S.ABNORMAL: _S.SUBMITTING,
        },
        # From ROUTED by a report of the team that called, from ABNORMAL by an inquiry or a later report; from PARKED by
        # an answer that arrives after everybody had given it up.
        OrderEvent.SUCCEEDED: {
            _S.SUBMITTING: _S.INSURED,
            _S.ROUTED: _S.INSURED,
            _S.ABNORMAL: _S.INSURED,
            _S.PARKED: _S.INSURED,
        },
        OrderEvent.DECLINED: {
            _S.SUBMITTING: _S.REJECTED,
            _S.ROUTED: _S.REJECTED,
            _S.ABNORMAL: _S.REJECTED,
        },
        OrderEvent.FAILED: {
            _S.SUBMITTING: _S.ABNORMAL,
            _S.ROUTED: _S.ABNORMAL,
            _S.ABNORMAL: _S.ABNORMAL,
        },
        OrderEvent.LOST: {
            _S.SUBMITTING: _S.ABNORMAL,
            _S.ROUTED: _S.ABNORMAL,
            _S.ABNORMAL: _S.ABNORMAL,
        },
        OrderEvent.CANCELLED: {
            _S.RECEIVED: _S.CANCELLED,
            _S.ROUTED: _S.CANCELLED,
            _S.PARKED: _S.CANCELLED,
            _S.ABNORMAL: _S.CANCELLED,
        },
    }
)

EVENT_OF_OUTCOME: Mapping[Outcome, OrderEvent] = MappingProxyType(
    {
        Outcome.SUCCESS: OrderEvent.SUCCEEDED,
        Outcome.BUSINESS_REJECTION: OrderEvent.DECLINED,
        Outcome.CALLER_FAULT: OrderEvent.DECLINED,
        Outcome.TECHNICAL_FAILURE: OrderEvent.FAILED,
        Outcome.UNKNOWN: OrderEvent.LOST,
    }
)
"""What the end of a submission means for its order."""


def advance(state: OrderState, event: OrderEvent) -> OrderState:
    """The state after ``event``; raises OrderStateRefused, which names the states that allow the event."""
    allowed = TRANSITIONS[event]
    if state not in allowed:
        names = ", ".join(sorted(allowed))
        raise OrderStateRefused(
            f"an order that is {state} cannot be {_WORDS[event]}; allowed states: {names}",
            state=state.value,
            allowed_states=names,
        )
    return allowed[state]


_WORDS: Mapping[OrderEvent, str] = MappingProxyType(
    {
        OrderEvent.ROUTED: "routed",
        OrderEvent.PARKED: "parked",
        OrderEvent.REFUSED: "rejected by the plan",
        OrderEvent.SUBMISSION_BEGUN: "submitted",
        OrderEvent.SUCCEEDED: "insured",
        OrderEvent.DECLINED: "rejected by the insurer",
        OrderEvent.FAILED: "recorded as failed",
        OrderEvent.LOST: "recorded as unknown",
        OrderEvent.CANCELLED: "cancelled",
    }
)
