"""The order's life, over every state and every event."""

from __future__ import annotations

import pytest

from sluice_server.domain.errors import OrderStateRefused
from sluice_server.domain.orders.life import EVENT_OF_OUTCOME, TRANSITIONS, OrderEvent, advance
from sluice_server.domain.orders.model import FINAL_STATES, OrderState, Outcome

# Written out a second time on purpose: state by state, as a person would tell it.
LIFE: dict[OrderState, dict[OrderEvent, OrderState]] = {
    OrderState.RECEIVED: {
        OrderEvent.ROUTED: OrderState.ROUTED,
        OrderEvent.PARKED: OrderState.PARKED,
        OrderEvent.REFUSED: OrderState.REJECTED,
        OrderEvent.CANCELLED: OrderState.CANCELLED,
    },
    OrderState.ROUTED: {
        OrderEvent.ROUTED: OrderState.ROUTED,
        OrderEvent.PARKED: OrderState.PARKED,
        OrderEvent.REFUSED: OrderState.REJECTED,
        OrderEvent.SUBMISSION_BEGUN: OrderState.SUBMITTING,
        OrderEvent.SUCCEEDED: OrderState.INSURED,
        OrderEvent.DECLINED: OrderState.REJECTED,
        OrderEvent.FAILED: OrderState.ABNORMAL,
        OrderEvent.LOST: OrderState.ABNORMAL,
        OrderEvent.CANCELLED: OrderState.CANCELLED,
    },
    OrderState.SUBMITTING: {
        OrderEvent.SUCCEEDED: OrderState.INSURED,
        OrderEvent.DECLINED: OrderState.REJECTED,
        OrderEvent.FAILED: OrderState.ABNORMAL,
        OrderEvent.LOST: OrderState.ABNORMAL,
    },
    OrderState.ABNORMAL: {
        OrderEvent.ROUTED: OrderState.ROUTED,
        OrderEvent.PARKED: OrderState.PARKED,
        OrderEvent.REFUSED: OrderState.REJECTED,
        OrderEvent.SUBMISSION_BEGUN: OrderState.SUBMITTING,
        OrderEvent.SUCCEEDED: OrderState.INSURED,
        OrderEvent.DECLINED: OrderState.REJECTED,
        OrderEvent.FAILED: OrderState.ABNORMAL,
        OrderEvent.LOST: OrderState.ABNORMAL,
        OrderEvent.CANCELLED: OrderState.CANCELLED,
    },
    OrderState.PARKED: {
        OrderEvent.ROUTED: OrderState.ROUTED,
        OrderEvent.PARKED: OrderState.PARKED,
        OrderEvent.REFUSED: OrderState.REJECTED,
        OrderEvent.SUCCEEDED: OrderState.INSURED,
        OrderEvent.CANCELLED: OrderState.CANCELLED,
    },
    OrderState.INSURED: {},
    OrderState.REJECTED: {},
    OrderState.CANCELLED: {},
}


@pytest.mark.parametrize("event", OrderEvent)
@pytest.mark.parametrize("state", OrderState)
def test_every_state_follows_or_refuses_every_event(state: OrderState, event: OrderEvent) -> None:
    expected = LIFE[state].get(event)
    if expected is not None:
        assert advance(state, event) is expected
        return
    with pytest.raises(OrderStateRefused) as refused:
        advance(state, event)
    allowed = sorted(other for other in OrderState if event in LIFE[other])
    assert refused.value.metadata["state"] == state
    assert refused.value.metadata["allowed_states"] == ", ".join(allowed)
    assert all(name in refused.value.message for name in allowed)


def test_every_event_is_in_the_table() -> None:
    assert set(TRANSITIONS) == set(OrderEvent)


def test_final_states_are_those_without_a_way_out() -> None:
    assert {state for state, ways in LIFE.items() if not ways} == FINAL_STATES


def test_every_state_is_reached_and_every_unfinished_one_can_become_final() -> None:
    reached = {OrderState.RECEIVED}
    while more := {advance(s, e) for s in reached for e in LIFE[s]} - reached:
        reached |= more
    assert reached == set(OrderState)

    ending = set(FINAL_STATES)
    while more := {s for s in OrderState for target in LIFE[s].values() if target in ending} - ending:
        ending |= more
    assert ending == set(OrderState)


def test_every_outcome_means_an_event() -> None:
    assert set(EVENT_OF_OUTCOME) == set(Outcome)
    assert EVENT_OF_OUTCOME[Outcome.UNKNOWN] is not EVENT_OF_OUTCOME[Outcome.TECHNICAL_FAILURE]
