"""The outage, and the operators' way back, through InsurerControl alone."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from sluice.client import AsyncSluice
from sluice.insurer.v1 import breaker_pb2, incident_pb2, insurer_control_pb2
from sluice_server.cli.demo.house import FAILING, FIRST_OPERATOR, SECOND_OPERATOR, House
from sluice_server.cli.demo.traffic import Traffic
from sluice_server.cli.demo.view import TrafficView

CALM_SECONDS = 8.0
CUT_SECONDS = 8.0
CUT_LIMIT_SECONDS = 60.0
RAMP_LIMIT_SECONDS = 90.0
DRAW_SECONDS = 0.2


class Watch:
    """Follows WatchInsurers: the state of every breaker as the server tells it."""

    def __init__(self, client: AsyncSluice) -> None:
        self.states: dict[str, str] = {}
        self.admitted: dict[str, int] = {}
        self.incident_id = ""
        self._client = client
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begins to follow."""
        self._task = asyncio.create_task(self._follow(), name="demo watch")

    async def stop(self) -> None:
        """Hangs up."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def until(self, insurer_id: str, state: str, limit_seconds: float) -> bool:
        """Waits until the breaker is in a state; False when it was not within the limit."""
        async with self._changed:
            try:
                await asyncio.wait_for(
                    self._changed.wait_for(lambda: self.states.get(insurer_id) == state), limit_seconds
                )
            except TimeoutError:
                return False
        return True

    async def _follow(self) -> None:
        async for message in self._client.insurers.WatchInsurers(insurer_control_pb2.WatchInsurersRequest()):
            breaker = message.insurer.breaker
            async with self._changed:
                name = breaker_pb2.BreakerState.Name(breaker.state).removeprefix("BREAKER_STATE_")
                self.states[message.insurer.insurer_id] = name
                self.admitted[message.insurer.insurer_id] = breaker.admitted_basis_points
                if message.insurer.insurer_id == FAILING and breaker.incident_id:
                    self.incident_id = breaker.incident_id
                self._changed.notify_all()


@dataclass
class Outage:
    """What was seen, for the verdict."""

    seconds_to_cut: float | None = None
    """From the moment the insurer was told to fail to the moment the caller saw OPEN."""
    shares_before: dict[str, float] = field(default_factory=dict)
    shares_cut: dict[str, float] = field(default_factory=dict)
    """Shares of the last seconds of the cut."""
    retried: int = 0
    insured_by_retry: int = 0
    retry_completed: bool = False
    closed: bool = False
    incident: incident_pb2.Incident | None = None


async def play(
    house: House, first: AsyncSluice, second: AsyncSluice, traffic: Traffic, watch: Watch, view: TrafficView
) -> Outage:
    """Runs the whole story; ``first`` and ``second`` are the clients of two operators (two keys)."""
    seen = Outage()
    phase = ["normal traffic"]

    async def draw() -> None:
        while True:
            view.show(phase[0], traffic.tally, watch.states, watch.admitted)
            await asyncio.sleep(DRAW_SECONDS)

    drawing = asyncio.create_task(draw(), name="demo view")
    try:
        await _fail_and_cut(house, traffic, watch, view, seen, lambda text: phase.__setitem__(0, text))
        if seen.seconds_to_cut is not None:
            await _way_back(house, first, second, watch, view, seen, lambda text: phase.__setitem__(0, text))
            answer = await first.insurers.GetIncident(
                insurer_control_pb2.GetIncidentRequest(incident_id=watch.incident_id)
            )
            seen.incident = answer.incident
    finally:
        drawing.cancel()
        with suppress(asyncio.CancelledError):
            await drawing
    return seen


async def _fail_and_cut(
    house: House, traffic: Traffic, watch: Watch, view: TrafficView, seen: Outage, phase: Callable[[str], None]
) -> None:
    view.say("applications flow through Submit")
    await asyncio.sleep(CALM_SECONDS)
    seen.shares_before = traffic.tally.shares()
    view.say(f"[red]{FAILING} fails hard[/red]: errors, hangs, and policies that it accepts without answering")
    began = time.monotonic()
    await house.set_mode(FAILING, "outage")
    phase(f"{FAILING} is failing")
    if not await watch.until(FAILING, "OPEN", CUT_LIMIT_SECONDS):
        view.say(f"[red]{FAILING} was not cut within {CUT_LIMIT_SECONDS:.0f} s[/red]")
        return
    seen.seconds_to_cut = time.monotonic() - began
    view.say(f"[bold]{FAILING} is cut[/bold] {seen.seconds_to_cut:.2f} s after it began to fail ({watch.incident_id})")
    phase(f"{FAILING} is cut, its share is with the others")
    await asyncio.sleep(CUT_SECONDS)
    seen.shares_cut = traffic.tally.shares()


async def _way_back(
    house: House,
    first: AsyncSluice,
    second: AsyncSluice,
    watch: Watch,
    view: TrafficView,
    seen: Outage,
    phase: Callable[[str], None],
) -> None:
    await house.set_mode(FAILING, "healthy")
    confirmed = await first.insurers.ConfirmRecovery(
        insurer_control_pb2.ConfirmRecoveryRequest(
            insurer_id=FAILING,
            contact="operations desk, on call",
            evidence="their status page is green since two minutes; test policy issued",
            reason="insurer says that the interface is back",
        )
    )
    view.say(f"{FIRST_OPERATOR} has confirmed with the insurer; {confirmed.abnormal_orders} abnormal orders to retry")
    phase("abnormal orders are retried")
    async for step in first.insurers.RetryAbnormalOrders(
        insurer_control_pb2.RetryAbnormalOrdersRequest(insurer_id=FAILING, reason="after the confirmation"),
    ):
        seen.retried, seen.insured_by_retry = step.retried, step.insured
        phase(f"abnormal orders are retried: {step.retried} done, {step.remaining} left, cohort of {step.cohort}")
        if step.done:
            seen.retry_completed = not step.stopped_because
            if step.stopped_because:
                view.say(f"[red]the retry stopped: {step.stopped_because}[/red]")
    view.say(f"{seen.retried} abnormal orders retried, {seen.insured_by_retry} insured")
    if not seen.retry_completed:
        return
    await second.insurers.RestoreTraffic(
        insurer_control_pb2.RestoreTrafficRequest(insurer_id=FAILING, reason="retries were clean")
    )
    view.say(f"{SECOND_OPERATOR} has turned the second key: traffic returns in steps")
    phase("traffic returns in steps")
    seen.closed = await watch.until(FAILING, "CLOSED", RAMP_LIMIT_SECONDS)
    view.say(f"{FAILING} has all of its share again" if seen.closed else f"[red]{FAILING} did not come back[/red]")
