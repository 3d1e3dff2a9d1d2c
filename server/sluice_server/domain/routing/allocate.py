"""Chooses among a rule's insurers and binds the order to the chosen one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import cel

from sluice_server.domain.construct import constructor
from sluice_server.domain.identity import new_id
from sluice_server.domain.routing.books import LedgerKey, OpenDecision
from sluice_server.domain.routing.compiled_rule import CompiledRule
from sluice_server.domain.routing.frame import MAXIMUM_FRAMES, FirstDecision, Frame
from sluice_server.domain.routing.index import Value
from sluice_server.domain.routing.model import Application, Candidate, Decision, Disposition
from sluice_server.domain.routing.ports import TrafficSnapshot
from sluice_server.domain.routing.source.expressions import ContextBuilder
from sluice_server.domain.routing.source.fields import FactorValue
from sluice_server.domain.routing.weights import exhausted, weigh

MAXIMUM_WEIGHED = 8_192
"""Shares and product lines whose candidates are kept at once; callers choose the product lines."""

_decision = constructor(Decision)


class Reading:
    """What a plan read from one application."""

    __slots__ = ("_application", "_builder", "_context", "_now", "factors", "shared", "values")

    def __init__(
        self,
        factors: Mapping[str, FactorValue],
        values: Sequence[Value],
        builder: ContextBuilder,
        application: Application,
        now: datetime,
        *,
        shared: bool,
    ) -> None:
        """``builder``: of the variables of ``when``."""
        self.factors = factors
        self.shared = shared
        """Whether other applications with the same factors get the same object of them."""
        self.values = values
        """The fields and factors that the rules use, in the plan's order."""
        self._builder = builder
        self._application = application
        self._now = now
        self._context: cel.Context | None = None

    def context(self) -> cel.Context:
        """The variables of ``when``, made when first asked for."""
        if self._context is None:
            self._context = self._builder.build(self._application, self._now, self.factors)
        return self._context


class _Weighed(NamedTuple):
    """A rule's candidates under one traffic snapshot, for one product line."""

    candidates: tuple[Candidate, ...]
    weights: tuple[int, ...]
    limited: bool
    """Whether any of them has a capacity."""
    frames: dict[tuple[object, ...], Frame]
    """Of the decisions among them."""


