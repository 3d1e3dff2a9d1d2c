"""Teams that call the insurer themselves: Route, the insurer's own interface, ReportOutcome."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

import aiohttp

from sluice.client import AsyncSluice
from sluice.routing.v1 import application_pb2, decision_pb2, order_pb2, routing_pb2
from tests.support.books import FINAL, Acknowledged

CALL_SECONDS = 4.0
INSURER_SECONDS = 1.0
Attempt = Callable[[Callable[[AsyncSluice], Awaitable[bool]]], Awaitable[bool]]
"""Makes a call at one server or the other until it is answered; whether it was."""


class Team:
    """Brings one application after the other to its end, each in as many steps as the trouble around takes."""

    def __init__(self, insurers: Mapping[str, str], acknowledged: Acknowledged) -> None:
        """``insurers``: their interfaces' base URLs."""
        self.technical_failures = 0
        """Reported ones: these orders may go to somebody else."""
        self.unknown = 0
        """Reported ones: these may not."""
        self._insurers = insurers
        self._acknowledged = acknowledged
        self._sent: set[tuple[str, str]] = set()
        self._http: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=INSURER_SECONDS))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._http is not None, "entered"
        await self._http.close()

    async def bring(self, asked: application_pb2.Application, attempt: Attempt) -> bool:
        """Whether it is at its end, which Sluice has been told."""
        answers: list[routing_pb2.RouteResponse] = []

        async def route(client: AsyncSluice) -> bool:
            answers.append(
                await client.routing.Route(routing_pb2.RouteRequest(application=asked), timeout=CALL_SECONDS)
            )
            return True

        if not await attempt(route):
            return False
        answer = answers[-1]
        self._acknowledged.routed(answer.decision)
        if answer.state in FINAL:
            return True
        if answer.decision.disposition != decision_pb2.DISPOSITION_ROUTED:
            return False  # parked: it is routed when somebody is back
        outcome, policy_number = await self._call(asked, answer.decision)
        if outcome == order_pb2.OUTCOME_TECHNICAL_FAILURE:
            self.technical_failures += 1
        elif outcome == order_pb2.OUTCOME_UNKNOWN:
            self.unknown += 1
        report = routing_pb2.ReportOutcomeRequest(
            application_id=asked.application_id,
            insurer_id=answer.decision.insurer_id,
            outcome=outcome,
            policy_number=policy_number,
            request_id=f"{answer.decision.decision_id}-{outcome}",
        )
        told = await attempt(lambda client: self._report(client, report))
        return told and outcome in (order_pb2.OUTCOME_SUCCESS, order_pb2.OUTCOME_BUSINESS_REJECTION)

    async def _report(self, client: AsyncSluice, report: routing_pb2.ReportOutcomeRequest) -> bool:
        self._acknowledged.submitted((await client.routing.ReportOutcome(report, timeout=CALL_SECONDS)).order)
        return True

    async def _call(
        self, asked: application_pb2.Application, decision: decision_pb2.Decision
    ) -> tuple[order_pb2.Outcome, str]:
        """How a call to the insurer ends, and the policy number if it insures. Only when nobody listened, and nothing
        was ever sent to it for this application, it has certainly failed."""
        assert self._http is not None, "entered"
        whom = (asked.application_id, decision.insurer_id)
        body = {
            "application_id": asked.application_id,
            "product": decision.binding.insurer_product_code,
            "premium_minor": asked.premium.amount_minor,
            "currency": asked.premium.currency_code,
        }
        key = {"Idempotency-Key": f"team-{asked.application_id}"}
        url = f"{self._insurers[decision.insurer_id]}/v1/policies"
        try:
            async with self._http.post(url, json=body, headers=key) as answer:
                self._sent.add(whom)
                said = await answer.json()
        except aiohttp.ClientConnectorError:
            return (order_pb2.OUTCOME_UNKNOWN if whom in self._sent else order_pb2.OUTCOME_TECHNICAL_FAILURE), ""
        except (aiohttp.ClientError, TimeoutError, ValueError):
            self._sent.add(whom)
            return order_pb2.OUTCOME_UNKNOWN, ""
        status = said.get("status") if answer.ok and isinstance(said, dict) else None
        if status == "ISSUED" and said.get("policy_number"):
            return order_pb2.OUTCOME_SUCCESS, str(said["policy_number"])
        return (order_pb2.OUTCOME_BUSINESS_REJECTION if status == "DECLINED" else order_pb2.OUTCOME_UNKNOWN), ""
