"""RegisterModel, ProposePrice, ActivateModel: how a fitted model comes to set prices."""

from __future__ import annotations

from dataclasses import dataclass, replace

from sluice_server.domain.audit.event import audited
from sluice_server.domain.context import CallContext, Clock
from sluice_server.domain.errors import PermissionDenied, RequestIdConflict, RiskResourceNotFound, StaleEtag
from sluice_server.domain.identity import new_id
from sluice_server.domain.risk.pricing.gate import DEFAULT_MAXIMUM_CHANGE, Prices, judge
from sluice_server.domain.risk.pricing.model_version import (
    ModelContent,
    ModelNotActivatable,
    ModelState,
    ModelTarget,
    ModelValidation,
    ModelVersion,
    PriceProposal,
    no_such_model,
)
from sluice_server.domain.unit_of_work import Store, UnitOfWork

REGISTER, PROPOSE, ACTIVATE = "RegisterModel", "ProposePrice", "ActivateModel"


@dataclass(frozen=True, slots=True)
class ModelDraft:
    """A fitted model to be stored. ``content_hash``: over its definition and numbers."""

    content: ModelContent
    content_hash: str
    validation: ModelValidation
    reason: str
    request_id: str = ""


@dataclass(frozen=True, slots=True)
class ProposedPrices:
    """What ProposePrice is given; None keeps the active loading, and 0.2."""

    model_version: int
    reason: str
    loading: float | None = None
    maximum_change: float | None = None
    request_id: str = ""
    maximum_share: float = 0.0
    """Of the policies, whose price may change by more."""


@dataclass(frozen=True, slots=True)
class ModelActivation:
    """What ActivateModel is given."""

    model_version: int
    etag: str
    reason: str
    proposal_id: str = ""
    request_id: str = ""


class RegisterModel:
    """Stores a fitted and validated model as a new version."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, draft: ModelDraft, context: CallContext) -> ModelVersion:
        """VALIDATED or REFUSED, as its validation says. A repeat with the request_id gives the stored version.

        Raises RequestIdConflict.
        """
        now = self._clock.now()
        async with self._store.write() as uow:
            await uow.models.lock()
            earlier = await uow.models.by_request(draft.request_id)
            if earlier is not None:
                if earlier.content_hash != draft.content_hash:
                    raise RequestIdConflict(f"request_id {draft.request_id!r} stored model version {earlier.version}")
                return earlier
            state = ModelState.VALIDATED if draft.validation.passed else ModelState.REFUSED
            stored = await uow.models.add(
                ModelVersion(0, state, draft.content, draft.content_hash, now, context.actor.name, draft.request_id),
                replace(draft.validation, created_at=now),
            )
            after = {"state": state.value, "content_hash": draft.content_hash}
            subject = f"models/{stored.version}"
            await uow.audit.append(
                audited(
                    context,
                    now,
                    action=REGISTER,
                    subject=subject,
                    reason=draft.reason,
                    request_id=draft.request_id,
                    before={},
                    after=after,
                )
            )
            await uow.commit()
        return stored


class ProposePrice:
    """Judges and stores a change of prices; nothing changes before another person activates it."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, proposed: ProposedPrices, context: CallContext) -> PriceProposal:
        """The proposal, passed or not. A repeat with the request_id gives the stored one.

        Raises RiskResourceNotFound, ModelNotActivatable for a refused model, RequestIdConflict.
        """
        now = self._clock.now()
        async with self._store.write() as uow:
            await uow.models.lock()
            earlier = await uow.models.proposal_by_request(proposed.request_id)
            if earlier is not None:
                if earlier.model_version != proposed.model_version or earlier.reason != proposed.reason:
                    raise RequestIdConflict(f"request_id {proposed.request_id!r} made proposal {earlier.proposal_id}")
                return earlier
            model = await uow.models.get(proposed.model_version)
            if model is None:
                raise no_such_model(proposed.model_version)
            if model.state in {ModelState.REFUSED, ModelState.FITTED}:
                text = f"model version {model.version} is {model.state}: only a validated model can set prices"
                raise ModelNotActivatable(text, subject=f"models/{model.version}", state=model.state)
            active = await uow.models.active()
            loading = proposed.loading if proposed.loading is not None else (active.loading if active else 0.0)
            change = proposed.maximum_change if proposed.maximum_change is not None else DEFAULT_MAXIMUM_CHANGE
            validation = await uow.models.validation(model.version, None)
            found = judge(
                model.content.portfolio,
                Prices(model.content.tariff, loading),
                Prices(active.content.tariff, active.loading) if active else None,
                change,
                validation is not None and validation.passed,
                proposed.maximum_share,
            )
            proposal = PriceProposal(
                new_id("prc"),
                model.version,
                loading,
                change,
                found.checks,
                found.dislocation,
                found.expected_loss_ratio,
                found.expected_loss_ratio_interval,
                context.actor.name,
                now,
                proposed.reason,
                proposed.request_id,
                model.content.data,
            )
            await uow.models.add_proposal(proposal)
            after = {"proposal_id": proposal.proposal_id, "passed": proposal.passed, "loading": loading}
            subject = f"models/{model.version}"
            await uow.audit.append(
                audited(
                    context,
                    now,
                    action=PROPOSE,
                    subject=subject,
                    reason=proposed.reason,
                    request_id=proposed.request_id,
                    before={},
                    after=after,
                )
            )
            await uow.commit()
        return proposal


