"""The garbage collector is off while a plan is read, and afterwards as it was before."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator

import pytest

from sluice_server.domain.routing.source.collector import COLLECTOR_HELD_OFF


@pytest.fixture(autouse=True)
def _enabled_afterwards() -> Iterator[None]:
    yield
    gc.enable()


def test_it_is_off_within_and_on_again_after_an_error() -> None:
    within: list[bool] = []

    def read() -> None:
        with COLLECTOR_HELD_OFF:
            within.append(gc.isenabled())
            raise ValueError("bad plan")

    with pytest.raises(ValueError, match="bad plan"):
        read()
    assert within == [False]
    assert gc.isenabled()


def test_the_last_of_several_threads_puts_it_back() -> None:
    entered, leave = threading.Event(), threading.Event()

    def other() -> None:
        with COLLECTOR_HELD_OFF:
            entered.set()
            leave.wait(10)

    thread = threading.Thread(target=other)
    with COLLECTOR_HELD_OFF:
        thread.start()
        assert entered.wait(10)
    assert not gc.isenabled()
    leave.set()
    thread.join(10)
    assert gc.isenabled()


def test_one_that_was_off_stays_off() -> None:
    gc.disable()
    with COLLECTOR_HELD_OFF:
        pass
    assert not gc.isenabled()
