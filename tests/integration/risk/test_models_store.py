"""Models in the store, on each database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from sluice_server.domain.context import Actor, CallContext, SystemClock
from sluice_server.domain.errors import PermissionDenied, RequestIdConflict, RiskResourceNotFound, StaleEtag
from sluice_server.domain.risk.paging import Page
from sluice_server.domain.risk.pricing.change import (
    ActivateModel,
    ModelActivation,
    ModelDraft,
    ProposedPrices,
    ProposePrice,
    RegisterModel,
)
from sluice_server.domain.risk.pricing.model_version import ModelNotActivatable, ModelState, ModelVersion
from sluice_server.domain.risk.pricing.read import GetModelValidation, ListModelVersions, ListModelVersionsParams
from sluice_server.store import SqlStore, open_store
from tests.unit.risk.pricing.fitted import content, validation

ZHANG, LI = (CallContext(Actor(name), f"call-{name}") for name in ("zhang.san", "li.si"))
DRAFT = ModelDraft(content(), "ab" * 32, replace(validation(), passed=True), "quarterly")
WIDE = 100.0


@pytest.fixture
async def store(store_url: str) -> AsyncIterator[SqlStore]:
    async with open_store(store_url) as opened:
        yield opened


async def register(store: SqlStore, draft: ModelDraft = DRAFT) -> ModelVersion:
    return await RegisterModel(store, SystemClock())(draft, ZHANG)


async def put_to_use(store: SqlStore, model: ModelVersion) -> ModelVersion:
    proposed = ProposedPrices(model.version, "quarterly", loading=0.5, maximum_change=WIDE)
    proposal = await ProposePrice(store, SystemClock())(proposed, ZHANG)
    assert proposal.passed
    activation = ModelActivation(model.version, model.etag, "agreed", proposal.proposal_id)
    return await ActivateModel(store, SystemClock())(activation, LI)


async def test_a_model_is_read_as_it_was_stored(store: SqlStore) -> None:
    stored = await register(store)
    assert (stored.version, stored.state, stored.created_by) == (1, ModelState.VALIDATED, "zhang.san")
    assert stored.content == DRAFT.content
    model, found = await GetModelValidation(store)(1, None, ZHANG)
    assert model == stored
    assert replace(found, number=0, created_at=None) == DRAFT.validation
    page = await ListModelVersions(store)(ListModelVersionsParams(None, (), Page(10)), ZHANG)
    assert [replace(one, content=stored.content) for one in page.models] == [stored]
    assert page.models[0].content.portfolio == ()


async def test_a_repeat_with_the_request_id_stores_nothing_and_another_model_is_refused(store: SqlStore) -> None:
    draft = replace(DRAFT, request_id="req-1")
    assert await register(store, draft) == await register(store, draft)
    with pytest.raises(RequestIdConflict):
        await register(store, replace(draft, content_hash="cd" * 32))


async def test_versions_are_listed_newest_first_by_page(store: SqlStore) -> None:
    for _ in range(3):
        await register(store)
    await register(store, replace(DRAFT, validation=replace(validation(), passed=False)))
    listing = ListModelVersions(store)
    first = await listing(ListModelVersionsParams(None, (ModelState.VALIDATED,), Page(2)), ZHANG)
    assert [model.version for model in first.models] == [3, 2]
    rest = await listing(ListModelVersionsParams(None, (ModelState.VALIDATED,), Page(2, first.next_page_token)), ZHANG)
    assert ([model.version for model in rest.models], rest.next_page_token) == ([1], "")


async def test_one_person_proposes_and_another_activates(store: SqlStore) -> None:
    model = await register(store)
    proposed = ProposedPrices(1, "quarterly", 0.5, WIDE, "req-2")
    proposal = await ProposePrice(store, SystemClock())(proposed, ZHANG)
    assert await ProposePrice(store, SystemClock())(proposed, ZHANG) == proposal
    activation = ModelActivation(1, model.etag, "agreed", proposal.proposal_id, "req-3")
    with pytest.raises(PermissionDenied, match=r"zhang\.san proposed"):
        await ActivateModel(store, SystemClock())(activation, ZHANG)
    active = await ActivateModel(store, SystemClock())(activation, LI)
    assert (active.state, active.activated_by, active.loading) == (ModelState.ACTIVE, "li.si", 0.5)
    assert await ActivateModel(store, SystemClock())(activation, LI) == active
    async with store.read() as uow:
        actions = [event.action for event in await uow.audit.list(subject="models/1", actor="", before=None, limit=9)]
    assert actions == ["ActivateModel", "ProposePrice", "RegisterModel"]


async def test_the_former_model_retires_and_comes_back_with_its_loading(store: SqlStore) -> None:
    first = await put_to_use(store, await register(store))
    await put_to_use(store, await register(store))
    async with store.read() as uow:
        retired = await uow.models.get(1)
    assert retired is not None
    assert retired.state is ModelState.RETIRED
    back = await ActivateModel(store, SystemClock())(ModelActivation(1, retired.etag, "too dear"), LI)
    assert (back.state, back.loading, back.proposal_id) == (ModelState.ACTIVE, first.loading, first.proposal_id)
    async with store.read() as uow:
        other = await uow.models.get(2)
    assert other is not None
    assert other.state is ModelState.RETIRED


async def test_what_was_refused_or_not_proposed_or_read_too_long_ago_is_not_activated(store: SqlStore) -> None:
    activate = ActivateModel(store, SystemClock())
    refused = await register(store, replace(DRAFT, validation=replace(validation(), passed=False)))
    with pytest.raises(ModelNotActivatable, match="REFUSED"):
        await activate(ModelActivation(1, refused.etag, "why"), LI)
    with pytest.raises(ModelNotActivatable, match="REFUSED"):
        await ProposePrice(store, SystemClock())(ProposedPrices(1, "why"), ZHANG)
    model = await register(store)
    with pytest.raises(ModelNotActivatable, match="ProposePrice first"):
        await activate(ModelActivation(2, model.etag, "why"), LI)
    with pytest.raises(StaleEtag):
        await activate(ModelActivation(2, "99", "why"), LI)
    with pytest.raises(RiskResourceNotFound, match="no proposal"):
        await activate(ModelActivation(2, model.etag, "why", "prc-x"), LI)
    with pytest.raises(RiskResourceNotFound, match="no model has version 9"):
        await activate(ModelActivation(9, "1", "why"), LI)
    narrow = await ProposePrice(store, SystemClock())(ProposedPrices(2, "why", 0.5, 0.001), ZHANG)
    assert not narrow.passed
    with pytest.raises(ModelNotActivatable, match="did not pass the gate: maximum_change"):
        await activate(ModelActivation(2, model.etag, "why", narrow.proposal_id), LI)
