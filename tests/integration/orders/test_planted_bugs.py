"""The state machine proves something only if it fails where safety is missing: each planted bug must be found.

The machine is driven by hand, so that the way to the bug does not depend on chance; its own checks must find it.
"""

from __future__ import annotations

import itertools
from datetime import datetime

import pytest

from sluice_server.domain.errors import SluiceError
from sluice_server.domain.orders import history
from sluice_server.domain.orders.model import Order, OrderState, Outcome, Submission
from sluice_server.domain.orders.timing import OrderTiming
from sluice_server.store.decision_log import SqlDecisionLog
from tests.integration.orders import test_stateful as machine
from tests.integration.orders.world import A


def _drive(behaviour: str, *, ends_at: int | None = None) -> None:
    """An order whose call goes like this (its process may die), a minute of workers, then the machine's checks."""
    world = machine.Orders()
    world.open()
    try:
        world.insurers_will_behave_like_this(A, [behaviour])
        if ends_at is None:
            world.somebody_submits(0, 60)
        else:
            world.the_process_dies_while_it_submits(0, ends_at)
            world.acknowledged.clear()
        for seconds in (1.5, 3.0, 12.0, 45.0):
            world.time_passes_and_workers_work(seconds)
            world.nobody_is_insured_twice()
            world.what_is_acknowledged_is_stored_and_every_unfinished_order_will_be_looked_after()
        if ends_at is not None:
            world.somebody_submits(0, 60)
    finally:
        world.teardown()


@pytest.mark.parametrize("behaviour", ["success", "fail", "lost", "insured-but-lost", "late"])
@pytest.mark.parametrize("ends_at", [None, 1, 2, 3, 4, 5])
def test_without_a_bug_the_machine_is_content(behaviour: str, ends_at: int | None) -> None:
    _drive(behaviour, ends_at=ends_at)


def test_an_unknown_outcome_that_is_rerouted_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Submission, "unsettled", property(lambda s: s.standing is None))
    lost = (Outcome.TECHNICAL_FAILURE, Outcome.UNKNOWN)
    failed = property(lambda order: frozenset(s.insurer_id for s in order.submissions if s.standing in lost))
    monkeypatch.setattr(Order, "failed_insurers", failed)
    with pytest.raises(AssertionError):
        _drive("insured-but-lost")


def test_an_inquiry_that_is_believed_too_early_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def at_once(timing: OrderTiming, order: Order) -> datetime:
        return order.updated_at

    monkeypatch.setattr(OrderTiming, "quiet_until", at_once)
    with pytest.raises(AssertionError):
        _drive("late")


def test_a_key_that_changes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    numbers = itertools.count()

    def key(application_id: str, insurer_id: str) -> str:
        return f"key{next(numbers)}"

    monkeypatch.setattr(history, "idempotency_key", key)
    monkeypatch.setattr(machine, "LINES", ("solo",) * 6)  # a second call to the same insurer
    with pytest.raises(AssertionError):
        _drive("lost")


def test_a_call_that_is_not_written_before_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    record = SqlDecisionLog.record

    async def forget(log: SqlDecisionLog, order: Order) -> Order:
        return order if order.state is OrderState.SUBMITTING else await record(log, order)

    monkeypatch.setattr(SqlDecisionLog, "record", forget)
    with pytest.raises((AssertionError, SluiceError)):
        _drive("success", ends_at=4)


def test_an_acknowledgement_before_the_commit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def acknowledge(log: SqlDecisionLog, order: Order) -> Order:
        return order

    async def save(log: SqlDecisionLog, order: Order) -> None:
        return None

    monkeypatch.setattr(SqlDecisionLog, "record", acknowledge)
    monkeypatch.setattr(SqlDecisionLog, "save", save)
    with pytest.raises((AssertionError, SluiceError)):
        _drive("success")