class ActivateModel:
    """Puts a model version to use and retires the one before, in one step."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def __call__(self, activation: ModelActivation, context: CallContext) -> ModelVersion:
        """The active version. Activating the active one, or repeating a request_id, changes nothing.

        A retired version comes back with the proposal that it was active with before, unless another is named. Raises
        RiskResourceNotFound, ModelNotActivatable, PermissionDenied (the proposer activates), StaleEtag,
        RequestIdConflict.
        """
        now = self._clock.now()
        subject = f"models/{activation.model_version}"
        async with self._store.write() as uow:
            await uow.models.lock()
            model = await uow.models.get(activation.model_version)
            if model is None:
                raise no_such_model(activation.model_version)
            earlier = await uow.audit.by_request(activation.request_id, ACTIVATE) if activation.request_id else None
            if earlier is not None:
                if earlier.subject != subject:
                    raise RequestIdConflict(f"request_id {activation.request_id!r} activated {earlier.subject}")
                return model
            if model.state is ModelState.ACTIVE and activation.proposal_id in {"", model.proposal_id}:
                return model
            if activation.etag != model.etag:
                raise StaleEtag(subject, model.etag)
            proposal = await _approved(uow, model, activation, context)
            before = await uow.models.active()
            if before is not None and before.version != model.version:
                await uow.models.set_state(replace(before, state=ModelState.RETIRED))
            stored = await uow.models.set_state(
                replace(
                    model,
                    state=ModelState.ACTIVE,
                    activated_at=now,
                    activated_by=context.actor.name,
                    loading=proposal.loading if proposal else model.loading,
                    proposal_id=proposal.proposal_id if proposal else model.proposal_id,
                )
            )
            was: dict[str, object] = {"active_version": before.version if before else 0}
            after: dict[str, object] = {"active_version": model.version, "proposal_id": stored.proposal_id}
            await uow.audit.append(
                audited(
                    context,
                    now,
                    action=ACTIVATE,
                    subject=subject,
                    reason=activation.reason,
                    request_id=activation.request_id,
                    before=was,
                    after=after,
                )
            )
            await uow.commit()
        return stored


async def _approved(
    uow: UnitOfWork, model: ModelVersion, activation: ModelActivation, context: CallContext
) -> PriceProposal | None:
    """The proposal that is set into force; None for a model that sets no prices."""
    subject = f"models/{model.version}"
    if model.state in {ModelState.REFUSED, ModelState.FITTED}:
        text = f"model version {model.version} is {model.state}; only VALIDATED and RETIRED ones can be activated"
        raise ModelNotActivatable(text, subject=subject, state=model.state)
    if model.content.target is not ModelTarget.PURE_PREMIUM:
        return None
    proposal_id = activation.proposal_id or model.proposal_id
    if not proposal_id:
        raise ModelNotActivatable("a pricing model needs a passed proposal: ProposePrice first", subject=subject)
    proposal = await uow.models.proposal(proposal_id)
    if proposal is None or proposal.model_version != model.version:
        raise RiskResourceNotFound(f"no proposal {proposal_id!r} for model version {model.version}")
    if not proposal.passed:
        failed = ", ".join(check.name for check in proposal.checks if not check.passed)
        raise ModelNotActivatable(f"proposal {proposal_id} did not pass the gate: {failed}", subject=subject)
    if proposal.proposed_by == context.actor.name:
        raise PermissionDenied(f"{context.actor.name} proposed these prices; another person has to activate them")
    return proposal
