"""Background work that goes on while the server serves."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Protocol

import structlog
from prometheus_client import CollectorRegistry, Counter

FIRST_RESTART_SECONDS = 0.5
LONGEST_RESTART_SECONDS = 30.0


class Worker(Protocol):
    """Something that runs until it is told to stop."""

    @property
    def name(self) -> str:
        """A short name for logs and metrics: ``reconciliation``."""
        ...

    async def run(self, stopping: asyncio.Event) -> None:
        """Works until ``stopping`` is set, then finishes what it is at and returns.

        It waits with ``asyncio.wait_for(stopping.wait(), seconds)``, never with a bare sleep. What it raises is logged,
        and ``run`` is called again a little later.
        """
        ...


class Workers:
    """Starts the workers, starts them again when they fail, and stops them."""

    def __init__(
        self,
        workers: Sequence[Worker],
        registry: CollectorRegistry,
        *,
        first_restart_seconds: float = FIRST_RESTART_SECONDS,
    ) -> None:
        self._workers = workers
        self._first_restart_seconds = first_restart_seconds
        self._stopping = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._failures = Counter(
            "sluice_worker_failures", "Failures of background workers.", ("worker",), registry=registry
        )
        self._log = structlog.get_logger("sluice.worker")

    def start(self) -> None:
        """Runs every worker in a task of its own."""
        self._tasks = [asyncio.create_task(self._keep(worker), name=worker.name) for worker in self._workers]

    async def stop(self, timeout_seconds: float) -> None:
        """Tells all to stop and waits for them; those that take longer than ``timeout_seconds`` are cancelled."""
        self._stopping.set()
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=timeout_seconds)
        for task in late:
            self._log.warning("worker cancelled: it did not stop in time", worker=task.get_name())
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _keep(self, worker: Worker) -> None:
        delay = self._first_restart_seconds
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            started = loop.time()
            try:
                await worker.run(self._stopping)
                if not self._stopping.is_set():
                    self._log.error("worker ended before it was told to", worker=worker.name)
            except Exception:  # noqa: BLE001 - whatever it is, the worker goes on, and it is seen
                self._log.exception("worker failed", worker=worker.name)
            if self._stopping.is_set():
                return
            self._failures.labels(worker.name).inc()
            if loop.time() - started > LONGEST_RESTART_SECONDS:
                delay = self._first_restart_seconds
            try:
                await asyncio.wait_for(self._stopping.wait(), delay)
            except TimeoutError:
                delay = min(delay * 2, LONGEST_RESTART_SECONDS)
