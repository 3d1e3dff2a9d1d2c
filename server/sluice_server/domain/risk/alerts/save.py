"""The use case SaveAlertRule: checks a rule, replays it over the history, and stores it as a new version."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sluice_server.domain.audit.event import audited
from sluice_server.domain.context import CallContext, Clock
from sluice_server.domain.errors import (
    ConcurrentChange,
    DataVersionNotFound,
    InvalidInput,
    RequestIdConflict,
    StaleEtag,
    Violation,
)
from sluice_server.domain.risk.alerts.alert import Alert
from sluice_server.domain.risk.alerts.evaluate import resolve_all
from sluice_server.domain.risk.alerts.judge import Finding, Judgement, judge
from sluice_server.domain.risk.alerts.metric_rule import MetricRule, RuleCheck, StoredRule
from sluice_server.domain.risk.alerts.rule import AlertRule, Baseline
from sluice_server.domain.risk.alerts.series import Evaluation, SeriesSource
from sluice_server.domain.risk.alerts.wording import summary
from sluice_server.domain.risk.data_version import DataStamp
from sluice_server.domain.unit_of_work import Store

SAVE = "SaveAlertRule"
MOST_SHOWN = 1_000
RULE_FIELDS = ("metric", "dimensions", "filters", "evidence", "time_dimension", "enabled")
"""Fields of MetricRule that a caller sets, by the name of the contract."""
CONDITION_FIELDS = {
    "title": "title",
    "comparison": "comparison",
    "threshold": "threshold",
    "hysteresis": "hysteresis",
    "minimum_exposure": "minimum_volume",
    "for_duration": "for_duration",
    "severity": "severity",
    "owner": "owner",
}
"""Those of its condition; the baseline has several names."""
BASELINE_FIELDS = frozenset({"baseline_deviations", "season", "history"})
FIELDS = frozenset({*RULE_FIELDS, *CONDITION_FIELDS, *BASELINE_FIELDS})


@dataclass(frozen=True, slots=True)
class SaveAlertRuleParams:
    """What is to be saved. ``mask``: the fields to take from ``rule``; empty takes all."""

    rule: MetricRule
    reason: str
    etag: str = ""
    mask: frozenset[str] = frozenset()
    request_id: str = ""
    validate_only: bool = False
    violations: tuple[Violation, ...] = ()
    """What is wrong with the request as it was sent; told together with what is wrong with the rule."""


@dataclass(frozen=True, slots=True)
class RuleReplay:
    """What a rule would have raised over the newest data."""

    judgement: Judgement
    alerts: tuple[Alert, ...]
    """The newest first."""
    stamp: DataStamp


@dataclass(frozen=True, slots=True)
class SavedRule:
    """The rule as stored, or as it would be; no replay before any data are published."""

    stored: StoredRule
    replay: RuleReplay | None = field(default=None)


class SaveAlertRule:
    """Nothing is stored before the rule is checked against the model and replayed over the data."""

    def __init__(self, store: Store, sources: Sequence[SeriesSource], clock: Clock) -> None:
        self._store = store
        self._sources = tuple(sources)
        self._clock = clock

    async def __call__(self, params: SaveAlertRuleParams, context: CallContext) -> SavedRule:
        """A repeat with the request_id changes nothing. Raises InvalidInput, StaleEtag, RequestIdConflict."""
        subject = f"alert-rules/{params.rule.alert_rule_id}"
        digest = hashlib.sha256(repr((params.rule, params.etag, sorted(params.mask))).encode()).hexdigest()
        now = self._clock.now()
        async with self._store.read() as uow:
            stored = await uow.alerts.rule(params.rule.alert_rule_id)
            earlier = None
            if params.request_id and not params.validate_only:
                earlier = await uow.audit.by_request(params.request_id, SAVE)
        if earlier is not None:
            if earlier.subject != subject or earlier.after.get("request") != digest:
                raise RequestIdConflict(f"request_id {params.request_id!r} saved {earlier.subject}")
            assert stored is not None, "rules are never deleted"
            return SavedRule(stored, await self._replay(stored.rule, now))
        rule = params.rule if stored is None else merged(stored.rule, params.rule, params.mask)
        self._check(params, rule)
        if stored is not None and params.etag != stored.etag and not (params.validate_only and not params.etag):
            raise StaleEtag(subject, stored.etag)
        if stored is None and params.etag:
            raise StaleEtag(subject, "")
        replayed = await self._replay(rule, now)
        version = 1 if stored is None else stored.version + 1
        saved = StoredRule(rule, version, now, context.actor.name)
        if params.validate_only:
            return SavedRule(saved, replayed)
        async with self._store.write() as uow:
            if not await uow.alerts.save_rule(saved):
                raise ConcurrentChange(f"{subject} was saved by somebody else at the same moment; read it again")
            if not rule.enabled:
                await resolve_all(uow, rule.alert_rule_id, now)
            await uow.audit.append(
                audited(
                    context,
                    now,
                    action=SAVE,
                    subject=subject,
                    reason=params.reason,
                    request_id=params.request_id,
                    before={} if stored is None else {"version": stored.version, "rule": stored.rule},
                    after={"version": version, "rule": rule, "request": digest},
                )
            )
            await uow.commit()
        return SavedRule(saved, replayed)

    def _check(self, params: SaveAlertRuleParams, rule: MetricRule) -> None:
        check = RuleCheck(list(params.violations))
        check.rule(rule)
        source = self._source(rule.metric)
        if source is not None:
            check.found += source.check(rule)
        elif rule.metric:
            check.wrong("metric", f"no metric is named {rule.metric!r}; DescribeModel lists them")
        if check.found:
            # The first one for each field: what the request lacks is often also unknown to the model.
            raise InvalidInput(list({one.field: one for one in reversed(check.found)}.values())[::-1])

    def _source(self, metric: str) -> SeriesSource | None:
        return next((source for source in self._sources if source.serves(metric)), None)

    async def _replay(self, rule: MetricRule, now: datetime) -> RuleReplay | None:
        source = self._source(rule.metric)
        if source is None:
            return None
        try:
            if await source.key(source.feed(rule.metric)) is None:
                return None
            evaluation = await source.read(rule)
        except DataVersionNotFound:
            return None
        judgement = await asyncio.to_thread(judge, rule, evaluation)
        shown = sorted(judgement.findings, key=lambda one: one.alert.start, reverse=True)[:MOST_SHOWN]
        return RuleReplay(judgement, tuple(_shown(rule, evaluation, one, now) for one in shown), evaluation.stamp)


def merged(stored: MetricRule, given: MetricRule, mask: Collection[str]) -> MetricRule:
    """The stored rule with the fields of ``mask`` taken from ``given``; all of them for an empty mask."""
    if not mask:
        return given
    condition: AlertRule = stored.condition
    condition = replace(
        condition,
        **{name: getattr(given.condition, name) for field_, name in CONDITION_FIELDS.items() if field_ in mask},
    )
    if BASELINE_FIELDS.intersection(mask):
        old, new = stored.condition.baseline or Baseline(0.0), given.condition.baseline or Baseline(0.0)
        baseline = Baseline(
            (new if "baseline_deviations" in mask else old).deviations,
            (new if "season" in mask else old).season,
            (new if "history" in mask else old).history,
        )
        threshold = condition.threshold if "threshold" in mask else None
        condition = replace(condition, threshold=threshold, baseline=baseline if baseline.deviations else None)
    elif "threshold" in mask and given.condition.threshold is not None:
        condition = replace(condition, baseline=None)
    return replace(stored, condition=condition, **{name: getattr(given, name) for name in RULE_FIELDS if name in mask})


def _shown(rule: MetricRule, evaluation: Evaluation, finding: Finding, now: datetime) -> Alert:
    """What would have been stored; without an id, as nothing is."""
    raised = finding.alert
    return Alert(
        alert_id="",
        alert_rule_id=rule.alert_rule_id,
        metric=rule.metric,
        dimensions=finding.dimensions,
        state=raised.state,
        severity=rule.condition.severity,
        owner=rule.condition.owner,
        summary=summary(rule, evaluation, finding),
        value=finding.value,
        limit=raised.limit,
        worst=raised.worst,
        moments=raised.moments,
        start_at=raised.start,
        fired_at=raised.fired,
        resolved_at=raised.resolved,
        stamp=evaluation.stamp,
        created_at=now,
        updated_at=now,
    )
