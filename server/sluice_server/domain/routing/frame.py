"""What many decisions have in common, so that whoever writes decisions down writes that part once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TypeVar

from sluice_server.domain.construct import constructor
from sluice_server.domain.routing.model import Application, Binding, Candidate, Decision, Disposition

T = TypeVar("T")

MAXIMUM_FRAMES = 16_384
"""Of the candidates of one traffic snapshot; with more kinds of decisions the frames begin anew."""

_decision = constructor(Decision)


class Frame:
    """Everything in a first decision by a STICKY split that names an insurer, but its ids, rule, split key and moment.

    A plan makes thousands of decisions a second and only a handful of frames. What has been made of a frame's part, as
    JSON, as protobuf, is kept with it.
    """

    __slots__ = (
        "_kept",
        "binding",
        "candidates",
        "factors",
        "insurer_id",
        "plan_name",
        "plan_version",
        "traffic_version",
    )

    def __init__(
        self,
        insurer_id: str,
        binding: Binding,
        plan_name: str,
        plan_version: int,
        factors: Mapping[str, str | int | float | bool],
        candidates: tuple[Candidate, ...],
        traffic_version: int,
    ) -> None:
        self.insurer_id = insurer_id
        self.binding = binding
        self.plan_name = plan_name
        self.plan_version = plan_version
        self.factors = factors
        self.candidates = candidates
        self.traffic_version = traffic_version
        self._kept: dict[object, object] = {}

    def kept(self, make: Callable[[Decision], T], first: FirstDecision) -> T:
        """What ``make`` made of a decision with this frame when it was first asked for."""
        try:
            return self._kept[make]  # type: ignore[return-value]  # under a function is only what it made
        except KeyError:
            made = self._kept[make] = make(first.decision())
            return made


class FirstDecision:
    """The first decision of an application, in the short form that nearly every call of Route needs.

    To make a ``Decision`` of it, and an order around that, costs as much as to decide.
    """

    __slots__ = ("application", "decided_at", "decision_id", "frame", "rule", "split_key")

    def __init__(
        self, application: Application, frame: Frame, decision_id: str, rule: str, split_key: str, decided_at: datetime
    ) -> None:
        self.application = application
        self.frame = frame
        self.decision_id = decision_id
        self.rule = rule
        self.split_key = split_key
        self.decided_at = decided_at

    def decision(self) -> Decision:
        """The same in full."""
        frame = self.frame
        return _decision(
            self.decision_id,
            self.application.application_id,
            1,
            Disposition.ROUTED,
            frame.insurer_id,
            frame.binding,
            frame.plan_name,
            frame.plan_version,
            self.rule,
            frame.factors,
            self.split_key,
            None,
            frame.candidates,
            frame.traffic_version,
            self.decided_at,
            (),
        )