class Allocator:
    """Makes the decisions of one plan version."""

    def __init__(self, plan_name: str, plan_version: int) -> None:
        self._plan_name = plan_name
        self._plan_version = plan_version
        self._weighed: tuple[TrafficSnapshot, dict[tuple[int, str], _Weighed]] = (TrafficSnapshot(0, {}), {})

    def first(
        self, rule: CompiledRule, application: Application, reading: Reading, traffic: TrafficSnapshot, *, now: datetime
    ) -> FirstDecision | Decision | OpenDecision:
        """What ``split`` gives for a first decision, in the short form where there is one."""
        weighed = self._weigh(rule, application.product_line, traffic)
        candidates, weights, limited, frames = weighed
        if not rule.exact and reading.shared:
            split_key = _split_key(rule, application, reading)
            chosen = rule.split.choose(weights, split_key)
            if (
                chosen >= 0
                and (binder := rule.bindings[chosen]).shared
                and not (limited and candidates[chosen].insurer_id in traffic.capacities)
            ):
                binding = binder.bind(application, reading.factors, now)
                # By identity: they are the same objects where they say the same, and a frame holds its own.
                place = (chosen, id(binding), id(reading.factors))
                frame = frames.get(place)
                if frame is None:
                    if len(frames) >= MAXIMUM_FRAMES:
                        frames.clear()
                    frame = frames[place] = Frame(
                        candidates[chosen].insurer_id,
                        binding,
                        self._plan_name,
                        self._plan_version,
                        reading.factors,
                        candidates,
                        traffic.version,
                    )
                return FirstDecision(application, frame, new_id("dec"), rule.name, split_key, now)
        return self._split(weighed, rule, application, reading, traffic, number=1, failed=frozenset(), now=now)

    def split(
        self,
        rule: CompiledRule,
        application: Application,
        reading: Reading,
        traffic: TrafficSnapshot,
        *,
        number: int,
        failed: frozenset[str],
        now: datetime,
    ) -> Decision | OpenDecision:
        """Chooses among the rule's insurers. Open for an EXACT split, and where an insurer with a capacity would be
        chosen: both are settled when the decision is stored."""
        if failed:
            weighed = _weigh(rule, application.product_line, traffic, failed)
        else:
            weighed = self._weigh(rule, application.product_line, traffic)
        return self._split(weighed, rule, application, reading, traffic, number=number, failed=failed, now=now)

    def _split(
        self,
        weighed: _Weighed,
        rule: CompiledRule,
        application: Application,
        reading: Reading,
        traffic: TrafficSnapshot,
        *,
        number: int,
        failed: frozenset[str],
        now: datetime,
    ) -> Decision | OpenDecision:
        candidates, weights, limited, _ = weighed
        split_key = _split_key(rule, application, reading)
        if rule.exact and any(weights):
            return self._open(rule, application, reading, traffic, candidates, split_key, number, failed, now)
        disposition, chosen = Disposition.ROUTED, rule.split.choose(weights, split_key)
        if chosen < 0:
            disposition, chosen = exhausted(rule.rule, candidates, failed)
        if limited and chosen >= 0 and candidates[chosen].insurer_id in traffic.capacities:
            return self._open(rule, application, reading, traffic, candidates, split_key, number, failed, now)
        return self._decision(
            application, number, disposition, rule, chosen, reading, split_key, candidates, traffic.version, now
        )

    def _open(
        self,
        rule: CompiledRule,
        application: Application,
        reading: Reading,
        traffic: TrafficSnapshot,
        candidates: tuple[Candidate, ...],
        split_key: str,
        number: int,
        failed: frozenset[str],
        now: datetime,
    ) -> OpenDecision:
        capacities = traffic.capacities
        return OpenDecision(
            draft=self._decision(
                application, number, Disposition.ROUTED, rule, -1, reading, split_key, candidates, traffic.version, now
            ),
            premium=application.premium,
            ledger=LedgerKey(self._plan_version, rule.name) if rule.exact else None,
            deficit=rule.rule.text.deficit,
            choose=rule.split.choose,
            exhausted=lambda full: exhausted(rule.rule, candidates, failed, full),
            bind=lambda index: rule.bindings[index].bind(application, reading.factors, now),
            capacities={i: capacities[i] for i in rule.rule.insurers if i in capacities},
        )

    def _decision(
        self,
        application: Application,
        number: int,
        disposition: Disposition,
        rule: CompiledRule,
        chosen: int,
        reading: Reading,
        split_key: str,
        candidates: tuple[Candidate, ...],
        traffic_version: int,
        now: datetime,
    ) -> Decision:
        """``chosen``: place of the insurer, -1 for nobody."""
        return _decision(
            new_id("dec"),
            application.application_id,
            number,
            disposition,
            "" if chosen < 0 else candidates[chosen].insurer_id,
            None if chosen < 0 else rule.bindings[chosen].bind(application, reading.factors, now),
            self._plan_name,
            self._plan_version,
            rule.name,
            reading.factors,
            split_key,
            None,
            candidates,
            traffic_version,
            now,
            (),
        )

    def _weigh(self, rule: CompiledRule, product_line: str, traffic: TrafficSnapshot) -> _Weighed:
        """The same for every application of a product line until the traffic changes, so it is kept until then."""
        of, kept = self._weighed
        if of is not traffic or len(kept) >= MAXIMUM_WEIGHED:
            # Swapped as a whole: a decision that runs at the same time goes on with the one that it has.
            kept = {}
            self._weighed = (traffic, kept)
        # By the shares and not by the rule: of thousands of rules most share them.
        place = (rule.shares_number, product_line)
        weighed = kept.get(place)
        if weighed is None:
            weighed = kept[place] = _weigh(rule, product_line, traffic, frozenset())
        return weighed


def _split_key(rule: CompiledRule, application: Application, reading: Reading) -> str:
    key = reading.values[rule.sticky_place]
    # Without a key all such applications would go to one insurer.
    return application.application_id if key is None or key == "" else str(key)


def _weigh(rule: CompiledRule, product_line: str, traffic: TrafficSnapshot, failed: frozenset[str]) -> _Weighed:
    candidates = weigh(rule.rule, product_line, traffic, failed)
    weights = tuple(candidate.weight_basis_points for candidate in candidates)
    return _Weighed(candidates, weights, not traffic.capacities.keys().isdisjoint(rule.rule.insurers), {})
