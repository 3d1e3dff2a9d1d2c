"""Background work: started, started again, stopped."""

from __future__ import annotations

import asyncio

from prometheus_client import CollectorRegistry

from sluice_server.runtime.workers import Workers


class Recorded:
    """A worker that fails as often as it is told, then waits for the stop."""

    name = "recorded"

    def __init__(self, failures: int = 0, *, deaf: bool = False) -> None:
        self.failures = failures
        self.deaf = deaf
        self.runs = 0
        self.began = asyncio.Event()
        self.waiting = asyncio.Event()
        self.ended = ""

    async def run(self, stopping: asyncio.Event) -> None:
        self.runs += 1
        self.began.set()
        if self.runs <= self.failures:
            raise OSError("the store is away")
        self.waiting.set()
        try:
            await (asyncio.Event() if self.deaf else stopping).wait()
            self.ended = "stopped"
        except asyncio.CancelledError:
            self.ended = "cancelled"
            raise


async def test_a_failing_worker_is_started_again_and_counted() -> None:
    registry, worker = CollectorRegistry(), Recorded(failures=2)
    workers = Workers([worker], registry, first_restart_seconds=0.001)
    workers.start()
    await asyncio.wait_for(worker.waiting.wait(), 5)
    await workers.stop(5)
    assert worker.runs == 3
    assert worker.ended == "stopped"
    assert registry.get_sample_value("sluice_worker_failures_total", {"worker": "recorded"}) == 2


async def test_a_worker_that_does_not_stop_in_time_is_cancelled() -> None:
    worker = Recorded(deaf=True)
    workers = Workers([worker], CollectorRegistry())
    workers.start()
    await asyncio.wait_for(worker.waiting.wait(), 5)
    await asyncio.wait_for(workers.stop(0.01), 5)
    assert worker.ended == "cancelled"


async def test_a_stop_does_not_wait_for_the_next_start() -> None:
    worker = Recorded(failures=1)
    workers = Workers([worker], CollectorRegistry(), first_restart_seconds=3600)
    workers.start()
    await asyncio.wait_for(worker.began.wait(), 5)
    await asyncio.wait_for(workers.stop(60), 5)
    assert worker.runs == 1


async def test_nothing_to_do_stops_at_once() -> None:
    await Workers([], CollectorRegistry()).stop(0)
